package mesos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// DefaultRefresh is how often Mesos-DNS fetches the state.
const DefaultRefresh = 60 * time.Second

// PollerOptions are what a Poller needs.
type PollerOptions struct {
	// Fetch gets the state: Client.State.
	Fetch func(context.Context, Masters) (State, error)
	Sink  Sink
	// Refresh is the time from the start of one fetch to the next; 0 means DefaultRefresh. While a fetch takes longer
	// than that, no other begins.
	Refresh time.Duration
	Logger  *slog.Logger // nil: nobody is told
}

// Poller fetches the state every so often, and at once when the masters change. When it cannot, what the sink was told
// last stays, and the next fetch is at the usual time.
type Poller struct {
	options PollerOptions
	kick    chan struct{} // one element: fetch now

	mu      sync.Mutex
	masters Masters
	status  Status
	outage  outage
}

// Status is how the reading of the state goes.
type Status struct {
	// Read is when the state was last read, zero for never: what is known of the cluster is as old as that.
	Read time.Time
	// Err is what has kept it from being read since, nil for nothing.
	Err error
	// Broken are the items of the last state that could not be read.
	Broken Broken
}

// NewPoller returns a poller that does nothing before Run.
func NewPoller(o PollerOptions) *Poller {
	if o.Refresh == 0 {
		o.Refresh = DefaultRefresh
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Poller{options: o, kick: make(chan struct{}, 1), status: Status{Err: errNotRead}}
}

var errNotRead = errors.New("the state has not been read yet: no masters are known")

// SetMasters says whom to ask, and that it is to be done now. It does not wait.
func (p *Poller) SetMasters(m Masters) {
	p.mu.Lock()
	p.masters = m
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Status may be called at any time.
func (p *Poller) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Run polls until ctx ends, from the first SetMasters on.
func (p *Poller) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.options.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.kick:
			ticker.Reset(p.options.Refresh)
		case <-ticker.C:
		}
		p.poll(ctx)
	}
}

func (p *Poller) poll(ctx context.Context) {
	p.mu.Lock()
	masters := p.masters
	p.mu.Unlock()
	state, err := p.options.Fetch(ctx, masters)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		p.options.Sink.Reset(state)
	}
	p.note(state, err)
}

// note keeps how it went, and tells of what is not as it was the last time.
func (p *Poller) note(state State, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, was := p.options.Logger, p.status
	switch {
	case err != nil && p.outage.news(err):
		log.Warn("the state of the Mesos cluster cannot be read; the names stay as they are", "error", err)
	case err != nil:
		log.Debug("the state of the Mesos cluster still cannot be read", "error", err)
	case was.Read.IsZero():
		log.Info("the state of the Mesos cluster has been read", "leader", state.Leader, "agents", len(state.Agents),
			"frameworks", len(state.Frameworks), "tasks", len(state.Tasks))
	case was.Err != nil:
		log.Info("the state of the Mesos cluster is read again", "leader", state.Leader, "missed", time.Since(was.Read).Round(time.Second).String())
	}
	if err != nil {
		p.status.Err = fmt.Errorf("the state cannot be read: %w", err)
		return
	}
	p.outage.over()
	if !state.Broken.equal(was.Broken) {
		if state.Broken.Count > 0 {
			log.Warn("the state of the Mesos cluster has items that cannot be read; all others are used", "broken", state.Broken)
		} else {
			log.Info("all items of the state of the Mesos cluster can be read again")
		}
	}
	p.status = Status{Read: time.Now(), Broken: state.Broken}
}
