package scheduler

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// toldToEnd are the tasks that the engine was told to kill since the last call, each as often as it was told.
func toldToEnd(c *cluster) []TaskID {
	var out []TaskID
	for _, s := range c.said {
		if s.Status.State == TaskKilling {
			out = append(out, s.Status.TaskID)
		}
	}
	c.said = nil
	return out
}

// No more than a hundred kills are in flight; each that ends makes room for the next. What waits is out of DNS already.
func TestKillsWaitForTheirTurn(t *testing.T) {
	c := newCluster(t, 1, 10)
	c.must(put(app("/web", 250, func(a *App) { a.PortDefinitions = nil })))
	c.settle()
	c.stubborn = true
	c.must(put(app("/web", 0)))
	c.settle()
	first := toldToEnd(c)
	if inFlight, waiting := c.core.State().Kills(); len(first) != 100 || inFlight != 100 || waiting != 150 || len(c.discovery) != 0 {
		t.Fatalf("%d told, %d in flight, %d waiting, %d in DNS", len(first), inFlight, waiting, len(c.discovery))
	}
	if _, why := c.core.State().appProgress(Action{ScaleApplication, "/web"}, c.now); why != "100 ending; 150 waiting for the kills of others" {
		t.Errorf("the deployment waits: %s", why)
	}
	for _, id := range first[:40] {
		c.move(id, TaskKilled)
	}
	c.settle()
	next := toldToEnd(c)
	if len(next) != 40 || slices.ContainsFunc(next, func(id TaskID) bool { return slices.Contains(first, id) }) {
		t.Fatalf("40 have ended, and %d others are told", len(next))
	}

	// Those in flight are told again, and only those.
	c.advance(DefaultLimits().KillRetry + time.Second)
	again := toldToEnd(c)
	if !sameTasks(again, append(slices.Clone(first[40:]), next...)) {
		t.Fatalf("%d are told again", len(again))
	}

	// A task that ends by itself while it waits has no turn.
	for id, task := range c.tasks {
		if task.state == TaskRunning && !slices.Contains(again, id) {
			c.move(id, TaskFinished)
			break
		}
	}
	c.settle()
	if inFlight, waiting := c.core.State().Kills(); len(toldToEnd(c)) != 0 || inFlight != 100 || waiting != 109 {
		t.Fatalf("%d in flight, %d waiting", inFlight, waiting)
	}

	// Those on an agent that is lost give their places up.
	var lost *modelAgent
	held := 0
	for _, a := range c.agents {
		n := 0
		for _, id := range c.tasksOn(a) {
			if slices.Contains(again, id) {
				n++
			}
		}
		if n > held {
			lost, held = a, n
		}
	}
	waited := len(c.tasksOn(lost)) - held
	c.leave(lost)
	c.settle()
	if inFlight, waiting := c.core.State().Kills(); inFlight != 100 || waiting != 109-waited-held {
		t.Fatalf("%d in flight, %d waiting after an agent with %d and %d was lost", inFlight, waiting, held, waited)
	}

	// Another leader finds out by what is wanted, and has no more in flight either.
	toldToEnd(c)
	c.boot(2)
	c.settle()
	if told := toldToEnd(c); len(told) != 100 {
		t.Fatalf("another leader tells %d", len(told))
	}
	c.comeBack(lost, false)
	c.stubborn = false
	for range 5 { // what was told the first time is not told again until then
		c.advance(DefaultLimits().KillRetry + time.Second)
	}
	if inFlight, waiting := c.core.State().Kills(); len(c.tasks) != 0 || inFlight+waiting != 0 || c.deployments() != 0 {
		t.Errorf("%d tasks, %d in flight, %d waiting, %d deployments in the end", len(c.tasks), inFlight, waiting, c.deployments())
	}
}

// Tasks that nobody wants wait for their turn like others, are told again, and give their places up when they are not
// heard of.
func TestKillsOfStrangeTasksWaitToo(t *testing.T) {
	c := newCluster(t, 2, 2)
	c.settle()
	c.core.limits.KillsInFlight = 2
	c.stubborn = true
	ids := []TaskID{"stray.instance-1._app.1", "stray.instance-2._app.1", "stray.instance-3._app.1", "stray.instance-4._app.1"}
	for _, id := range ids {
		c.tasks[id] = &modelTask{TaskInfo{AgentID: "agent-S000"}, TaskRunning}
		c.status(id, "agent-S000", TaskRunning)
	}
	c.settle()
	if told := toldToEnd(c); !sameTasks(told, ids[:2]) {
		t.Fatalf("told: %v", told)
	}
	c.advance(DefaultLimits().KillRetry + time.Second)
	if told := toldToEnd(c); !sameTasks(told, ids[:2]) {
		t.Fatalf("told again: %v", told)
	}
	c.move(ids[1], TaskKilled)
	c.status(ids[0], "agent-S000", TaskUnreachable)
	c.settle()
	if told := toldToEnd(c); !sameTasks(told, ids[2:]) {
		t.Fatalf("told when it is their turn: %v", told)
	}
	c.move(ids[2], TaskKilled)
	c.move(ids[3], TaskKilled)
	c.settle()
	if inFlight, waiting := c.core.State().Kills(); inFlight+waiting != 0 {
		t.Errorf("%d in flight, %d waiting", inFlight, waiting)
	}
}

func sameTasks(a, b []TaskID) bool {
	set := func(list []TaskID) map[TaskID]bool {
		out := map[TaskID]bool{}
		for _, id := range list {
			out[id] = true
		}
		return out
	}
	return len(a) == len(b) && maps.Equal(set(a), set(b))
}
