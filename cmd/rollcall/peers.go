package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"rollcall/resolver"
	"rollcall/resolver/replica"
	"rollcall/scheduler"
	"rollcall/scheduler/api"
	"rollcall/scheduler/mesos"
	"rollcall/scheduler/store"
)

const (
	// feedPath is where the leader's API serves the zone to its peers.
	feedPath = "/rollcall/names"

	// connectWithin bounds how long a peer may take to accept a connection.
	connectWithin = 5 * time.Second
)

// peers is this rollcall's place among those that share a state in ZooKeeper. One of them leads: it has the scheduler.
// The others copy its names and pass requests on to it.
type peers struct {
	server    *server
	self      store.Member
	election  *store.ZooKeeper
	front     *api.Front
	follower  *replica.Follower
	abdicated chan struct{} // has an element when the leader is to step down
	refusal   refusal

	mu     sync.Mutex
	leader store.Member // the zero Member when nobody leads

	term atomic.Pointer[store.Term] // while this rollcall leads
}

var _ store.Election = (*peers)(nil)

// newPeers prepares the election. ZooKeeper is not asked before run.
func (s *server) newPeers() (*peers, error) {
	c := s.config.Scheduler
	at, err := s.config.Mesos.ZKTLS.url("scheduler.zk", string(c.ZK), component(s.log, logElection))
	if err != nil {
		return nil, err
	}
	s.zone.Share(sourceScheduler)
	s.zone.Expect(sourceScheduler)
	connect := http.Transport{DialContext: (&net.Dialer{Timeout: connectWithin}).DialContext}
	if files := c.API.TLS; files.on() {
		secure, err := newTLSFiles("scheduler.tls", files.toPeers, component(s.log, logElection), files.CertFile, files.KeyFile, files.ClientCAFile)
		if err != nil {
			return nil, err
		}
		connect.DialTLSContext = secure.dial
	}
	p := &peers{
		server:    s,
		self:      store.Member{ID: rand.Text(), URL: s.apiScheme() + "://" + s.apiAddress(), Token: rand.Text()},
		abdicated: make(chan struct{}, 1),
	}
	p.front = api.NewFront(api.FrontOptions{Self: s.apiAddress(), Hosts: apiHosts(c), Client: connect.Clone(), Leaderless: p.refused,
		Logger: component(s.log, logElection)})
	p.follower = replica.NewFollower(replica.FollowerOptions{
		Zone: s.zone, Logger: component(s.log, logElection),
		Client: &http.Client{Transport: connect.Clone()},
	})
	p.election = store.NewZooKeeper(store.ZooKeeperOptions{URL: at, SessionTimeout: c.ZKSessionTimeout, Self: p.self, Logger: component(s.log, logElection)})
	return p, nil
}

// run takes part in the election until ctx ends.
func (p *peers) run(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return p.follower.Run(ctx) })
	group.Go(func() error {
		if err := p.election.Run(ctx, p); err != nil {
			return fmt.Errorf("taking part in the election of a leader: %w", err)
		}
		return nil
	})
}

// Follow implements store.Election.
func (p *peers) Follow(leader store.Member, ok bool) {
	p.mu.Lock()
	changed := p.leader != leader
	p.leader = leader
	p.mu.Unlock()
	if !changed {
		return
	}
	p.server.meters.leaderChanges.Inc()
	at, err := url.Parse(leader.URL)
	if !ok || err != nil || leader.ID == p.self.ID {
		p.front.Follow(nil)
		p.follower.SetLeader(replica.Leader{})
		return
	}
	component(p.server.log, logElection).Info("another rollcall leads", "leader", leader.URL)
	p.front.Follow(at)
	p.follower.SetLeader(replica.Leader{URL: leader.URL + feedPath, Token: leader.Token})
}

// Lead implements store.Election: it has the scheduler until ctx ends or it is told to step down.
func (p *peers) Lead(ctx context.Context, term *store.Term) error {
	s := p.server
	p.term.Store(term)
	defer p.term.Store(nil)
	serials, reserved, err := term.Serials()
	if err != nil {
		s.log.Error("this rollcall cannot lead", "error", err)
		return nil
	}
	s.zone.Lead(reserved, func(serial uint32) (uint32, bool) {
		upTo := serial + serialsReserved
		if upTo == 0 { // which says that there are none
			upTo = 1
		}
		if err := serials.Reserve(upTo); err != nil {
			s.log.Warn("secondaries are not told of changes of the zone for now", "error", err)
			return 0, false
		}
		return upTo, true
	})
	defer s.zone.Detach()
	scheduling, err := s.newScheduling(ctx, term, term.Valid)
	switch {
	case ctx.Err() != nil:
		return nil // it took longer than the term
	case errors.Is(err, scheduler.ErrDamaged), errors.Is(err, scheduler.ErrNewer):
		p.refusal.set(err, component(s.log, logElection))
		return err
	case err != nil:
		// The next in the queue may have better luck.
		component(s.log, logElection).Error("this rollcall cannot lead", "error", err)
		return nil
	}
	p.refusal.set(nil, component(s.log, logElection))
	leading, stepDown := context.WithCancel(ctx)
	defer stepDown()
	feed := replica.NewFeed(replica.FeedOptions{Zone: s.zone, Allow: p.isPeer})
	s.scheduling.Store(scheduling)
	p.front.Lead(withFeed(feed, scheduling.api), term.Valid)
	defer func() {
		p.front.Follow(nil)
		s.scheduling.Store(nil)
		scheduling.events.Close()
		feed.Close()
	}()
	go func() {
		select {
		case <-p.abdicated:
			component(s.log, logElection).Info("this rollcall has stepped down", "cause", "it was asked to (DELETE /v2/leader)")
			stepDown()
		case <-leading.Done():
		}
	}()
	err = scheduling.loop.Run(leading)
	if errors.Is(err, mesos.ErrFailedOver) {
		component(s.log, logElection).Info("this rollcall has stepped down", "cause", err)
		return nil
	}
	return err
}

