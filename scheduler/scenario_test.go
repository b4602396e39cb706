package scheduler

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestDeployScaleRestartRemove(t *testing.T) {
	c := newCluster(t, 1, 3)
	c.must(put(app("/crate", 3, unique)))
	c.settle()
	if got := len(c.running("/crate")); got != 3 || c.deployments() != 0 {
		t.Fatalf("%d run, %d deployments", got, c.deployments())
	}
	first := c.running("/crate")

	c.must(put(app("/crate", 2, unique)))
	c.settle()
	if got := c.running("/crate"); len(got) != 2 || !slices.Contains(first, got[0]) {
		t.Fatalf("after scaling down %d run", len(got))
	}
	if v := c.core.State().App("/crate").VersionInfo; v.LastConfigChangeAt >= v.LastScalingAt {
		t.Errorf("scaling changed the config: %+v", v)
	}

	c.must(restart("/crate"))
	c.settle()
	for _, i := range c.running("/crate") {
		if slices.ContainsFunc(first, func(f *Instance) bool { return f.ID == i.ID }) {
			t.Errorf("%s survived the restart", i.ID)
		}
	}
	if got := len(c.running("/crate")); got != 2 || c.deployments() != 0 {
		t.Fatalf("after the restart %d run, %d deployments", got, c.deployments())
	}

	c.must(remove("/crate"))
	c.settle()
	if len(c.tasks) != 0 || c.deployments() != 0 {
		t.Errorf("after removal %d tasks, %d deployments", len(c.tasks), c.deployments())
	}
	for id := range c.records {
		if id.kind == KindInstance || id.kind == KindVersion || id.kind == KindApp {
			t.Errorf("the store still holds %v", id)
		}
	}
}

func unique(a *App) { a.Constraints = []Constraint{{"hostname", Unique, ""}} }

// An app with an image waits for an agent that can run it; others do not.
func TestImagesWaitForTheContainerEngine(t *testing.T) {
	c := newCluster(t, 2, 2)
	for _, a := range c.agents {
		a.offer.NoContainers = "the Docker Engine does not answer"
	}
	c.boot(2) // which makes new offers
	c.must(put(app("/image", 1, func(a *App) { a.Container = &Container{Docker: &Docker{Image: "crate"}} })))
	c.must(put(app("/process", 1)))
	c.settle()
	q, ok := c.core.State().Queued("/image", c.now)
	if !ok || q.RejectedLast[ContainerEngineUnavailable] != 2 || len(c.running("/process")) != 1 {
		t.Fatalf("queued: %v %+v", ok, q)
	}
	if !slices.Contains(Reasons(), ContainerEngineUnavailable) {
		t.Error("the reason is not in the funnel")
	}
	for _, a := range c.agents {
		a.offer.NoContainers = ""
	}
	c.Revive()
	c.settle()
	if len(c.running("/image")) != 1 {
		t.Error("the app with an image does not run")
	}
}

func TestUniqueWaitsWithAReason(t *testing.T) {
	c := newCluster(t, 2, 3)
	c.must(put(app("/db", 6, unique)))
	c.settle()
	if got := len(c.running("/db")); got != 3 {
		t.Fatalf("%d run", got)
	}
	q, ok := c.core.State().Queued("/db", c.now)
	if !ok || q.Count != 3 || q.Delay != 0 || q.RejectedLast[UnfulfilledConstraint] != 3 {
		t.Fatalf("queued: %v %+v", ok, q)
	}
	if c.deployments() != 1 {
		t.Error("the deployment ended")
	}
	// Somebody else's change of the app is refused, and with force takes over.
	var locked *LockedError
	if r := c.request(put(app("/db", 2, unique))); !errors.As(r.Err, &locked) {
		t.Fatalf("reply: %+v", r)
	}
	u := put(app("/db", 3, unique))
	u.Force = true
	c.must(u)
	c.settle()
	if _, waits := c.core.State().Queued("/db", c.now); waits || c.deployments() != 0 || len(c.running("/db")) != 3 {
		t.Errorf("waits %v, %d deployments, %d run", waits, c.deployments(), len(c.running("/db")))
	}
}

