package scheduler

import (
	"testing"
	"time"
)

// patient waits for instances on lost agents.
func patient(a *App) {
	a.UnreachableStrategy = UnreachableStrategy{InactiveAfterSeconds: 10, ExpungeAfterSeconds: 36000}
}

// lose makes an instance's agent unreachable.
func (c *cluster) lose(i *Instance) {
	c.status(i.TaskID(), i.AgentID, TaskUnreachable)
	c.settle()
}

func (c *cluster) onlyDeployment() DeploymentID {
	for d := range c.core.State().Deployments() {
		return d.Plan.ID
	}
	return ""
}

func TestRemovalWithAnUnreachableInstance(t *testing.T) {
	c := newCluster(t, 20, 3)
	c.must(put(app("/a", 1, patient)))
	c.settle()
	c.lose(c.running("/a")[0])
	c.must(remove("/a"))
	c.advance(24 * time.Hour)
	if len(c.tasks) != 0 || c.deployments() != 0 {
		t.Errorf("%d tasks, %d deployments", len(c.tasks), c.deployments())
	}
}

func TestLateReadinessFailureChangesNothing(t *testing.T) {
	c := newCluster(t, 21, 3)
	c.must(put(app("/a", 1, func(a *App) {
		a.ReadinessChecks = []ReadinessCheck{{Name: "r", Protocol: ProtocolHTTP, Path: "/", PortName: "default",
			IntervalSeconds: 30, TimeoutSeconds: 10, HTTPStatusCodesForReady: []int{200}}}
	})))
	for len(c.probes) == 0 {
		c.step()
	}
	late := c.probes[0]
	c.probes = nil
	c.must(CancelDeployment{ID: c.onlyDeployment(), Force: true})
	c.send(Probed{Probe: late, Outcome: ProbeFailed})
	c.settle()
	if len(c.running("/a")) != 1 {
		t.Error("the instance was taken out of discovery")
	}
}

// While one app of a deployment waits for room, the others are kept up, and afterwards too.
func TestAppsThatAreDoneAreKeptUp(t *testing.T) {
	c := newCluster(t, 22, 3)
	c.must(put(app("/db", 2, patient), app("/web", 1, func(a *App) { a.Dependencies, a.CPUs = []PathID{"/db"}, 100 })))
	c.settle()
	c.must(KillTasks{Tasks: []TaskID{c.running("/db")[0].TaskID()}, Wipe: true})
	c.settle()
	if n := len(c.running("/db")); n != 2 {
		t.Errorf("%d run after a wipe", n)
	}
	lost := c.running("/db")[0]
	c.lose(lost)
	delete(c.tasks, lost.TaskID())
	c.advance(time.Minute)
	if n := len(c.running("/db")); n != 2 {
		t.Errorf("%d run after an agent was lost", n)
	}
}

