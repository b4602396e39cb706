package enginetest

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"rollcall/scheduler"
)

// patience is how long what has to happen is waited for; when all is well, never to the end.
const patience = 30 * time.Second

// driver is an engine that runs, with a scheduler in front of it that acknowledges what it hears.
type driver struct {
	t          *testing.T
	engine     scheduler.Engine
	registered scheduler.Registered
	events     chan scheduler.Event
	stop       func()
	mute       bool              // acknowledges nothing
	offers     []scheduler.Offer // not answered
	seen       map[scheduler.TaskID][]scheduler.TaskStatus
	told       map[scheduler.TaskID]int // how many of seen a test has taken
	sent       []scheduler.TaskID       // that the engine says it has launched
}

func open(t *testing.T, s Subject, framework string) *driver {
	t.Helper()
	return run(t, s.Open(t), framework)
}

func run(t *testing.T, engine scheduler.Engine, framework string) *driver {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &driver{t: t, engine: engine, events: make(chan scheduler.Event), seen: map[scheduler.TaskID][]scheduler.TaskStatus{},
		told: map[scheduler.TaskID]int{}}
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx, framework, d.events) }()
	d.stop = func() {
		cancel()
		if done == nil {
			return
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		done = nil
	}
	t.Cleanup(func() { d.end(); d.stop() })
	first, ok := d.next().(scheduler.Registered)
	if !ok {
		t.Fatalf("the first event is not Registered: %#v", first)
	}
	d.registered = first
	return d
}

// end ends the tasks that a test left running.
func (d *driver) end() {
	for id, statuses := range d.seen {
		if last := statuses[len(statuses)-1]; !last.State.Terminal() {
			d.engine.Kill(scheduler.TaskRef{TaskID: id, AgentID: last.AgentID})
		}
	}
}

func (d *driver) next() scheduler.Event {
	d.t.Helper()
	select {
	case e := <-d.events:
		return e
	case <-time.After(patience):
		d.t.Fatalf("nothing was heard of the engine; of tasks: %+v", d.seen)
		return nil
	}
}

// take takes in one event.
func (d *driver) take() {
	d.t.Helper()
	switch e := d.next().(type) {
	case scheduler.OffersReceived:
		d.offers = append(d.offers, e.Offers...)
	case scheduler.OfferRescinded:
		d.offers = slices.DeleteFunc(d.offers, func(o scheduler.Offer) bool { return o.ID == e.Offer })
	case scheduler.StatusReceived:
		s := e.Status
		if s.Ack != "" && !d.mute {
			d.engine.Acknowledge(s)
		}
		// What is repeated because the acknowledgement has crossed it is nothing new.
		if before := d.seen[s.TaskID]; s.Ack == "" || d.mute || !slices.ContainsFunc(before, func(b scheduler.TaskStatus) bool { return b.Ack == s.Ack }) {
			d.seen[s.TaskID] = append(before, s)
		}
	case scheduler.LaunchesSent:
		d.sent = append(d.sent, e.Tasks...)
	case scheduler.Disconnected:
		d.t.Fatal("the engine has lost its cluster")
	}
}

// offer is the next offer that fits; nil: any. Others that came are not answered.
func (d *driver) offer(fits func(scheduler.Offer) bool) scheduler.Offer {
	d.t.Helper()
	for {
		for len(d.offers) > 0 {
			o := d.offers[0]
			d.offers = d.offers[1:]
			if fits == nil || fits(o) {
				return o
			}
		}
		d.take()
	}
}

// status is the next status of a task whose state fits; nil: any.
func (d *driver) status(id scheduler.TaskID, fits func(scheduler.TaskState) bool) scheduler.TaskStatus {
	d.t.Helper()
	for {
		d.told[id] = min(d.told[id], len(d.seen[id]))
		for _, s := range d.seen[id][d.told[id]:] {
			d.told[id]++
			if fits == nil || fits(s.State) {
				return s
			}
		}
		d.take()
	}
}

func is(want scheduler.TaskState) func(scheduler.TaskState) bool {
	return func(s scheduler.TaskState) bool { return s == want }
}

// accept launches tasks on an offer. Those that say nothing of resources take a little.
func (d *driver) accept(o scheduler.Offer, tasks ...scheduler.TaskInfo) {
	for n := range tasks {
		tasks[n].AgentID, tasks[n].FrameworkID, tasks[n].Name = o.AgentID, d.registered.FrameworkID, string(tasks[n].ID)
		if tasks[n].Resources.CPUs == 0 {
			tasks[n].Resources = scheduler.Resources{CPUs: 0.01, Mem: 8}
		}
	}
	d.engine.Accept(o.ID, tasks)
}

// launch launches a task somewhere.
func (d *driver) launch(task scheduler.TaskInfo) scheduler.AgentID {
	d.t.Helper()
	o := d.offer(nil)
	d.accept(o, task)
	return o.AgentID
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
