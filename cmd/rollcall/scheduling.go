package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"rollcall/scheduler"
	"rollcall/scheduler/api"
	"rollcall/scheduler/local"
)

// scheduling is the scheduler over a state that it alone may write: for as long as the program runs, or for the time
// for which this rollcall leads.
type scheduling struct {
	loop   *scheduler.Loop
	api    *api.API
	events *api.Events
	docker func() string // why no containers can be run; nil: not this machine's business
}

// newScheduling loads the state from a store and joins what runs it. The engine does not act while valid says no.
func (s *server) newScheduling(ctx context.Context, st scheduler.Store, valid func() bool) (*scheduling, error) {
	c := s.config.Scheduler
	state, err := scheduler.LoadState(ctx, st)
	if err != nil {
		return nil, err
	}
	engine, limits, err := s.openEngine(state, valid)
	if err != nil {
		return nil, err
	}
	limits.ServicePorts, limits.KillsInFlight = c.servicePorts(), c.KillsInFlight
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("seeding the scheduler: %w", err)
	}
	var driven scheduler.Engine = fenced{s.meters.engine(s.withSecrets(engine)), valid}
	if s.peers != nil {
		driven = afterFollowers{driven}
	}
	loop := scheduler.NewLoop(scheduler.LoopOptions{
		Core: scheduler.NewCore(limits, state, seed), Store: s.meters.store(st),
		Engine: driven,
		Prober: scheduler.NewNetProber(), Now: steadyClock(), Logger: component(s.log, logScheduler), Stepped: s.meters.stepped,
	})
	events := api.NewEvents(api.DefaultEventsKept, time.Now())
	loop.Observe(newNames(s.zone, c.Framework, reachable(s.apiListener), !s.config.followsMesos()))
	loop.Observe(events)
	loop.Observe(journal{component(s.log, logScheduler)})
	loop.Observe(s.meters)
	o := api.Options{
		Scheduler: loop, Events: events, Logger: component(s.log, logAPI), Leader: s.apiAddress(), Version: version, BuildRef: buildRef,
		FrameworkName: c.Framework, Config: marathonConfig(c, &s.config.Mesos, s.apiScheme()+"://"+s.apiAddress()+"/ui/"), ZooKeeper: zooKeeperConfig(c), Hosts: apiHosts(c), AllowOrigin: c.API.AllowOrigin, Abdicate: s.abdicate(),
		Domain: s.config.Zone.Domain, Role: c.appRole(),
		Monitor: http.HandlerFunc(s.serveMonitor), TLS: s.apiTLS != nil, Realm: c.API.Auth.Realm,
		DefaultNetworkName: c.API.Network,
		Policy:             c.API.TaskPolicy.policy(), Secrets: c.API.SecretsDir != "", MaxBody: c.API.Limits.MaxBodyBytes, RequestsPerSecond: c.API.Limits.RequestsPerSecond,
	}
	if o.RequestsPerSecond == 0 {
		o.RequestsPerSecond = -1 // any number
	}
	if s.credentials != nil {
		o.Authenticator = s.credentials
	}
	if sandboxes, ok := engine.(api.Sandboxes); ok {
		o.Sandboxes = sandboxes
	}
	if executor, ok := engine.(api.Executor); ok {
		o.Executor = executor
	}
	if capacities, ok := engine.(api.Capacities); ok {
		o.Capacities = capacities
	} else if s.mesos != nil {
		o.Capacities = &s.mesos.cluster.has
	}
	if s.config.DNS.On {
		o.Resolver = ownResolver{s.dnsAddr, s.zone}
	}
	made := &scheduling{loop: loop, events: events, api: api.New(o)}
	if onMachine, ok := engine.(*local.Engine); ok {
		made.docker = onMachine.NoContainers
	}
	return made, nil
}

// servicePorts are those that apps are given which name none.
func (s *schedulerConfig) servicePorts() scheduler.Range {
	return scheduler.Range{Begin: int(s.ServicePorts.Min), End: int(s.ServicePorts.Max)}
}

// withSecrets has an engine give tasks their secrets.
func (s *server) withSecrets(engine scheduler.Engine) scheduler.Engine {
	dir := s.config.Scheduler.API.SecretsDir
	if dir == "" {
		return engine
	}
	return &secretive{Engine: engine, dir: dir, now: time.Now, log: component(s.log, logEngine)}
}

// fenced is an engine that launches and kills nothing while this rollcall may not act. What is dropped here is done, or
// done again, by whoever leads then.
type fenced struct {
	scheduler.Engine
	valid func() bool
}

func (f fenced) Accept(offer scheduler.OfferID, tasks []scheduler.TaskInfo) {
	if f.valid() {
		f.Engine.Accept(offer, tasks)
	}
}

func (f fenced) Kill(task scheduler.TaskRef) {
	if f.valid() {
		f.Engine.Kill(task)
	}
}

func (f fenced) Acknowledge(status scheduler.TaskStatus) {
	if f.valid() {
		f.Engine.Acknowledge(status)
	}
}

// always is the valid of a state that is nobody else's.
func always() bool { return true }

// steadyClock tells the time by the steps of the monotonic clock, from the wall clock's time now on: no deadline is
// missed or met early because somebody sets the clock.
func steadyClock() func() time.Time {
	start := time.Now()
	wall := start.Round(0)
	return func() time.Time { return wall.Add(time.Since(start)) }
}
