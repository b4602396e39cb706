package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"rollcall/scheduler"
	"rollcall/scheduler/mesos"
	"rollcall/scheduler/store"
)

// told is what the meters tell, without the bounds of histograms.
func told(t *testing.T, collectors ...prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := strings.TrimPrefix(f.GetName(), "rollcall_")
			for _, l := range m.Label {
				name += "/" + l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				out[name] = float64(h.GetSampleCount())
			} else {
				out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return out
}

func wantTold(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if have, ok := got[name]; !ok || have != value {
			t.Errorf("%s is %v, want %v", name, have, value)
		}
	}
}

// deafEngine takes every call.
type deafEngine struct{ scheduler.Engine }

func (deafEngine) Accept(scheduler.OfferID, []scheduler.TaskInfo) {}
func (deafEngine) Decline(scheduler.OfferID, time.Duration)       {}
func (deafEngine) Revive()                                        {}
func (deafEngine) Suppress()                                      {}
func (deafEngine) Kill(scheduler.TaskRef)                         {}
func (deafEngine) Reconcile([]scheduler.TaskRef)                  {}
func (deafEngine) Acknowledge(scheduler.TaskStatus)               {}

func TestMetersOfTheEngine(t *testing.T) {
	m := newMeters()
	e := m.engine(deafEngine{})
	e.Accept("o", make([]scheduler.TaskInfo, 3))
	e.Accept("o", make([]scheduler.TaskInfo, 2))
	e.Decline("o", time.Second)
	e.Revive()
	e.Suppress()
	e.Kill(scheduler.TaskRef{})
	e.Reconcile(nil)
	e.Acknowledge(scheduler.TaskStatus{})
	wantTold(t, told(t, m.ofScheduler()...), map[string]float64{
		"engine_calls_total/accept": 2, "engine_calls_total/decline": 1, "engine_calls_total/revive": 1,
		"engine_calls_total/suppress": 1, "engine_calls_total/kill": 1, "engine_calls_total/reconcile": 1,
		"engine_calls_total/acknowledge": 1, "engine_launches_total": 5,
	})
}

func TestMetersOfNotices(t *testing.T) {
	m := newMeters()
	state, err := scheduler.LoadState(t.Context(), store.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	notice := func(kind string, body any) { m.Publish(state, nil, []scheduler.Notice{{Type: kind, Body: body}}) }
	for _, ended := range []scheduler.TaskState{scheduler.TaskFailed, scheduler.TaskFailed, scheduler.TaskKilled, scheduler.TaskRunning} {
		notice(scheduler.NoticeStatusUpdate, scheduler.StatusUpdate{TaskStatus: ended})
	}
	notice(scheduler.NoticeFailedHealthCheck, scheduler.FailedHealthCheck{})
	notice(scheduler.NoticeUnhealthyKill, scheduler.UnhealthyKill{})
	notice(scheduler.NoticeDeploymentSuccess, scheduler.DeploymentEnd{})
	notice(scheduler.NoticeDeploymentFailed, scheduler.DeploymentEnd{})
	notice(scheduler.NoticeRegistered, scheduler.SchedulerRegistered{})
	notice(scheduler.NoticeReregistered, scheduler.SchedulerRegistered{})
	notice(scheduler.NoticeDisconnected, scheduler.SchedulerDisconnected{})
	m.stepped(time.Millisecond, 0)
	m.stepped(time.Millisecond, 3)
	wantTold(t, told(t, append(m.ofScheduler(), m.changes)...), map[string]float64{
		"engine_tasks_ended_total/TASK_FAILED": 2, "engine_tasks_ended_total/TASK_KILLED": 1, "engine_tasks_ended_total/TASK_LOST": 0,
		"engine_launch_seconds": 0, "engine_registrations_total": 2, "engine_disconnects_total": 1,
		"scheduler_health_checks_failed_total": 1, "scheduler_health_kills_total": 1,
		"scheduler_deployments_total/done": 1, "scheduler_deployments_total/ended": 1,
		"scheduler_step_seconds": 2, "dns_change_seconds/scheduler": 1,
	})
}

// failingStore stores nothing.
type failingStore struct{ scheduler.Store }

func (failingStore) Commit(context.Context, []scheduler.Record) error { return errors.New("no") }

func TestMetersOfTheStore(t *testing.T) {
	m := newMeters()
	if err := m.store(store.NewMemory()).Commit(t.Context(), []scheduler.Record{{Kind: scheduler.KindMeta, Key: "a", Value: []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	if m.store(failingStore{}).Commit(t.Context(), nil) == nil {
		t.Error("no error")
	}
	wantTold(t, told(t, m.ofScheduler()...), map[string]float64{
		"store_commit_seconds": 2, "store_commits_failed_total": 1, "store_records_total": 1,
	})
}

// silentSink hears everything.
type silentSink struct{}

func (silentSink) Reset(mesos.State)  {}
func (silentSink) Apply(mesos.Change) {}

func TestMetersOfMesos(t *testing.T) {
	m := newMeters()
	sink := m.sink(silentSink{})
	sink.Reset(mesos.State{})
	sink.Apply(mesos.Change{})
	master := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer master.Close()
	client := http.Client{Transport: m.transport(http.DefaultTransport)}
	for _, url := range []string{master.URL, master.URL + "/refused", "http://127.0.0.1:1/"} {
		if response, err := client.Get(url); err == nil {
			response.Body.Close()
		}
	}
	wantTold(t, told(t, m.changes, m.requests), map[string]float64{
		"dns_change_seconds/mesos": 2, "mesos_request_seconds/ok": 1, "mesos_request_seconds/refused": 1, "mesos_request_seconds/failed": 1,
	})
}

// Names follow Prometheus's conventions.
func TestMeterNames(t *testing.T) {
	m := newMeters()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(append(m.ofScheduler(), m.changes, m.requests, m.leaderChanges, fileSize("/"))...)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
