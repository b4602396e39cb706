package mesos

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/scheduler"
)

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

// What may pass is waited for, and told of: each thing once.
func TestEngineIsRefusedForNow(t *testing.T) {
	status := func(code int, text string) func(*schedulerMaster) {
		return func(m *schedulerMaster) { m.refuse = &refusal{code, text} }
	}
	for name, c := range map[string]struct {
		begin func(*schedulerMaster)
		told  string
	}{
		"no leader yet":              {status(http.StatusServiceUnavailable, "No leader elected"), "No leader elected"},
		"not recovered yet":          {status(http.StatusServiceUnavailable, "Master has not finished recovery"), "has not finished recovery"},
		"wrong credentials":          {status(http.StatusUnauthorized, "401 Unauthorized."), "mesosAuthentication"},
		"not allowed":                {status(http.StatusForbidden, ""), "403 Forbidden"},
		"another principal":          {status(http.StatusBadRequest, "Authenticated principal 'a' does not match principal 'b' set in `FrameworkInfo`"), "does not match principal"},
		"no scheduler API":           {status(http.StatusNotFound, ""), "404 Not Found"},
		"a leader that has no name":  {func(m *schedulerMaster) { m.redirect = "no-such-host.invalid:5050" }, "no-such-host.invalid"},
		"a leader that does not run": {func(m *schedulerMaster) { m.redirect = "127.0.0.1:1" }, "127.0.0.1:1"},
		"a role that is not allowed": {func(m *schedulerMaster) {
			m.first = []string{`{"type":"ERROR","error":{"message":"Not authorized to use roles '{ dev }'"}}`}
		}, "Not authorized to use roles"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newSchedulerMaster(t)
			c.begin(m)
			log := &lockedLog{}
			r := runEngine(t, "f-0000", EngineOptions{Logger: slog.New(slog.NewTextHandler(log, nil))}, Masters{All: []string{m.address()}})
			log.waitFor(t, c.told)
			m.set(func() { m.refuse, m.redirect, m.first = nil, "", nil })
			if e := expect[scheduler.Registered](r); e.FrameworkID != "f-0000" {
				t.Errorf("registered as %+v", e)
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 {
				t.Errorf("told %d times:\n%s", n, log.String())
			}
		})
	}
}

// A master of a list that redirects to where nobody can be reached does not keep the engine from the leader itself.
func TestEngineFindsLeaderBesideBadRedirect(t *testing.T) {
	lost, leader := newSchedulerMaster(t), newSchedulerMaster(t)
	lost.redirect = "no-such-host.invalid:5050"
	r := runEngine(t, "f-0000", EngineOptions{}, Masters{All: []string{lost.address(), leader.address()}})
	if e := expect[scheduler.Registered](r); e.Master != leader.address() {
		t.Errorf("registered at %s", e.Master)
	}
}

// lockedLog is a log that is read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lockedLog) waitFor(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(l.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log never has %q:\n%s", text, l.String())
		}
	}
}
