package scheduler

import (
	"fmt"
	"testing"
	"time"
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
		var forgotten []Event
		for id, task := range c.tasks {
			forgotten = append(forgotten, StatusReceived{TaskStatus{TaskID: id, AgentID: task.info.AgentID, State: TaskUnknown,
				Timestamp: c.now, Reason: "REASON_RECONCILIATION"}})
		}
		c.step(append([]Event{Registered{FrameworkID: "framework-1", Master: master}}, forgotten...)...)
		wait := c.stillUnreachable() == 10 && c.core.State().Braked() == 5
		if wait != (master != "") {
			t.Errorf("with master %q: %d wait, %d agents hold the brake", master, c.stillUnreachable(), c.core.State().Braked())
		}
	}
	// One agent that has forgotten its tasks is.
	c := onMaster(t, 5, UnreachableStrategy{})
	for id, task := range c.tasks {
		if task.info.AgentID == "agent-S000" {
			c.send(StatusReceived{TaskStatus{TaskID: id, AgentID: task.info.AgentID, State: TaskUnknown, Timestamp: c.now, Reason: "REASON_RECONCILIATION"}})
			delete(c.tasks, id)
		}
	}
	c.settle()
	c.advance(time.Minute)
	if len(c.running("/a")) != 10 {
		t.Errorf("%d run", len(c.running("/a")))
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
