package scheduler

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestOneShotsRunOnce(t *testing.T) {
	for _, test := range []struct {
		policy RestartPolicy
		end    TaskState
		again  bool
	}{
		{RestartNever, TaskFinished, false},
		{RestartNever, TaskFailed, false},
		{RestartNever, TaskGone, false},
		{RestartNever, TaskDropped, true}, // it never ran
		{RestartOnFailure, TaskFinished, false},
		{RestartOnFailure, TaskFailed, true},
		{RestartAlways, TaskFinished, true},
		{"", TaskFinished, true},
	} {
		c := newCluster(t, 41, 2)
		c.must(put(app("/job", 2, func(a *App) { a.RestartPolicy = test.policy })))
		c.settle()
		if open := c.deployments() == 1; open != (test.policy != "" && test.policy != RestartAlways) {
			t.Errorf("%s: deployment open while the tasks run: %v", test.policy, open)
		}
		for _, task := range slices.Clone(c.started) {
			c.move(task, test.end)
		}
		c.advance(time.Hour)
		if again := len(c.started) > 2; again != test.again {
			t.Errorf("%s, %s: started again %v", test.policy, test.end, again)
		}
		if test.again {
			continue
		}
		if c.deployments() != 0 || len(c.tasks) != 0 {
			t.Errorf("%s, %s: %d deployments, %d tasks", test.policy, test.end, c.deployments(), len(c.tasks))
		}
		c.boot(5) // another leader does not start them again either
		c.advance(time.Hour)
		if len(c.started) != 2 {
			t.Errorf("%s: %d started after a restart", test.policy, len(c.started))
		}
		c.must(restart("/job"))
		c.settle()
		if len(c.started) != 4 {
			t.Errorf("%s: %d started after being told to run again", test.policy, len(c.started))
		}
	}
}

