package records

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var drawOptions = rapid.Custom(func(t *rapid.T) Options {
	o := DefaultOptions("mesos")
	o.TTL = rapid.SampledFrom([]uint32{0, 60}).Draw(t, "ttl")
	o.NegativeTTL = rapid.SampledFrom([]uint32{5, 60}).Draw(t, "negative ttl")
	o.TTLs = rapid.SampledFrom([]map[uint16]uint32{nil, {TypeSRV: 7}}).Draw(t, "ttls")
	o.ReverseZones = rapid.SampledFrom([][]netip.Prefix{nil, {netip.MustParsePrefix("10.0.0.0/24")}}).Draw(t, "reverse zones")
	o.SRVWeight = rapid.SampledFrom([]uint16{1, 7}).Draw(t, "weight")
	o.IPSources = rapid.SampledFrom([][]string{{"host"}, {"netinfo", "host"}}).Draw(t, "ip sources")
	o.EnforceRFC952 = rapid.Bool().Draw(t, "rfc952")
	o.SOA.MName = rapid.SampledFrom([]string{"ns1.mesos.", "ns.example.", "a.slave.mesos."}).Draw(t, "mname")
	o.SOA.Refresh = rapid.SampledFrom([]uint32{60, 61}).Draw(t, "refresh")
	o.ListenAddrs = addrs(rapid.SampledFrom([][]string{{"127.0.0.1"}, {"10.0.0.9", "fd00::9"}}).Draw(t, "listen")...)
	o.AllUnhealthy = AllUnhealthy(rapid.IntRange(0, 1).Draw(t, "all unhealthy"))
	return o
})

// A zone that is reconfigured is what one is that had those options from the beginning, and goes on as that does.
func TestReconfiguredZoneIsLikeANewOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, err := New(drawOptions.Draw(t, "first options"))
		if err != nil {
			t.Fatal(err)
		}
		said := rapid.SliceOfN(drawUpdate, 1, 5).Draw(t, "updates")
		at := rapid.IntRange(0, len(said)).Draw(t, "reconfigured after")
		last := drawOptions.Draw(t, "last options")
		reconfigure := func() {
			before, old := z.Snapshot(), content(z.Snapshot())
			if err := z.Reconfigure(last); err != nil {
				t.Fatal(err)
			}
			check(t, z, z.Snapshot())
			if diff := cmp.Diff(old, content(before), compareRdata); diff != "" {
				t.Fatalf("an older snapshot has changed:\n%s", diff)
			}
		}
		fresh, err := New(last)
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range said {
			if i == at {
				reconfigure()
			}
			z.Update("s", u)
			fresh.Update("s", u)
		}
		if at == len(said) {
			reconfigure()
		}
		if diff := cmp.Diff(whole(fresh.Snapshot()), whole(z.Snapshot()), compareSets); diff != "" {
			t.Fatalf("-new +reconfigured:\n%s", diff)
		}
		got, want := z.Snapshot().Stats(), fresh.Snapshot().Stats()
		if got.Changed = want.Changed; got != want {
			t.Fatalf("stats %+v, those of a new zone %+v", got, want)
		}
	})
}

var compareSets = cmp.Options{cmpopts.EquateComparable(netip.Addr{})}

// whole is everything in a snapshot that an answer can show.
func whole(s *Snapshot) map[string][]shownSet {
	out := make(map[string][]shownSet)
	for text, node := range s.All() {
		for set := range node.RRsets() {
			out[text] = append(out[text], comparableSet(set, set.TTL()))
		}
	}
	for text, node := range s.Listed() {
		for set := range node.RRsets() {
			out["listed "+text] = append(out["listed "+text], comparableSet(set, 0))
		}
	}
	return out
}

// shownSet is what an answer can show of a set.
type shownSet struct {
	Type  uint16
	TTL   uint32
	Addrs []netip.Addr
	SRV   []SRV
	Names []string
	SOA   *SOA
}

func comparableSet(set *RRset, ttl uint32) shownSet {
	return shownSet{set.Type, ttl, set.Addrs(), set.SRV(), set.Names(), withoutSerial(set.SOA())}
}

func withoutSerial(soa *SOA) *SOA {
	if soa == nil {
		return nil
	}
	out := *soa
	out.Serial = 0
	return &out
}

// Reverse zones come and go; those that stay go on from their serials, and a new one begins behind all of them. What
// happened before is not in the journal.
func TestReconfiguredReverseZones(t *testing.T) {
	options := func(networks ...string) Options {
		o := DefaultOptions("mesos")
		o.JournalSize = 1000
		for _, n := range networks {
			o.ReverseZones = append(o.ReverseZones, netip.MustParsePrefix(n))
		}
		return o
	}
	z, err := New(options("10.0.0.0/8", "fd00::/16"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		z.Update("s", Update{Agents: []Agent{{ID: "x-S1", Addrs: addrs("10.0.0." + string(rune('1'+i)))}}})
	}
	before := z.Snapshot()
	if err := z.Reconfigure(options("192.0.2.0/24", "10.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	after := z.Snapshot()
	check(t, z, after)
	for i, want := range []struct {
		name   string
		serial uint32
	}{{"mesos.", before.Apexes()[0].Serial + 1}, {"2.0.192.in-addr.arpa.", before.LastSerial() + 1}, {"10.in-addr.arpa.", before.Apexes()[1].Serial + 1}} {
		apex := after.Apexes()[i]
		if apex.Name != want.name || apex.Serial != want.serial {
			t.Errorf("%s with serial %d, want %s with %d", apex.Name, apex.Serial, want.name, want.serial)
		}
		if _, ok := after.Since(&apex, apex.Serial-1); ok {
			t.Errorf("%s: the journal knows what came before", apex.Name)
		}
	}
	z.Update("s", Update{AgentsGone: []string{"x-S1"}})
	if changes, ok := z.Snapshot().Since(&z.Snapshot().Apexes()[2], after.Apexes()[2].Serial); !ok || len(changes) != 1 {
		t.Errorf("afterwards: %v, %v", changes, ok)
	}
}

func TestReconfigure(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", crowd(10))
	serial := z.Snapshot().Serial()

	if err := z.Reconfigure(DefaultOptions("mesos")); err != nil || z.Snapshot().Serial() != serial {
		t.Errorf("the same options: serial %d, %v; want %d", z.Snapshot().Serial(), err, serial)
	}
	before := slices.Collect(maps.Keys(nodes(z.Snapshot())))
	for name, o := range map[string]Options{
		"another domain": DefaultOptions("dc1"),
		"invalid":        func() Options { o := DefaultOptions("mesos"); o.IPSources = nil; return o }(),
	} {
		if err := z.Reconfigure(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := slices.Collect(maps.Keys(nodes(z.Snapshot()))); z.Snapshot().Serial() != serial || len(got) != len(before) {
		t.Error("the zone has changed with an error")
	}
	o := DefaultOptions("mesos")
	o.TTL, o.Serial = 5, 1 // the serial goes on from where it is
	if err := z.Reconfigure(o); err != nil || z.Snapshot().Serial() != serial+1 {
		t.Errorf("another TTL: serial %d, %v; want %d", z.Snapshot().Serial(), err, serial+1)
	}
	if got := z.Snapshot().LookupName("web.app0.prod.marathon.mesos").RRset(TypeA).TTL(); got != 5 {
		t.Errorf("the TTL is %d", got)
	}
}
