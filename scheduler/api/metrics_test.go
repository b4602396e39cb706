package api

import (
	"testing"

	"rollcall/scheduler"
)

// marathonMetrics are Marathon's, as JSON, by name.
func marathonMetrics(t *testing.T, c *cluster) map[string]float64 {
	t.Helper()
	_, body := c.status("GET", "/metrics", "", "Accept", "application/json")
	all := unmarshal[struct {
		Version  string
		Gauges   map[string]gauge
		Counters map[string]counter
	}](t, body)
	if all.Version != "4.0.0" {
		t.Errorf("version %q", all.Version)
	}
	out := map[string]float64{}
	for name, g := range all.Gauges {
		out[name] = g.Value
	}
	for name, n := range all.Counters {
		out[name] = float64(n.Count)
	}
	return out
}

// TestMarathonsMetrics holds what dashboards of Marathons watch against what happened (Marathon reference, section 22).
func TestMarathonsMetrics(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "/shop/web", "cmd": "x", "instances": 3, "constraints": [["hostname", "UNIQUE"]]}`)
	c.offer(2)
	c.report(scheduler.Provisioned, scheduler.TaskStaging, "")
	c.report(scheduler.Staging, scheduler.TaskRunning, "")
	c.must(200, "DELETE", "/v2/apps/shop/web/tasks?host=agent0.example", "")
	c.must(201, "POST", "/v2/apps", `{"id": "/big", "cmd": "x", "cpus": 99}`)
	c.must(201, "POST", "/v2/apps", `{"id": "/none", "cmd": "x", "instances": 0}`)
	c.offer(3)
	want := map[string]float64{
		"marathon.apps.active.gauge":                 3,
		"marathon.groups.active.gauge":               2, // the root and /shop
		"marathon.deployments.active.gauge":          2,
		"marathon.instances.running.gauge":           1,
		"marathon.instances.staged.gauge":            0, // what was just launched has not said so yet
		"marathon.instances.launch-overdue.gauge":    1,
		"marathon.instances.inflight-kills.gauge":    1,
		"marathon.http.event-streams.active.gauge":   0,
		"marathon.uptime.gauge.seconds":              9,
		"marathon.leadership.duration.gauge.seconds": 9,

		"marathon.deployments.counter":                              3,
		"marathon.deployments.dismissed.counter":                    0,
		"marathon.tasks.launched.counter":                           3,
		"marathon.mesos.offers.incoming.counter":                    5,
		"marathon.mesos.offers.used.counter":                        3,
		"marathon.mesos.offers.declined.counter":                    2,
		"marathon.mesos.task-updates.task-staging.counter":          2,
		"marathon.mesos.task-updates.task-running.counter":          2,
		"marathon.mesos.task-updates.task-gone-by-operator.counter": 0,
	}
	got := marathonMetrics(t, c)
	for name, n := range want {
		if value, ok := got[name]; !ok || value != n {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, n)
		}
	}
}