func TestOnePerAgentFollowsTheAgents(t *testing.T) {
	c := newCluster(t, 42, 3)
	c.settle()
	daemon := func(a *App) { a.OnePerAgent = true }
	onRacks := func(a *App) {
		daemon(a)
		a.Constraints = []Constraint{{"rack", Unlike, "rack-1"}}
	}
	c.must(put(app("/all", 1, daemon), app("/some", 1, onRacks)))
	c.settle()
	expect := func(when string, all, some int) {
		t.Helper()
		hosts := map[string]bool{}
		for _, i := range c.running("/all") {
			hosts[i.Hostname] = true
		}
		if n := len(c.running("/all")); n != all || len(hosts) != all || len(c.running("/some")) != some || c.deployments() != 0 {
			t.Errorf("%s: %d of /all run on %d hosts, %d of /some; %d deployments", when, n, len(hosts), len(c.running("/some")), c.deployments())
		}
		if s := c.core.State(); s.Size(s.App("/all")) != all || s.Size(s.App("/some")) != some {
			t.Errorf("%s: sizes %d and %d", when, s.Size(s.App("/all")), s.Size(s.App("/some")))
		}
	}
	expect("at first", 3, 2)
	c.addAgents(2, c.agents["agent-S000"].offer.Resources) // in rack-0 and rack-1
	c.offerAll()
	c.settle()
	expect("with two agents more", 5, 3)
	c.leave(c.agents["agent-S003"])
	c.settle()
	c.advance(time.Minute)
	expect("with one less", 4, 2)
	c.boot(9)
	c.settle()
	expect("after a restart", 4, 2)
	c.move(c.running("/all")[0].TaskID(), TaskFailed)
	c.advance(time.Minute)
	expect("after a crash", 4, 2)
	c.must(put(app("/all", 1, daemon, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	expect("after an upgrade", 4, 2)
	var invalid *InvalidError
	if r := c.request(KillTasks{Tasks: []TaskID{c.running("/all")[0].TaskID()}, Scale: true}); !errors.As(r.Err, &invalid) {
		t.Errorf("a kill that scales is answered with %+v", r)
	}
	c.must(put(app("/all", 0, daemon)))
	c.settle()
	if len(c.running("/all")) != 0 || c.deployments() != 0 {
		t.Errorf("with 0 instances %d run", len(c.running("/all")))
	}
}

func TestIndexesAreTheSmallestFree(t *testing.T) {
	c := newCluster(t, 43, 3)
	indexes := func() []int {
		var out []int
		for _, i := range c.running("/a") {
			if env := c.tasks[i.TaskID()].info.Env["MARATHON_APP_INDEX"]; env != strconv.Itoa(i.Index) {
				t.Errorf("%s has index %d, its task %q", i.ID, i.Index, env)
			}
			out = append(out, i.Index)
		}
		slices.Sort(out)
		return out
	}
	expect := func(when string, want ...int) {
		t.Helper()
		if got := indexes(); !slices.Equal(got, want) {
			t.Errorf("%s: %v", when, got)
		}
	}
	c.must(put(app("/a", 3)))
	c.settle()
	expect("at first", 0, 1, 2)
	one := c.running("/a")[1]
	c.move(one.TaskID(), TaskFailed)
	c.advance(time.Minute)
	if again := c.core.State().Instance(one.ID); again.Index != one.Index || again.Incarnation != 2 {
		t.Errorf("after a crash it is number %d, was %d", again.Index, one.Index)
	}
	c.must(put(app("/a", 2)))
	c.settle()
	c.must(put(app("/a", 4)))
	c.settle()
	expect("after scaling down and up", 0, 1, 2, 3)
	c.must(put(app("/a", 4, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	expect("after an upgrade", 0, 1, 2, 3)
}

func TestDrainBeforeKill(t *testing.T) {
	c := newCluster(t, 44, 2)
	c.must(put(app("/a", 2, func(a *App) { a.DrainSeconds = 30 })))
	c.settle()
	c.must(put(app("/a", 1, func(a *App) { a.DrainSeconds = 30 })))
	c.settle()
	if len(c.discovery) != 1 || len(c.tasks) != 2 {
		t.Fatalf("%d in discovery, %d tasks", len(c.discovery), len(c.tasks))
	}
	c.advance(20 * time.Second)
	c.boot(6) // a restart neither shortens the wait nor starts it anew
	c.settle()
	c.advance(9 * time.Second)
	if len(c.tasks) != 2 || len(c.discovery) != 1 {
		t.Fatalf("after 29 s %d tasks, %d in discovery", len(c.tasks), len(c.discovery))
	}
	c.advance(2 * time.Second)
	if len(c.tasks) != 1 || c.deployments() != 0 {
		t.Errorf("after 31 s %d tasks, %d deployments", len(c.tasks), c.deployments())
	}
	// What serves nobody need not drain.
	c.stall = true
	c.move(c.running("/a")[0].TaskID(), TaskFailed)
	c.advance(2 * time.Second)
	c.must(remove("/a"))
	c.settle()
	if len(c.tasks) != 0 {
		t.Error("a task that never ran is drained")
	}
}

// Disabled means to wait for ever for an agent that is lost; but not for what was told to end.
func TestUnreachableDisabled(t *testing.T) {
	disabled := func(a *App) { a.UnreachableStrategy.Disabled = true }
	c := newCluster(t, 45, 3)
	c.must(put(app("/a", 3, unique, disabled)))
	c.settle()
	c.leave(c.agents["agent-S001"])
	c.advance(48 * time.Hour)
	if len(c.started) != 3 {
		t.Fatal("it was replaced")
	}
	c.must(put(app("/a", 2, unique, disabled)))
	c.settle()
	if c.deployments() != 0 || len(c.running("/a")) != 2 {
		t.Fatalf("scaling down past it: %d deployments, %d run", c.deployments(), len(c.running("/a")))
	}
	c.comeBack(c.agents["agent-S001"], false)
	c.settle()
	if len(c.tasks) != 2 {
		t.Errorf("%d tasks after its return", len(c.tasks))
	}
	// One that was being ended when its agent was lost is not waited for.
	c.stubborn = true
	victim := c.running("/a")[0]
	c.must(put(app("/a", 1, unique, disabled, func(a *App) { a.KillSelection = OldestFirst })))
	c.settle()
	c.leave(c.agents[victim.AgentID])
	for _, i := range c.running("/a") {
		c.leave(c.agents[i.AgentID])
	}
	c.advance(time.Hour)
	for i := range c.core.State().Instances("/a") {
		if i.Goal == GoalDecommissioned && i.Condition == Unreachable {
			t.Errorf("%s is waited for", i.ID)
		}
	}
}

// Whoever is tired of waiting says so in the next definition.
func TestUnreachableDisabledNoMore(t *testing.T) {
	c := newCluster(t, 46, 3)
	c.must(put(app("/a", 3, unique, func(a *App) { a.UnreachableStrategy.Disabled = true })))
	c.settle()
	c.leave(c.agents["agent-S001"])
	c.advance(time.Hour)
	c.must(put(app("/a", 2, unique)))
	c.settle()
	if c.deployments() != 0 || len(c.running("/a")) != 2 {
		t.Fatalf("%d deployments, %d run", c.deployments(), len(c.running("/a")))
	}
	c.comeBack(c.agents["agent-S001"], false)
	c.settle()
	if len(c.tasks) != 2 {
		t.Errorf("%d tasks after its return", len(c.tasks))
	}
}

// Agents of another region are for apps that ask for regions, also where there is to be an instance on each agent.
func TestOnePerAgentStaysInTheRegion(t *testing.T) {
	c := newCluster(t, 47, 3)
	far := &c.agents["agent-S002"].offer
	far.Region, far.Remote = "us", true
	c.boot(47)
	each := func(a *App) { a.OnePerAgent = true }
	c.must(put(app("/near", 1, each), app("/all", 1, each, func(a *App) {
		a.Constraints = []Constraint{{"@region", Unlike, "mars"}}
	})))
	c.settle()
	if near, all := len(c.running("/near")), len(c.running("/all")); near != 2 || all != 3 || c.deployments() != 0 {
		t.Errorf("%d in the region, %d in all; %d deployments", near, all, c.deployments())
	}
}
