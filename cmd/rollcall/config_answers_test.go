package main

import (
	"net/netip"
	"slices"
	"testing"
)

// How long it may be kept that there is nothing follows the TTL, and is short where names come from the scheduler.
func TestNegativeTTLDefaults(t *testing.T) {
	for text, want := range map[string]uint32{
		`{"scheduler": {}}`:                                 5,
		`{"scheduler": {}, "ttl": 3}`:                       3,
		`{"scheduler": {}, "ttl": 3600}`:                    5,
		`{"scheduler": {}, "ttl": 3600, "negativeTTL": 60}`: 60,
		`{"scheduler": {}, "negativeTTL": 0}`:               0,
		`{"masters": ["10.0.0.1:5050"]}`:                    60,
		`{"masters": ["10.0.0.1:5050"], "ttl": 0}`:          0,
		`{"masters": ["10.0.0.1:5050"], "ttl": 300}`:        300,
		`{"masters": ["10.0.0.1:5050"], "negativeTTL": 1}`:  1,
	} {
		if got := (&server{}).zoneOptions(mustParse(t, text)).NegativeTTL; got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func TestTTLLabel(t *testing.T) {
	for label, want := range map[string]int{"10": 10, "0": 0, "2147483647": 2147483647, "2147483648": -1, "-1": -1, "": -1, "1m": -1, " 5": -1} {
		got := ttlOf(map[string]string{ttlLabel: label})
		if (got == nil) != (want < 0) || got != nil && int(*got) != want {
			t.Errorf("%q: %v, want %d", label, got, want)
		}
	}
	if ttlOf(nil) != nil {
		t.Error("a TTL without a label")
	}
}

// A reverse zone is given by its network or by its name.
func TestReverseZoneNames(t *testing.T) {
	c := mustParse(t, `{"scheduler": {}, "reverseZones": ["10.in-addr.arpa.", "2.0.192.IN-ADDR.arpa", "192.168.0.0/16", "0.0.d.f.ip6.arpa", "2001:db8::/32"]}`)
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fd00::/16"), netip.MustParsePrefix("2001:db8::/32")}
	if !slices.Equal(c.Answers.ReverseZones, want) {
		t.Errorf("%v, want %v", c.Answers.ReverseZones, want)
	}
}