func TestBackoffHoldsACrashingAppBack(t *testing.T) {
	c := newCluster(t, 3, 2)
	c.must(put(app("/crash", 1)))
	c.settle()
	at := []time.Time{}
	for range 4 {
		launched := len(c.started)
		c.move(c.running("/crash")[0].TaskID(), TaskFailed)
		c.settle()
		if len(c.started) != launched {
			t.Fatal("launched without delay")
		}
		if q, ok := c.core.State().Queued("/crash", c.now); !ok || q.Delay == 0 {
			t.Fatalf("queued %v %+v", ok, q)
		}
		for len(c.started) == launched {
			c.advance(50 * time.Millisecond)
		}
		at = append(at, c.now)
	}
	if d1, d2 := at[1].Sub(at[0]), at[3].Sub(at[2]); d2 <= d1 {
		t.Errorf("the delay does not grow: %v then %v", d1, d2)
	}
	if f := c.core.State().Failure("/crash"); f == nil || f.State != TaskFailed {
		t.Errorf("last failure: %+v", f)
	}
	i := c.running("/crash")[0]
	if i.Incarnation != 5 {
		t.Errorf("incarnation %d", i.Incarnation)
	}
	c.move(i.TaskID(), TaskFailed)
	c.settle()
	c.must(ResetDelay{"/crash"})
	c.settle()
	if len(c.running("/crash")) != 1 {
		t.Error("a reset delay still holds the app back")
	}
	if r := c.request(ResetDelay{"/crash"}); !errors.Is(r.Err, ErrNotQueued) {
		t.Errorf("reply: %+v", r)
	}
}

// A task that was never sent to a master is launched again as soon as there is one; it is no failure of the app.
func TestLaunchWithoutMasterIsNoFailure(t *testing.T) {
	c := newCluster(t, 3, 2)
	c.must(put(app("/a", 1)))
	c.settle()
	i := c.running("/a")[0]
	delete(c.tasks, i.TaskID())
	c.send(StatusReceived{TaskStatus{TaskID: i.TaskID(), AgentID: i.AgentID, State: TaskDropped, Timestamp: c.now, Reason: ReasonMasterDisconnected}})
	c.settle()
	if now := c.running("/a"); len(now) != 1 || now[0].Incarnation != i.Incarnation+1 {
		t.Errorf("running: %+v", now)
	}
	if f := c.core.State().Failure("/a"); f != nil {
		t.Errorf("the app has failed: %+v", f)
	}
}

func TestHealthCheckKillsAtTheFourthFailure(t *testing.T) {
	c := newCluster(t, 4, 1)
	zero := 0
	c.must(put(app("/web", 1, func(a *App) {
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolHTTP, PortIndex: &zero, IntervalSeconds: 10, TimeoutSeconds: 5,
			MaxConsecutiveFailures: 3, GracePeriodSeconds: 30}}
		a.UpgradeStrategy = UpgradeStrategy{} // no room for another to be started first
	})))
	c.settle()
	if c.deployments() != 1 {
		t.Fatal("the deployment did not wait for health")
	}
	c.advance(6 * time.Second)
	if h := c.running("/web")[0].Healthy(); h == nil || !*h || c.deployments() != 0 {
		t.Fatalf("healthy %v, %d deployments", h, c.deployments())
	}
	c.unwell["/web"] = true
	c.advance(30 * time.Second) // three failures
	task := c.running("/web")[0]
	if h := task.Healthy(); h == nil || *h || task.Incarnation != 1 {
		t.Fatalf("healthy %v, incarnation %d", h, task.Incarnation)
	}
	c.advance(12 * time.Second) // the fourth, and the backoff
	if got := c.core.State().Instance(task.ID); got.Incarnation != 2 {
		t.Errorf("incarnation %d after the fourth failure", got.Incarnation)
	}
}

