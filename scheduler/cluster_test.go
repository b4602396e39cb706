package scheduler

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// failer is a *testing.T, a *testing.B, a *rapid.T or a simulation.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// cluster is a model of everything around a core: an engine with agents and tasks (modelengine_test.go), a store, and
// who reads what is published, in virtual time. After each step it checks the safety sentences (safety_test.go).
type cluster struct {
	t         failer
	core      *Core
	limits    Limits
	now       time.Time
	random    *rand.Rand
	records   map[recordID][]byte
	published *State
	discovery map[TaskID]bool // who is answered for
	killing   map[TaskID]bool // tasks of instances that this process told the engine to kill

	agents map[AgentID]*modelAgent
	tasks  map[TaskID]*modelTask
	offers map[OfferID]Offer
	serial int
	master string // of the engine

	pending []Event
	wake    time.Time
	notices []Notice
	probes  []Probe
	started []TaskID         // every task that ever began, in order
	said    []StatusReceived // every status that was ever sent
	held    []StatusReceived

	stall     bool                  // new tasks stay staging
	stubborn  bool                  // tasks take their time to end
	unwell    map[PathID]bool       // whose health checks fail
	ailing    map[TaskID]bool       // so do those of these tasks
	mute      bool                  // probes are not answered
	hold      bool                  // statuses are kept back
	cut       bool                  // the engine is not connected
	deaf      int                   // so many calls are lost
	forgotten map[TaskID]*modelTask // that run, and of which the engine does not know
	full      int                   // so many commits are refused
	crash     crash
	crashed   bool // in the last step
	died      int  // how often the process did
}

// crash says that the process is to die in the next step that has something to store.
type crash uint8

const (
	crashNot crash = iota
	crashBeforeCommit
	crashAfterCommit // before any call is made
	crashAfterCalls  // before anything is published, and before replies
)

func newCluster(t failer, seed uint64, agents int) *cluster {
	c := emptyCluster(t, seed)
	c.addAgents(agents, Resources{CPUs: 8, Mem: 8192, Disk: 8192, Ports: PortRange{{9000, 9010}, {31000, 31099}}})
	c.boot(seed)
	return c
}

func emptyCluster(t failer, seed uint64) *cluster {
	return &cluster{t: t, limits: DefaultLimits(), now: time.Unix(1_700_000_000, 0), random: rand.New(rand.NewPCG(seed, 1)),
		records: map[recordID][]byte{}, agents: map[AgentID]*modelAgent{}, tasks: map[TaskID]*modelTask{},
		offers: map[OfferID]Offer{}, unwell: map[PathID]bool{}, ailing: map[TaskID]bool{}, forgotten: map[TaskID]*modelTask{}}
}

