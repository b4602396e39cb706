package scheduler

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var histories = flag.Int("histories", 60, "random histories to run")

// TestRandomHistories lets seeded random things happen to a cluster. The model checks after each step that no task
// is launched twice, before it is stored, or on resources that are taken, that none is killed while it serves, and
// that UNIQUE holds; at the end everything that was asked for must run, and nothing else.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(*histories) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := &history{cluster: newCluster(t, seed, 5), random: rand.New(rand.NewPCG(seed, 2)), apps: map[PathID]int{}}
			h.settle()
			for range 150 {
				h.happen()
			}
			h.finish()
		})
	}
}

type history struct {
	*cluster
	random *rand.Rand
	apps   map[PathID]int // acknowledged: app to instances
}

func (h *history) happen() {
	ids := slices.Sorted(maps.Keys(h.apps))
	pick := func() PathID { return ids[h.random.IntN(len(ids))] }
	tasks := slices.Sorted(maps.Keys(h.tasks))
	switch what := h.random.IntN(12); {
	case what <= 1 || len(ids) == 0:
		id := PathID(fmt.Sprintf("/g%d/a%d", h.random.IntN(2), h.random.IntN(4)))
		h.change(id, h.random.IntN(6), func(a *App) {
			a.Cmd = fmt.Sprintf("cmd %d", h.random.IntN(3))
			if h.random.IntN(3) == 0 {
				unique(a)
			}
			a.UpgradeStrategy = UpgradeStrategy{float64(h.random.IntN(3)) / 2, float64(h.random.IntN(3)) / 2}
		})
	case what == 2:
		id := pick()
		before := h.core.State().App(id)
		h.change(id, h.random.IntN(6), func(a *App) { a.Cmd, a.Constraints = before.Cmd, before.Constraints })
	case what == 3:
		id := pick()
		if r := h.request(remove(id)); r.Err == nil {
			delete(h.apps, id)
		}
	case what == 4:
		h.request(restart(pick()))
	case what == 5 && len(tasks) > 0:
		h.move(tasks[h.random.IntN(len(tasks))], []TaskState{TaskFailed, TaskFinished, TaskKilled, TaskGone}[h.random.IntN(4)])
	case what == 6 && len(tasks) > 0:
		task := tasks[h.random.IntN(len(tasks))] // word of it comes again
		h.status(task, h.tasks[task].info.AgentID, h.tasks[task].state)
	case what == 7 && len(h.started) > 0:
		old := h.started[h.random.IntN(len(h.started))] // late word of an old task
		if h.tasks[old] == nil {
			h.status(old, "agent-S000", TaskRunning)
		}
	case what == 8:
		h.step()
		h.restartFromStore()
	case what == 9 && len(tasks) > 0:
		delete(h.tasks, tasks[h.random.IntN(len(tasks))]) // it vanishes unseen; reconciliation has to tell
	case what == 10:
		h.stall = !h.stall
		if !h.stall {
			for _, id := range tasks {
				if h.tasks[id].state == TaskStaging {
					h.move(id, TaskRunning)
				}
			}
		}
	default:
		h.advance(time.Duration(h.random.IntN(30_000)) * time.Millisecond)
	}
	if h.random.IntN(2) == 0 {
		h.settle()
	}
}

func (h *history) change(id PathID, instances int, f func(*App)) {
	u := put(app(id, instances, f))
	u.Force = h.random.IntN(2) == 0
	if r := h.request(u); r.Err == nil {
		h.apps[id] = instances
	}
}

// restartFromStore checks that what the store holds is the state but for what is not persisted, then goes on from it.
func (h *history) restartFromStore() {
	before := h.core.State()
	after, err := LoadState(context.Background(), h.cluster)
	if err != nil {
		h.t.Fatal(err)
	}
	if a, b := persistent(h.t, before), persistent(h.t, after); a != b {
		h.t.Fatalf("the store lost something:\nbefore %s\nafter  %s", a, b)
	}
	h.boot(h.random.Uint64())
}

func persistent(t failer, s *State) string {
	var deployments []*Deployment
	for d := range s.Deployments() {
		deployments = append(deployments, d)
	}
	data, err := json.Marshal([]any{s.FrameworkID, s.Version, slices.Collect(s.Apps()), slices.Collect(s.GroupsWithin(Root)),
		slices.Collect(s.AllInstances()), deployments, slices.Collect(values(s.versions.under("")))})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// finish lets the cluster come to rest and compares it with what was acknowledged.
func (h *history) finish() {
	h.stall = false
	for id, task := range h.tasks {
		if task.state == TaskStaging {
			h.move(id, TaskRunning)
		}
	}
	h.advance(2 * time.Hour)
	h.boot(4711)
	h.advance(2 * time.Hour)
	s := h.core.State()
	for id, instances := range h.apps {
		a := s.App(id)
		if a == nil || a.Instances != instances {
			h.t.Errorf("%s was acknowledged with %d instances; it is %+v", id, instances, a)
			continue
		}
		want := instances
		if len(a.Constraints) > 0 {
			want = min(want, len(h.agents))
		}
		if got := len(h.running(id)); got != want {
			h.t.Errorf("%s: %d run, want %d", id, got, want)
		}
	}
	known := map[TaskID]bool{}
	for i := range s.AllInstances() {
		known[i.TaskID()] = true
		if h.apps[i.AppID] == 0 {
			h.t.Errorf("%s is of an app that is not wanted", i.ID)
		}
	}
	for id := range h.tasks {
		if !known[id] {
			h.t.Errorf("task %s runs, and nobody knows it", id)
		}
	}
}