// isPeer says whether a request comes from a rollcall that can read in ZooKeeper what this one wrote there.
func (p *peers) isPeer(r *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+p.self.Token)) == 1
}

// withFeed serves the feed beside h.
func withFeed(feed, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == feedPath {
			feed.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// abdicateAfter is how long the leader goes on after it was told to step down, so that the answer arrives.
const abdicateAfter = 500 * time.Millisecond

// abdicate is what has the leader step down; nil when there is nobody else who could lead.
func (s *server) abdicate() func() {
	if s.peers == nil {
		return nil
	}
	return func() {
		time.AfterFunc(abdicateAfter, func() {
			select {
			case s.peers.abdicated <- struct{}{}:
			default:
			}
		})
	}
}

// leads says who leads, and whether that is this rollcall.
func (p *peers) leads() (leader store.Member, own bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leader, p.leader.ID == p.self.ID
}

// refused says why this rollcall would not lead, "" for no reason, and once another one leads that could read the state.
func (p *peers) refused() string {
	if p.follower.Status().Following {
		return ""
	}
	return p.refusal.reason()
}

// check says whether this rollcall leads or follows who does. One that has lost its leader stays ready: it answers
// with the last names it heard of.
func (p *peers) check() resolver.Check {
	return resolver.Check{
		Name:  "leader",
		Ready: func() error { return nil },
		Detail: func() string {
			leader, own := p.leads()
			refused := p.refused()
			switch status := p.follower.Status(); {
			case refused != "":
				return "this rollcall does not lead: " + refused + "; names of " + heard(status)
			case own:
				return "this rollcall leads"
			case leader.ID == "":
				return "nobody leads; names of " + heard(status)
			case status.Following:
				return "following " + leader.URL + "; names of " + heard(status)
			case status.Err != nil:
				return fmt.Sprintf("%s leads; names of %s; %v", leader.URL, heard(status), status.Err)
			default:
				return leader.URL + " leads"
			}
		},
	}
}

// heard is how old the names are that a follower answers with.
func heard(s replica.Status) string {
	if s.Heard.IsZero() {
		return "never"
	}
	return time.Since(s.Heard).Round(time.Second).String() + " ago"
}

// peersCollector tells Prometheus of the election and of the copy of the leader's names.
type peersCollector struct {
	peers                 *peers
	leads, following, age *prometheus.Desc
	known, lease, refused *prometheus.Desc
}

var _ prometheus.Collector = (*peersCollector)(nil)

func newPeersCollector(p *peers) *peersCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("rollcall_peers_"+name, help, nil, nil)
	}
	return &peersCollector{
		peers:     p,
		leads:     desc("leading", "1 while this rollcall leads, else 0."),
		following: desc("following", "1 while this rollcall copies the leader's names, else 0."),
		known:     desc("leader_known", "1 while it is known who leads, else 0."),
		lease:     desc("lease_seconds", "Time until the leader may not act any more unless ZooKeeper answers; absent on the others."),
		refused:   desc("state_refused", "1 while this rollcall does not lead because the state cannot be used, else 0."),
		age:       desc("heard_age_seconds", "Time since the leader said anything; absent on the leader and before the first time."),
	}
}

// Describe implements prometheus.Collector.
func (c *peersCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.leads, c.following, c.age, c.known, c.lease, c.refused} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *peersCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	flag := func(d *prometheus.Desc, on bool) { gauge(d, oneIf(on)) }
	leader, own := c.peers.leads()
	status := c.peers.follower.Status()
	flag(c.leads, own)
	flag(c.following, status.Following && !own)
	flag(c.known, leader.ID != "")
	flag(c.refused, c.peers.refused() != "")
	if term := c.peers.term.Load(); term != nil {
		gauge(c.lease, max(0, term.Lease().Seconds()))
	}
	if !own && !status.Heard.IsZero() {
		gauge(c.age, time.Since(status.Heard).Seconds())
	}
}
