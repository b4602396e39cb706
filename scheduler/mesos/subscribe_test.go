package mesos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// operatorMaster is a master that a test has in its hands. It serves the operator API and the summary of its state.
type operatorMaster struct {
	*httptest.Server

	mu       sync.Mutex
	id       string
	status   int    // of SUBSCRIBE, if it is not 200
	redirect string // to the master that leads
	raw      string // sent instead of a snapshot
	snapshot string
	summary  string
	streams  []chan string
}

func newOperatorMaster(t *testing.T, id, snapshot string) *operatorMaster {
	m := &operatorMaster{id: id, snapshot: snapshot, summary: `{"frameworks":[]}`}
	m.Server = httptest.NewServer(m)
	t.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

func (m *operatorMaster) address() string { return strings.TrimPrefix(m.URL, "http://") }

func framed(event string) string { return fmt.Sprintf("%d\n%s", len(event), event) }

func (m *operatorMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	id, status, redirect, raw, snapshot, summary := m.id, m.status, m.redirect, m.raw, m.snapshot, m.summary
	m.mu.Unlock()
	switch {
	case redirect != "":
		w.Header().Set("Location", "//"+redirect+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case r.URL.Path == "/master/state-summary":
		io.WriteString(w, summary) //nolint:errcheck // the client sees
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusUnsupportedMediaType)
	case strings.Contains(string(body), "GET_MASTER"):
		fmt.Fprintf(w, `{"type":"GET_MASTER","get_master":{"master_info":{"id":%q,"port":5050,"address":{"ip":"10.0.0.1","port":5050}}}}`, id)
	case strings.Contains(string(body), "SUBSCRIBE"):
		if status != 0 {
			http.Error(w, "no", status)
			return
		}
		events := make(chan string, 100)
		m.mu.Lock()
		m.streams = append(m.streams, events)
		m.mu.Unlock()
		if raw == "" {
			raw = framed(snapshot)
		}
		io.WriteString(w, raw) //nolint:errcheck // likewise
		w.(http.Flusher).Flush()
		for {
			select {
			case e, ok := <-events:
				if !ok {
					return
				}
				io.WriteString(w, e) //nolint:errcheck // likewise
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

// last is the stream that began last.
func (m *operatorMaster) last() chan string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams[len(m.streams)-1]
}

func (m *operatorMaster) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// told is what a sink was told, one at a time.
type told chan any

func (s told) Reset(state State) { s <- state }
func (s told) Apply(c Change)    { s <- c }

func (s told) reset(t *testing.T) State {
	t.Helper()
	select {
	case got := <-s:
		if state, ok := got.(State); ok {
			return state
		}
		t.Fatalf("told %+v, not a state", got)
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was told")
	}
	return State{}
}

func (s told) change(t *testing.T) Change {
	t.Helper()
	select {
	case got := <-s:
		if change, ok := got.(Change); ok {
			return change
		}
		t.Fatalf("told %+v, not a change", got)
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was told")
	}
	return Change{}
}

func snapshotOf(agents, frameworks, tasks string) string {
	return fmt.Sprintf(`{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[%s]},`+
		`"get_frameworks":{"frameworks":[%s]},"get_agents":{"agents":[%s],"recovered_agents":[]}},`+
		`"heartbeat_interval_seconds":15.0}}`, tasks, frameworks, agents)
}

const (
	oneAgent     = `{"agent_info":{"id":{"value":"a1"}},"pid":"slave(1)@10.0.0.9:5051"}`
	oneFramework = `{"framework_info":{"id":{"value":"f1"},"name":"marathon","hostname":"m.example"}}`
	oneTask      = `{"name":"web","task_id":{"value":"t1"},"framework_id":{"value":"f1"},"agent_id":{"value":"a1"},"state":"TASK_RUNNING"}`
)

func taskUpdated(state string) string {
	return fmt.Sprintf(`{"type":"TASK_UPDATED","task_updated":{"framework_id":{"value":"f1"},"state":%q,`+
		`"status":{"task_id":{"value":"t1"},"state":%q,"timestamp":1}}}`, state, state)
}

// runSubscriber runs a subscriber for the rest of the test.
func runSubscriber(t *testing.T, o SubscriberOptions, m Masters) (*Subscriber, told) {
	t.Helper()
	sink := make(told, 100)
	o.Client, o.Sink = NewClient(ClientOptions{}), sink
	s := NewSubscriber(o)
	s.SetMasters(m)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, sink
}

func TestSubscriberPassesOnEvents(t *testing.T) {
	m := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
	m.summary = `{"frameworks":[{"id":"f1","name":"marathon","pid":"scheduler-1@10.0.0.7:4000","hostname":"m.example"}]}`
	s, sink := runSubscriber(t, SubscriberOptions{}, Masters{All: []string{m.address()}})
	state := sink.reset(t)
	if state.Leader != "10.0.0.1:5050" || state.MasterID != "m1" || len(state.Agents) != 1 || len(state.Tasks) != 1 {
		t.Errorf("told %+v", state)
	}
	if len(state.Frameworks) != 1 || state.Frameworks[0].Endpoint != (Endpoint{"10.0.0.7", 4000}) {
		t.Errorf("the framework is at %+v", state.Frameworks)
	}
	// Events cut anywhere, with a heartbeat and one that is not known between them.
	events := framed(`{"type":"HEARTBEAT"}`) + framed(`{"type":"NEWS","news":{}}`) + framed(taskUpdated("TASK_KILLING")) +
		framed(taskUpdated("TASK_KILLED"))
	m.last() <- events[:40]
	m.last() <- events[40:]
	if c := sink.change(t); len(c.Tasks) != 1 || c.Tasks[0].State != "TASK_KILLING" || c.Tasks[0].Name != "web" {
		t.Errorf("told %+v", c)
	}
	if c := sink.change(t); len(c.TasksGone) != 1 || c.TasksGone[0] != (TaskKey{"f1", "t1"}) {
		t.Errorf("told %+v", c)
	}
	if status := s.Status(); status.Err != nil || status.Read.IsZero() {
		t.Errorf("status %+v", status)
	}
}

// A framework that registers is told of at once, and once more when its pid is known: no event has it.
func TestSubscriberFetchesPIDs(t *testing.T) {
	m := newOperatorMaster(t, "m1", snapshotOf(oneAgent, "", ""))
	_, sink := runSubscriber(t, SubscriberOptions{}, Masters{Leader: m.address()})
	sink.reset(t)
	m.set(func() { m.summary = `{"frameworks":[{"id":"f1","name":"marathon","pid":"scheduler-1@10.0.0.7:4000"}]}` })
	m.last() <- framed(`{"type":"FRAMEWORK_ADDED","framework_added":{"framework":` + oneFramework + `}}`)
	if c := sink.change(t); len(c.Frameworks) != 1 || c.Frameworks[0].Endpoint != (Endpoint{Host: "m.example"}) {
		t.Errorf("told %+v", c)
	}
	if c := sink.change(t); len(c.Frameworks) != 1 || c.Frameworks[0].Endpoint != (Endpoint{"10.0.0.7", 4000}) {
		t.Errorf("told %+v", c)
	}
}

func TestSubscriberFollowsTheLeader(t *testing.T) {
	one := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
	two := newOperatorMaster(t, "m2", snapshotOf("", "", ""))
	s, sink := runSubscriber(t, SubscriberOptions{}, Masters{Leader: one.address(), All: []string{one.address(), two.address()}})
	if state := sink.reset(t); state.MasterID != "m1" {
		t.Errorf("told %+v", state)
	}
	// Nobody leads, for what is known: the stream is as good as before.
	s.SetMasters(Masters{All: []string{two.address()}})
	one.last() <- framed(taskUpdated("TASK_KILLING"))
	sink.change(t)
	s.SetMasters(Masters{Leader: two.address(), All: []string{two.address()}})
	if state := sink.reset(t); state.MasterID != "m2" || len(state.Tasks) != 0 || state.Recovered == nil {
		t.Errorf("told %+v", state)
	}
}

// A newly elected master knows of its agents before it knows of their tasks: behind a Retainer they stay, but for those
// that are gone when their agent is back.
func TestSubscriberThroughAnElection(t *testing.T) {
	old := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
	elected := newOperatorMaster(t, "m2", strings.Replace(snapshotOf("", "", ""),
		`"recovered_agents":[]`, `"recovered_agents":[{"id":{"value":"a1"}}]`, 1))
	elected.status = http.StatusServiceUnavailable
	sink := make(told, 100)
	s := NewSubscriber(SubscriberOptions{
		Client: NewClient(ClientOptions{}), Sink: NewRetainer(sink, slog.New(slog.DiscardHandler)), Resync: 10 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.SetMasters(Masters{Leader: old.address()})
	sink.reset(t)
	s.SetMasters(Masters{Leader: elected.address()})
	elected.set(func() { elected.status = 0 })
	tasks := func(id string) int {
		t.Helper()
		for {
			if state := sink.reset(t); state.MasterID == id {
				return len(state.Tasks)
			}
		}
	}
	if n := tasks("m2"); n != 1 {
		t.Errorf("%d tasks while the agent is away", n)
	}
	elected.set(func() { elected.snapshot = snapshotOf(oneAgent, "", "") })
	for tasks("m2") > 0 {
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A master that hangs is left as soon as another one leads.
func TestSubscriberLeavesAMasterThatHangs(t *testing.T) {
	hung := make(chan struct{}, 10)
	old := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // else the server does not see that the client leaves
		hung <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(func() { old.CloseClientConnections(); old.Close() })
	elected := newOperatorMaster(t, "m2", snapshotOf(oneAgent, oneFramework, oneTask))
	s, sink := runSubscriber(t, SubscriberOptions{}, Masters{Leader: strings.TrimPrefix(old.URL, "http://")})
	<-hung
	s.SetMasters(Masters{Leader: elected.address()})
	if state := sink.reset(t); state.MasterID != "m2" {
		t.Errorf("told %+v", state)
	}
	if n := len(hung); n > 0 {
		t.Errorf("the master that hangs was asked %d times more", n)
	}
}

func TestSubscriberIsRedirected(t *testing.T) {
	leader := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
	follower := newOperatorMaster(t, "m2", "")
	follower.redirect = leader.address()
	_, sink := runSubscriber(t, SubscriberOptions{}, Masters{All: []string{follower.address()}})
	if state := sink.reset(t); state.MasterID != "m1" {
		t.Errorf("told %+v", state)
	}
}

// Whatever is wrong with a stream, it is asked for again, and what was told stays.
func TestSubscriberTriesOn(t *testing.T) {
	for name, spoil := range map[string]func(*operatorMaster){
		"503 while it recovers": func(m *operatorMaster) { m.status = http.StatusServiceUnavailable },
		"500":                   func(m *operatorMaster) { m.status = http.StatusInternalServerError },
		"no event":              func(m *operatorMaster) { m.raw = framed(`[1,2]`) },
		"half a length":         func(m *operatorMaster) { m.raw = "9999" },
		"a redirect in a loop":  func(m *operatorMaster) { m.redirect = m.address() },
	} {
		t.Run(name, func(t *testing.T) {
			m := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
			log := newLogCount()
			s, sink := runSubscriber(t, SubscriberOptions{Logger: slog.New(log)}, Masters{Leader: m.address()})
			sink.reset(t)
			m.set(func() { spoil(m) })
			m.set(m.CloseClientConnections)
			<-log.warned
			if s.Status().Err == nil {
				t.Error("the status is fine")
			}
			m.set(func() { m.status, m.raw, m.redirect = 0, "", "" })
			m.set(m.CloseClientConnections) // a machine that is slow may have subscribed again before it was mended
			if state := sink.reset(t); len(state.Tasks) != 1 {
				t.Errorf("told %+v", state)
			}
			// That the stream broke, what the master did then, and that it broke again.
			if n := log.warnings(); n > 3 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

// logCount counts warnings.
type logCount struct {
	warned chan struct{} // one element once there is one
	mu     sync.Mutex
	n      int
}

func newLogCount() *logCount { return &logCount{warned: make(chan struct{}, 1)} }

func (l *logCount) Enabled(context.Context, slog.Level) bool { return true }
func (l *logCount) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logCount) WithGroup(string) slog.Handler            { return l }
func (l *logCount) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Level >= slog.LevelWarn {
		l.n++
		select {
		case l.warned <- struct{}{}:
		default:
		}
	}
	return nil
}

func (l *logCount) warnings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func TestSubscriberSaysThatThereIsNoStream(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		m := newOperatorMaster(t, "m1", "")
		m.status = status
		s := NewSubscriber(SubscriberOptions{Client: NewClient(ClientOptions{}), Sink: make(told)})
		s.SetMasters(Masters{Leader: m.address()})
		if err := s.Run(t.Context()); !errors.Is(err, ErrNoEventStream) {
			t.Errorf("%d: %v", status, err)
		}
		if s.Status().Err == nil {
			t.Errorf("%d: the status is fine", status)
		}
	}
	for _, raw := range []string{"<html>", "99999999999999999\n{", framed(`{"type":"HEARTBEAT"}`)} {
		m := newOperatorMaster(t, "m1", "")
		m.raw = raw
		s := NewSubscriber(SubscriberOptions{Client: NewClient(ClientOptions{}), Sink: make(told)})
		s.SetMasters(Masters{Leader: m.address()})
		if err := s.Run(t.Context()); !errors.Is(err, ErrNoEventStream) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// Subscriptions that follow each other square with the whole state.
func TestSubscriberResyncs(t *testing.T) {
	m := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
	log := newLogCount()
	_, sink := runSubscriber(t, SubscriberOptions{Resync: 10 * time.Millisecond, Logger: slog.New(log)}, Masters{Leader: m.address()})
	sink.reset(t)
	m.set(func() { m.snapshot = snapshotOf(oneAgent, oneFramework, "") })
	for len(sink.reset(t).Tasks) > 0 {
	}
	if n := log.warnings(); n != 0 {
		t.Errorf("%d warnings", n)
	}
}

// The events that came before a stream broke are told before it is asked for again.
func TestSubscriberTellsWhatCameBeforeTheEnd(t *testing.T) {
	m := newOperatorMaster(t, "m1", snapshotOf(oneAgent, oneFramework, oneTask))
	_, sink := runSubscriber(t, SubscriberOptions{}, Masters{Leader: m.address()})
	sink.reset(t)
	m.last() <- framed(taskUpdated("TASK_KILLING")) + framed(taskUpdated("TASK_KILLED")) + "17\n{"
	close(m.last())
	sink.change(t)
	if c := sink.change(t); len(c.TasksGone) != 1 {
		t.Errorf("told %+v", c)
	}
	sink.reset(t)
}

func TestFollowerPollsWhereThereIsNoStream(t *testing.T) {
	old := newOperatorMaster(t, "m1", "")
	old.status = http.StatusNotFound
	state := fmt.Sprintf(`{"id":"m1","leader":"master@%s","slaves":[{"id":"a1","pid":"slave(1)@10.0.0.9:5051"}],"frameworks":[]}`, old.address())
	old.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/master/state" {
			io.WriteString(w, state) //nolint:errcheck // the client sees
			return
		}
		old.ServeHTTP(w, r)
	})
	newer := newOperatorMaster(t, "m2", snapshotOf(oneAgent, oneFramework, oneTask))
	sink := make(told, 100)
	f := NewFollower(FollowerOptions{Client: NewClient(ClientOptions{}), Sink: sink})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	f.SetMasters(Masters{Leader: old.address()})
	if got := sink.reset(t); got.MasterID != "m1" || len(got.Agents) != 1 {
		t.Errorf("polled %+v", got)
	}
	f.SetMasters(Masters{Leader: newer.address()})
	for { // the poller may ask the newer master, in vain, before the stream is there
		if got := sink.reset(t); got.MasterID == "m2" {
			break
		}
	}
	if status := f.Status(); status.Read.IsZero() {
		t.Errorf("status %+v", status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A leader that is elected between the word that there is no stream and the first poll is subscribed to at once, not when
// the polling is over.
func TestFollowerHearsOfALeaderBeforeItPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFollower(FollowerOptions{Client: NewClient(ClientOptions{}), Sink: make(told)})
		f.SetMasters(Masters{Leader: "no address"})
		start := time.Now()
		if err := f.poll(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took >= pollAtLeast {
			t.Errorf("polled for %v", took)
		}
	})
}
