package scheduler

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However a rolling restart goes, it ends with new instances only, and on the way never leaves its bounds: enough
// instances serve, and there are never too many. New tasks come up one at a time, in any order.
func TestRollingRestartBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "instances")
		strategy := UpgradeStrategy{
			MaximumOverCapacity:   float64(rapid.IntRange(0, 10).Draw(t, "over")) / 10,
			MinimumHealthCapacity: float64(rapid.IntRange(0, 10).Draw(t, "healthy")) / 10,
		}
		c := newCluster(t, uint64(rapid.IntRange(0, 1000).Draw(t, "seed")), 3)
		c.must(put(app("/a", n, func(a *App) { a.UpgradeStrategy = strategy })))
		c.settle()
		serving := func() int { return len(c.running("/a")) }
		if serving() != n {
			t.Fatalf("%d of %d run", serving(), n)
		}
		enough := int(math.Ceil(float64(n) * strategy.MinimumHealthCapacity))
		most := max(n, int(math.Floor(float64(n)*(1+strategy.MaximumOverCapacity)))) + 1
		within := func(when string) {
			present := 0
			for i := range c.core.State().Instances("/a") {
				if i.Condition.Active() {
					present++
				}
			}
			if serving() < enough || present > most {
				t.Fatalf("%s: %d serve (at least %d), %d present (at most %d)", when, serving(), enough, present, most)
			}
		}

		c.stall = true
		c.must(put(app("/a", n, func(a *App) { a.UpgradeStrategy, a.Cmd = strategy, "new" })))
		for step := 0; c.deployments() > 0; step++ {
			if step > 10*n+10 {
				t.Fatal("the restart does not end")
			}
			for len(c.pending) > 0 {
				c.step()
				within(fmt.Sprintf("step %d", step))
			}
			var staging []TaskID
			for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
				if c.tasks[id].state == TaskStaging {
					staging = append(staging, id)
				}
			}
			if len(staging) > 0 {
				c.move(rapid.SampledFrom(staging).Draw(t, "comes up"), TaskRunning)
			}
		}
		for _, i := range c.running("/a") {
			if i.App.Cmd != "new" {
				t.Fatalf("%s still runs %q", i.ID, i.App.Cmd)
			}
		}
		if serving() != n || len(c.tasks) != n {
			t.Fatalf("in the end %d serve and %d tasks run", serving(), len(c.tasks))
		}
	})
}

// How far an upgrade goes at once, and with each new instance that comes up (Marathon reference, section 11).
func TestHowUpgradesGo(t *testing.T) {
	for _, test := range []struct {
		instances     int
		healthy, over float64
		want          string // old ones and new ones that there are, each time
	}{
		{2, 1, 1, "2+2 1+2 0+2"},
		{2, 0, 0, "0+2 0+2 0+2"},
		{2, 0.5, 0, "1+1 0+2 0+2"},
		{2, 1, 0, "2+1 1+2 0+2"}, // one more than there may be, or it could not begin
		{4, 0.5, 0.5, "2+4 1+4 0+4 0+4 0+4"},
		{4, 1, 0.5, "4+2 3+3 2+4 1+4 0+4"},
		{3, 0.5, 0, "2+1 1+2 0+3 0+3"}, // half of three is two
	} {
		c := newCluster(t, 4, 3)
		version := func(cmd string) *App {
			return app("/a", test.instances, func(a *App) {
				a.Cmd, a.UpgradeStrategy = cmd, UpgradeStrategy{MinimumHealthCapacity: test.healthy, MaximumOverCapacity: test.over}
			})
		}
		c.must(put(version("old")))
		c.settle()
		c.stall = true
		c.must(put(version("new")))
		c.settle()
		var got []string
		for n := 0; ; n++ {
			of := map[string]int{}
			for i := range c.core.State().Instances("/a") {
				of[i.App.Cmd]++
			}
			got = append(got, fmt.Sprintf("%d+%d", of["old"], of["new"]))
			if n == test.instances {
				break
			}
			c.move(c.started[test.instances+n], TaskRunning)
			c.settle()
		}
		if strings.Join(got, " ") != test.want || c.deployments() != 0 {
			t.Errorf("%d with %v and %v: %v, want %s; %d deployments", test.instances, test.healthy, test.over, got, test.want, c.deployments())
		}
	}
}

