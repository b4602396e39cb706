package scheduler

import (
	"testing"
	"time"
)

// delayedFor says how long an app is held back.
func delayedFor(c *cluster, id PathID) time.Duration {
	q, _ := c.core.State().Queued(id, c.now)
	return q.Delay
}

// Which ends of a task hold its app back (Marathon reference, section 13).
func TestEndsThatBackOff(t *testing.T) {
	for state, held := range map[TaskState]bool{TaskFailed: true, TaskFinished: true, TaskError: true, TaskGone: true,
		TaskGoneByOperator: true, TaskDropped: true, TaskKilled: false, TaskUnknown: false} {
		c := newCluster(t, 1, 1)
		c.must(put(app("/a", 1, func(a *App) { a.BackoffSeconds = 10 })))
		c.settle()
		first := c.running("/a")[0]
		c.move(first.TaskID(), state)
		c.settle()
		if delay := delayedFor(c, "/a"); delay > 0 != held {
			t.Errorf("%s: held back for %s", state, delay)
		}
		c.advance(11 * time.Second)
		if now := c.running("/a"); len(now) != 1 || now[0].ID != first.ID || now[0].Incarnation != 2 {
			t.Errorf("%s: then %+v", state, now)
		}
	}
}

// A delay blocks no longer when a task comes up, but is remembered for the next failure, until the app ran for longer
// than maxLaunchDelay without one, or is given another definition, restarted or removed. Scaling does not forget it.
func TestBackoffIsForgotten(t *testing.T) {
	crash := func(c *cluster) time.Duration {
		c.move(c.running("/a")[0].TaskID(), TaskFailed)
		c.settle()
		delay := delayedFor(c, "/a")
		c.advance(delay + 100*time.Millisecond)
		return delay.Round(time.Second)
	}
	force := func(u Update) Update { u.Force = true; return u }
	definition := func(instances int, change ...func(*App)) *App {
		return app("/a", instances, append(change, func(a *App) {
			a.BackoffSeconds, a.BackoffFactor, a.MaxLaunchDelaySeconds = 10, 2, 60
		})...)
	}
	for name, test := range map[string]struct {
		then func(*cluster)
		next time.Duration // after 10 and 20 seconds
	}{
		"at once":          {func(*cluster) {}, 40 * time.Second},
		"ran nearly":       {func(c *cluster) { c.advance(55 * time.Second) }, 40 * time.Second},
		"ran for long":     {func(c *cluster) { c.advance(61 * time.Second) }, 10 * time.Second},
		"scaled":           {func(c *cluster) { c.must(put(definition(2))) }, 40 * time.Second},
		"other definition": {func(c *cluster) { c.must(put(definition(1, func(a *App) { a.Cmd = "other" }))) }, 10 * time.Second},
		"restarted":        {func(c *cluster) { c.must(restart("/a")) }, 10 * time.Second},
		"removed": {func(c *cluster) {
			c.must(remove("/a"))
			c.settle()
			if n := c.core.State().delays.len(); n > 0 {
				t.Errorf("%d delays are left of apps that are gone", n)
			}
			c.must(put(definition(1)))
		}, 10 * time.Second},
		"another leader": {func(c *cluster) { c.boot(3) }, 10 * time.Second},
		"killed":         {func(c *cluster) { c.must(KillTasks{Tasks: []TaskID{c.running("/a")[0].TaskID()}}) }, 40 * time.Second},
	} {
		c := newCluster(t, 2, 2)
		c.must(put(definition(1)))
		c.settle()
		if a, b := crash(c), crash(c); a != 10*time.Second || b != 20*time.Second {
			t.Fatalf("held back for %s and %s", a, b)
		}
		test.then(c)
		c.settle()
		if got := crash(c); got != test.next {
			t.Errorf("%s: held back for %s, want %s", name, got, test.next)
		}
	}

	// While it is held back, another definition and a restart launch at once; more instances wait with the others.
	for name, test := range map[string]struct {
		change Update
		held   bool
	}{
		"scaled":           {force(put(definition(2))), true},
		"other definition": {force(put(definition(1, func(a *App) { a.Cmd = "other" }))), false},
		"restarted":        {force(restart("/a")), false},
	} {
		c := newCluster(t, 3, 2)
		c.must(put(definition(1)))
		c.settle()
		c.move(c.running("/a")[0].TaskID(), TaskFailed)
		c.settle()
		c.must(test.change)
		c.settle()
		if held := delayedFor(c, "/a") > 0; held != test.held || len(c.running("/a")) > 0 == test.held {
			t.Errorf("%s: held %v, %d run", name, held, len(c.running("/a")))
		}
	}
}

// An app that is held back does not hold others back.
func TestBackoffIsOfOneApp(t *testing.T) {
	c := newCluster(t, 4, 1)
	c.must(put(app("/a", 1, func(a *App) { a.BackoffSeconds = 60 })))
	c.settle()
	c.move(c.running("/a")[0].TaskID(), TaskFailed)
	c.settle()
	c.must(put(app("/b", 1)))
	c.settle()
	if len(c.running("/b")) != 1 || len(c.running("/a")) != 0 {
		t.Errorf("%d and %d run", len(c.running("/a")), len(c.running("/b")))
	}
}
