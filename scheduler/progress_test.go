package scheduler

import (
	"strings"
	"testing"
	"time"
)

// reason is what the only action of the only deployment waits for.
func (c *cluster) reason() string {
	c.t.Helper()
	var out []string
	for d := range c.core.State().Deployments() {
		for _, p := range c.core.State().Progress(d, c.now) {
			if !p.Done {
				out = append(out, p.Reason)
			}
		}
	}
	return strings.Join(out, " | ")
}

func TestDeploymentsSayWhatTheyWaitFor(t *testing.T) {
	fixed := func(ports ...int) func(*App) {
		return func(a *App) {
			a.RequirePorts, a.PortDefinitions = true, nil
			for _, p := range ports {
				a.PortDefinitions = append(a.PortDefinitions, PortDefinition{Port: p, Protocol: "tcp"})
			}
		}
	}
	checked := func(a *App) {
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolHTTP, IntervalSeconds: 10, TimeoutSeconds: 2}}
	}
	for _, test := range []struct {
		name   string
		app    *App
		before func(*cluster)
		want   string
	}{
		{"ports and UNIQUE", app("/a", 3, unique, fixed(9001)), func(c *cluster) {
			for _, agent := range []AgentID{"agent-S001", "agent-S002"} {
				c.agents[agent].offer.Resources.Ports = PortRange{{31000, 31010}}
			}
		}, "2 waiting: for offers: 3 agents refused: port 9001 taken on 2, hostname UNIQUE on 1"},
		{"memory", app("/a", 1, func(a *App) { a.Mem = 1e6 }), nil,
			"1 waiting: for offers: 3 agents refused: less than 1000000 MiB of memory on 3"},
		{"constraint", app("/a", 1, func(a *App) { a.Constraints = []Constraint{{"rack", Like, "none"}} }), nil,
			"1 waiting: for offers: 3 agents refused: rack LIKE none on 3"},
		{"maintenance", app("/a", 1), func(c *cluster) {
			for _, a := range c.agents {
				a.offer.Maintenance = &Period{Start: c.now}
			}
		}, "1 waiting: for offers: 3 agents refused: under maintenance on 3"},
		{"other regions", app("/a", 1), func(c *cluster) {
			for _, a := range c.agents {
				a.offer.Remote = true
			}
		}, "1 waiting: for offers: 3 agents refused: in another region on 3"},
		{"one per agent", app("/a", 1, func(a *App) { a.OnePerAgent = true }), func(c *cluster) {
			c.agents["agent-S001"].offer.Resources.CPUs = 0
		}, "1 waiting: for offers: 3 agents refused: it has one already on 2, less than 0.1 cpus on 1"},
		{"no agents", app("/a", 2), func(c *cluster) {
			for _, a := range c.agents {
				c.leave(a)
			}
		}, "2 waiting: for offers: none came yet"},
		{"not connected", app("/a", 2), func(c *cluster) { c.disconnect() }, "2 waiting: for the engine, which is not connected"},
		{"starting", app("/a", 2), func(c *cluster) { c.stall = true }, "2 starting"},
		{"one-shot", app("/a", 2, func(a *App) { a.RestartPolicy = RestartNever }), nil, "2 running, to end by themselves"},
		{"unhealthy", app("/a", 1, checked), func(c *cluster) { c.unwell["/a"] = true }, "1 unhealthy"},
		{"unchecked", app("/a", 1, checked), func(c *cluster) { c.mute = true }, "1 without a result of their health checks"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 51, 3)
			c.settle()
			if test.before != nil {
				test.before(c)
			}
			c.boot(51)
			c.settle()
			c.must(put(test.app))
			c.advance(10 * time.Second)
			if got := c.reason(); got != test.want {
				t.Errorf("it says %q, want %q", got, test.want)
			}
		})
	}
}

// Instances say for themselves what they wait for.
func TestInstanceProgress(t *testing.T) {
	c := newCluster(t, 52, 2)
	drains := func(a *App) { a.DrainSeconds = 60; a.UpgradeStrategy = UpgradeStrategy{} }
	c.must(put(app("/a", 2, drains)))
	c.settle()
	c.must(put(app("/a", 2, drains, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	c.advance(10 * time.Second)
	for d := range c.core.State().Deployments() {
		p := c.core.State().Progress(d, c.now)[0]
		if !strings.Contains(p.Reason, "2 draining") {
			t.Errorf("reason %q", p.Reason)
		}
		for _, i := range p.Instances {
			if i.Condition == Killing && (i.Reason != "out of DNS, SIGTERM follows in 49s" || i.Host == "" || i.Done) {
				t.Errorf("%+v", i)
			}
		}
	}
}

func TestDeploymentsThatAreNotDoneInTimeAreRolledBack(t *testing.T) {
	limited := func(a *App) { a.DeploymentTimeout = 600 }
	c := newCluster(t, 53, 2)
	c.must(put(app("/a", 2, limited)))
	c.settle()
	c.advance(time.Hour)
	if c.deployments() != 0 || len(c.running("/a")) != 2 {
		t.Fatal("one that was done in time was undone")
	}
	c.must(put(app("/a", 2, limited, func(a *App) { a.Mem = 1e6; a.UpgradeStrategy = UpgradeStrategy{0, 0.5} })))
	c.advance(9 * time.Minute)
	if c.deployments() != 1 {
		t.Fatal("it ended early")
	}
	c.boot(4) // the time goes on over a change of the leader
	c.advance(6 * time.Minute)
	if a := c.core.State().App("/a"); c.deployments() != 0 || a.Mem == 1e6 || len(c.running("/a")) != 2 {
		t.Errorf("%d deployments, %v MiB, %d run", c.deployments(), a.Mem, len(c.running("/a")))
	}
	said := ""
	for _, n := range c.notices {
		if end, ok := n.Body.(DeploymentEnd); ok && n.Type == NoticeDeploymentFailed {
			said = end.Reason
		}
	}
	if !strings.Contains(said, "not done within 10m0s, rolled back; /a: ") || !strings.Contains(said, "of memory") {
		t.Errorf("deployment_failed says %q", said)
	}
	// A rollback that cannot be done is not undone itself.
	c.must(put(app("/b", 1, limited)))
	c.settle()
	c.must(put(app("/b", 1, limited, func(a *App) { a.Mem = 1e6; a.UpgradeStrategy = UpgradeStrategy{} })))
	c.settle()
	for _, a := range c.agents {
		a.offer.Resources.Mem = 1
	}
	c.advance(5 * time.Hour)
	rollbacks := 0
	for d := range c.core.State().Deployments() {
		if d.Rollback && d.Plan.After["/b"].Mem == 16 {
			rollbacks++
		}
	}
	if rollbacks != 1 {
		t.Errorf("%d rollbacks under way", rollbacks)
	}
}
