package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/records"
	"rollcall/resolver"
	"rollcall/scheduler"
	"rollcall/scheduler/api"
	"rollcall/scheduler/store"
)

// server is all parts of a rollcall, joined. Its listeners are open from the beginning, so that a port that is taken
// is told at once and "port 0" has its number.
type server struct {
	config     config                 // at the start
	inForce    config                 // since the file was last read again; reload's alone
	shown      atomic.Pointer[config] // the same, for those who ask
	log        *slog.Logger
	logging    *logging // what log looks like; nil: whoever made it says
	zone       *records.Zone
	serial     *serialKeeper
	collisions *collisions
	meters     *meters
	dns        *resolver.Server // nil: off
	mesos      *mesosSource     // nil: no Mesos cluster is followed

	// The scheduler and its API; nil: DNS only.
	scheduling  atomic.Pointer[scheduling] // nil as well while another rollcall leads
	store       *store.Bolt                // nil: the state is shared with peers
	peers       *peers                     // nil: this rollcall is alone
	apiListener net.Listener
	credentials *api.Credentials // nil: everybody may do everything
	apiTLS      *tls.Config      // nil: plain HTTP

	httpListener net.Listener // of Mesos-DNS's HTTP API; nil: off
	http         atomic.Pointer[http.Handler]
	monitor      http.Handler     // health and metrics, part of both APIs
	checks       []resolver.Check // of readiness
}

