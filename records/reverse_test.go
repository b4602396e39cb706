package records

import (
	"net/netip"
	"slices"
	"testing"
)

func TestReverseZone(t *testing.T) {
	for _, tt := range []struct{ network, want string }{
		{"10.0.0.0/8", "10.in-addr.arpa"},
		{"192.168.0.0/16", "168.192.in-addr.arpa"},
		{"192.0.2.0/24", "2.0.192.in-addr.arpa"},
		{"192.0.2.1/32", "1.2.0.192.in-addr.arpa"},
		{"fd00::/8", "d.f.ip6.arpa"},
		{"2001:db8::/32", "8.b.d.0.1.0.0.2.ip6.arpa"},
		{"fd00::/12", "0.d.f.ip6.arpa"},
		{"10.0.0.0/9", ""}, {"10.0.0.0/0", ""}, {"fd00::/10", ""}, {"10.0.0.1/8", ""}, {"::ffff:10.0.0.0/104", ""},
	} {
		got, err := ReverseZone(netip.MustParsePrefix(tt.network))
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v; want %q", tt.network, got, err, tt.want)
		}
	}
}

// Addresses are named where they have a zone: an agent's by what all agents share, a task's own by the task.
func TestPTR(t *testing.T) {
	z := newTestZone(t, func(o *Options) {
		o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/16"),
			netip.MustParsePrefix("192.0.2.0/24")}
	})
	agent := Agent{ID: "x-S1", Addrs: addrs("10.0.0.1", "fd00::1", "203.0.113.1")}
	own := running("web.1", "web", agent)
	own.Addresses.NetInfo = addrs("10.9.0.7", "fd00::7", "203.0.113.7")
	z.Update("s", Update{Agents: []Agent{agent}, Tasks: []Task{own, running("api.1", "api", agent)}})

	ptr := func(text string) []string {
		node := z.Snapshot().LookupName(text)
		if node == nil || node.RRset(TypePTR) == nil {
			return nil
		}
		return node.RRset(TypePTR).Names()
	}
	web := "web-" + taskHash("web.1") + "-s1.marathon.mesos."
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"1.0.0.10.in-addr.arpa.", []string{"slave.mesos."}},
		{"7.0.9.10.in-addr.arpa.", []string{web}},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", []string{"slave.mesos."}},
		{"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", []string{web}},
		{"1.113.0.203.in-addr.arpa.", nil}, // no zone
		{"8.0.9.10.in-addr.arpa.", nil},
	} {
		if got := ptr(tt.name); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if z.Snapshot().LookupName(web) == nil {
		t.Errorf("%s, which a PTR record names, does not exist", web)
	}
	if z.Snapshot().LookupName("0.0.10.in-addr.arpa.") == nil || z.Snapshot().LookupName("10.in-addr.arpa.").RRset(TypeSOA) == nil {
		t.Error("what is above a name does not exist")
	}
	for name := range z.Snapshot().All() {
		if n, _ := parseName(name); !z.Snapshot().Apexes()[0].Has([]byte(n)) {
			t.Errorf("%s is listed as a name of the domain", name)
		}
	}
	for _, framework := range z.Enumerate() {
		for _, task := range framework.Tasks {
			for _, r := range task.Records {
				if r.Type != "A" && r.Type != "AAAA" && r.Type != "SRV" {
					t.Errorf("Mesos-DNS does not enumerate %v", r)
				}
			}
		}
	}

	// A zone that nothing happened in keeps its serial.
	before := z.Snapshot()
	z.Update("s", Update{TasksGone: []string{"web.1"}})
	after := z.Snapshot()
	for i, moved := range []bool{true, true, true, false} {
		if (before.Apexes()[i].Serial != after.Apexes()[i].Serial) != moved {
			t.Errorf("%s: the serial moved: %v", after.Apexes()[i].Name, !moved)
		}
	}
	if got := ptr("7.0.9.10.in-addr.arpa."); got != nil || after.LookupName("9.10.in-addr.arpa.") != nil {
		t.Errorf("after the task has gone: %q", got)
	}
}
