package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
	"rollcall/resolver"
	"rollcall/scheduler"
	"rollcall/scheduler/store"
)

// benchEngine has an endless supply of agents; what it is given it runs at once, but for the task of /probe.
type benchEngine struct {
	events   chan<- scheduler.Event
	ready    chan struct{}
	launched chan scheduler.TaskInfo // of /probe
	agents   atomic.Int32
	offers   int
}

func (e *benchEngine) Run(ctx context.Context, _ string, events chan<- scheduler.Event) error {
	e.events = events
	events <- scheduler.Registered{FrameworkID: "bench"}
	close(e.ready)
	<-ctx.Done()
	return nil
}

func (e *benchEngine) Revive() {
	e.offers++
	var offers []scheduler.Offer
	for n := range int(e.agents.Load()) {
		offers = append(offers, scheduler.Offer{ID: scheduler.OfferID(fmt.Sprintf("%d-%d", e.offers, n)),
			AgentID: scheduler.AgentID(fmt.Sprintf("S%d", n)), Hostname: fmt.Sprintf("h%d", n),
			Address:   netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}),
			Resources: scheduler.Resources{CPUs: 1e6, Mem: 1e9, Disk: 1e9, Ports: scheduler.PortRange{{Begin: 1025, End: 65000}}}})
	}
	go func() { e.events <- scheduler.OffersReceived{Offers: offers} }()
}

func (e *benchEngine) Suppress() {}

func (e *benchEngine) Accept(_ scheduler.OfferID, tasks []scheduler.TaskInfo) {
	go func() {
		for _, t := range tasks {
			if t.Name == "probe" {
				e.launched <- t
				continue
			}
			e.events <- status(t, scheduler.TaskRunning)
		}
	}()
}

func status(t scheduler.TaskInfo, state scheduler.TaskState) scheduler.StatusReceived {
	return scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: t.ID, AgentID: t.AgentID, State: state, Timestamp: time.Now()}}
}

func (e *benchEngine) Decline(scheduler.OfferID, time.Duration) {}
func (e *benchEngine) Kill(scheduler.TaskRef)                   {}
func (e *benchEngine) Reconcile([]scheduler.TaskRef)            {}
func (e *benchEngine) Acknowledge(scheduler.TaskStatus)         {}

// BenchmarkStatusToAnswer takes the time from the moment the engine reports that a task runs to the moment a DNS client
// is answered with it, the commit to the disk included, beside few and beside many other tasks.
func BenchmarkStatusToAnswer(b *testing.B) {
	for _, tasks := range []int{10, 100_000} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) { benchmarkStatusToAnswer(b, tasks) })
	}
}

func benchmarkStatusToAnswer(b *testing.B, tasks int) {
	zone, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		b.Fatal(err)
	}
	server, err := resolver.New(zone, resolver.Options{Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		b.Fatal(err)
	}
	bolt, err := store.OpenBolt(filepath.Join(b.TempDir(), "state.db"), store.BoltOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer bolt.Close()
	engine := &benchEngine{ready: make(chan struct{}), launched: make(chan scheduler.TaskInfo, 1)}
	engine.agents.Store(int32(max(1, tasks/20)))
	loop := scheduler.NewLoop(scheduler.LoopOptions{
		Core: scheduler.NewCore(scheduler.DefaultLimits(), scheduler.NewState(), [32]byte{}), Store: bolt, Engine: engine,
		Prober: scheduler.NewNetProber(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	loop.Observe(newNames(zone, "marathon", netip.MustParseAddrPort("127.0.0.1:8080"), true))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 2)
	go func() { done <- loop.Run(ctx) }()
	go func() { done <- server.Run(ctx) }()
	defer func() { cancel(); <-done; <-done }()
	<-engine.ready

	submit(b, loop, tasks/10, 10)
	for zone.Snapshot().Stats().Tasks < tasks {
	}
	engine.agents.Store(1) // the offers of others would only keep the loop busy between two measurements
	probe := benchApp("/probe", 1)
	if _, err := loop.Do(ctx, scheduler.Update{Change: func(d *scheduler.Draft) error { d.PutApp(probe); return nil }}); err != nil {
		b.Fatal(err)
	}
	ask := newAsker(b, server.Addr(), "probe.marathon.mesos.")
	var took []time.Duration
	for b.Loop() {
		task := <-engine.launched
		begin := time.Now()
		engine.events <- status(task, scheduler.TaskRunning)
		for !ask.found() {
		}
		took = append(took, time.Since(begin))
		engine.events <- status(task, scheduler.TaskFailed)
		for ask.found() {
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op") // a loop is more than what is measured
}

func benchApp(id scheduler.PathID, instances int) *scheduler.App {
	return &scheduler.App{ID: id, Cmd: "x", CPUs: 0.01, Mem: 1, Instances: instances, BackoffFactor: 1,
		Networks:        []scheduler.Network{{Mode: scheduler.NetworkHost}},
		PortDefinitions: []scheduler.PortDefinition{{Port: 10000, Protocol: "tcp"}}}
}

func submit(b *testing.B, loop *scheduler.Loop, apps, instances int) {
	_, err := loop.Do(b.Context(), scheduler.Update{Change: func(d *scheduler.Draft) error {
		for n := range apps {
			d.PutApp(benchApp(scheduler.PathID(fmt.Sprintf("/g%d/app%d", n%100, n)), instances))
		}
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
}

// asker asks one question again and again, from one socket.
type asker struct {
	b     *testing.B
	conn  net.Conn
	query []byte
	reply [512]byte
}

func newAsker(b *testing.B, server netip.AddrPort, name string) *asker {
	conn, err := net.Dial("udp", server.String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	query, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
	if err != nil {
		b.Fatal(err)
	}
	return &asker{b: b, conn: conn, query: query}
}

// found says whether the answer has a record.
func (a *asker) found() bool {
	if _, err := a.conn.Write(a.query); err != nil {
		a.b.Fatal(err)
	}
	if _, err := a.conn.Read(a.reply[:]); err != nil {
		a.b.Fatal(err)
	}
	return a.reply[7] > 0 // the low octet of the number of answers
}
