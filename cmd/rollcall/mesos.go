package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/resolver"
	"rollcall/scheduler/mesos"
)

// mesosSource follows a Mesos cluster. What is known of the cluster outlives a change of how it is followed.
type mesosSource struct {
	cluster *cluster
	others  *mesos.Except // leaves out the framework whose tasks the scheduler itself tells of
	sink    mesos.Sink    // in front of others: keeps what a new leader does not know yet
	giveUp  time.Duration // how long ZooKeeper has to name a leader; 0: for ever
	log     *slog.Logger
	meters  *meters

	led     chan struct{} // closed when a leader has been named
	onceLed sync.Once
	next    chan *mesosFollowing // how to follow from now on

	mu      sync.Mutex
	engine  *mesos.Engine // runs the scheduler's tasks there; nil: none does
	masters mesos.Masters // as told last

	way   *mesosFollowing
	known mesos.Status // when way was not yet: how old what is known then was
}

// mesosFollowing is a way to follow a cluster: from certain masters, with certain credentials.
type mesosFollowing struct {
	detector mesos.Detector
	follower *mesos.Follower
	fallback []string      // masters to ask while ZooKeeper has not told any
	after    time.Duration // how long it has to tell
}

// openMesos prepares to follow the cluster that the configuration names. Nothing is asked before run.
func (s *server) openMesos() error {
	m := s.config.Mesos
	source := &mesosSource{
		cluster: newCluster(s.zone, mesos.NewHosts(lookUpHost)), log: component(s.log, logMesos), meters: s.meters,
		led: make(chan struct{}), next: make(chan *mesosFollowing),
	}
	source.others = &mesos.Except{Next: source.cluster}
	if c := s.config.Scheduler; c != nil && c.Engine == engineMesos && c.ZK != "" {
		source.others.Named = c.Framework // whose id the leader alone knows
	}
	source.sink = s.meters.sink(mesos.NewRetainer(source.others, source.log))
	var err error
	if source.way, err = source.newFollowing(m); err != nil {
		return err
	}
	if _, ok := source.way.detector.(mesos.Static); !ok {
		source.giveUp = m.DetectionTimeout
	}
	s.mesos = source
	return nil
}

// newFollowing prepares to follow the cluster as the configuration says, without asking anybody.
func (m *mesosSource) newFollowing(c mesosConfig) (*mesosFollowing, error) {
	client, err := newMesosClient(c, m.meters.transport)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask the Mesos masters: %w", err)
	}
	f := &mesosFollowing{after: fallbackAfter}
	if c.DetectionTimeout > 0 {
		f.after = c.Refresh
	}
	if f.detector, f.fallback, err = newDetector(c, m.log); err != nil {
		return nil, err
	}
	f.follower = mesos.NewFollower(mesos.FollowerOptions{Client: client, Sink: m.sink, Refresh: c.Refresh, Logger: m.log})
	return f, nil
}

// run follows the cluster until ctx ends.
func (m *mesosSource) run(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error {
		for {
			next, err := m.follow(ctx, m.way)
			if next == nil {
				return err
			}
			m.mu.Lock()
			m.known = m.statusOf(m.way)
			m.way = next
			m.mu.Unlock()
		}
	})
	if m.giveUp > 0 {
		group.Go(func() error {
			if !happens(ctx, m.led, m.giveUp) {
				return fmt.Errorf("ZooKeeper has named no leading master within %s (zkDetectionTimeout); leave the key out to "+
					"wait for ever", m.giveUp)
			}
			return nil
		})
	}
}

// change follows the cluster in another way from now on. What is known of it stays until that tells otherwise.
func (m *mesosSource) change(ctx context.Context, next *mesosFollowing) {
	select {
	case m.next <- next:
	case <-ctx.Done():
	}
}

// fallbackAfter is how long ZooKeeper has to tell of masters before those of the configuration are asked. Where
// zkDetectionTimeout makes rollcall give up, it has the time that it has with Mesos-DNS: until the first refresh.
const fallbackAfter = time.Second

// follow follows the cluster in one way until ctx ends, or until there is a next way, which it returns.
func (m *mesosSource) follow(ctx context.Context, f *mesosFollowing) (next *mesosFollowing, _ error) {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan struct{})
	var once sync.Once
	group.Go(func() error { return f.follower.Run(ctx) })
	group.Go(func() error {
		err := f.detector.Run(ctx, func(masters mesos.Masters) {
			once.Do(func() { close(found) })
			if masters.Leader != "" {
				m.onceLed.Do(func() { close(m.led) })
			}
			m.setMasters(f, masters)
		})
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	if len(f.fallback) > 0 {
		group.Go(func() error {
			if !happens(ctx, found, f.after) {
				m.setMasters(f, mesos.Masters{All: f.fallback})
			}
			return nil
		})
	}
	select {
	case <-ctx.Done():
	case next = <-m.next:
		cancel()
	}
	return next, group.Wait()
}

// happens waits until event is closed or ctx ends, but no longer than limit. It reports whether it did not take longer.
func happens(ctx context.Context, event <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-event:
	case <-timer.C:
		return false
	}
	return true
}

func (m *mesosSource) setMasters(f *mesosFollowing, masters mesos.Masters) {
	m.cluster.setMasters(masters)
	f.follower.SetMasters(masters)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.masters = masters
	if m.engine != nil {
		m.engine.SetMasters(masters)
	}
}

// setEngine has an engine told of the masters, in place of the one before.
func (m *mesosSource) setEngine(e *mesos.Engine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.engine = e
	e.SetMasters(m.masters)
}

// firstAnswersWithin is how long questions wait at the start for the first state of the cluster, in the queues of the
// open sockets. It is usually there after a few milliseconds, and an answer a little later is better than none.
const firstAnswersWithin = 2 * time.Second

// waitForFirst waits for the first state, within reason.
func (m *mesosSource) waitForFirst(ctx context.Context) {
	happens(ctx, m.cluster.first, firstAnswersWithin)
}

// status says how the following goes. It may be called at any time.
func (m *mesosSource) status() mesos.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.statusOf(m.way)
}

// statusOf is called with the lock held. What a way has not read yet is as old as it was before.
func (m *mesosSource) statusOf(f *mesosFollowing) mesos.Status {
	s := f.follower.Status()
	if s.Read.IsZero() {
		s.Read, s.Broken = m.known.Read, m.known.Broken
	}
	return s
}

// check says whether the cluster is known, and how old that is. What is old stays in use: it is the best there is, and
// a load balancer that took away all servers because the masters are would make it worse.
func (m *mesosSource) check() resolver.Check {
	return resolver.Check{
		Name: "mesos",
		Ready: func() error {
			if status := m.status(); status.Read.IsZero() {
				return status.Err
			}
			return nil
		},
		Detail: func() string {
			status := m.status()
			switch {
			case status.Read.IsZero():
				return ""
			case status.Err != nil:
				return fmt.Sprintf("state of %s ago: %v", age(status), status.Err)
			}
			return fmt.Sprintf("state of %s ago", age(status))
		},
	}
}

func age(s mesos.Status) time.Duration { return time.Since(s.Read).Round(time.Second) }

func lookUpHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