func TestGracePeriodForgivesWhatNeverSucceeded(t *testing.T) {
	c := newCluster(t, 5, 1)
	zero := 0
	c.unwell["/web"] = true
	c.must(put(app("/web", 1, func(a *App) {
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolTCP, PortIndex: &zero, IntervalSeconds: 1, TimeoutSeconds: 1,
			MaxConsecutiveFailures: 1, GracePeriodSeconds: 60}}
	})))
	c.settle()
	c.advance(55 * time.Second)
	if i := c.running("/web")[0]; i.Incarnation != 1 || i.Healthy() != nil {
		t.Fatalf("incarnation %d, healthy %v", i.Incarnation, i.Healthy())
	}
	c.advance(10 * time.Second)
	if i := c.running("/web")[0]; i.Incarnation != 2 {
		t.Errorf("incarnation %d after the grace period", i.Incarnation)
	}
}

func TestKillRequests(t *testing.T) {
	c := newCluster(t, 6, 2)
	c.must(put(app("/a", 3)))
	c.settle()
	i := c.running("/a")[0]
	c.must(KillTasks{Tasks: []TaskID{i.TaskID(), "unknown.instance-x._app.1"}})
	c.settle()
	if n := c.core.State().Instance(i.ID); n == nil || n.Incarnation != 2 || n.Condition != Running {
		t.Errorf("after a kill: %+v", n)
	}
	i = c.running("/a")[0]
	c.must(KillTasks{Tasks: []TaskID{i.TaskID()}, Wipe: true})
	c.settle()
	if c.core.State().Instance(i.ID) != nil || len(c.running("/a")) != 3 {
		t.Errorf("after a wipe %d run", len(c.running("/a")))
	}
	k := c.must(KillTasks{Tasks: []TaskID{c.running("/a")[0].TaskID()}, Scale: true}).(*Killed)
	c.settle()
	if k.Deployed == nil || c.core.State().App("/a").Instances != 2 || len(c.running("/a")) != 2 {
		t.Errorf("after a kill with scale: %+v, %d run", k, len(c.running("/a")))
	}
}

func TestCancelRollsBack(t *testing.T) {
	c := newCluster(t, 7, 1)
	c.must(put(app("/a", 1)))
	c.settle()
	c.stall = true
	d := c.must(put(app("/a", 1, func(a *App) { a.Cmd = "other" }))).(*Deployed)
	c.settle()
	if c.deployments() != 1 || len(c.running("/a")) != 1 {
		t.Fatalf("%d deployments, %d run", c.deployments(), len(c.running("/a")))
	}
	c.stall = false
	c.must(CancelDeployment{ID: d.Deployment})
	c.settle()
	if got := c.core.State().App("/a").Cmd; got != "sleep 1000" || c.deployments() != 0 {
		t.Errorf("cmd %q, %d deployments", got, c.deployments())
	}
	if r := c.request(CancelDeployment{ID: "none"}); !errors.Is(r.Err, ErrUnknownDeployment) {
		t.Errorf("reply: %+v", r)
	}
	// A creation that is rolled back leaves neither app nor the groups made for it.
	c.stall = true
	d = c.must(put(app("/g/h/b", 1))).(*Deployed)
	c.settle()
	c.must(CancelDeployment{ID: d.Deployment})
	c.settle()
	if s := c.core.State(); s.App("/g/h/b") != nil || s.Group("/g") != nil {
		t.Error("the creation was not undone")
	}
}

func TestUnreachableIsReplacedAndReturns(t *testing.T) {
	c := newCluster(t, 8, 2)
	c.must(put(app("/a", 1, func(a *App) {
		a.UnreachableStrategy = UnreachableStrategy{InactiveAfterSeconds: 10, ExpungeAfterSeconds: 60}
	})))
	c.settle()
	i := c.running("/a")[0]
	c.status(i.TaskID(), i.AgentID, TaskUnreachable)
	c.settle()
	if len(c.running("/a")) != 0 || len(c.started) != 1 {
		t.Fatal("an unreachable instance serves, or was replaced at once")
	}
	c.advance(11 * time.Second)
	if len(c.running("/a")) != 1 || len(c.started) != 2 {
		t.Fatalf("%d run, %d started", len(c.running("/a")), len(c.started))
	}
	c.status(i.TaskID(), i.AgentID, TaskRunning) // it is back: one of the two goes
	c.settle()
	if len(c.running("/a")) != 1 || len(c.tasks) != 1 {
		t.Errorf("%d run, %d tasks", len(c.running("/a")), len(c.tasks))
	}
}

