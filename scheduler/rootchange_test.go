package scheduler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPast goes back through random changes, before and after a restart, and finds each root group as it was; of older
// versions than are kept it finds none.
func TestPast(t *testing.T) {
	for seed := range uint64(20) {
		c := newCluster(t, seed, 1)
		c.core.limits.VersionsKept = 10
		random := rand.New(rand.NewPCG(seed, 7))
		was := map[Timestamp]map[string]string{0: rootGroup(c.core.State())}
		order := []Timestamp{0}
		for range 25 {
			id := PathID(fmt.Sprintf("/g%d/h%d/a%d", random.IntN(2), random.IntN(2), random.IntN(2)))
			request := put(app(id, 0, func(a *App) { a.Cmd = fmt.Sprintf("cmd %d", random.IntN(3)) }))
			switch random.IntN(4) {
			case 0:
				request = remove(id)
			case 1:
				request = Update{Change: func(d *Draft) error { d.RemoveGroup(id.Parent()); return nil }}
			}
			request.Force = true
			c.must(request)
			s := c.core.State()
			was[s.Version], order = rootGroup(s), append(order, s.Version)
		}
		loaded, err := LoadState(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*State{"at once": c.core.State(), "after a restart": loaded} {
			n := len(order)
			for past := range s.Past() {
				n--
				if past.Version != order[n] {
					t.Fatalf("seed %d, %s: version %s, want %s", seed, name, past.Version, order[n])
				}
				if diff := cmp.Diff(was[past.Version], rootGroup(past)); diff != "" {
					t.Errorf("seed %d, %s: version %s differs (-was +got):\n%s", seed, name, past.Version, diff)
				}
			}
			if kept := len(order) - n; kept != 10 {
				t.Errorf("seed %d, %s: %d versions are kept, want 10", seed, name, kept)
			}
		}
	}
}

// rootGroup tells what is in the root group.
func rootGroup(s *State) map[string]string {
	out := map[string]string{}
	for a := range s.Apps() {
		out["app "+string(a.ID)] = a.Cmd + " " + a.Version.String()
	}
	for g := range s.GroupsWithin(Root) {
		out["group "+string(g.ID)] = g.Version.String()
	}
	return out
}

// TestGroupVersions gives a group a new version with each change within it, and with none elsewhere.
func TestGroupVersions(t *testing.T) {
	c := newCluster(t, 1, 1)
	count := func(id PathID) int { return len(c.core.State().GroupVersions(id)) }
	for _, step := range []struct {
		request Event
		want    int
	}{
		{put(app("/g/a", 0), app("/g/h/b", 0)), 1},
		{put(app("/elsewhere", 0)), 1},
		{put(app("/g/h/b", 0, func(a *App) { a.Cmd = "other" })), 2},
		{remove("/g/h/b"), 3},
		{put(app("/g/a", 0)), 3},
	} {
		c.must(step.request)
		c.settle()
		if got := count("/g"); got != step.want {
			t.Errorf("after %+v: %d versions, want %d", step.request, got, step.want)
		}
	}
	if all := count(Root); all != 6 {
		t.Errorf("the root group has %d versions, want 6", all)
	}
	if count("/unknown") != 0 {
		t.Error("a group that never was has versions")
	}
}
