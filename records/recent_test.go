package records

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The newest changes come first, each with its time and what the name had before; the SOA's own are none.
func TestRecent(t *testing.T) {
	o := DefaultOptions("mesos")
	o.JournalSize = 100
	z, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if got := z.Snapshot().Recent(10); len(got) != 0 {
		t.Fatalf("before the first change: %v", got)
	}
	web := func(id, agent string) Task {
		return Task{Key: id, ID: id, Name: "web", Framework: "marathon", FrameworkKey: "f", AgentID: agent, State: "TASK_RUNNING"}
	}
	before := time.Now()
	z.Update("s", Update{Frameworks: []Framework{{Key: "f", Name: "marathon"}},
		Agents: []Agent{{ID: "a", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, {ID: "b", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}},
		Tasks:  []Task{web("web.1", "a")}})
	z.Update("s", Update{Tasks: []Task{web("web.2", "b")}})
	z.Update("s", Update{TasksGone: []string{"web.1"}})

	addrs := func(n *Node) string {
		text := ""
		for r := range n.RRsets() {
			for _, a := range r.Addrs() {
				text += " " + a.String()
			}
		}
		return text
	}
	all := z.Snapshot().Recent(100)
	var got []string
	for _, c := range all {
		if c.At.Before(before) || c.At.After(time.Now()) {
			t.Errorf("%s changed at %v", c.Name, c.At)
		}
		if c.Name == "web.marathon.mesos." {
			got = append(got, addrs(c.Old)+" ->"+addrs(c.New))
		}
	}
	if diff := cmp.Diff([]string{" 10.0.0.1 10.0.0.2 -> 10.0.0.2", " 10.0.0.1 -> 10.0.0.1 10.0.0.2", " -> 10.0.0.1"}, got); diff != "" {
		t.Errorf("what became of the name, newest first (-want +got):\n%s", diff)
	}
	if got := z.Snapshot().Recent(1); len(got) != 1 || got[0].Name != all[0].Name {
		t.Errorf("the newest one is %v, of all it is %s", got, all[0].Name)
	}
	if slices.ContainsFunc(all, func(c Recent) bool { return c.Name == "mesos." }) {
		t.Error("the SOA record's change is told")
	}
}
