package mesos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// DefaultResync is how often a Subscriber squares what it was told with the whole state.
const DefaultResync = 5 * time.Minute

const (
	// soonResync is the time to the next squaring while the master itself does not know everything: after it was
	// elected, and when it told of something that it had not told of before.
	soonResync = 10 * time.Second

	// The pause before a lost stream is asked for again: doubled each time, and anything between half of it and the
	// whole, so that the readers of a master that comes back do not all come at once.
	firstPause = 250 * time.Millisecond
	maxPause   = 10 * time.Second
)

// ErrNoEventStream means that a master does not offer its operator event stream, or not to us, and that asking again
// will not help soon: its state has to be polled.
var ErrNoEventStream = errors.New("the master offers no event stream")

// SubscriberOptions are what a Subscriber needs.
type SubscriberOptions struct {
	Client *Client
	Sink   Sink
	// Resync is the time from one squaring with the whole state to the next; 0 means DefaultResync.
	Resync time.Duration
	Logger *slog.Logger // nil: nobody is told
}

// Subscriber follows a cluster by the events of its leading master's v1 operator API: the whole state, and then what
// changes, as it changes.
//
// The stream is no complete log of changes: of an agent that is marked gone it tells nothing, for one. So the
// Subscriber subscribes anew from time to time. As a subscription begins with the whole state, and the events after it
// are those since, nothing falls between the two. While there is no stream, what the sink was told last stays.
type Subscriber struct {
	options SubscriberOptions
	*leadership

	mu     sync.Mutex
	status Status
	outage outage

	known map[string]Endpoint // the frameworks' pids, as they were last fetched
}

// NewSubscriber returns a subscriber that does nothing before Run.
func NewSubscriber(o SubscriberOptions) *Subscriber {
	if o.Resync == 0 {
		o.Resync = DefaultResync
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Subscriber{options: o, leadership: newLeadership(), status: Status{Err: errNotRead}}
}

// Status may be called at any time. While a stream lasts, each event of it, heartbeats too, says that what is known is
// as of now.
func (s *Subscriber) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Run follows the leading master until ctx ends, from the first SetMasters on, and then returns nil. It returns an
// error that is ErrNoEventStream when a master says that it has no such stream; Run may be called again.
func (s *Subscriber) Run(ctx context.Context) error {
	pause := firstPause
	for attempt := 0; ; attempt++ {
		asked := s.getMasters()
		candidates := asked.candidates()
		if len(candidates) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-s.kick:
				continue
			}
		}
		began, err := s.follow(ctx, asked, candidates[attempt%len(candidates)])
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrNoEventStream):
			s.mu.Lock()
			s.status.Err = err
			s.mu.Unlock()
			return err
		case errors.Is(err, errResync), errors.Is(err, errOtherLeader):
			attempt, pause = -1, firstPause
			continue
		case began:
			attempt, pause = -1, firstPause
		}
		s.failed(err)
		if kicked, err := s.sleep(ctx, pause/2+rand.N(pause/2)); err != nil {
			return nil
		} else if kicked {
			attempt, pause = -1, firstPause
			continue
		}
		pause = min(2*pause, maxPause)
	}
}

// failed keeps and tells of what is wrong: each thing once, until there is a stream again.
func (s *Subscriber) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage.news(err) {
		s.options.Logger.Warn("no events from the Mesos masters; the names stay as they are", "error", err)
	} else {
		s.options.Logger.Debug("still no events from the Mesos masters", "error", err)
	}
	s.status.Err = fmt.Errorf("no events from the masters: %w", err)
}

// subscribed notes that there is a stream.
func (s *Subscriber) subscribed(state *State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Err != nil {
		s.options.Logger.Info("following the events of the leading Mesos master", "leader", state.Leader,
			"agents", len(state.Agents), "frameworks", len(state.Frameworks), "tasks", len(state.Tasks))
	}
	if !state.Broken.equal(s.status.Broken) && state.Broken.Count > 0 {
		s.options.Logger.Warn("the state of the Mesos cluster has items that cannot be read; all others are used",
			"broken", state.Broken)
	}
	s.status = Status{Read: time.Now(), Broken: state.Broken}
	s.outage.over()
}

// heard notes that an event has come.
func (s *Subscriber) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Read = time.Now()
}
