package mesos

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rollcall/scheduler"
)

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

// An update that comes again while its acknowledgement waits is acknowledged once, and while many wait nothing is launched:
// what has to be acknowledged would only get more.
func TestEngineCatchesUpBeforeItLaunches(t *testing.T) {
	m := newSchedulerMaster(t)
	held := make(chan struct{})
	m.answer = func(c v1Call) (int, string) {
		if c.Type == callAcknowledge {
			<-held
		}
		return http.StatusAccepted, ""
	}
	m.calls = make(chan v1Call, 3*acksAhead)
	r := runEngine(t, "", EngineOptions{}, Masters{Leader: m.address()})
	expect[scheduler.Registered](r)
	m.last() <- offerOfOne
	expect[scheduler.OffersReceived](r)
	updates := 2 * acksAhead
	for range 3 { // the master repeats itself
		for n := range updates {
			r.Acknowledge(scheduler.TaskStatus{TaskID: scheduler.TaskID(fmt.Sprint("t", n)), AgentID: "S1", Ack: fmt.Sprint(n)})
		}
	}
	r.Accept("O1", []scheduler.TaskInfo{{ID: "new", AgentID: "S1", Resources: scheduler.Resources{CPUs: 1}}})
	close(held)
	seen, launched := map[string]bool{}, -1
	for len(seen) < updates || launched < 0 {
		switch c := m.call(t, ""); {
		case c.Type == callAccept:
			launched = len(seen)
		case seen[c.Acknowledge.UUID]:
			t.Fatalf("%s was acknowledged twice", c.Acknowledge.UUID)
		default:
			seen[c.Acknowledge.UUID] = true
		}
	}
	if launched < updates-acksAhead-2*acknowledgers { // as many may be under way
		t.Errorf("launched after %d of %d acknowledgements", launched, updates)
	}
}
