package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Observer is told of each step, on the loop's goroutine: it must not block for long.
type Observer interface {
	// Withdraw is called after the commit and before the engine is called: when it returns, the instances are out
	// of discovery.
	Withdraw(*State, []InstanceID)
	// Publish is called after the engine was called. Changed names each instance that may look different, also
	// those that are gone from the state.
	Publish(state *State, changed []InstanceID, notices []Notice)
}

// Prober makes a probe. It may be called from many goroutines; it returns within the probe's timeout or when ctx ends.
type Prober interface {
	Probe(ctx context.Context, p Probe) Probed
}

// LoopOptions are a loop's parts. All are needed but Stepped.
type LoopOptions struct {
	Core   *Core
	Store  Store
	Engine Engine
	Prober Prober
	Now    func() time.Time
	Logger *slog.Logger
	// Stepped is told after each step how long it took, from when its events were taken up until its outcome was
	// published, and how many instances it changed. A step that could not be stored is none. Nil: nobody wants to know.
	Stepped func(took time.Duration, changed int)
}

const (
	// batchMost bounds how many events share a commit: enough that a flood costs few transactions, so few that
	// nobody waits long for an answer.
	batchMost = 512
	// commitRetry is how long the loop waits before it tries a refused commit again.
	commitRetry = time.Second
	// probesAtOnce is Marathon's bound on health checks under way.
	probesAtOnce = 256
)

// Loop is the shell around the Core: the one goroutine that steps it, commits, calls the engine and publishes.
type Loop struct {
	o         LoopOptions
	observers []Observer
	state     atomic.Pointer[State]
	requests  chan request
	events    chan Event // from the engine and from probes
	stopped   chan struct{}
	probes    chan struct{} // a token for each probe under way
	running   sync.WaitGroup

	held    []Event // events whose step could not be committed, to be handled again
	failing bool    // the last commit failed
}

// request is a request event and where its reply goes.
type request struct {
	event Event
	reply chan Reply // has room for the one reply
}

// NewLoop returns a loop whose State is the core's already. Run makes it work.
func NewLoop(o LoopOptions) *Loop {
	l := &Loop{o: o, requests: make(chan request), events: make(chan Event, batchMost),
		stopped: make(chan struct{}), probes: make(chan struct{}, probesAtOnce)}
	l.state.Store(o.Core.State())
	return l
}

// Observe tells an observer of the state as it is, and from then on of each step. It is for the time before Run.
func (l *Loop) Observe(o Observer) {
	var all []InstanceID
	for i := range l.State().AllInstances() {
		all = append(all, i.ID)
	}
	o.Publish(l.State(), all, nil)
	l.observers = append(l.observers, o)
}

// State returns the newest published state. It never blocks.
func (l *Loop) State() *State { return l.state.Load() }

// Do has the core handle a request (Update, KillTasks, CancelDeployment, ResetDelay) and returns its reply once it
// is durable. It may be called from any goroutine. When ctx ends first, the request may still be handled.
func (l *Loop) Do(ctx context.Context, event Event) (any, error) {
	r := request{event, make(chan Reply, 1)}
	select {
	case l.requests <- r:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.stopped:
		return nil, ErrStopped
	}
	select {
	case reply := <-r.reply:
		return reply.Value, reply.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.stopped:
		return nil, ErrStopped
	}
}

// Run works until ctx ends (it returns nil then) or the engine gives up. It may be called once. Tasks are left alone.
func (l *Loop) Run(ctx context.Context) error {
	defer close(l.stopped)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.runEngine(ctx) })
	group.Go(func() error { l.run(ctx); return nil })
	err := group.Wait()
	l.running.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("running tasks: %w", err)
	}
	return nil
}

// runEngine runs the engine. One whose framework was removed registers anew, unless there are tasks: those that a
// cluster still runs would be nobody's, and all would be started a second time.
func (l *Loop) runEngine(ctx context.Context) error {
	err := l.o.Engine.Run(ctx, l.State().FrameworkID, l.events)
	if !errors.Is(err, ErrFrameworkRemoved) || l.State().hasTasks() {
		return err
	}
	l.o.Logger.Warn("there are no tasks: registering as a new framework", "error", err)
	return l.o.Engine.Run(ctx, "", l.events)
}

