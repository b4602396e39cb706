package mesos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"rollcall/scheduler"
)

// DefaultFailoverTimeout is for how long the masters keep a framework and its tasks that is away: Marathon's week.
const DefaultFailoverTimeout = 7 * 24 * time.Hour

// FrameworkInfo is who rollcall is to the masters (mesos.proto, FrameworkInfo).
type FrameworkInfo struct {
	Name string
	User string // whom tasks that name none run as
	// Roles are what resources are offered for; at least one, "*" is everybody's.
	Roles []string
	// FailoverTimeout is for how long its tasks run on without it.
	FailoverTimeout time.Duration
	Checkpoint      bool   // tasks survive a restart of their agent
	Hostname        string // of this machine
	Principal       string // by which it authenticates; "" for none
	WebUIURL        string
	GPUs            bool // offers of agents with GPUs are wanted, too
}

// EngineOptions are what an Engine needs.
type EngineOptions struct {
	Client    *Client
	Framework FrameworkInfo
	// Reregister lets a framework that was removed come back under a new id, although it had tasks.
	Reregister bool
	// Registered is called with the framework's id at each registration, before anything else is done with it.
	Registered func(frameworkID string)
	// MayAct says whether this scheduler is the one that the framework belongs to at this moment. It is asked right
	// before anything is sent, since what was decided before may have waited, and the process may have stood still. Any
	// goroutine may call it. nil: it always is.
	MayAct func() bool
	Logger *slog.Logger // nil: nobody is told
}

// Engine is the scheduler.Engine that runs tasks on a Mesos cluster: it is a framework, over the v1 scheduler API.
// SetMasters says who leads; sessions with the leading master follow each other for as long as Run lasts.
type Engine struct {
	options EngineOptions
	*leadership

	mu        sync.Mutex
	session   *session // nil: none
	framework string   // the id that it has, or had last
}

var _ scheduler.Engine = (*Engine)(nil)

// NewEngine returns an engine that does nothing before Run.
func NewEngine(o EngineOptions) *Engine {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registered == nil {
		o.Registered = func(string) {}
	}
	if o.MayAct == nil {
		o.MayAct = func() bool { return true }
	}
	if o.Framework.FailoverTimeout == 0 {
		o.Framework.FailoverTimeout = DefaultFailoverTimeout
	}
	return &Engine{options: o, leadership: newLeadership()}
}

// ErrFailedOver is what Run returns when another scheduler registered with the id of this one. To take it back would
// have the two take turns for ever.
var ErrFailedOver = errors.New("another scheduler has registered with this framework id: stop one of the two, or give " +
	"each a state of its own (scheduler.dataDir)")

// openFor is how late a master may read a SUBSCRIBE that nobody waits for any more.
const openFor = 10 * time.Minute

// errMayNotAct ends a session: what was to be sent is for whoever acts now.
var errMayNotAct = errors.New("another scheduler may act for this framework by now")

// send sends a call to a master. A SUBSCRIBE of one that may not act any more would put an end to the session of the one
// that may.
func (e *Engine) send(ctx context.Context, masters Masters, at string, body []byte, header http.Header) (*http.Response, error) {
	if !e.options.MayAct() {
		return nil, errMayNotAct
	}
	return e.options.Client.send(ctx, masters, http.MethodPost, e.options.Client.at(at, schedulerPath), body, header)
}

// Run implements scheduler.Engine.
func (e *Engine) Run(ctx context.Context, frameworkID string, events chan<- scheduler.Event) error {
	pause := firstPause
	var outage outage
	var open []time.Time // when SUBSCRIBEs were given up that a master may still get to
	for attempt := 0; ; attempt++ {
		asked := e.getMasters()
		candidates := asked.candidates()
		if len(candidates) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-e.kick:
				continue
			}
		}
		s := &session{Engine: e, asked: asked, master: candidates[attempt%len(candidates)], id: frameworkID, events: events}
		err := s.run(ctx)
		frameworkID = cmp.Or(s.id, frameworkID)
		if s.began {
			s.tellEnd(ctx)
		}
		open = slices.DeleteFunc(open, func(at time.Time) bool { return time.Since(at) > openFor })
		if s.open {
			open = append(open, time.Now())
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, scheduler.ErrFrameworkRemoved) && frameworkID == "":
			// It cannot have been. Later may be better.
		case errors.Is(err, scheduler.ErrFrameworkRemoved) && e.options.Reregister:
			e.options.Logger.Warn("the framework was removed: registering as a new one", "framework", frameworkID)
			frameworkID = ""
			continue
		case errors.Is(err, scheduler.ErrFrameworkRemoved):
			return fmt.Errorf("framework %s: %w: its tasks are gone with it; to start them all anew as another framework "+
				"set scheduler.mesos.frameworkRemoved to \"reregister\"", frameworkID, err)
		case errors.Is(err, ErrFailedOver) && len(open) > 0:
			open = open[1:] // that scheduler was this one: the master has read a SUBSCRIBE late
		case errors.Is(err, ErrFailedOver):
			return fmt.Errorf("framework %s: %w", frameworkID, err)
		case errors.Is(err, errOtherLeader):
			attempt, pause = -1, firstPause
			continue
		case s.began:
			attempt, pause = -1, firstPause
			outage.over()
		}
		if outage.news(err) {
			e.options.Logger.Warn("not connected to the Mesos masters; tasks run on", "error", err)
		} else {
			e.options.Logger.Debug("still not connected to the Mesos masters", "error", err)
		}
		if kicked, err := e.sleep(ctx, pause/2+rand.N(pause/2)); err != nil {
			return nil
		} else if kicked {
			attempt, pause = -1, firstPause
			continue
		}
		pause = min(2*pause, maxPause)
	}
}