// Old instances that are not healthy make room before those that are, and each is told to end once.
func TestUpgradesEndTheUnhealthyFirst(t *testing.T) {
	for _, over := range []float64{0, 0.5} {
		c := newCluster(t, 5, 3)
		version := func(cmd string) *App {
			return app("/a", 4, checked(func(h *HealthCheck) { h.MaxConsecutiveFailures = 0 }), func(a *App) {
				a.Cmd, a.UpgradeStrategy = cmd, UpgradeStrategy{MinimumHealthCapacity: 0.5, MaximumOverCapacity: over}
			})
		}
		c.must(put(version("old")))
		c.settle()
		c.advance(6 * time.Second)
		ill := c.running("/a")[3]
		c.ailing[ill.TaskID()] = true
		c.advance(11 * time.Second)
		c.stall, c.stubborn, c.notices = true, true, nil
		c.must(put(version("new")))
		c.settle()
		ending := map[InstanceID]int{}
		for _, n := range c.notices {
			if body, ok := n.Body.(InstanceChanged); ok && body.Condition == Killing {
				ending[body.InstanceID]++
			}
		}
		if len(c.running("/a")) != 2 || len(ending) != 2 || ending[ill.ID] != 1 {
			t.Errorf("over %v: %d serve; told to end: %v, %s is the one that is not healthy", over, len(c.running("/a")), ending, ill.ID)
		}
	}
}

// Another leader goes on with an upgrade where it was: what runs the new definition already counts, and is not started again.
func TestUpgradeOverAChangeOfTheLeader(t *testing.T) {
	c := newCluster(t, 1, 3)
	version := func(cmd string) *App {
		return app("/a", 4, func(a *App) {
			a.Cmd, a.UpgradeStrategy = cmd, UpgradeStrategy{MinimumHealthCapacity: 0.5, MaximumOverCapacity: 0}
		})
	}
	c.must(put(version("old")))
	c.settle()
	c.stall = true // two have made room, and two of the new definition are about to come up
	c.must(put(version("new")))
	c.settle()
	c.move(c.started[4], TaskRunning)
	c.boot(2)
	c.settle()
	old, fresh := 0, 0
	for _, i := range c.running("/a") {
		if i.App.Cmd == "old" {
			old++
		} else {
			fresh++
		}
	}
	if c.deployments() != 1 || old < 1 || fresh != 1 || len(c.tasks) > 4 {
		t.Fatalf("%d deployments, %d and %d serve, %d tasks", c.deployments(), old, fresh, len(c.tasks))
	}
	c.stall = false
	for id, task := range c.tasks {
		if task.state == TaskStaging {
			c.move(id, TaskRunning)
		}
	}
	c.settle()
	if len(c.started) != 8 || len(c.running("/a")) != 4 || c.deployments() != 0 {
		t.Errorf("%d started, %d run, %d deployments", len(c.started), len(c.running("/a")), c.deployments())
	}
}

// A new instance that fails is replaced by another, and no more of the old go for that.
func TestUpgradeWhoseNewInstancesFail(t *testing.T) {
	c := newCluster(t, 2, 3)
	c.must(put(app("/a", 2)))
	c.settle()
	c.stall = true
	c.must(put(app("/a", 2, func(a *App) { a.Cmd = "new" })))
	c.settle()
	for range 3 {
		for id, task := range c.tasks {
			if task.state == TaskStaging {
				c.move(id, TaskFailed)
			}
		}
		c.settle()
		c.advance(3 * time.Second)
		staging := 0
		for _, task := range c.tasks {
			if task.state == TaskStaging {
				staging++
			}
		}
		if len(c.running("/a")) != 2 || staging != 2 || c.deployments() != 1 {
			t.Fatalf("%d serve, %d come up, %d deployments", len(c.running("/a")), staging, c.deployments())
		}
	}
}
