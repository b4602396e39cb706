package mesos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// defaultHeartbeat is the interval between the heartbeats of a master that does not tell it.
	defaultHeartbeat = 15 * time.Second
	// longestHeartbeat is the longest interval that a master is believed.
	longestHeartbeat = time.Hour
	// missedHeartbeats is how many intervals may pass without a single octet before the stream counts as dead.
	missedHeartbeats = 3

	// longestEvent is the longest record that is read, in octets. A snapshot of 100,000 tasks has some 250 million; it
	// is not held in memory.
	longestEvent = 2 << 30

	// eventsAhead is how many events are read while the sink takes its time.
	eventsAhead = 256
)

// What a stream ends with when nothing is wrong.
var (
	errResync      = errors.New("it is time to square with the whole state")
	errOtherLeader = errors.New("another master leads")
)

// errSilent is what a stream ends with that has gone silent.
var errSilent = errors.New("the master has missed its heartbeats")

// follow subscribes at a master of those that are known, and passes on what it tells, until that ends or another one
// leads. It reports whether it began.
func (s *Subscriber) follow(ctx context.Context, asked Masters, master string) (began bool, _ error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := newSilence(missedHeartbeats*defaultHeartbeat, func() { cancel(errSilent) })
	defer quiet.stop()
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(ctx, asked, master, cancel) })

	began, err := s.stream(ctx, asked, master, quiet)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	watch.Wait()
	return began, fmt.Errorf("master %s: %w", master, err)
}

// stream is follow but for the reasons for which ctx may end.
func (s *Subscriber) stream(ctx context.Context, asked Masters, master string, quiet *silence) (began bool, _ error) {
	before, err := s.identify(ctx, asked, master)
	if err != nil {
		return false, err
	}
	response, err := s.options.Client.call(ctx, asked, master, "SUBSCRIBE")
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	quiet.Reader = response.Body
	records := NewRecordReader(quiet, longestEvent)
	first, err := nextEvent(records)
	switch {
	case errors.Is(err, ErrRecordLength):
		// Something that is no master of Mesos answers everything, or an old one.
		return false, fmt.Errorf("%w: %w", ErrNoEventStream, err)
	case err != nil:
		return false, err
	case first.kind != eventSubscribed || first.snapshot == nil:
		return false, fmt.Errorf("%w: the first event is %q, not %s", ErrNoEventStream, first.kind, eventSubscribed)
	}
	quiet.allow(missedHeartbeats * heartbeatInterval(first.snapshot.heartbeat))

	sub := &subscription{
		Subscriber: s, asked: asked, master: master, at: hostPort(response.Request.URL),
		events: make(chan event, eventsAhead), wanted: make(chan struct{}, 1), pids: make(chan map[string]Endpoint),
	}
	who, err := s.identify(ctx, asked, master)
	switch {
	case err != nil:
		return false, err
	case before.id != who.id:
		// Whose the snapshot is, is not sure; and that is what tells an empty cluster from a master that has just been
		// elected.
		return false, fmt.Errorf("the leading master has changed from %s to %s meanwhile", before.address, who.address)
	}
	sub.refreshPIDs(ctx)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	sub.begin(first, who)

	group, ctx := errgroup.WithContext(ctx)
	// The reader waits for octets, and knows of no context.
	context.AfterFunc(ctx, func() { response.Body.Close() })
	group.Go(func() error {
		sub.read(ctx, records)
		return nil // passOn has the rest of the events to tell first
	})
	group.Go(func() error { return sub.fetchPIDs(ctx) })
	group.Go(func() error { return sub.passOn(ctx) })
	return true, group.Wait()
}

// subscription is a stream of events that has begun.
type subscription struct {
	*Subscriber
	asked  Masters // as they were when it began
	master string  // of asked: the one to ask for more, as it is known to whom it redirects
	at     string  // where the stream comes from
	view   *clusterView
	resync time.Duration

	events chan event
	ended  error                    // why events is closed
	wanted chan struct{}            // one element: the frameworks' pids may have changed
	pids   chan map[string]Endpoint // of all frameworks that have one
}

// begin tells the sink of the whole cluster.
func (s *subscription) begin(first event, who identity) {
	state := &first.snapshot.state
	state.Broken, state.Leader, state.MasterID = first.broken, cmp.Or(who.address, s.at), who.id
	s.view = newClusterView(first.snapshot, s.known)
	whole := s.view.initial(first.snapshot)
	s.resync = s.options.Resync
	if len(whole.Recovered) > 0 || len(whole.Agents) == 0 {
		s.resync = min(s.resync, soonResync)
	}
	s.options.Sink.Reset(whole)
	s.subscribed(&whole)
}

// passOn tells the sink what the events change.
func (s *subscription) passOn(ctx context.Context) error {
	resync := time.NewTimer(s.resync)
	defer resync.Stop()
	var soon, toldBroken bool
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return s.ended
			}
			s.heard()
			s.apply(s.view.apply(e))
			if e.broken.Count > 0 && !toldBroken {
				toldBroken = true
				s.options.Logger.Warn("an event of the Mesos master cannot be read in full; others of this stream that "+
					"cannot are not told of", "broken", e.broken)
			}
			if e.kind == eventFrameworkAdded || e.kind == eventFrameworkUpdated {
				select {
				case s.wanted <- struct{}{}:
				default:
				}
			}
			if s.view.incomplete && !soon {
				soon = true
				resync.Reset(min(s.resync, soonResync))
			}
		case found := <-s.pids:
			s.apply(s.view.setPIDs(found))
			s.known = found
		case <-resync.C:
			return errResync
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *subscription) apply(c Change) {
	if !c.empty() {
		s.options.Sink.Apply(c)
	}
}

// read reads the stream until it ends.
func (s *subscription) read(ctx context.Context, records *RecordReader) {
	defer close(s.events)
	for {
		e, err := nextEvent(records)
		if err != nil {
			s.ended = err
			return
		}
		select {
		case s.events <- e:
		case <-ctx.Done():
			s.ended = ctx.Err()
			return
		}
	}
}

// nextEvent reads an event. A stream never ends by itself: io.EOF is an error like the others.
func nextEvent(records *RecordReader) (event, error) {
	record, err := records.Next()
	if err != nil {
		return event{}, fmt.Errorf("the stream of events has ended: %w", err)
	}
	return decodeEvent(record)
}

// fetchPIDs fetches the frameworks' pids whenever they are wanted.
func (s *subscription) fetchPIDs(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wanted:
		}
		pids, ok := s.getPIDs(ctx)
		if !ok {
			continue
		}
		select {
		case s.pids <- pids:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refreshPIDs fetches the frameworks' pids; without success they stay as they were.
func (s *subscription) refreshPIDs(ctx context.Context) {
	if pids, ok := s.getPIDs(ctx); ok {
		s.known = pids
	}
}

func (s *subscription) getPIDs(ctx context.Context) (map[string]Endpoint, bool) {
	pids, err := s.options.Client.frameworkPIDs(ctx, s.asked, s.master)
	if err != nil {
		s.options.Logger.Debug("the pids of frameworks cannot be read", "master", s.master, "error", err)
	}
	return pids, err == nil
}
