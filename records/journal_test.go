package records

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// published is the records of a zone by name, without the SOA's.
func published(s *Snapshot, apex Apex) map[name][]rdata {
	out := make(map[name][]rdata)
	for n, data := range contentOf(s, apex) {
		if len(data) > 0 {
			out[n] = data
		}
	}
	return out
}

// From any zone that there was, the changes since lead to the one that there is.
func TestSince(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := DefaultOptions("mesos")
		o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
		o.JournalSize = rapid.SampledFrom([]int{5, 50, 100_000}).Draw(t, "journal size")
		o.Serial = rapid.SampledFrom([]uint32{1, 1<<32 - 2}).Draw(t, "serial")
		z, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		snapshots := []*Snapshot{z.Snapshot()}
		for range rapid.IntRange(1, 12).Draw(t, "updates") {
			z.Update(rapid.SampledFrom([]string{"p", "q"}).Draw(t, "source"), drawUpdate.Draw(t, "update"))
			snapshots = append(snapshots, z.Snapshot())
		}
		now := z.Snapshot()
		if now.journal.changes > o.JournalSize {
			t.Fatalf("the journal has %d changes", now.journal.changes)
		}
		for zone := range now.Apexes() {
			apex := &now.Apexes()[zone]
			want := published(now, *apex)
			for _, old := range snapshots {
				changes, ok := now.Since(apex, old.Apexes()[zone].Serial)
				if !ok {
					if o.JournalSize == 100_000 {
						t.Fatalf("nothing is known since serial %d", old.Apexes()[zone].Serial)
					}
					continue
				}
				got := published(old, *apex)
				for _, c := range changes {
					n, _ := parseName(c.Name)
					if diff := cmp.Diff(got[n], c.Old.published(), compareRdata); diff != "" {
						t.Fatalf("%s was something else: %s", c.Name, diff)
					}
					if delete(got, n); len(c.New.published()) > 0 {
						got[n] = c.New.published()
					}
				}
				if diff := cmp.Diff(want, got, compareRdata); diff != "" {
					t.Fatalf("%s since serial %d (-want +got):\n%s", apex.Name, old.Apexes()[zone].Serial, diff)
				}
			}
			for _, never := range []uint32{0, apex.Serial + 1, o.Serial - 1} {
				if changes, ok := now.Since(apex, never); ok {
					t.Fatalf("changes since serial %d, which never was: %v", never, changes)
				}
			}
		}
	})
}

// Without a journal nothing is kept, and only the newest serial is known.
func TestNoJournal(t *testing.T) {
	z := newTestZone(t)
	before := z.Snapshot().Serial()
	z.Update("s", Update{Agents: []Agent{agent0}})
	s := z.Snapshot()
	if _, ok := s.Since(&s.Apexes()[0], before); ok || len(s.journal.versions) > 0 {
		t.Error("there is a journal")
	}
	if changes, ok := s.Since(&s.Apexes()[0], s.Serial()); !ok || len(changes) > 0 {
		t.Errorf("since now: %v, %v", changes, ok)
	}
}

// Whoever waits for updates misses none.
func TestUpdated(t *testing.T) {
	z := newTestZone(t)
	for range 3 {
		updated := z.Updated()
		select {
		case <-updated:
			t.Fatal("updated before the update")
		default:
		}
		z.Update("s", Update{})
		<-updated
	}
}
