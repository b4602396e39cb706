package scheduler

import (
	"slices"
	"testing"
	"time"
)

// checked is an app with one check that the scheduler makes every ten seconds.
func checked(change ...func(*HealthCheck)) func(*App) {
	return func(a *App) {
		zero := 0
		c := HealthCheck{Protocol: ProtocolHTTP, PortIndex: &zero, IntervalSeconds: 10, TimeoutSeconds: 1, MaxConsecutiveFailures: 3}
		for _, f := range change {
			f(&c)
		}
		a.HealthChecks, a.UpgradeStrategy = []HealthCheck{c}, UpgradeStrategy{}
	}
}

// The first check is made after an interval, but no later than five seconds, and again each interval.
func TestWhenChecksAreMade(t *testing.T) {
	for interval, want := range map[int][]int{1: {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 3: {3, 6, 9, 12}, 7: {5, 12}, 60: {5}} {
		c := newCluster(t, 1, 1)
		c.must(put(app("/a", 1, checked(func(h *HealthCheck) { h.IntervalSeconds = interval }))))
		c.settle()
		begin := c.now
		var at []int
		for c.now.Before(begin.Add(12500 * time.Millisecond)) {
			c.now = c.now.Add(100 * time.Millisecond)
			c.step()
			if len(c.probes) > 0 {
				at = append(at, int(c.now.Sub(begin).Round(time.Second)/time.Second))
			}
			c.answerProbes()
			c.settle()
		}
		if !slices.Equal(at, want) {
			t.Errorf("every %d s: made after %v s", interval, at)
		}
	}
}

// What a row of results makes of an instance: s succeeds, f fails, i is ignored (HTTP 1xx).
func TestRowsOfResults(t *testing.T) {
	for _, test := range []struct {
		change  func(*HealthCheck)
		results string
		health  string // "" not known
		killed  bool
	}{
		{func(h *HealthCheck) {}, "", "", false},
		{func(h *HealthCheck) {}, "s", "healthy", false},
		{func(h *HealthCheck) {}, "i", "", false},
		{func(h *HealthCheck) {}, "si", "healthy", false},
		{func(h *HealthCheck) {}, "sf", "unhealthy", false},
		{func(h *HealthCheck) {}, "sfi", "unhealthy", false},
		{func(h *HealthCheck) {}, "sfs", "healthy", false},
		{func(h *HealthCheck) {}, "sfff", "unhealthy", false},
		{func(h *HealthCheck) {}, "sffff", "", true},              // the fourth in a row
		{func(h *HealthCheck) {}, "sfffsfff", "unhealthy", false}, // a success begins the row anew
		{func(h *HealthCheck) {}, "sffifi", "unhealthy", false},
		{func(h *HealthCheck) {}, "sffififf", "", true}, // what is ignored does not
		{func(h *HealthCheck) { h.MaxConsecutiveFailures = 1 }, "sff", "", true},
		{func(h *HealthCheck) { h.MaxConsecutiveFailures = 0 }, "sffffffffff", "unhealthy", false}, // never
		{func(h *HealthCheck) {}, "ffff", "", true},                                                // it never was healthy, and has no time for that
		{func(h *HealthCheck) { h.GracePeriodSeconds = 60 }, "ffff", "", false},                    // it has
		{func(h *HealthCheck) { h.GracePeriodSeconds = 60 }, "sffff", "", true},                    // which ends with the first success
		{func(h *HealthCheck) { h.GracePeriodSeconds = 28 }, "ffffff", "unhealthy", false},         // three count
	} {
		c := newCluster(t, 2, 1)
		c.mute = true
		c.must(put(app("/a", 1, checked(test.change))))
		c.settle()
		first := c.running("/a")[0]
		for _, r := range test.results {
			for n := 0; len(c.probes) == 0 && n < 300; n++ {
				c.now = c.now.Add(100 * time.Millisecond)
				c.step()
			}
			if len(c.probes) != 1 {
				t.Fatalf("%s: %d probes", test.results, len(c.probes))
			}
			outcome := map[rune]ProbeOutcome{'s': ProbeSucceeded, 'f': ProbeFailed, 'i': ProbeIgnored}[r]
			c.send(Probed{Probe: c.probes[0], Outcome: outcome})
			c.probes = nil
			c.settle()
		}
		i := c.core.State().Instance(first.ID)
		killed := i.TaskID() != first.TaskID() || i.Condition != Running
		health := ""
		if h := i.Healthy(); h != nil && !killed {
			health = map[bool]string{true: "healthy", false: "unhealthy"}[*h]
		}
		if killed != test.killed || health != test.health {
			t.Errorf("%q: killed %v, %q; want %v, %q", test.results, killed, health, test.killed, test.health)
		}
	}
}

// An instance with several checks is healthy when all say so, and it is not known while one has said nothing.
func TestSeveralChecks(t *testing.T) {
	c := newCluster(t, 3, 1)
	c.mute = true
	c.must(put(app("/a", 1, checked(), func(a *App) {
		a.HealthChecks = append(a.HealthChecks, HealthCheck{Protocol: ProtocolCommand, Command: &Command{Value: "true"}})
	})))
	c.settle()
	i := c.running("/a")[0]
	expect := func(when, want string) {
		t.Helper()
		got := "unknown"
		if h := c.core.State().Instance(i.ID).Healthy(); h != nil {
			got = map[bool]string{true: "healthy", false: "unhealthy"}[*h]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	expect("at first", "unknown")
	c.advance(6 * time.Second)
	c.send(Probed{Probe: c.probes[0], Outcome: ProbeSucceeded})
	c.settle()
	expect("one has said yes", "unknown")
	agentSays := func(healthy bool) {
		c.send(StatusReceived{TaskStatus{TaskID: i.TaskID(), AgentID: i.AgentID, State: TaskRunning, Timestamp: c.now, Healthy: &healthy}})
		c.settle()
	}
	agentSays(false)
	expect("the agent says no", "unhealthy")
	agentSays(true)
	expect("both say yes", "healthy")
	if len(c.started) != 1 {
		t.Error("it was killed for what the agent says")
	}
}

// An instance that is not reachable is neither checked nor killed for its health, and what was known of its health is
// not known any more to another leader.
func TestHealthOfLostInstances(t *testing.T) {
	c := newCluster(t, 4, 1)
	c.must(put(app("/a", 1, checked(), func(a *App) {
		a.UnreachableStrategy = UnreachableStrategy{InactiveAfterSeconds: 3600, ExpungeAfterSeconds: 7200}
	})))
	c.settle()
	c.advance(6 * time.Second)
	c.unwell["/a"] = true
	c.advance(30 * time.Second)
	i := c.running("/a")[0]
	c.leave(c.agents[i.AgentID])
	c.mute = true
	c.advance(10 * time.Minute)
	if len(c.probes) != 0 || len(c.started) != 1 || c.core.State().Instance(i.ID).TaskID() != i.TaskID() {
		t.Errorf("%d probes, %d started", len(c.probes), len(c.started))
	}
	c.unwell["/a"], c.mute = false, false
	c.comeBack(c.agents[i.AgentID], false)
	c.settle()
	c.advance(6 * time.Second)
	if h := c.core.State().Instance(i.ID).Healthy(); h == nil || !*h {
		t.Fatalf("healthy %v when it is back", h)
	}
	c.boot(2)
	if h := c.core.State().Instance(i.ID).Healthy(); h != nil {
		t.Errorf("another leader knows of its health")
	}
	c.settle()
	c.advance(6 * time.Second)
	if h := c.core.State().Instance(i.ID).Healthy(); h == nil || !*h || len(c.started) != 1 {
		t.Errorf("healthy %v after its check; %d started", h, len(c.started))
	}
}

// Events: each failure, each change, and a kill before it happens (Marathon reference 14.3).
func TestEventsOfHealth(t *testing.T) {
	c := newCluster(t, 5, 1)
	c.must(put(app("/a", 1, checked(func(h *HealthCheck) { h.MaxConsecutiveFailures = 1 }))))
	c.settle()
	c.advance(6 * time.Second)
	c.unwell["/a"] = true
	c.notices = nil
	c.advance(20 * time.Second)
	var got []string
	for _, n := range c.notices {
		switch n.Type {
		case NoticeFailedHealthCheck, NoticeHealthStatusChanged, NoticeInstanceHealth, NoticeUnhealthyKill:
			got = append(got, n.Type)
		case NoticeInstanceChanged:
			if n.Body.(InstanceChanged).Condition == Killing {
				got = append(got, "killing")
			}
		}
	}
	want := []string{NoticeFailedHealthCheck, NoticeHealthStatusChanged, NoticeInstanceHealth, NoticeFailedHealthCheck, NoticeUnhealthyKill, "killing"}
	if !slices.Equal(got, want) {
		t.Errorf("told %v\nwant %v", got, want)
	}
}

// Readiness checks are made during deployments only, until they say ready: an instance that is replaced at another time
// serves when it runs (Marathon reference 14.4).
func TestReadinessIsOfDeployments(t *testing.T) {
	c := newCluster(t, 6, 1)
	c.must(put(app("/a", 1, func(a *App) {
		a.ReadinessChecks = []ReadinessCheck{{Name: "ready", Protocol: ProtocolHTTP, PortName: "default", IntervalSeconds: 10, TimeoutSeconds: 1}}
	})))
	c.unwell["/a"] = true
	c.settle()
	c.advance(time.Minute)
	if len(c.running("/a")) != 0 || c.deployments() != 1 {
		t.Fatalf("%d serve, %d deployments before it is ready", len(c.running("/a")), c.deployments())
	}
	c.unwell["/a"] = false
	c.advance(11 * time.Second)
	if len(c.running("/a")) != 1 || c.deployments() != 0 {
		t.Fatalf("%d serve, %d deployments when it is ready", len(c.running("/a")), c.deployments())
	}
	c.mute = true
	c.advance(time.Minute)
	if len(c.probes) != 0 {
		t.Errorf("%d probes of what is ready", len(c.probes))
	}
	c.move(c.running("/a")[0].TaskID(), TaskFailed)
	c.advance(2 * time.Second)
	if len(c.running("/a")) != 1 || len(c.probes) != 0 {
		t.Errorf("%d serve, %d probes after the instance was replaced", len(c.running("/a")), len(c.probes))
	}
}
