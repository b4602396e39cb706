package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"rollcall/resolver"
	"rollcall/scheduler"
	"rollcall/scheduler/api"
)

// resolvConf is where the system's own resolvers are named.
const resolvConf = "/etc/resolv.conf"

// openResolver opens the DNS server and Mesos-DNS's HTTP API, and the pages for those who watch the program.
func (s *server) openResolver() (err error) {
	c := s.config
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(s.meters.changes)
	if s.store != nil {
		registry.MustRegister(fileSize(s.store.Path()))
	}
	checks := []resolver.Check{resolver.ZoneReady(s.zone)}
	if c.Scheduler != nil {
		registry.MustRegister(newSchedulerCollector(s.scheduling.Load))
		registry.MustRegister(s.meters.ofScheduler()...)
		checks = append(checks, resolver.Check{Name: "engine", Ready: s.engineReady})
	}
	if s.peers != nil {
		registry.MustRegister(newPeersCollector(s.peers), s.meters.leaderChanges)
		checks = append(checks, s.peers.check())
	}
	if s.mesos != nil {
		registry.MustRegister(newMesosCollector(s.mesos.status), s.meters.requests)
		checks = append(checks, s.mesos.check())
	}
	if c.DNS.On {
		o, err := resolverOptions(c, component(s.log, logResolver))
		if err != nil {
			return err
		}
		o.Registry, o.Logger = registry, component(s.log, logResolver)
		if s.dns, err = resolver.New(s.zone, o); err != nil {
			return err
		}
		checks = append(checks, resolver.Check{Name: "dns", Ready: s.dns.Serving})
	}
	s.monitor = resolver.NewMonitor(registry, checks...)
	if c.HTTP.On {
		s.httpListener, err = listen("Mesos-DNS HTTP API", c.HTTP.Listener, c.HTTP.Port, "httpport", "-http-port")
		if err != nil {
			return err
		}
	}
	s.checks = checks
	s.setMesosDNS(c)
	return nil
}

// setMesosDNS makes Mesos-DNS's HTTP API show and follow a configuration.
func (s *server) setMesosDNS(c config) {
	h := s.withMonitor(resolver.NewAPI(s.zone, resolver.APIOptions{
		Version: version, Config: func(serial uint32) any { return c.effective(serial) },
		Enumeration: c.HTTP.Enumeration, RefreshSeconds: c.options.RefreshSeconds, Checks: s.checks,
	}))
	s.http.Store(&h)
}

// serveMesosDNS is Mesos-DNS's HTTP API.
func (s *server) serveMesosDNS(w http.ResponseWriter, r *http.Request) {
	(*s.http.Load()).ServeHTTP(w, r)
}

// resolverOptions are the DNS server's part of the configuration.
func resolverOptions(c config, log *slog.Logger) (resolver.Options, error) {
	o := resolver.Options{
		Addrs: []netip.AddrPort{netip.AddrPortFrom(c.DNS.Listener, c.DNS.Port)}, Recursion: c.Forward.On,
		RecursionAvailable: c.DNS.RecursionAvailable, SetTruncateBit: c.DNS.TruncateBit,
		Upstreams: c.Forward.Resolvers, ZoneUpstreams: c.Forward.ZoneResolvers, SecureUpstreams: c.Forward.Secure,
		Timeout:   c.Forward.Timeout,
		CacheSize: c.Forward.CacheSize, MaxStale: c.Forward.MaxStale, Prefetch: c.Forward.Prefetch,
		RecursionFrom: append([]netip.Prefix{}, c.Forward.From...), TCPFallback: c.Forward.TCPFallback, MixCase: c.Forward.MixedCase,
	}
	c.Answers.apply(&o)
	c.Transfer.apply(&o)
	c.Limits.apply(&o)
	if err := c.Encryption.apply(&o, c.DNS.Listener, log); err != nil {
		return o, err
	}
	if c.Forward.CAs != "" { // certificates, as was seen when they were read
		o.UpstreamAuthorities = x509.NewCertPool()
		o.UpstreamAuthorities.AppendCertsFromPEM([]byte(c.Forward.CAs))
	}
	if c.Forward.On && len(o.Upstreams) == 0 {
		upstreams, err := resolver.SystemUpstreams(resolvConf, o.Addrs)
		if err != nil {
			return o, fmt.Errorf("looking for the resolvers of this machine: %w; name them in \"resolvers\", or turn "+
				"forwarding off with \"externalon\": false", err)
		}
		o.Upstreams = upstreams
	}
	return o, nil
}

// serveMonitor serves health and metrics; it is not called before everything is open.
func (s *server) serveMonitor(w http.ResponseWriter, r *http.Request) { s.monitor.ServeHTTP(w, r) }

// withMonitor serves health and metrics beside h.
func (s *server) withMonitor(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			s.serveMonitor(w, r)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// schedulerState is the scheduler's state; nil while another rollcall has it.
func (s *server) schedulerState() *scheduler.State {
	if scheduling := s.scheduling.Load(); scheduling != nil {
		return scheduling.loop.State()
	}
	return nil
}

// withOwnMonitor serves health and metrics of this rollcall beside h, which has the leader answer: the metrics to those
// who may use the API.
func (s *server) withOwnMonitor(h http.Handler) http.Handler {
	metrics := http.Handler(http.HandlerFunc(s.serveMonitor))
	if s.credentials != nil {
		metrics = api.RequireUser(s.credentials, s.config.Scheduler.API.Auth.Realm, metrics)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz":
			s.serveMonitor(w, r)
		case "/metrics":
			metrics.ServeHTTP(w, r)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// engineReady says whether apps can be run, as far as that is this rollcall's business.
func (s *server) engineReady() error {
	if state := s.schedulerState(); state != nil && !state.Connected {
		return errors.New("the engine has not registered yet: nothing is started or ended")
	}
	return nil
}

// dnsAddr is where DNS is served, the invalid address when it is not.
func (s *server) dnsAddr() netip.AddrPort {
	if s.dns == nil {
		return netip.AddrPort{}
	}
	return s.dns.Addr()
}

// encryptedAddrs are where DNS over TLS and over HTTPS are served, "off" where they are not.
func (s *server) encryptedAddrs() (tls, https string) {
	tls, https = "off", "off"
	if s.dns == nil {
		return tls, https
	}
	if addr := s.dns.TLSAddr(); addr.IsValid() {
		tls = addr.String()
	}
	if addr := s.dns.HTTPSAddr(); addr.IsValid() {
		https = addr.String()
	}
	return tls, https
}
