package scheduler

import (
	"fmt"
	"maps"
	"math"
	"slices"
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
