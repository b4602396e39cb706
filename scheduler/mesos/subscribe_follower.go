package mesos

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// pollAtLeast is how long the state is polled before a master that offers no event stream is asked for one again: it
// may have been replaced by a newer one.
const pollAtLeast = 2 * time.Minute

// FollowerOptions are what a Follower needs.
type FollowerOptions struct {
	Client  *Client
	Sink    Sink
	Refresh time.Duration // between two polls; 0 means DefaultRefresh
	Resync  time.Duration // between two subscriptions; 0 means DefaultResync
	Logger  *slog.Logger  // nil: nobody is told
}

// Follower tells a Sink of a cluster by the best way that its masters offer: by their events, or by polling.
type Follower struct {
	subscriber *Subscriber
	poller     *Poller
	log        *slog.Logger
	kick       chan struct{} // one element: another master leads
	reason     string        // for polling, as it was told last

	mu      sync.Mutex
	masters Masters
	polling bool // it has begun to poll once
}

// NewFollower returns a follower that does nothing before Run.
func NewFollower(o FollowerOptions) *Follower {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Follower{
		subscriber: NewSubscriber(SubscriberOptions{Client: o.Client, Sink: o.Sink, Resync: o.Resync, Logger: o.Logger}),
		poller: NewPoller(PollerOptions{
			Fetch: o.Client.State, Sink: o.Sink, Refresh: o.Refresh, Logger: o.Logger,
		}),
		log:  o.Logger,
		kick: make(chan struct{}, 1),
	}
}

// SetMasters says whom to ask. It does not wait.
func (f *Follower) SetMasters(m Masters) {
	f.mu.Lock()
	other := f.masters.Leader != m.Leader
	f.masters = m
	f.mu.Unlock()
	f.subscriber.SetMasters(m)
	f.poller.SetMasters(m)
	if other {
		select {
		case f.kick <- struct{}{}:
		default:
		}
	}
}

// Status may be called at any time.
func (f *Follower) Status() Status {
	f.mu.Lock()
	polling := f.polling
	f.mu.Unlock()
	events, polls := f.subscriber.Status(), f.poller.Status()
	if polling && !events.Read.After(polls.Read) {
		return polls
	}
	return events
}

// Run follows the cluster until ctx ends, from the first SetMasters on.
func (f *Follower) Run(ctx context.Context) error {
	for {
		select {
		case <-f.kick: // from before: the subscriber asks for the masters itself
		default:
		}
		err := f.subscriber.Run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, ErrNoEventStream) {
			return err
		}
		if f.reason != err.Error() {
			f.reason = err.Error()
			f.log.Info("polling the state of the Mesos cluster: changes are seen at the next poll", "reason", err)
		}
		if err := f.poll(ctx); err != nil {
			return err
		}
	}
}

// poll polls for a while, or until another master leads. One that leads since the subscriber was told that there is no
// stream ends it at once.
func (f *Follower) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pollAtLeast)
	defer cancel()
	f.mu.Lock()
	f.polling = true
	masters := f.masters
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-f.kick:
			cancel()
		case <-ctx.Done():
		}
	}()
	f.poller.SetMasters(masters)
	err := f.poller.Run(ctx)
	cancel()
	<-done
	return err
}