func (l *Loop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var events []Event
		var requests []request
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case e := <-l.incoming():
			events = append(events, e)
		case r := <-l.requests:
			requests = append(requests, r)
		}
		events, requests = l.drain(events, requests)
		wake := l.step(ctx, events, requests)
		if wake.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(0, wake.Sub(l.o.Now())))
		}
	}
}

// drain adds what waits already, so that it shares a commit.
func (l *Loop) drain(events []Event, requests []request) ([]Event, []request) {
	for len(events)+len(requests) < batchMost {
		select {
		case e := <-l.incoming():
			events = append(events, e)
		case r := <-l.requests:
			requests = append(requests, r)
		default:
			return events, requests
		}
	}
	return events, requests
}

// incoming is where events come from. While some are held none is taken: the engine waits, and memory does not grow.
func (l *Loop) incoming() <-chan Event {
	if l.held != nil {
		return nil
	}
	return l.events
}

// step handles a batch and returns when the next one is due at the latest.
func (l *Loop) step(ctx context.Context, events []Event, requests []request) time.Time {
	before := l.o.Core.State()
	events = append(l.held, events...)
	all := events[:len(events):len(events)]
	for _, r := range requests {
		all = append(all, r.event)
	}
	now := l.o.Now()
	effects := l.o.Core.Step(now, all...)
	if err := l.commit(ctx, effects.Persist); err != nil {
		l.o.Core.Restore(before)
		l.held = events
		for _, r := range requests {
			r.reply <- Reply{Err: fmt.Errorf("%w: %w", ErrNotDurable, err)}
		}
		return now.Add(commitRetry)
	}
	l.held = nil
	for _, observer := range l.observers {
		if len(effects.Withdrawn) > 0 {
			observer.Withdraw(effects.State, effects.Withdrawn)
		}
	}
	if refused := effects.State.Refused; refused != "" && refused != before.Refused {
		l.o.Logger.Error("the engine is not used: tasks and names go on, nothing is started or ended", "reason", refused)
	}
	l.logBreakers(effects.Notices)
	for _, c := range effects.Calls {
		c.call(l.o.Engine)
	}
	l.state.Store(effects.State)
	for _, observer := range l.observers {
		observer.Publish(effects.State, effects.Changed, effects.Notices)
	}
	if l.o.Stepped != nil {
		l.o.Stepped(l.o.Now().Sub(now), len(effects.Changed))
	}
	for n, r := range requests {
		r.reply <- effects.Replies[n]
	}
	for _, p := range effects.Probes {
		l.probe(ctx, p)
	}
	return effects.Wake
}

// logBreakers tells the operator that health checks are not trusted, and that they are again.
func (l *Loop) logBreakers(notices []Notice) {
	for _, n := range notices {
		b, ok := n.Body.(Breaker)
		if !ok {
			continue
		}
		attrs := []any{"app", b.App, "checked", b.Checked, "unhealthy", b.Unhealthy}
		if n.Type == NoticeBreakerOpened {
			l.o.Logger.Warn("most instances turned unhealthy at once: none is killed for its health, the checks may be at fault", attrs...)
		} else {
			l.o.Logger.Info("health checks are trusted again", attrs...)
		}
	}
}

// commit stores what the step changed, and says once that the store fails and once that it works again.
func (l *Loop) commit(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	err := l.o.Store.Commit(ctx, records)
	switch {
	case err != nil && ctx.Err() != nil:
		return err // the loop is ending: whoever ends it says why
	case err != nil && !l.failing:
		l.o.Logger.Error("the state cannot be stored: tasks and names go on, changes are refused until it can",
			"error", err, "retry", commitRetry)
	case err == nil && l.failing:
		l.o.Logger.Info("the state can be stored again")
	}
	l.failing = err != nil
	return err
}

// probe makes a probe on a goroutine of its own and brings its result back as an event.
func (l *Loop) probe(ctx context.Context, p Probe) {
	l.running.Go(func() {
		select {
		case l.probes <- struct{}{}:
			defer func() { <-l.probes }()
		case <-ctx.Done():
			return
		}
		select {
		case l.events <- l.o.Prober.Probe(ctx, p):
		case <-ctx.Done():
		}
	})
}
