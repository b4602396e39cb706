package main

import (
	"context"
	"math"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall/scheduler"
	"rollcall/scheduler/mesos"
)

// meters count what goes on while the program works; what a state says is read when it is asked for (metrics.go). They
// outlive the times for which this rollcall leads.
type meters struct {
	changes *prometheus.HistogramVec // by source
	steps   prometheus.Histogram

	calls                         *prometheus.CounterVec // by call
	launched, registered, lost    prometheus.Counter
	ended                         *prometheus.CounterVec // by state
	launches                      prometheus.Histogram
	checksFailed, killedForHealth prometheus.Counter
	deployments                   *prometheus.CounterVec // by result
	requests                      *prometheus.HistogramVec
	commits                       prometheus.Histogram
	commitsFailed, recordsStored  prometheus.Counter
	leaderChanges                 prometheus.Counter
	api                           *apiMeters
}

// spans are the bounds of histograms whose times are those of memory, of disks and of networks.
var spans = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// launchSpans are the bounds for what starts a process, or pulls an image first.
var launchSpans = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}

// endedStates are the states in which tasks end.
var endedStates = []scheduler.TaskState{scheduler.TaskFinished, scheduler.TaskFailed, scheduler.TaskKilled, scheduler.TaskError,
	scheduler.TaskLost, scheduler.TaskDropped, scheduler.TaskGone, scheduler.TaskGoneByOperator, scheduler.TaskUnknown}

// Results of deployments and of requests, as metrics have them.
const (
	resultDone    = "done"
	resultEnded   = "ended"
	resultOK      = "ok"
	resultRefused = "refused"
	resultFailed  = "failed"
)

func newMeters() *meters {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "rollcall_" + name, Help: help})
	}
	counters := func(name, help, label string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_" + name, Help: help}, []string{label})
		for _, v := range values {
			c.WithLabelValues(v) // told from the beginning, so that rates are right
		}
		return c
	}
	histogram := func(name, help string, bounds []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: "rollcall_" + name, Help: help, Buckets: bounds}
	}
	m := &meters{
		changes: prometheus.NewHistogramVec(histogram("dns_change_seconds",
			"From when a change was taken up until its names were answered.", spans), []string{"source"}),
		steps: prometheus.NewHistogram(histogram("scheduler_step_seconds",
			"How long a step of the scheduler took: deciding, storing, telling the engine, publishing.", spans)),
		calls: counters("engine_calls_total", "Calls to the engine.", "call",
			"accept", "decline", "revive", "suppress", "kill", "reconcile", "acknowledge"),
		launched:   counter("engine_launches_total", "Tasks given to the engine to be started."),
		registered: counter("engine_registrations_total", "Times that the engine was ready to be used, anew or again."),
		lost:       counter("engine_disconnects_total", "Times that the engine could not be used any more."),
		ended:      counters("engine_tasks_ended_total", "Tasks that ended, by state.", "state"),
		launches: prometheus.NewHistogram(histogram("engine_launch_seconds",
			"From when a task was given to the engine until it ran.", launchSpans)),
		checksFailed:    counter("scheduler_health_checks_failed_total", "Health checks that failed."),
		killedForHealth: counter("scheduler_health_kills_total", "Tasks that were killed for their health."),
		deployments: counters("scheduler_deployments_total", "Deployments that are over, by how they ended.", "result",
			resultDone, resultEnded),
		requests: prometheus.NewHistogramVec(histogram("mesos_request_seconds",
			"How long Mesos masters took to begin their answer to a request.", spans), []string{"result"}),
		commits: prometheus.NewHistogram(histogram("store_commit_seconds",
			"How long it took until changes were stored.", spans)),
		commitsFailed: counter("store_commits_failed_total", "Times that changes could not be stored."),
		recordsStored: counter("store_records_total", "Records stored, those removed included."),
		leaderChanges: counter("peers_leader_changes_total", "Times that another rollcall, or none, began to lead."),
		api:           newAPIMeters(),
	}
	for _, state := range endedStates {
		m.ended.WithLabelValues(string(state))
	}
	return m
}

// ofScheduler are the meters of a scheduler, its engine, its store and its API.
func (m *meters) ofScheduler() []prometheus.Collector {
	return append(m.api.collectors(), m.steps, m.calls, m.launched, m.registered, m.lost, m.ended, m.launches, m.checksFailed,
		m.killedForHealth, m.deployments, m.commits, m.commitsFailed, m.recordsStored)
}

// stepped is told of each step of the scheduler's loop.
func (m *meters) stepped(took time.Duration, changed int) {
	m.steps.Observe(took.Seconds())
	if changed > 0 {
		m.changes.WithLabelValues(sourceScheduler).Observe(took.Seconds())
	}
}

// Withdraw implements scheduler.Observer.
func (m *meters) Withdraw(*scheduler.State, []scheduler.InstanceID) {}