// tellEnd tells the core that a session is over, and which tasks it took with it.
func (s *session) tellEnd(ctx context.Context) {
	told := []scheduler.Event{}
	for _, status := range s.notLaunched() {
		told = append(told, scheduler.StatusReceived{Status: status})
	}
	for _, e := range append(told, scheduler.Disconnected{}) {
		select {
		case s.events <- e:
		case <-ctx.Done():
			return
		}
	}
}

// frameworkInfo is what the masters are told; id is "" the first time.
func (e *Engine) frameworkInfo(id string) v1FrameworkInfo {
	f := e.options.Framework
	info := v1FrameworkInfo{
		User: f.User, Name: f.Name, ID: valueOf(id), FailoverTimeout: f.FailoverTimeout.Seconds(), Checkpoint: f.Checkpoint,
		Hostname: f.Hostname, Principal: f.Principal, WebUIURL: f.WebUIURL, Roles: f.Roles,
		Capabilities: []v1Capability{{"TASK_KILLING_STATE"}, {"PARTITION_AWARE"}, {"REGION_AWARE"}, {"RESERVATION_REFINEMENT"}, {"MULTI_ROLE"}},
	}
	if f.GPUs {
		info.Capabilities = append(info.Capabilities, v1Capability{"GPU_RESOURCES"})
	}
	return info
}

// in calls f with the session that goes on; without one the call is dropped.
func (e *Engine) in(f func(*session)) {
	e.mu.Lock()
	s := e.session
	e.mu.Unlock()
	if s != nil {
		f(s)
	}
}

// setSession is called with nil when a session has ended.
func (e *Engine) setSession(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.session = s
	if s != nil {
		e.framework = s.id
	}
}

// registered is the id of the framework that the engine is, or was; "" before the first registration.
func (e *Engine) registered() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.framework
}

// Accept implements scheduler.Engine.
func (e *Engine) Accept(offer scheduler.OfferID, tasks []scheduler.TaskInfo) {
	e.in(func(s *session) { s.accept(offer, tasks) })
}

// Decline implements scheduler.Engine.
func (e *Engine) Decline(offer scheduler.OfferID, refuse time.Duration) {
	e.in(func(s *session) {
		if held := s.offers.remove(offer); held != nil {
			s.calls.put(declineCall(held.ids, refuse))
		}
	})
}

// Revive implements scheduler.Engine.
func (e *Engine) Revive() { e.in(func(s *session) { s.calls.put(v1Call{Type: callRevive}) }) }

// Suppress implements scheduler.Engine.
func (e *Engine) Suppress() { e.in(func(s *session) { s.calls.put(v1Call{Type: callSuppress}) }) }

// Kill implements scheduler.Engine.
func (e *Engine) Kill(task scheduler.TaskRef) {
	e.in(func(s *session) { s.calls.put(killCall(task)) })
}

// Acknowledge implements scheduler.Engine.
func (e *Engine) Acknowledge(status scheduler.TaskStatus) {
	e.in(func(s *session) {
		if s.backlog.begin(status.Ack) {
			s.acknowledgements(status.TaskID).put(acknowledgeCall(status))
		}
	})
}

// Reconcile implements scheduler.Engine. Besides those tasks it asks for all that the master knows: those that run and
// are not known here come to light.
func (e *Engine) Reconcile(tasks []scheduler.TaskRef) {
	e.in(func(s *session) {
		s.unanswered.ask(tasks)
		s.reconcile(tasks)
		s.calls.put(reconcileCall(nil))
	})
}