// newServer opens what a rollcall needs. On error nothing is left open.
func newServer(c config, log *slog.Logger) (_ *server, err error) {
	s := &server{config: c, inForce: c, log: log, collisions: newCollisions(log), meters: newMeters()}
	s.shown.Store(&c)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.openStore(); err != nil {
		return nil, err
	}
	if err := s.openZone(); err != nil {
		return nil, err
	}
	if c.followsMesos() {
		if err := s.openMesos(); err != nil {
			return nil, err
		}
	}
	if c.Scheduler != nil {
		if err := s.openScheduler(); err != nil {
			return nil, err
		}
	}
	if err := s.openResolver(); err != nil {
		return nil, err
	}
	return s, nil
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

// recentSize is how many changes of names are kept for people to look at, where no secondaries are told of any.
const recentSize = 1000

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
	} else if c.Scheduler != nil {
		o.JournalSize = recentSize
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
	if err := s.secure(); err != nil {
		return err
	}
	// Tasks that run as other users pass through it on the way to their sandboxes; what is in it has rights of its own.
	if err := os.MkdirAll(c.DataDir, 0o711); err != nil {
		return fmt.Errorf("making scheduler.dataDir: %w", err)
	}
	if c.ZK == "" {
		s.store, err = store.OpenBolt(filepath.Join(c.DataDir, "state.db"), store.BoltOptions{Logger: component(s.log, logStore)})
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
	s.apiListener = api.LimitConnections(s.apiListener, api.ConnectionLimits{Total: c.API.Limits.Connections,
		PerClient: c.API.Limits.PerClient, Logger: s.log})
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

// secure reads the credentials and the certificate of the API.
func (s *server) secure() (err error) {
	c := s.config.Scheduler.API
	if c.Auth.on() {
		if s.credentials, err = c.Auth.load(component(s.log, logAPI)); err != nil {
			return err
		}
	}
	if c.TLS.on() {
		s.apiTLS, err = c.TLS.load(component(s.log, logAPI))
	}
	return err
}

// marathonConfig is what /v2/info tells of the configuration, under Marathon's names and without passwords. Flags of
// Marathon for which there is nothing here are left out.
func marathonConfig(c *schedulerConfig, m *mesosConfig, webUI string) map[string]any {
	features := []string{}
	if c.API.SecretsDir != "" {
		features = append(features, "secrets")
	}
	out := map[string]any{
		"framework_name": c.Framework, "hostname": c.Hostname, "ha": c.ZK != "", "checkpoint": true, "executor": "//cmd",
		"features": features, "webui_url": webUI, "mesos_role": "*", "mesos_user": c.Local.User,
		"local_port_min": c.ServicePorts.Min, "local_port_max": c.ServicePorts.Max,
		"access_control_allow_origin": append([]string{}, c.API.AllowOrigin...),
	}
	limits := scheduler.DefaultLimits()
	// Nothing that Marathon does not tell: python-marathon refuses members that it does not know.
	for name, d := range map[string]time.Duration{"task_launch_timeout": limits.LaunchTimeout, "task_launch_confirm_timeout": limits.LaunchTimeout,
		"reconciliation_initial_delay": 0, "leader_proxy_connection_timeout_ms": connectWithin, "reconciliation_interval": limits.ReconcileInterval, "decline_offer_duration": limits.DeclineFor} {
		out[name] = d.Milliseconds()
	}
	if c.API.Network != "" {
		out["default_network_name"] = c.API.Network
	}
	if c.Engine == engineMesos {
		out["mesos_role"], out["mesos_user"] = c.Mesos.Roles[0], c.Mesos.User
		out["master"] = cmp.Or(m.ZK.String(), strings.Join(m.Masters, ","))
		out["checkpoint"], out["failover_timeout"] = c.Mesos.Checkpoint, int(c.Mesos.FailoverTimeout.Seconds())
	}
	return out
}

// zooKeeperConfig is what /v2/info tells of the ZooKeeper where the state is, under Marathon's names and without
// passwords; nil when it is elsewhere.
func zooKeeperConfig(c *schedulerConfig) map[string]any {
	if c.ZK == "" {
		return nil
	}
	return map[string]any{"zk": c.ZK.String(), "zk_session_timeout": c.ZKSessionTimeout.Milliseconds(),
		"zk_max_versions": scheduler.DefaultLimits().VersionsKept}
}

// apiHosts are the names by which the API may be addressed. On loopback those are only names that cannot be anybody
// else's, and those that the configuration lists; beyond, they are bounded where it lists some.
func apiHosts(c *schedulerConfig) []string {
	if !onLoopback(c.Listener) && len(c.API.Hosts) == 0 {
		return nil
	}
	return append([]string{c.Hostname}, c.API.Hosts...)
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
		s.serveHTTP(ctx, group, "Marathon API", s.apiListener, s.apiServer(scheduling.api), scheduling.events.Close)
	}
	if s.peers != nil {
		s.peers.run(ctx, group)
		s.serveHTTP(ctx, group, "Marathon API", s.apiListener, s.apiServer(s.withOwnMonitor(s.peers.front)), func() {})
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
		s.serveHTTP(ctx, group, "Mesos-DNS HTTP API", s.httpListener, &http.Server{Handler: http.HandlerFunc(s.serveMesosDNS)}, func() {})
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

// apiServer is a server of the API, or of what stands before it, with what is inside beside it: Mesos-DNS's own listener
// has nothing of the kind, and nothing is added to it.
func (s *server) apiServer(h http.Handler) *http.Server {
	return withTimeouts(&http.Server{Handler: s.meters.api.over(s.withInsight(h)), TLSConfig: s.apiTLS,
		MaxHeaderBytes: s.config.Scheduler.API.Limits.MaxHeaderBytes, WriteTimeout: answerWithin})
}

// answerWithin is how long an answer of the API may take; it gives more time to those that are long, or a stream.
const answerWithin = time.Minute

// withTimeouts bounds how long a client may take to send a header, and how long a connection may be idle.
func withTimeouts(s *http.Server) *http.Server {
	s.ReadHeaderTimeout, s.IdleTimeout = 5*time.Second, 30*time.Second
	return s
}

// serveHTTP serves until ctx ends, over TLS where the server has a configuration for it; then closing is called to end
// requests that would go on for ever.
func (s *server) serveHTTP(ctx context.Context, group *errgroup.Group, name string, l net.Listener, server *http.Server, closing func()) {
	withTimeouts(server)
	server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	group.Go(func() error {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
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

func (s *server) apiScheme() string {
	if s.apiTLS != nil {
		return "https"
	}
	return "http"
}

func (s *server) apiURL() string {
	return s.apiScheme() + strings.TrimPrefix(listenerURL(s.apiListener), "http")
}

func (s *server) httpURL() string { return listenerURL(s.httpListener) }

// listenerURL is where a listener is reached; nil is off.
func listenerURL(l net.Listener) string {
	if l == nil {
		return "off"
	}
	return "http://" + reachable(l).String()
}