// Publish implements scheduler.Observer: it counts notices.
func (m *meters) Publish(state *scheduler.State, _ []scheduler.InstanceID, notices []scheduler.Notice) {
	for _, n := range notices {
		switch b := n.Body.(type) {
		case scheduler.StatusUpdate:
			m.status(state, b, n.Timestamp)
		case scheduler.FailedHealthCheck:
			m.checksFailed.Inc()
		case scheduler.UnhealthyKill:
			m.killedForHealth.Inc()
		case scheduler.DeploymentEnd:
			if n.Type == scheduler.NoticeDeploymentFailed {
				m.deployments.WithLabelValues(resultEnded).Inc()
			} else {
				m.deployments.WithLabelValues(resultDone).Inc()
			}
		case scheduler.SchedulerRegistered:
			m.registered.Inc()
		case scheduler.SchedulerDisconnected:
			m.lost.Inc()
		}
	}
}

func (m *meters) status(state *scheduler.State, s scheduler.StatusUpdate, at scheduler.Timestamp) {
	if s.TaskStatus.Terminal() {
		m.ended.WithLabelValues(string(s.TaskStatus)).Inc()
		return
	}
	if s.TaskStatus != scheduler.TaskRunning {
		return
	}
	// A task that runs may be told of again, and one that was adopted was started by somebody else.
	i := state.Instance(scheduler.InstanceIDOf(s.TaskID))
	if i != nil && i.TaskID() == s.TaskID && i.StartedAt == at && i.StagedAt != 0 {
		m.launches.Observe(i.StartedAt.Time().Sub(i.StagedAt.Time()).Seconds())
	}
}

// engine counts the calls to an engine.
func (m *meters) engine(e scheduler.Engine) scheduler.Engine { return meteredEngine{e, m} }

type meteredEngine struct {
	scheduler.Engine
	m *meters
}

func (e meteredEngine) count(call string) { e.m.calls.WithLabelValues(call).Inc() }

func (e meteredEngine) Accept(offer scheduler.OfferID, tasks []scheduler.TaskInfo) {
	e.count("accept")
	e.m.launched.Add(float64(len(tasks)))
	e.Engine.Accept(offer, tasks)
}

func (e meteredEngine) Decline(offer scheduler.OfferID, refuse time.Duration) {
	e.count("decline")
	e.Engine.Decline(offer, refuse)
}

func (e meteredEngine) Revive() {
	e.count("revive")
	e.Engine.Revive()
}

func (e meteredEngine) Suppress() {
	e.count("suppress")
	e.Engine.Suppress()
}

func (e meteredEngine) Kill(task scheduler.TaskRef) {
	e.count("kill")
	e.Engine.Kill(task)
}

func (e meteredEngine) Reconcile(tasks []scheduler.TaskRef) {
	e.count("reconcile")
	e.Engine.Reconcile(tasks)
}

func (e meteredEngine) Acknowledge(status scheduler.TaskStatus) {
	e.count("acknowledge")
	e.Engine.Acknowledge(status)
}

// store times the commits of a store.
func (m *meters) store(s scheduler.Store) scheduler.Store { return meteredStore{s, m} }

type meteredStore struct {
	scheduler.Store
	m *meters
}

func (s meteredStore) Commit(ctx context.Context, records []scheduler.Record) error {
	began := time.Now()
	err := s.Store.Commit(ctx, records)
	s.m.commits.Observe(time.Since(began).Seconds())
	if err != nil {
		s.m.commitsFailed.Inc()
		return err
	}
	s.m.recordsStored.Add(float64(len(records)))
	return nil
}

// sink times how long it takes until what is heard of a Mesos cluster is answered.
func (m *meters) sink(next mesos.Sink) mesos.Sink {
	return meteredSink{next, m.changes.WithLabelValues(sourceMesos)}
}

type meteredSink struct {
	next    mesos.Sink
	changes prometheus.Observer
}

func (s meteredSink) Reset(state mesos.State) {
	began := time.Now()
	s.next.Reset(state)
	s.changes.Observe(time.Since(began).Seconds())
}

func (s meteredSink) Apply(change mesos.Change) {
	began := time.Now()
	s.next.Apply(change)
	s.changes.Observe(time.Since(began).Seconds())
}

// transport times requests to Mesos masters.
func (m *meters) transport(next http.RoundTripper) http.RoundTripper {
	return meteredTransport{next, m.requests}
}

type meteredTransport struct {
	next     http.RoundTripper
	requests *prometheus.HistogramVec
}

func (t meteredTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := t.next.RoundTrip(r)
	result := resultOK
	switch {
	case err != nil:
		result = resultFailed
	case response.StatusCode >= http.StatusBadRequest:
		result = resultRefused
	}
	t.requests.WithLabelValues(result).Observe(time.Since(began).Seconds())
	return response, err
}

// fileSize is how large the store's file is.
func fileSize(path string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_store_size_bytes",
		Help: "Size of the file that the state is stored in."}, func() float64 {
		info, err := os.Stat(path)
		if err != nil {
			return math.NaN()
		}
		return float64(info.Size())
	})
}