func TestRestartOfTheSchedulerLeavesTasksAlone(t *testing.T) {
	c := newCluster(t, 9, 3)
	c.must(put(app("/a", 3, unique), app("/b", 2)))
	c.settle()
	launched := len(c.started)
	before := slices.Collect(c.core.State().AllInstances())
	c.boot(77)
	c.settle()
	c.advance(20 * time.Minute)
	if len(c.started) != launched || len(c.tasks) != 5 {
		t.Fatalf("%d launched, %d tasks", len(c.started)-launched, len(c.tasks))
	}
	for _, i := range before {
		if n := c.core.State().Instance(i.ID); n == nil || n.TaskID() != i.TaskID() || n.Condition != Running {
			t.Errorf("%s became %+v", i.ID, n)
		}
	}
	// A task that ended while nobody watched is replaced once.
	task := before[0].TaskID()
	delete(c.tasks, task)
	c.boot(78)
	c.settle()
	c.advance(time.Minute)
	if len(c.started) != launched+1 || len(c.tasks) != 5 {
		t.Errorf("%d launched, %d tasks", len(c.started)-launched, len(c.tasks))
	}
}

func TestUnknownTasksAreKilled(t *testing.T) {
	c := newCluster(t, 10, 1)
	c.settle()
	c.tasks["stray.instance-1._app.1"] = &modelTask{TaskInfo{AgentID: "agent-S000"}, TaskRunning}
	c.status("stray.instance-1._app.1", "agent-S000", TaskRunning)
	c.settle()
	if len(c.tasks) != 0 {
		t.Error("a task that nobody wants lives on")
	}
}

func TestDependenciesStartInOrder(t *testing.T) {
	c := newCluster(t, 11, 2)
	c.stall = true
	c.must(put(app("/db", 1), app("/web", 1, func(a *App) { a.Dependencies = []PathID{"/db"} })))
	c.settle()
	if len(c.started) != 1 {
		t.Fatalf("%d started before the dependency runs", len(c.started))
	}
	c.stall = false
	c.move(c.started[0], TaskRunning)
	c.settle()
	if len(c.running("/web")) != 1 || c.deployments() != 0 {
		t.Errorf("%d run, %d deployments", len(c.running("/web")), c.deployments())
	}
	cycle := put(app("/db", 1, func(a *App) { a.Dependencies = []PathID{"/web"} }))
	var invalid *InvalidError
	if r := c.request(cycle); !errors.As(r.Err, &invalid) {
		t.Errorf("a cycle is accepted: %+v", r)
	}
}

func TestServicePorts(t *testing.T) {
	c := newCluster(t, 12, 1)
	ports := func(numbers ...int) func(*App) {
		return func(a *App) {
			a.PortDefinitions = nil
			for _, n := range numbers {
				a.PortDefinitions = append(a.PortDefinitions, PortDefinition{Port: n, Protocol: "tcp"})
			}
		}
	}
	got := func(id PathID) []ServicePort { return c.core.State().App(id).ServicePorts() }
	c.must(put(app("/a", 0, ports(0, 10000))))
	if p := got("/a"); !slices.Equal(p, []ServicePort{10001, 10000}) {
		t.Errorf("/a has %v", p)
	}
	c.settle()
	c.must(put(app("/b", 0, ports(0, 0))))
	if p := got("/b"); !slices.Equal(p, []ServicePort{10002, 10003}) {
		t.Errorf("/b has %v", p)
	}
	c.settle()
	c.must(put(app("/b", 0, ports(0, 0, 0))))
	if p := got("/b"); !slices.Equal(p, []ServicePort{10002, 10003, 10004}) {
		t.Errorf("/b has %v after an update", p)
	}
	c.settle()
	c.core.limits.ServicePorts = Range{10000, 10004}
	var invalid *InvalidError
	if r := c.request(put(app("/c", 0, ports(0)))); !errors.As(r.Err, &invalid) {
		t.Errorf("reply when the range is used up: %+v", r)
	}
}

