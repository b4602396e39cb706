package mesos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/scheduler"
)

// schedulerMaster is a master of the scheduler API that a test has in its hands.
type schedulerMaster struct {
	*httptest.Server
	calls chan v1Call // all but SUBSCRIBE
	asked chan string // the framework ids of SUBSCRIBEs

	mu       sync.Mutex
	answer   func(v1Call) (int, string) // to a call; nil: 202
	redirect string
	hangUp   bool     // on who subscribes
	first    []string // what a stream begins with; nil: SUBSCRIBED
	streams  []chan string
}

func newSchedulerMaster(t *testing.T) *schedulerMaster {
	m := &schedulerMaster{calls: make(chan v1Call, 100), asked: make(chan string, 100)}
	m.Server = httptest.NewServer(m)
	t.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

func (m *schedulerMaster) address() string { return strings.TrimPrefix(m.URL, "http://") }

func (m *schedulerMaster) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *schedulerMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var c v1Call
	err := json.Unmarshal(body, &c)
	m.mu.Lock()
	answer, redirect, first, hangUp := m.answer, m.redirect, m.first, m.hangUp
	m.mu.Unlock()
	switch {
	case redirect != "":
		w.Header().Set("Location", "//"+redirect+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case err != nil || r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusUnsupportedMediaType)
	case c.Type != callSubscribe:
		status, text := http.StatusAccepted, ""
		if r.Header.Get("Mesos-Stream-Id") == "" || c.FrameworkID == nil {
			status, text = http.StatusBadRequest, "no Mesos-Stream-Id"
		} else if answer != nil {
			status, text = answer(c)
		}
		w.WriteHeader(status)
		io.WriteString(w, text) //nolint:errcheck // the client sees
		m.calls <- c
	default:
		m.asked <- c.FrameworkID.text()
		if hangUp {
			panic(http.ErrAbortHandler)
		}
		events := make(chan string, 100)
		m.mu.Lock()
		m.streams = append(m.streams, events)
		w.Header().Set("Mesos-Stream-Id", fmt.Sprint(len(m.streams)))
		m.mu.Unlock()
		if first == nil {
			first = []string{subscribedAs("f-0000")}
		}
		for _, e := range first {
			io.WriteString(w, framed(e)) //nolint:errcheck // likewise
		}
		w.(http.Flusher).Flush()
		if strings.Contains(first[0], "ERROR") {
			return
		}
		for {
			select {
			case e, ok := <-events:
				if !ok {
					return
				}
				io.WriteString(w, framed(e)) //nolint:errcheck // likewise
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func subscribedAs(id string) string {
	return fmt.Sprintf(`{"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":%q},"heartbeat_interval_seconds":15,
		"master_info":{"address":{"ip":"127.0.0.1","port":1},"domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"a"}}}}}}`, id)
}

// last is the stream that began last.
func (m *schedulerMaster) last() chan string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams[len(m.streams)-1]
}

func (m *schedulerMaster) call(t *testing.T, kind string) v1Call {
	t.Helper()
	for {
		select {
		case c := <-m.calls:
			if c.Type == kind {
				return c
			}
			t.Fatalf("the call is %s, not %s", c.Type, kind)
		case <-time.After(30 * time.Second):
			t.Fatalf("no call %s", kind)
		}
	}
}

// engineRun is an engine that runs.
type engineRun struct {
	*Engine
	t      *testing.T
	events chan scheduler.Event
	done   chan error
	cancel context.CancelFunc
}

func runEngine(t *testing.T, id string, o EngineOptions, masters Masters) *engineRun {
	t.Helper()
	if o.Client == nil {
		o.Client = NewClient(ClientOptions{})
	}
	o.Framework.Roles = []string{"*"}
	ctx, cancel := context.WithCancel(t.Context())
	r := &engineRun{Engine: NewEngine(o), t: t, events: make(chan scheduler.Event, 10), done: make(chan error, 1), cancel: cancel}
	r.SetMasters(masters)
	go func() { r.done <- r.Run(ctx, id, r.events) }()
	t.Cleanup(cancel)
	return r
}

// expect is the next event, of a type.
func expect[E scheduler.Event](r *engineRun) E {
	r.t.Helper()
	select {
	case e := <-r.events:
		if want, ok := e.(E); ok {
			return want
		}
		if _, sent := e.(scheduler.LaunchesSent); sent {
			return expect[E](r) // it comes at any time after the call
		}
		r.t.Fatalf("the event is %#v", e)
	case err := <-r.done:
		r.t.Fatalf("the engine has ended: %v", err)
	case <-time.After(30 * time.Second):
		r.t.Fatal("there is no event")
	}
	panic("not reached")
}

const offerOfOne = `{"type":"OFFERS","offers":{"offers":[{"id":{"value":"O1"},"agent_id":{"value":"S1"},"hostname":"h",
	"url":{"address":{"ip":"10.0.0.1"}},"allocation_info":{"role":"*"},"domain":{"fault_domain":{"region":{"name":"us"},"zone":{"name":"b"}}},
	"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"allocation_info":{"role":"*"}},
	{"name":"mem","type":"SCALAR","scalar":{"value":100},"allocation_info":{"role":"*"}},
	{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31009}]},"allocation_info":{"role":"*"}}]}]}}`

func statusUpdate(task, state, uuid string) string {
	return fmt.Sprintf(`{"type":"UPDATE","update":{"status":{"task_id":{"value":%q},"state":%q,"agent_id":{"value":"S1"},"uuid":%q}}}`, task, state, uuid)
}

// One session: registered, offered, launched, told, acknowledged.
func TestEngineSession(t *testing.T) {
	m := newSchedulerMaster(t)
	var hooked []string
	r := runEngine(t, "", EngineOptions{Registered: func(id string) { hooked = append(hooked, id) }}, Masters{All: []string{m.address()}})
	if e := expect[scheduler.Registered](r); e.FrameworkID != "f-0000" || e.Master != m.address() || !slices.Equal(hooked, []string{"f-0000"}) {
		t.Errorf("%+v, told before %v", e, hooked)
	}
	m.last() <- `{"type":"HEARTBEAT"}`
	m.last() <- `{"type":"LATER","later":{"what":"ever"}}`
	m.last() <- `{"type":"OFFERS","offers":7}` // cannot be read, and is left out
	m.last() <- `{"type":"OFFERS","offers":{"offers":[{"id":{"value":"O0"},"agent_id":{"value":"S0"},"resources":[{"name":"cpus","scalar":{"value":[]}}]}]}}`
	if got := m.call(t, callDecline).Decline; len(got.OfferIDs) != 1 || got.OfferIDs[0].Value != "O0" || got.Filters.RefuseSeconds != 600 {
		t.Errorf("an offer that cannot be read was declined: %+v", got)
	}
	if e := expect[scheduler.OffersReceived](r); len(e.Offers) != 0 {
		t.Errorf("an offer that cannot be read: %+v", e)
	}
	m.last() <- offerOfOne
	o := expect[scheduler.OffersReceived](r).Offers[0]
	if o.ID != "O1" || o.AgentID != "S1" || o.Address.String() != "10.0.0.1" || !o.Remote || o.Region != "us" || o.Zone != "b" || o.Role != "*" ||
		o.Resources.CPUs != 2 || o.Resources.Mem != 100 || o.Resources.Ports.String() != "[31000-31009]" {
		t.Errorf("the offer is %+v", o)
	}
	r.Accept("O1", []scheduler.TaskInfo{{ID: "t1", Name: "a", AgentID: "S1", Shell: "sleep 1", Resources: scheduler.Resources{CPUs: 0.5, Mem: 10,
		Ports: scheduler.PortRange{{Begin: 31003, End: 31003}}}}})
	accept := m.call(t, callAccept)
	if got := accept.Accept.Operations[0].Launch.TaskInfos[0]; got.TaskID.Value != "t1" || len(got.Resources) != 3 || accept.FrameworkID.Value != "f-0000" {
		t.Errorf("launched %+v", got)
	}
	if sent := expect[scheduler.LaunchesSent](r).Tasks; !slices.Equal(sent, []scheduler.TaskID{"t1"}) {
		t.Errorf("sent %v", sent)
	}
	m.last() <- statusUpdate("t1", "TASK_RUNNING", "u1")
	status := expect[scheduler.StatusReceived](r).Status
	if status.TaskID != "t1" || status.State != scheduler.TaskRunning || status.Ack != "u1" {
		t.Errorf("the status is %+v", status)
	}
	r.Acknowledge(status)
	if got := m.call(t, callAcknowledge).Acknowledge; got.UUID != "u1" || got.TaskID.Value != "t1" || got.AgentID.Value != "S1" {
		t.Errorf("acknowledged %+v", got)
	}

	// Of an update that cannot be read in full, what matters is taken.
	m.last() <- `{"type":"UPDATE","update":{"status":{"container_status":{"network_infos":7},"task_id":{"value":"t1"},"state":"TASK_RUNNING","uuid":"u2"}}}`
	if s := expect[scheduler.StatusReceived](r).Status; s.TaskID != "t1" || s.State != scheduler.TaskRunning || s.Ack != "u2" {
		t.Errorf("of an update that cannot be read in full: %+v", s)
	}
	m.last() <- `{"type":"UPDATE","update":{"status":{"task_id":{"value":"t1"},"state":7}}}`

	// An offer that was answered for is none any more.
	r.Accept("O1", []scheduler.TaskInfo{{ID: "t2", AgentID: "S1"}})
	if s := expect[scheduler.StatusReceived](r).Status; s.TaskID != "t2" || s.State != scheduler.TaskDropped || s.Ack != "" {
		t.Errorf("launched on a used offer: %+v", s)
	}
	m.last() <- offerOfOne
	expect[scheduler.OffersReceived](r)
	r.Accept("O1", []scheduler.TaskInfo{{ID: "t3", AgentID: "S1", Resources: scheduler.Resources{CPUs: 3}}})
	if s := expect[scheduler.StatusReceived](r).Status; s.State != scheduler.TaskError || !strings.Contains(s.Message, "1 cpus too few") {
		t.Errorf("launched with too much: %+v", s)
	}
	m.call(t, callAccept) // which gives the offer back

	m.last() <- offerOfOne
	expect[scheduler.OffersReceived](r)
	m.last() <- `{"type":"RESCIND","rescind":{"offer_id":{"value":"O1"}}}`
	if e := expect[scheduler.OfferRescinded](r); e.Offer != "O1" {
		t.Errorf("rescinded %+v", e)
	}
	m.last() <- `{"type":"RESCIND","rescind":{"offer_id":{"value":"O1"}}}` // twice says nothing
	m.last() <- `{"type":"FAILURE","failure":{"agent_id":{"value":"S1"},"executor_id":{"value":"x"}}}`
	m.last() <- `{"type":"FAILURE","failure":{"agent_id":{"value":"S1"}}}`
	if e := expect[scheduler.AgentLost](r); e.Agent != "S1" {
		t.Errorf("lost %+v", e)
	}
	m.last() <- `{"type":"INVERSE_OFFERS","inverse_offers":{"inverse_offers":[{"id":{"value":"I1"},"agent_id":{"value":"S1"}}]}}`
	if got := m.call(t, callAcceptInverseOffers).AcceptInverseOffers.InverseOfferIDs; len(got) != 1 || got[0].Value != "I1" {
		t.Errorf("answered %+v", got)
	}
	r.Reconcile([]scheduler.TaskRef{{TaskID: "t1", AgentID: "S1"}})
	if got := m.call(t, callReconcile).Reconcile.Tasks; len(got) != 1 || got[0].AgentID.text() != "S1" {
		t.Errorf("asked for %+v", got)
	}
	if got := m.call(t, callReconcile).Reconcile.Tasks; got == nil || len(got) != 0 {
		t.Errorf("then for %+v, not for all", got)
	}
	r.Kill(scheduler.TaskRef{TaskID: "t1", AgentID: "S1"})
	m.call(t, callKill)
	r.Suppress()
	m.call(t, callSuppress)
	r.Revive()
	m.call(t, callRevive)

	r.cancel()
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// Whatever ends a session, the next one is of the same framework, at whoever leads then.
func TestEngineSubscribesAgain(t *testing.T) {
	for name, lose := range map[string]func(*schedulerMaster, *engineRun){
		"the stream ends": func(m *schedulerMaster, _ *engineRun) { close(m.last()) },
		"the master dies": func(m *schedulerMaster, _ *engineRun) { m.CloseClientConnections() },
		"no RecordIO":     func(m *schedulerMaster, _ *engineRun) { m.last() <- strings.Repeat("x", 7) + "\n" },
		"a call is refused": func(m *schedulerMaster, r *engineRun) {
			m.set(func() {
				m.answer = func(v1Call) (int, string) { return http.StatusForbidden, "Framework is not subscribed" }
			})
			r.Revive()
			<-m.calls
		},
		"the stream is another's": func(m *schedulerMaster, r *engineRun) {
			m.set(func() {
				m.answer = func(v1Call) (int, string) {
					return http.StatusBadRequest, "The stream ID 'x' included in this request didn't match"
				}
			})
			r.Revive()
			<-m.calls
		},
		"another master leads": func(m *schedulerMaster, r *engineRun) {},
	} {
		t.Run(name, func(t *testing.T) {
			old, next := newSchedulerMaster(t), newSchedulerMaster(t)
			r := runEngine(t, "f-0000", EngineOptions{}, Masters{Leader: old.address()})
			expect[scheduler.Registered](r)
			lose(old, r)
			old.set(func() { old.redirect = next.address() })
			if name == "another master leads" {
				r.SetMasters(Masters{Leader: next.address()})
			}
			if name == "no RecordIO" {
				close(old.last())
			}
			expect[scheduler.Disconnected](r)
			if e := expect[scheduler.Registered](r); e.FrameworkID != "f-0000" || e.Master != next.address() {
				t.Errorf("%+v", e)
			}
			if id := <-next.asked; id != "f-0000" {
				t.Errorf("subscribed as %q", id)
			}
		})
	}
}

// A call that is wrong in itself ends no session, and its tasks are answered for.
func TestEngineReportsRefusedLaunches(t *testing.T) {
	m := newSchedulerMaster(t)
	m.answer = func(c v1Call) (int, string) {
		if c.Type == callAccept {
			return http.StatusBadRequest, "Failed to validate scheduler::Call"
		}
		return http.StatusAccepted, ""
	}
	r := runEngine(t, "", EngineOptions{}, Masters{Leader: m.address()})
	expect[scheduler.Registered](r)
	m.last() <- offerOfOne
	expect[scheduler.OffersReceived](r)
	r.Accept("O1", []scheduler.TaskInfo{{ID: "t", AgentID: "S1", Resources: scheduler.Resources{CPUs: 1}}})
	if s := expect[scheduler.StatusReceived](r).Status; s.TaskID != "t" || s.State != scheduler.TaskError || !strings.Contains(s.Message, "Failed to validate") {
		t.Errorf("%+v", s)
	}
	m.call(t, callAccept)
	r.Revive()
	m.call(t, callRevive)
}

// What only an operator can put right ends the engine.
func TestEngineGivesUp(t *testing.T) {
	refuse := func(text string) []string { return []string{`{"type":"ERROR","error":{"message":"` + text + `"}}`} }
	for _, c := range []struct {
		text string
		err  error
	}{
		{"Framework has been removed", scheduler.ErrFrameworkRemoved},
		{"Completed framework attempted to re-subscribe", scheduler.ErrFrameworkRemoved},
		{"Framework failed over", ErrFailedOver},
	} {
		m := newSchedulerMaster(t)
		m.first = refuse(c.text)
		r := runEngine(t, "f-0000", EngineOptions{}, Masters{Leader: m.address()})
		if err := <-r.done; !errors.Is(err, c.err) || !strings.Contains(err.Error(), "f-0000") {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	// Another refusal may pass.
	m := newSchedulerMaster(t)
	m.first = refuse("Framework is not authorized to use role")
	r := runEngine(t, "f-0000", EngineOptions{}, Masters{Leader: m.address()})
	<-m.asked
	m.set(func() { m.first = nil })
	expect[scheduler.Registered](r)

	// A framework that was removed comes back as another one where that is wished.
	m = newSchedulerMaster(t)
	m.first = refuse("Framework has been removed")
	r = runEngine(t, "f-0000", EngineOptions{Reregister: true}, Masters{Leader: m.address()})
	<-m.asked
	m.set(func() { m.first = nil })
	for id := range m.asked {
		if id == "" {
			break
		}
	}
	expect[scheduler.Registered](r)

	// A master that gives another id than asked for is not believed.
	m = newSchedulerMaster(t)
	m.first = []string{subscribedAs("g-0000")}
	r = runEngine(t, "f-0000", EngineOptions{}, Masters{Leader: m.address()})
	<-m.asked
	m.set(func() { m.first = nil })
	if e := expect[scheduler.Registered](r); e.FrameworkID != "f-0000" {
		t.Errorf("registered as %s", e.FrameworkID)
	}
}

// A master that gets to a SUBSCRIBE late, when the engine has given up on it and made another, ends the session of that
// other one. That is no other scheduler, once.
func TestEngineFailedOverByItself(t *testing.T) {
	m := newSchedulerMaster(t)
	m.hangUp = true
	r := runEngine(t, "f-0000", EngineOptions{}, Masters{Leader: m.address()})
	<-m.asked
	m.set(func() { m.hangUp = false })
	expect[scheduler.Registered](r)
	m.last() <- `{"type":"ERROR","error":{"message":"Framework failed over"}}`
	expect[scheduler.Disconnected](r)
	expect[scheduler.Registered](r)
	m.last() <- `{"type":"ERROR","error":{"message":"Framework failed over"}}`
	expect[scheduler.Disconnected](r)
	if err := <-r.done; !errors.Is(err, ErrFailedOver) {
		t.Errorf("ended with %v", err)
	}
}

// Launches that were decided, and that the session's end kept from being sent, are answered for.
func TestEngineTellsOfLaunchesNotSent(t *testing.T) {
	m := newSchedulerMaster(t)
	held := make(chan struct{})
	m.answer = func(c v1Call) (int, string) {
		if c.Type == callRevive {
			<-held
			return http.StatusForbidden, "Framework is not subscribed"
		}
		return http.StatusAccepted, ""
	}
	r := runEngine(t, "", EngineOptions{}, Masters{Leader: m.address()})
	expect[scheduler.Registered](r)
	m.last() <- offerOfOne
	expect[scheduler.OffersReceived](r)
	r.Revive() // keeps what follows waiting
	r.Accept("O1", []scheduler.TaskInfo{{ID: "t", AgentID: "S1", Resources: scheduler.Resources{CPUs: 1}}})
	r.Kill(scheduler.TaskRef{TaskID: "other", AgentID: "S1"})
	close(held)
	if s := expect[scheduler.StatusReceived](r).Status; s.TaskID != "t" || s.State != scheduler.TaskDropped ||
		s.Reason != scheduler.ReasonMasterDisconnected || s.Ack != "" {
		t.Errorf("%+v", s)
	}
	expect[scheduler.Disconnected](r)
	for len(m.calls) > 0 {
		if c := <-m.calls; c.Type == callAccept {
			t.Error("it was launched all the same")
		}
	}
}

// Files of sandboxes come from the agent, under a path that does not name the agent's directories.
func TestReadSandbox(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch want := `{"read_file":{"length":100,"offset":3,"path":"/frameworks/f-0000/executors/t/runs/latest/stdout"},"type":"READ_FILE"}`; {
		case string(body) == want:
			io.WriteString(w, `{"type":"READ_FILE","read_file":{"size":18,"data":"bGluZSBvbmUKbGluZSB0d28K"}}`) //nolint:errcheck // the client sees
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(agent.Close)
	m := newSchedulerMaster(t)
	at := strings.TrimPrefix(agent.URL, "http://")
	master := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/master/slaves" {
			fmt.Fprintf(w, `{"slaves":[{"id":"S1","pid":"slave(1)@%s"}]}`, at)
			return
		}
		m.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { master.CloseClientConnections(); master.Close() })
	r := runEngine(t, "", EngineOptions{}, Masters{Leader: strings.TrimPrefix(master.URL, "http://")})
	expect[scheduler.Registered](r)
	ref := scheduler.TaskRef{TaskID: "t", AgentID: "S1"}
	data, size, err := r.ReadSandbox(t.Context(), ref, "stdout", 3, 100)
	if string(data) != "line one\nline two\n" || size != 18 || err != nil {
		t.Errorf("%q of %d, %v", data, size, err)
	}
	for _, c := range []struct {
		ref  scheduler.TaskRef
		file string
		err  error
	}{
		{ref, "nothing", fs.ErrNotExist}, {ref, "../../../../secret", fs.ErrInvalid}, {ref, "/etc/passwd", fs.ErrInvalid},
		{scheduler.TaskRef{TaskID: "t"}, "stdout", fs.ErrNotExist}, {scheduler.TaskRef{TaskID: "t", AgentID: "S2"}, "stdout", fs.ErrNotExist},
	} {
		if _, _, err := r.ReadSandbox(t.Context(), c.ref, c.file, 0, 100); !errors.Is(err, c.err) {
			t.Errorf("%v %s: %v", c.ref, c.file, err)
		}
	}
}

// One that may not act any more sends nothing, whatever was decided before: no call, and no SUBSCRIBE, which would end
// the session of the scheduler that acts now.
func TestEngineThatMayNotActIsSilent(t *testing.T) {
	m := newSchedulerMaster(t)
	var mayAct atomic.Bool
	asked := make(chan struct{}, 100)
	mayAct.Store(true)
	r := runEngine(t, "f-0000", EngineOptions{MayAct: func() bool { asked <- struct{}{}; return mayAct.Load() }}, Masters{All: []string{m.address()}})
	expect[scheduler.Registered](r)
	<-asked
	mayAct.Store(false)
	r.Kill(scheduler.TaskRef{TaskID: "t1", AgentID: "S1"})
	expect[scheduler.Disconnected](r)
	<-asked
	<-asked // whether to subscribe
	if len(m.calls) > 0 || m.subscriptions() != 1 {
		t.Errorf("%d calls, %d subscriptions", len(m.calls), m.subscriptions())
	}
	mayAct.Store(true)
	if e := expect[scheduler.Registered](r); e.FrameworkID != "f-0000" {
		t.Errorf("registered as %+v", e)
	}
}

// subscriptions is how many streams there were.
func (m *schedulerMaster) subscriptions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.streams)
}
