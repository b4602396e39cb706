package api

import (
	"net/http"
	"strings"

	"rollcall/scheduler"
)

type gauge struct {
	Value float64 `json:"value"`
}

type counter struct {
	Count int `json:"count"`
}

// metrics answers GET /metrics: Prometheus's format, or Marathon's JSON for clients that accept nothing else.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) error {
	accept := r.Header.Get("Accept")
	if a.o.Monitor != nil && (accept == "" || accepts(accept, "text/plain") || !accepts(accept, "application/json")) {
		r = r.Clone(r.Context())
		r.URL.Path = "/metrics" // whichever of its names was asked for
		a.o.Monitor.ServeHTTP(w, r)
		return nil
	}
	return respond(w, r, http.StatusOK, map[string]any{"version": "4.0.0", "gauges": a.gauges(),
		"counters": a.counters(), "histograms": struct{}{}, "meters": struct{}{}, "timers": struct{}{}})
}

// gauges are those of Marathon's metrics that dashboards watch (Marathon reference, section 22).
func (a *API) gauges() map[string]gauge {
	s, out := a.state(), map[string]gauge{}
	count := func(name string, n int) { out["marathon."+name+".gauge"] = gauge{float64(n)} }
	apps, groups, deployments, overdue := 0, 1, 0, 0
	for range s.Apps() {
		apps++
	}
	for range s.GroupsWithin(scheduler.Root) {
		groups++
	}
	for range s.Deployments() {
		deployments++
	}
	for q := range s.Queue(a.o.Now()) {
		if q.Delay <= 0 {
			overdue += q.Count
		}
	}
	instances := map[scheduler.Condition]int{}
	for i := range s.AllInstances() {
		instances[i.Condition]++
	}
	count("apps.active", apps)
	count("groups.active", groups)
	count("deployments.active", deployments)
	count("instances.running", instances[scheduler.Running])
	count("instances.staged", instances[scheduler.Staging]+instances[scheduler.Starting])
	count("instances.launch-overdue", overdue)
	inFlight, _ := s.Kills()
	count("instances.inflight-kills", inFlight)
	count("http.event-streams.active", a.o.Events.readers())
	for _, name := range []string{"uptime", "leadership.duration"} { // there is an API for as long as this rollcall leads
		out["marathon."+name+".gauge.seconds"] = gauge{a.o.Now().Sub(a.began).Seconds()}
	}
	return out
}

// counters are those of Marathon's metrics, since this rollcall leads.
func (a *API) counters() map[string]counter {
	t := a.state().Totals()
	out := map[string]counter{}
	for name, n := range map[string]int{"deployments": t.Deployments, "deployments.dismissed": t.Dismissed,
		"tasks.launched": t.Launched, "mesos.offers.incoming": t.OffersReceived, "mesos.offers.used": t.OffersUsed,
		"mesos.offers.declined": t.OffersDeclined} {
		out["marathon."+name+".counter"] = counter{n}
	}
	for state, n := range t.Statuses() { // TASK_RUNNING is task-running
		name := strings.ReplaceAll(strings.ToLower(string(state)), "_", "-")
		out["marathon.mesos.task-updates."+name+".counter"] = counter{n}
	}
	return out
}

// monitor has health and readiness answered by whoever knows them.
func (a *API) monitor(w http.ResponseWriter, r *http.Request) error {
	if a.o.Monitor == nil {
		return notFound("URI not found: " + r.URL.Path)
	}
	a.o.Monitor.ServeHTTP(w, r)
	return nil
}
