package resolver

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"rollcall/records"
)

// Reverse zones are zones like the domain: with an SOA of their own for what they do not have, and NS records.
func TestReverseZone(t *testing.T) {
	o := records.DefaultOptions("mesos")
	o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/16")}
	zone, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	zone.Update("test", records.Update{Agents: []records.Agent{{ID: "x-S1",
		Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}}}})
	h := newTestHandler(t, zone)
	v6 := "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa."
	for _, tt := range []struct {
		question string
		rcode    int
		answer   string // "": none
		soa      string // owner; "": none
	}{
		{"1.0.0.10.in-addr.arpa. PTR", dns.RcodeSuccess, "slave.mesos.", ""},
		{"1.0.0.10.IN-ADDR.arpa. ANY", dns.RcodeSuccess, "slave.mesos.", ""},
		{"1." + v6 + " PTR", dns.RcodeSuccess, "slave.mesos.", ""},
		{"1.0.0.10.in-addr.arpa. A", dns.RcodeSuccess, "", "10.in-addr.arpa."},
		{"2.0.0.10.in-addr.arpa. PTR", dns.RcodeNameError, "", "10.in-addr.arpa."},
		{"0.10.in-addr.arpa. PTR", dns.RcodeSuccess, "", "10.in-addr.arpa."},
		{"2." + v6 + " PTR", dns.RcodeNameError, "", "0.0.d.f.ip6.arpa."},
		{"10.in-addr.arpa. NS", dns.RcodeSuccess, "ns1.mesos.", ""},
		{"11.in-addr.arpa. PTR", dns.RcodeRefused, "", ""},
		{"slave.mesos. PTR", dns.RcodeSuccess, "", "mesos."},
	} {
		m := newQuestion(t, tt.question)
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		checkPaths(t, h, packet, overUDP, 0)
		got := reply(t, h, m, true)
		if got.Rcode != tt.rcode || (len(got.Answer) == 1) != (tt.answer != "") || (len(got.Ns) == 1) != (tt.soa != "") {
			t.Errorf("%s:\n%v", tt.question, got)
			continue
		}
		if tt.answer != "" && got.Answer[0].Header().Name != m.Question[0].Name {
			t.Errorf("%s: owner %s", tt.question, got.Answer[0].Header().Name)
		}
		switch {
		case tt.soa != "" && dns.CanonicalName(got.Ns[0].Header().Name) != tt.soa:
			t.Errorf("%s: SOA of %s, want %s", tt.question, got.Ns[0].Header().Name, tt.soa)
		case tt.answer != "" && dns.Field(got.Answer[0], 1) != tt.answer:
			t.Errorf("%s: %v, want %s", tt.question, got.Answer[0], tt.answer)
		}
	}
}
