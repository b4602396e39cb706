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

var compareSets = cmp.Options{cmpopts.IgnoreUnexported(RRset{}), cmpopts.EquateComparable(netip.Addr{})}

// whole is everything in a snapshot that an answer can show.
func whole(s *Snapshot) map[string][]RRset {
	out := make(map[string][]RRset)
	for text, node := range s.All() {
		for set := range node.RRsets() {
			out[text] = append(out[text], RRset{Type: set.Type, TTL: set.TTL, Addrs: set.Addrs, SRV: set.SRV, NS: set.NS, SOA: set.SOA})
		}
	}
	for text, node := range s.Listed() {
		for set := range node.RRsets() {
			out["listed "+text] = append(out["listed "+text], RRset{Type: set.Type, Addrs: set.Addrs, SRV: set.SRV})
		}
	}
	return out
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
	if got := z.Snapshot().LookupName("web.app0.prod.marathon.mesos").RRset(TypeA).TTL; got != 5 {
		t.Errorf("the TTL is %d", got)
	}
}