// An app whose turn in a deployment has not come yet does not lose instances that fail meanwhile.
func TestAppsOfLaterStepsAreKeptUp(t *testing.T) {
	c := newCluster(t, 23, 3)
	dependent := func(a *App) { a.Dependencies = []PathID{"/db"} }
	c.must(put(app("/db", 1), app("/web", 2, dependent)))
	c.settle()
	c.must(put(app("/db", 1, func(a *App) { a.CPUs = 100 }), app("/web", 2, dependent, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	c.move(c.running("/web")[0].TaskID(), TaskFailed)
	c.advance(time.Minute)
	if n := len(c.running("/web")); n != 2 {
		t.Errorf("%d run", n)
	}
}

// A task that came up while nobody listened is not killed because its launch was long ago.
func TestLongAbsenceKillsNothing(t *testing.T) {
	c := newCluster(t, 24, 1)
	c.stall = true
	c.must(put(app("/a", 1)))
	c.settle()
	task := c.started[0]
	c.stall = false
	c.tasks[task].state = TaskRunning // and nobody heard of it
	c.now = c.now.Add(time.Hour)
	c.boot(99)
	c.settle()
	c.advance(time.Hour)
	if len(c.started) != 1 || len(c.running("/a")) != 1 {
		t.Errorf("%d started, %d run", len(c.started), len(c.running("/a")))
	}
}

// The new version stays when the old one comes back.
func TestOldVersionReturns(t *testing.T) {
	c := newCluster(t, 25, 3)
	c.must(put(app("/a", 1, patient)))
	c.settle()
	old := c.running("/a")[0]
	c.lose(old)
	c.advance(20 * time.Second)
	c.must(put(app("/a", 1, patient, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	c.status(old.TaskID(), old.AgentID, TaskRunning)
	c.advance(time.Minute)
	if running := c.running("/a"); len(running) != 1 || running[0].App.Cmd != "v2" || len(c.tasks) != 1 {
		t.Errorf("%d run, %d tasks", len(running), len(c.tasks))
	}
}

// An update that is forced over an upgrade does not leave the old version running.
func TestScalingOverAnUpgrade(t *testing.T) {
	c := newCluster(t, 26, 3)
	c.must(put(app("/a", 2)))
	c.settle()
	c.stall = true
	c.must(put(app("/a", 2, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	scale := put(app("/a", 3, func(a *App) { a.Cmd = "v2" }))
	scale.Force = true
	c.must(scale)
	c.stall = false
	for id, task := range c.tasks {
		if task.state == TaskStaging {
			c.move(id, TaskRunning)
		}
	}
	c.settle()
	for _, i := range c.running("/a") {
		if i.App.Cmd != "v2" {
			t.Errorf("%s runs %q", i.ID, i.App.Cmd)
		}
	}
	if n := len(c.running("/a")); n != 3 || c.deployments() != 0 {
		t.Errorf("%d run, %d deployments", n, c.deployments())
	}
}

// A broken version can be replaced although there is no room beside it.
func TestMendingABrokenVersion(t *testing.T) {
	c := newCluster(t, 27, 3)
	zero := 0
	checked := func(a *App) {
		a.UpgradeStrategy = UpgradeStrategy{MaximumOverCapacity: 0, MinimumHealthCapacity: 1}
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolTCP, PortIndex: &zero, IntervalSeconds: 1, TimeoutSeconds: 1}}
	}
	c.unwell["/a"] = true
	c.must(put(app("/a", 2, checked)))
	c.advance(10 * time.Second)
	c.unwell["/a"] = false
	mend := put(app("/a", 2, checked, func(a *App) { a.Cmd = "mended" }))
	mend.Force = true
	c.must(mend)
	c.advance(time.Minute)
	if n := len(c.running("/a")); n != 2 || c.deployments() != 0 {
		t.Errorf("%d run, %d deployments", n, c.deployments())
	}
}

func TestScaleDownSparesWhatServes(t *testing.T) {
	c := newCluster(t, 28, 3)
	c.must(put(app("/a", 2)))
	c.settle()
	going := c.running("/a")[0]
	e := c.core.Step(c.now, KillTasks{Tasks: []TaskID{going.TaskID()}})
	e = c.core.Step(c.now, put(app("/a", 1)))
	for _, id := range e.Withdrawn {
		if id != going.ID {
			t.Errorf("%s serves and was chosen although %s is being killed", id, going.ID)
		}
	}
}

func TestProbesDoNotOverlap(t *testing.T) {
	c := newCluster(t, 29, 1)
	zero := 0
	c.must(put(app("/a", 1, func(a *App) {
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolTCP, PortIndex: &zero, IntervalSeconds: 1, TimeoutSeconds: 60}}
	})))
	for len(c.pending) > 0 {
		c.step()
	}
	asked := 0
	for end := c.now.Add(30 * time.Second); c.now.Before(end); c.now = c.now.Add(time.Second) {
		asked += len(c.step().Probes)
	}
	if asked != 1 {
		t.Errorf("%d probes while the first has no answer", asked)
	}
}

func TestLateStagingChangesNothing(t *testing.T) {
	c := newCluster(t, 30, 1)
	c.must(put(app("/a", 1)))
	c.settle()
	i := c.running("/a")[0]
	c.status(i.TaskID(), i.AgentID, TaskStarting)
	c.settle()
	if len(c.running("/a")) != 1 {
		t.Error("late word took a running instance out of discovery")
	}
}

// A framework id other than the tasks' own is refused while there are instances: none of them is started again.
func TestAnotherFrameworkIDIsRefused(t *testing.T) {
	c := newCluster(t, 31, 2)
	c.must(put(app("/a", 2)))
	c.settle()
	launched := len(c.started)
	c.send(Registered{FrameworkID: "framework-2"})
	for id := range c.tasks { // what that framework's master knows of them
		c.status(id, "", TaskUnknown)
	}
	c.offerAll()
	c.settle()
	c.advance(time.Hour)
	s := c.core.State()
	if s.Refused == "" || s.Connected || s.FrameworkID != "framework-1" {
		t.Errorf("refused %q, connected %v, framework %s", s.Refused, s.Connected, s.FrameworkID)
	}
	if len(c.started) != launched || len(c.running("/a")) != 2 {
		t.Errorf("%d launched, %d run", len(c.started)-launched, len(c.running("/a")))
	}
	c.send(Registered{FrameworkID: "framework-1"})
	c.settle()
	if s := c.core.State(); s.Refused != "" || !s.Connected || len(c.running("/a")) != 2 {
		t.Errorf("after its own id: refused %q, connected %v, %d run", s.Refused, s.Connected, len(c.running("/a")))
	}
	// Where nothing runs, another id is as good as the first.
	c = newCluster(t, 32, 1)
	c.settle()
	c.send(Registered{FrameworkID: "framework-2"})
	c.settle()
	if s := c.core.State(); s.Refused != "" || s.FrameworkID != "framework-2" {
		t.Errorf("refused %q, framework %s", s.Refused, s.FrameworkID)
	}
}

// An app that is scaled down and up again, or down and replaced, while its tasks take their time to end, waits for them:
// there are never more than there may be.
func TestTasksThatEndCount(t *testing.T) {
	tight := func(a *App) { a.UpgradeStrategy = UpgradeStrategy{MaximumOverCapacity: 0, MinimumHealthCapacity: 0.5} }
	other := func(a *App) { a.Cmd = "other" }
	for name, next := range map[string]*App{"up": app("/a", 4, tight), "replaced": app("/a", 4, tight, other)} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 30, 3)
			c.must(put(app("/a", 4, tight)))
			c.settle()
			c.stubborn = true
			c.must(put(app("/a", 1, tight)))
			c.settle()
			u := put(next)
			u.Force = true
			c.must(u)
			c.settle()
			if len(c.tasks) != 4 || c.deployments() != 1 {
				t.Fatalf("%d tasks while three end, %d deployments", len(c.tasks), c.deployments())
			}
			for n := 0; c.deployments() > 0; n++ {
				if n > 10 {
					t.Fatal("the deployment does not end")
				}
				for id := range c.tasks {
					if c.core.State().Instance(InstanceIDOf(id)).Condition == Killing {
						c.move(id, TaskKilled)
						break
					}
				}
				c.settle()
				if len(c.tasks) > 4 {
					t.Fatalf("%d tasks", len(c.tasks))
				}
			}
			if len(c.running("/a")) != 4 {
				t.Errorf("%d run in the end", len(c.running("/a")))
			}
		})
	}
}
