package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// onMaster is a cluster whose engine has a master, with an app of two instances on each agent.
func onMaster(t *testing.T, agents int, strategy UnreachableStrategy) *cluster {
	t.Helper()
	c := newCluster(t, 7, agents)
	c.master = "m:5050"
	c.send(Registered{FrameworkID: "framework-1", Master: c.master})
	c.must(put(app("/a", 2*agents, func(a *App) {
		a.UnreachableStrategy = strategy
		a.Constraints = []Constraint{{"hostname", MaxPer, "2"}}
	})))
	c.settle()
	if n := len(c.running("/a")); n != 2*agents {
		t.Fatalf("%d run", n)
	}
	return c
}

func agentNumber(n int) AgentID { return AgentID(fmt.Sprintf("agent-S%03d", n)) }

// loseAgents has agents leave.
func (c *cluster) loseAgents(from, to int) {
	for n := from; n < to; n++ {
		c.leave(c.agents[agentNumber(n)])
	}
}

func replaced(c *cluster) int {
	n := 0
	for i := range c.core.State().Instances("/a") {
		if i.Condition == Scheduled || i.Incarnation > 1 {
			n++
		}
	}
	return n
}

func TestLossesOfFewAgentsAreReplaced(t *testing.T) {
	c := onMaster(t, 10, UnreachableStrategy{})
	c.loseAgents(0, 2)
	c.settle()
	c.advance(time.Second)
	if c.core.State().Braked() != 0 || c.stillUnreachable() != 0 {
		t.Errorf("%d agents hold the brake, %d instances wait", c.core.State().Braked(), c.stillUnreachable())
	}
	// Later ones are a loss of their own.
	c.advance(2 * atOnce)
	c.loseAgents(2, 3)
	c.settle()
	if c.core.State().Braked() != 0 {
		t.Error("losses that lie apart are taken together")
	}
}

func (c *cluster) stillUnreachable() int {
	n := 0
	for i := range c.core.State().Instances("/a") {
		if i.Condition == Unreachable {
			n++
		}
	}
	return n
}

func TestMassLossWaitsForAWord(t *testing.T) {
	for _, strategy := range []UnreachableStrategy{{}, {InactiveAfterSeconds: 60, ExpungeAfterSeconds: 120}} {
		c := onMaster(t, 10, strategy)
		c.loseAgents(0, 3)
		c.settle()
		c.advance(24 * time.Hour)
		if got := c.core.State().Braked(); got != 3 || c.stillUnreachable() != 6 || replaced(c) != 0 {
			t.Errorf("%+v: %d agents hold the brake, %d instances wait, %d were replaced", strategy, got, c.stillUnreachable(), replaced(c))
		}
		if got := c.must(ConfirmLosses{}); got != 3 {
			t.Errorf("confirmed for %v agents", got)
		}
		c.advance(10 * time.Minute)
		if c.core.State().Braked() != 0 || c.stillUnreachable() != 0 {
			t.Errorf("%+v: after the word, %d instances wait", strategy, c.stillUnreachable())
		}
	}
}

// Another leader does not replace what the one before held back; losses that lie apart are each one's own to it, too.
func TestMassLossOutlivesALeader(t *testing.T) {
	patient := UnreachableStrategy{InactiveAfterSeconds: 600, ExpungeAfterSeconds: 1200}
	c := onMaster(t, 10, patient)
	c.loseAgents(0, 3)
	c.settle()
	for range 2 {
		c.boot(8)
		c.settle()
		c.advance(24 * time.Hour)
		if got := c.core.State().Braked(); got != 3 || c.stillUnreachable() != 6 || replaced(c) != 0 {
			t.Fatalf("%d agents hold the brake, %d instances wait, %d were replaced", got, c.stillUnreachable(), replaced(c))
		}
	}
	c = onMaster(t, 10, patient)
	for n := range 3 {
		c.loseAgents(n, n+1)
		c.settle()
		c.advance(2 * atOnce)
	}
	c.boot(9)
	c.settle()
	if got := c.core.State().Braked(); got != 0 {
		t.Errorf("%d agents hold the brake that were lost one by one", got)
	}
}

func TestMassLossEndsWhenAgentsAreBack(t *testing.T) {
	c := onMaster(t, 10, UnreachableStrategy{})
	c.loseAgents(0, 3)
	c.settle()
	c.comeBack(c.agents[agentNumber(0)], false)
	c.step()
	if c.core.State().Braked() != 0 {
		t.Error("replacement still waits with two of ten agents lost")
	}
	c.advance(time.Minute)
	if c.stillUnreachable() != 0 || len(c.running("/a")) < 16 {
		t.Errorf("%d wait, %d run", c.stillUnreachable(), len(c.running("/a")))
	}
}

// A cluster that has forgotten all tasks is not believed.
func TestTasksThatTheClusterForgot(t *testing.T) {
	for _, master := range []string{"m:5050", ""} {
		c := onMaster(t, 5, UnreachableStrategy{})
		c.master = master
		c.forget(0, 5)
		c.advance(time.Minute)
		wait := c.stillUnreachable() == 10 && c.core.State().Braked() == 5
		if wait != (master != "") {
			t.Errorf("with master %q: %d wait, %d agents hold the brake", master, c.stillUnreachable(), c.core.State().Braked())
		}
	}
	// When it has forgotten one agent it is, when it says so again a while later. Until then the tasks count as they did.
	c := onMaster(t, 5, UnreachableStrategy{})
	c.forget(0, 1)
	c.advance(askAgain - time.Second)
	if len(c.running("/a")) != 10 {
		t.Errorf("%d run before the cluster was asked again", len(c.running("/a")))
	}
	c.advance(time.Minute)
	if len(c.running("/a")) != 8 || c.stillUnreachable() != 0 || c.core.State().Braked() != 0 {
		t.Errorf("%d run, %d wait", len(c.running("/a")), c.stillUnreachable())
	}
}

