package scheduler

import "time"

// Effects is what a step wants done, in this order:
//
//  1. Persist is committed to the store in one transaction; nothing below may happen before it is durable.
//  2. Withdrawn instances leave discovery (DNS), so that no client is sent to what is about to be killed.
//  3. Calls are made to the engine, in order.
//  4. State, Changed and Notices are published, Replies are given to those who asked.
//
// Probes and Wake may be acted upon at any time after 1.
type Effects struct {
	Persist   []Record
	Withdrawn []InstanceID
	Calls     []Call
	State     *State       // as it is after the step
	Changed   []InstanceID // instances whose published view may differ (those removed included), each once
	Notices   []Notice
	Replies   []Reply // one for each request among the events, in their order
	Probes    []Probe
	Wake      time.Time // when Step is to be called again at the latest; zero for never
}

// Call is one call to the engine.
type Call interface{ call(Engine) }

// Reply is the answer to a request event. A non-nil Err means that the request changed nothing.
type Reply struct {
	Value any
	Err   error
}

type (
	acceptCall struct {
		offer OfferID
		tasks []TaskInfo
	}
	declineCall struct {
		offer  OfferID
		refuse time.Duration
	}
	reviveCall      struct{}
	suppressCall    struct{}
	killCall        struct{ task TaskRef }
	reconcileCall   struct{ tasks []TaskRef }
	acknowledgeCall struct{ status TaskStatus }
)

func (c acceptCall) call(e Engine)      { e.Accept(c.offer, c.tasks) }
func (c declineCall) call(e Engine)     { e.Decline(c.offer, c.refuse) }
func (reviveCall) call(e Engine)        { e.Revive() }
func (suppressCall) call(e Engine)      { e.Suppress() }
func (c killCall) call(e Engine)        { e.Kill(c.task) }
func (c reconcileCall) call(e Engine)   { e.Reconcile(c.tasks) }
func (c acknowledgeCall) call(e Engine) { e.Acknowledge(c.status) }