// boot starts a core from what the store holds, as after a crash or on another leader.
func (c *cluster) boot(seed uint64) {
	var s [32]byte
	s[0], s[1], s[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	state, err := LoadState(context.Background(), c)
	if err != nil {
		c.t.Fatal(err)
	}
	c.core = NewCore(c.limits, state, s)
	c.pending, c.probes, c.wake = nil, nil, time.Time{}
	c.withdrawOffers()
	c.published, c.discovery, c.killing = state, map[TaskID]bool{}, map[TaskID]bool{}
	for i := range state.AllInstances() {
		c.publish(i)
	}
	if c.cut {
		return
	}
	framework := state.FrameworkID
	if framework == "" {
		framework = "framework-1"
	}
	c.send(Registered{FrameworkID: framework, Master: c.master})
	c.offerAll()
}

func (c *cluster) send(e Event) { c.pending = append(c.pending, e) }

// Load and Commit make the cluster a Store.
func (c *cluster) Load(_ context.Context, yield func(Record) error) error {
	for id, v := range c.records {
		if err := yield(Record{id.kind, id.key, v}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) Commit(_ context.Context, records []Record) error {
	if c.full > 0 && len(records) > 0 {
		c.full--
		return ErrFull
	}
	for _, r := range records {
		if r.Value == nil {
			delete(c.records, recordID{r.Kind, r.Key})
		} else {
			c.records[recordID{r.Kind, r.Key}] = r.Value
		}
	}
	return nil
}

// step lets the core handle what is pending, and carries its effects out in their order, as Loop does.
func (c *cluster) step(requests ...Event) Effects {
	c.now = c.now.Add(time.Millisecond)
	c.offerAll()
	before, held := c.core.State(), c.pending
	c.pending, c.crashed = nil, false
	batch := append(slices.Clip(held), requests...)
	e := c.core.Step(c.now, batch...)
	dies := crashNot
	if len(e.Persist) > 0 {
		dies, c.crash = c.crash, crashNot
	}
	if dies == crashBeforeCommit {
		c.die()
		return e
	}
	if err := c.Commit(context.Background(), e.Persist); err != nil {
		c.core.Restore(before)
		c.pending, c.wake = append(held, c.pending...), c.now.Add(commitRetry)
		for n := range e.Replies {
			e.Replies[n] = Reply{Err: ErrNotDurable}
		}
		return e
	}
	if dies == crashAfterCommit {
		c.die()
		return e
	}
	for _, id := range e.Withdrawn {
		if i := before.Instance(id); i != nil {
			delete(c.discovery, i.TaskID())
		}
	}
	for _, call := range e.Calls {
		call.call(c)
	}
	if dies == crashAfterCalls {
		c.die()
		return e
	}
	for _, id := range e.Changed {
		if i := c.published.Instance(id); i != nil {
			delete(c.discovery, i.TaskID())
		}
		if i := e.State.Instance(id); i != nil {
			c.publish(i)
		}
	}
	c.published = e.State
	c.notices = append(c.notices, e.Notices...)
	c.probes = append(c.probes, e.Probes...)
	c.wake = e.Wake
	c.checkStep(before, e, batch)
	return e
}

func (c *cluster) publish(i *Instance) {
	if i.Serving() {
		c.discovery[i.TaskID()] = true
	}
}

// die ends the process and starts another.
func (c *cluster) die() {
	c.crashed = true
	c.died++
	c.boot(c.random.Uint64())
}

// settle steps until nothing is pending, and the core has come to the end of what it does by and by.
func (c *cluster) settle() {
	for n := 0; len(c.pending) > 0 || !c.wake.IsZero() && !c.wake.After(c.now); n++ {
		if n > 1000 {
			c.t.Fatalf("the cluster does not settle; pending: %.300v", c.pending)
		}
		c.step()
		c.answerProbes()
	}
}

func (c *cluster) answerProbes() {
	if c.mute {
		return
	}
	for _, p := range c.probes {
		i := c.core.State().Instance(p.Instance)
		if i == nil {
			continue
		}
		outcome := ProbeSucceeded
		if c.unwell[i.AppID] || c.ailing[p.Task] {
			outcome = ProbeFailed
		}
		c.send(Probed{Probe: p, Outcome: outcome, Cause: "model"})
	}
	c.probes = nil
}

// advance lets time pass, and the core do what becomes due in it.
func (c *cluster) advance(d time.Duration) {
	end := c.now.Add(d)
	for {
		c.settle()
		if c.wake.IsZero() || c.wake.After(end) {
			break
		}
		if c.wake.After(c.now) {
			c.now = c.wake
		}
		c.step()
		c.answerProbes()
	}
	if c.now.Before(end) {
		c.now = end
	}
	c.step()
	c.settle()
}

// request has the core handle a request and returns its reply.
func (c *cluster) request(e Event) Reply {
	r := c.step(e).Replies
	return r[len(r)-1]
}

func (c *cluster) must(e Event) any {
	c.t.Helper()
	r := c.request(e)
	if r.Err != nil {
		c.t.Fatalf("%T: %v", e, r.Err)
	}
	return r.Value
}

func put(apps ...*App) Update {
	return Update{Change: func(d *Draft) error {
		for _, a := range apps {
			d.PutApp(a)
		}
		return nil
	}}
}

func remove(id PathID) Update {
	return Update{Force: true, Change: func(d *Draft) error { d.RemoveApp(id); return nil }}
}

func restart(id PathID) Update {
	return Update{Change: func(d *Draft) error { d.RestartApp(id); return nil }}
}

func app(id PathID, instances int, change ...func(*App)) *App {
	a := &App{ID: id, Cmd: "sleep 1000", CPUs: 0.1, Mem: 16, Instances: instances, BackoffSeconds: 1, BackoffFactor: 1.15,
		MaxLaunchDelaySeconds: 300, UpgradeStrategy: UpgradeStrategy{1, 1}, KillSelection: YoungestFirst,
		PortDefinitions: []PortDefinition{{Protocol: "tcp", Name: "default"}}, Networks: []Network{{Mode: NetworkHost}}}
	for _, f := range change {
		f(a)
	}
	return a
}

// running lists an app's instances that serve, by id.
func (c *cluster) running(id PathID) []*Instance {
	var out []*Instance
	for i := range c.core.State().Instances(id) {
		if i.Serving() {
			out = append(out, i)
		}
	}
	return out
}

func (c *cluster) deployments() int {
	n := 0
	for range c.core.State().Deployments() {
		n++
	}
	return n
}