// forget has agents leave without a word, and the cluster forget their tasks.
func (c *cluster) forget(from, to int) {
	for n := from; n < to; n++ {
		agent := c.agents[agentNumber(n)]
		agent.away = true
		for _, id := range c.tasksOn(agent) {
			c.forgotten[id] = c.tasks[id]
			delete(c.tasks, id)
		}
	}
	c.disconnect()
	c.reconnect()
	c.settle()
}

// remember brings agents back of which the cluster knows nothing but that they are there, with their tasks or without.
func (c *cluster) remember(from, to int, tasks bool) {
	for n := from; n < to; n++ {
		agent := c.agents[agentNumber(n)]
		agent.away = false
		for id, task := range c.forgotten {
			if tasks && task.info.AgentID == agentNumber(n) {
				c.tasks[id] = task
			}
		}
	}
	c.offerAll()
	c.settle()
}

func (c *cluster) runningTasks() []TaskID {
	var out []TaskID
	for _, i := range c.running("/a") {
		out = append(out, i.TaskID())
	}
	slices.Sort(out)
	return out
}

var allStrategies = []UnreachableStrategy{{}, {Disabled: true}, {InactiveAfterSeconds: 3600, ExpungeAfterSeconds: 7200}}

// Once somebody has said that forgotten tasks are gone they are given up at once, however long an app wants to wait for an
// agent, and asking for them again does not begin the same anew.
func TestForgottenTasksAfterTheWord(t *testing.T) {
	for _, strategy := range allStrategies {
		c := onMaster(t, 10, strategy)
		c.forget(0, 5)
		c.advance(time.Hour)
		if got := c.core.State().Braked(); got != 5 || c.stillUnreachable() != 10 {
			t.Fatalf("%+v: %d agents hold the brake, %d instances wait", strategy, got, c.stillUnreachable())
		}
		c.must(ConfirmLosses{})
		c.settle()
		for _, d := range []time.Duration{time.Minute, 24 * time.Hour} {
			c.advance(d)
			if c.stillUnreachable() != 0 || c.core.State().Braked() != 0 {
				t.Errorf("%+v: %d are unreachable, %d agents hold the brake", strategy, c.stillUnreachable(), c.core.State().Braked())
			}
		}
		// Agents that were heard of since can be lost again.
		c.remember(0, 5, false)
		c.advance(time.Minute)
		if n := len(c.running("/a")); n != 20 {
			t.Fatalf("%+v: %d run", strategy, n)
		}
		c.forget(0, 5)
		c.advance(time.Minute)
		if got := c.core.State().Braked(); got != 5 {
			t.Errorf("%+v: when they are forgotten again, %d agents hold the brake", strategy, got)
		}
	}
}

// A cluster that has lost its memory says that it does not know the tasks of agents which have not come back to it yet. When
// they have, the tasks are asked for again, and go on.
func TestForgottenTasksOfAgentsThatReturn(t *testing.T) {
	for _, strategy := range allStrategies {
		c := onMaster(t, 10, strategy)
		before := c.runningTasks()
		c.forget(0, 10)
		for n := range 10 { // one after the other
			c.remember(n, n+1, true)
			c.advance(2 * time.Second)
		}
		c.advance(10 * time.Minute)
		if diff := cmp.Diff(before, c.runningTasks()); diff != "" || c.core.State().Braked() != 0 {
			t.Errorf("%+v: %d agents hold the brake; other tasks run:\n%s", strategy, c.core.State().Braked(), diff)
		}
	}
}

// When the agents are there and the tasks are not, nobody has to be asked.
func TestForgottenTasksThatAreGone(t *testing.T) {
	for _, strategy := range allStrategies {
		c := onMaster(t, 10, strategy)
		before := c.runningTasks()
		c.forget(0, 5)
		c.remember(0, 5, false)
		c.advance(time.Minute)
		stayed := slices.DeleteFunc(c.runningTasks(), func(id TaskID) bool { return !slices.Contains(before, id) })
		if n := len(c.running("/a")); n != 20 || len(stayed) != 10 || c.core.State().Braked() != 0 {
			t.Errorf("%+v: %d run, %d as before, %d agents hold the brake", strategy, n, len(stayed), c.core.State().Braked())
		}
	}
}

// A framework id that is new means that no task is left.
func TestNewFrameworkBeginsAnew(t *testing.T) {
	c := onMaster(t, 2, UnreachableStrategy{Disabled: true})
	clear(c.tasks)
	c.send(Registered{FrameworkID: "framework-2", Master: "m:5050", Anew: true})
	c.settle()
	c.advance(time.Minute)
	if got := len(c.running("/a")); got != 4 || c.core.State().FrameworkID != "framework-2" {
		t.Errorf("%d run as %s", got, c.core.State().FrameworkID)
	}
}