// A mapping that is to have no service port takes none, not even one that the app had, and lets go of its own.
func TestNoServicePort(t *testing.T) {
	c := newCluster(t, 12, 1)
	c.core.limits.ServicePorts = Range{10000, 10001}
	mapped := func(ports ...ServicePort) func(*App) {
		return func(a *App) {
			a.Networks, a.PortDefinitions = []Network{{Mode: NetworkBridge}}, nil
			a.Container = &Container{Type: ContainerDocker, Docker: &Docker{Image: "web"}}
			for _, p := range ports {
				a.Container.PortMappings = append(a.Container.PortMappings, PortMapping{HostPort: new(int), Protocol: "tcp", ServicePort: p})
			}
		}
	}
	for _, step := range []struct {
		app  PathID
		put  []ServicePort
		want []ServicePort
	}{
		{"/a", []ServicePort{NoServicePort, 0, NoServicePort}, []ServicePort{NoServicePort, 10000, NoServicePort}},
		{"/b", []ServicePort{0}, []ServicePort{10001}},
		{"/a", []ServicePort{NoServicePort, NoServicePort, 0}, []ServicePort{NoServicePort, NoServicePort, 10000}},
		{"/a", []ServicePort{NoServicePort}, []ServicePort{NoServicePort}},
		{"/b", []ServicePort{0, 0}, []ServicePort{10001, 10000}},
	} {
		c.must(put(app(step.app, 0, mapped(step.put...))))
		c.settle()
		if got := c.core.State().App(step.app).ServicePorts(); !slices.Equal(got, step.want) {
			t.Errorf("%s with %v has %v, want %v", step.app, step.put, got, step.want)
		}
	}
}

// An app whose tasks are killed for their health backs off like one whose tasks fail, and tells why.
func TestUnhealthyAppBacksOff(t *testing.T) {
	c := newCluster(t, 13, 1)
	zero := 0
	c.unwell["/web"] = true
	c.must(put(app("/web", 1, func(a *App) {
		a.BackoffSeconds = 60
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolTCP, PortIndex: &zero, IntervalSeconds: 1, TimeoutSeconds: 1, MaxConsecutiveFailures: 1}}
	})))
	c.settle()
	c.advance(10 * time.Second)
	if len(c.started) != 1 || len(c.tasks) != 0 {
		t.Fatalf("%d started, %d run", len(c.started), len(c.tasks))
	}
	if q, ok := c.core.State().Queued("/web", c.now); !ok || q.Delay == 0 {
		t.Errorf("queued %v %+v", ok, q)
	}
	if f := c.core.State().Failure("/web"); f == nil || f.TaskID != c.started[0] {
		t.Errorf("last failure: %+v", f)
	}

	// The same when the agent finds it unhealthy and kills it by itself.
	c = newCluster(t, 14, 1)
	c.must(put(app("/agent", 1, func(a *App) {
		a.BackoffSeconds = 60
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolCommand, Command: &Command{Value: "false"}}}
	})))
	c.settle()
	unhealthy, task := false, c.started[0]
	delete(c.tasks, task)
	c.send(StatusReceived{TaskStatus{TaskID: task, AgentID: "agent-S000", State: TaskKilled, Timestamp: c.now, Healthy: &unhealthy}})
	c.settle()
	c.advance(10 * time.Second)
	if len(c.started) != 1 {
		t.Errorf("%d started", len(c.started))
	}
}

func TestHealthChecksComeAndGoInTheEvents(t *testing.T) {
	c := newCluster(t, 15, 1)
	check := func(a *App) {
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolCommand, Command: &Command{Value: "true"}}}
	}
	count := func() (added, removed int) {
		for _, n := range c.notices {
			switch n.Type {
			case NoticeAddHealthCheck:
				added++
			case NoticeRemoveHealthCheck:
				removed++
			}
		}
		return added, removed
	}
	c.must(put(app("/web", 0, check)))
	c.settle()
	c.must(put(app("/web", 0)))
	c.settle()
	if added, removed := count(); added != 1 || removed != 1 {
		t.Errorf("%d added, %d removed", added, removed)
	}
}
