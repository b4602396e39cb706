package scheduler

import (
	"testing"
	"time"
)

// What TASK_LOST of older masters means depends on its reason (Marathon reference 12.2).
func TestLostByItsReason(t *testing.T) {
	for _, test := range []struct {
		reason, message string
		want            TaskState
	}{
		{"REASON_RECONCILIATION", "Task is unknown to the agent", TaskUnknown},
		{"REASON_RECONCILIATION", "Task is unknown to the slave", TaskUnknown},
		{"REASON_TASK_UNKNOWN", "", TaskUnknown},
		{"REASON_RECONCILIATION", "Reconciliation: task is recovering", TaskUnreachable},
		{"REASON_SLAVE_DISCONNECTED", "", TaskUnreachable},
		{"REASON_SLAVE_REMOVED", "", TaskUnreachable},
		{"REASON_AGENT_REMOVED", "", TaskUnreachable},
		{"REASON_INVALID_OFFERS", "", TaskGone},
		{"REASON_EXECUTOR_TERMINATED", "", TaskGone},
		{"", "", TaskGone},
	} {
		if got := mapLost(TaskStatus{State: TaskLost, Reason: test.reason, Message: test.message}); got != test.want {
			t.Errorf("%s %q: %s, want %s", test.reason, test.message, got, test.want)
		}
	}
	for _, state := range []TaskState{TaskStaging, TaskStarting, TaskRunning, TaskKilling, TaskFinished, TaskFailed, TaskKilled,
		TaskError, TaskGone, TaskDropped, TaskUnknown, TaskUnreachable} {
		if got := mapLost(TaskStatus{State: state, Reason: "REASON_RECONCILIATION"}); got != state {
			t.Errorf("%s became %s", state, got)
		}
	}
	if got := mapLost(TaskStatus{State: TaskGoneByOperator}); got != TaskGone {
		t.Errorf("TASK_GONE_BY_OPERATOR became %s", got)
	}
}

// A task that nothing is heard of, or that does not get beyond staging, is killed after five minutes, and another is
// started. Each further state begins the time anew.
func TestLaunchesThatTakeTooLong(t *testing.T) {
	for _, state := range []TaskState{"", TaskStaging, TaskStarting} {
		c := newCluster(t, 5, 1)
		c.stall, c.hold = true, state == ""
		c.must(put(app("/a", 1)))
		c.settle()
		switch state {
		case "":
			c.send(LaunchesSent{[]TaskID{c.started[0]}}) // which the time begins with, until there is word of it
		case TaskStarting:
			c.advance(4 * time.Minute)
			c.move(c.started[0], TaskStarting)
		}
		c.advance(5*time.Minute - time.Second)
		if c.tasks[c.started[0]] == nil || len(c.started) != 1 {
			t.Fatalf("%q: it is gone before its time", state)
		}
		c.stall, c.hold = false, false
		c.advance(3 * time.Second)
		if c.tasks[c.started[0]] != nil || len(c.started) != 2 || len(c.running("/a")) != 1 {
			t.Errorf("%q: %d started, %d run", state, len(c.started), len(c.running("/a")))
		}
	}
}

// All tasks are reconciled every ten minutes: one that ended without a word of it is replaced then, and not before.
func TestReconciliation(t *testing.T) {
	c := newCluster(t, 6, 2)
	c.must(put(app("/a", 2)))
	c.settle()
	c.advance(time.Minute)
	c.vanish(c.started[0])
	c.advance(8 * time.Minute)
	if len(c.started) != 2 {
		t.Fatalf("%d started before anything is heard of it", len(c.started))
	}
	c.advance(2 * time.Minute)
	if len(c.started) != 3 || len(c.running("/a")) != 2 {
		t.Errorf("%d started, %d run", len(c.started), len(c.running("/a")))
	}
}

// An unreachable task that comes back before it is forgotten is kept, and a surplus one goes; one that comes back later
// is killed (Marathon reference, section 16).
func TestUnreachableIsForgotten(t *testing.T) {
	for _, test := range []struct {
		strategy UnreachableStrategy
		away     time.Duration
		kept     bool
	}{
		{UnreachableStrategy{InactiveAfterSeconds: 60, ExpungeAfterSeconds: 600}, 30 * time.Second, true},
		{UnreachableStrategy{InactiveAfterSeconds: 60, ExpungeAfterSeconds: 600}, 599 * time.Second, true},
		{UnreachableStrategy{InactiveAfterSeconds: 60, ExpungeAfterSeconds: 600}, 601 * time.Second, false},
		{UnreachableStrategy{InactiveAfterSeconds: 60, ExpungeAfterSeconds: 60}, 61 * time.Second, false},
		{UnreachableStrategy{}, time.Second, false},
		{UnreachableStrategy{Disabled: true}, 24 * time.Hour, true},
	} {
		c := newCluster(t, 7, 2)
		// The older stays when there is one too many.
		c.must(put(app("/a", 1, unique, func(a *App) { a.UnreachableStrategy, a.KillSelection = test.strategy, YoungestFirst })))
		c.settle()
		first := c.running("/a")[0]
		agent := c.agents[first.AgentID]
		c.leave(agent)
		c.advance(test.away)
		c.comeBack(agent, false)
		c.settle()
		now := c.running("/a")
		if len(now) != 1 || len(c.tasks) != 1 || now[0].TaskID() == first.TaskID() != test.kept {
			t.Errorf("%+v, away for %s: %d tasks, %v runs", test.strategy, test.away, len(c.tasks), now)
		}
	}
}
