package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/records"
	"rollcall/resolver"
	"rollcall/scheduler/local"
	"rollcall/scheduler/store"
)

// server is all parts of a rollcall, joined. Its listeners are open from the beginning, so that a port that is taken
// is told at once and "port 0" has its number.
type server struct {
	config     config // at the start
	inForce    config // since the file was last read again; reload's alone
	log        *slog.Logger
	logging    *logging // what log looks like; nil: whoever made it says
	zone       *records.Zone
	serial     *serialKeeper
	collisions *collisions
	dns        *resolver.Server // nil: off
	mesos      *mesosSource     // nil: no Mesos cluster is followed

	// The scheduler and its API; nil: DNS only.
	scheduling  atomic.Pointer[scheduling] // nil as well while another rollcall leads
	store       *store.Bolt                // nil: the state is shared with peers
	peers       *peers                     // nil: this rollcall is alone
	apiListener net.Listener

	httpListener net.Listener // of Mesos-DNS's HTTP API; nil: off
	http         atomic.Pointer[http.Handler]
	monitor      http.Handler     // health and metrics, part of both APIs
	checks       []resolver.Check // of readiness
}

// newServer opens what a rollcall needs. On error nothing is left open.
func newServer(c config, log *slog.Logger) (_ *server, err error) {
	s := &server{config: c, inForce: c, log: log, collisions: newCollisions(log)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := supported(c); err != nil {
		return nil, err
	}
	if err := s.openStore(); err != nil {
		return nil, err
	}
	if err := s.openZone(); err != nil {
		return nil, err
	}
	if c.Scheduler != nil {
		if err := s.openScheduler(); err != nil {
			return nil, err
		}
	}
	if c.followsMesos() {
		if err := s.openMesos(); err != nil {
			return nil, err
		}
	}
	if err := s.openResolver(); err != nil {
		return nil, err
	}
	return s, nil
}

// supported refuses a configuration whose parts this rollcall does not have.
func supported(c config) error {
	if c.Scheduler != nil && c.Scheduler.Engine != engineLocal {
		return fmt.Errorf("scheduler.engine is %q: this rollcall has the engine \"local\" only", c.Scheduler.Engine)
	}
	return nil
}

// openZone makes the zone. The store has to be open: it makes sure that nobody else uses the data directory.
func (s *server) openZone() (err error) {
	s.serial = &serialKeeper{path: s.config.serialFile(), log: s.log}
	o := s.zoneOptions(s.config)
	o.Serial, o.Reserve = s.serial.first(time.Now()), s.serial.reserve
	if s.zone, err = records.New(o); err != nil {
		return fmt.Errorf("making the zone: %w", err)
	}
	return nil
}

// journalSize is how many changes of names secondaries can be told of one by one: a thousand tasks have some ten
// thousand. Each keeps a few hundred octets.
const journalSize = 20_000

// zoneOptions are the zone's part of the configuration, but for its serial.
func (s *server) zoneOptions(c config) records.Options {
	o := records.Options{
		Domain: c.Zone.Domain, TTL: c.Zone.TTL, SRVWeight: c.Zone.SRVWeight, IPSources: c.Zone.IPSources,
		EnforceRFC952: c.Zone.EnforceRFC952, ListenAddrs: listenAddrs(c.DNS.Listener),
		SOA: records.SOA{MName: c.Zone.SOA.MName, RName: c.Zone.SOA.RName, Refresh: c.Zone.SOA.Refresh,
			Retry: c.Zone.SOA.Retry, Expire: c.Zone.SOA.Expire},
		ReverseZones: c.Answers.ReverseZones, TTLs: c.Answers.ttls(), NegativeTTL: c.negativeTTL(),
		Collided: s.collisions.tell,
	}
	if c.Transfer.isOn() {
		o.JournalSize = journalSize
	}
	if c.Scheduler != nil && c.Scheduler.AllUnhealthy == answerNone {
		o.AllUnhealthy = records.AnswerNone
	}
	return o
}

// openStore makes the data directory, if there is a scheduler, and opens the state in it, if it is not shared.
func (s *server) openStore() (err error) {
	c := s.config.Scheduler
	if c == nil {
		return nil
	}
	// Tasks that run as other users pass through it on the way to their sandboxes; what is in it has rights of its own.
	if err := os.MkdirAll(c.DataDir, 0o711); err != nil {
		return fmt.Errorf("making scheduler.dataDir: %w", err)
	}
	if c.ZK == "" {
		s.store, err = store.OpenBolt(filepath.Join(c.DataDir, "state.db"), store.BoltOptions{Logger: s.log})
	}
	return err
}

// openScheduler opens the API's port, and what works on the state; a state that is shared is opened when this rollcall
// leads.
func (s *server) openScheduler() (err error) {
	c := s.config.Scheduler
	if s.apiListener, err = listen("Marathon API", c.Listener, c.Port, "scheduler.port", "-api-port"); err != nil {
		return err
	}
	if c.ZK != "" {
		s.peers, err = s.newPeers()
		return err
	}
	scheduling, err := s.newScheduling(context.Background(), s.store, always)
	if err != nil {
		return err
	}
	s.scheduling.Store(scheduling)
	return nil
}

// containerDNS is where containers look up names: here, if DNS is served and they are to.
func (s *server) containerDNS() local.ContainerDNS {
	c := s.config
	if !c.DNS.On || c.Scheduler.Local.DNS == "off" {
		return local.ContainerDNS{}
	}
	return local.ContainerDNS{Server: netip.AddrPortFrom(c.DNS.Listener, c.DNS.Port),
		Search: []string{s.zone.FrameworkDomain(c.Scheduler.Framework)}}
}

// marathonConfig is what /v2/info tells of the configuration, under Marathon's names.
func marathonConfig(c *schedulerConfig) map[string]any {
	return map[string]any{
		"framework_name": c.Framework, "hostname": c.Hostname, "http_port": c.Port, "ha": false, "checkpoint": true,
		"local_port_min": c.ServicePorts.Min, "local_port_max": c.ServicePorts.Max,
	}
}

// apiHosts are the names by which the API may be addressed: on loopback only those that cannot be anybody else's.
func apiHosts(c *schedulerConfig) []string {
	if addr, err := netip.ParseAddr(c.Listener); err == nil && !addr.IsLoopback() {
		return nil
	}
	return []string{c.Hostname}
}

// apiAddress is the "host:port" under which others find the API.
func (s *server) apiAddress() string {
	at := reachable(s.apiListener)
	if at.Addr().IsLoopback() {
		return at.String()
	}
	return net.JoinHostPort(s.config.Scheduler.Hostname, strconv.Itoa(int(at.Port())))
}

// shutdownWithin is how long requests under way may take to end after a signal.
const shutdownWithin = 5 * time.Second

// run serves until ctx ends or a part fails. Everything is closed when it returns; tasks are left alone.
// Each element of hangups has the configuration file read again; nil: nothing does.
func (s *server) run(ctx context.Context, hangups <-chan os.Signal) error {
	group, ctx := errgroup.WithContext(ctx)
	if scheduling := s.scheduling.Load(); scheduling != nil {
		group.Go(func() error { return scheduling.loop.Run(ctx) })
		s.serveHTTP(ctx, group, "Marathon API", s.apiListener, s.withMonitor(scheduling.api), scheduling.events.Close)
	}
	if s.peers != nil {
		s.peers.run(ctx, group)
		s.serveHTTP(ctx, group, "Marathon API", s.apiListener, s.withMonitor(s.peers.front), func() {})
	}
	if s.mesos != nil {
		s.mesos.run(ctx, group)
		s.mesos.waitForFirst(ctx)
	}
	if ctx.Err() == nil { // else a question that has waited would still be answered
		s.answer(ctx, group, hangups)
	}
	err := group.Wait()
	s.log.Info("rollcall stops; its tasks go on")
	return errors.Join(err, s.close())
}

// answer serves names, over DNS and HTTP, until ctx ends.
func (s *server) answer(ctx context.Context, group *errgroup.Group, hangups <-chan os.Signal) {
	if s.dns != nil {
		group.Go(func() error { return s.dns.Run(ctx) })
	}
	if s.httpListener != nil {
		s.serveHTTP(ctx, group, "Mesos-DNS HTTP API", s.httpListener, http.HandlerFunc(s.serveMesosDNS), func() {})
	}
	overTLS, overHTTPS := s.encryptedAddrs()
	s.log.Info("rollcall runs", "version", version, "domain", s.config.Zone.Domain, "api", s.apiURL(),
		"dns", s.dnsAddr(), "http", s.httpURL(), "dns-over-tls", overTLS, "dns-over-https", overHTTPS)
	group.Go(func() error {
		for {
			select {
			case <-hangups:
				s.reload(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// serveHTTP serves until ctx ends; then closing is called to end requests that would go on for ever.
func (s *server) serveHTTP(ctx context.Context, group *errgroup.Group, name string, l net.Listener, h http.Handler, closing func()) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the %s: %w", name, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		closing()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			return server.Close()
		}
		return nil
	})
}

func (s *server) close() error {
	var errs []error
	for _, l := range []net.Listener{s.apiListener, s.httpListener} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.dns != nil {
		errs = append(errs, s.dns.Close())
	}
	if s.zone != nil {
		s.serial.close(s.zone.Snapshot().LastSerial())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

func (s *server) apiURL() string { return listenerURL(s.apiListener) }

func (s *server) httpURL() string { return listenerURL(s.httpListener) }

// listenerURL is where a listener is reached; nil is off.
func listenerURL(l net.Listener) string {
	if l == nil {
		return "off"
	}
	return "http://" + reachable(l).String()
}
