package scheduler

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// failer is a *testing.T, a *testing.B or a *rapid.T.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// cluster is a model of everything around a core: an engine with agents and tasks, and a store, in virtual time.
// After each step it checks what must always hold.
type cluster struct {
	t       failer
	core    *Core
	limits  Limits
	now     time.Time
	random  *rand.Rand
	records map[recordID][]byte
	agents  map[AgentID]*modelAgent
	tasks   map[TaskID]*modelTask
	offers  map[OfferID]Offer
	serial  int
	pending []Event
	wake    time.Time
	notices []Notice
	probes  []Probe
	started []TaskID // every task ever launched, in order
	gone    map[InstanceID]bool
	stall   bool // new tasks stay staging
	unwell  map[PathID]bool
}

type modelAgent struct {
	offer    Offer // what it has, with no offer id
	declined bool
	offered  OfferID
}

type modelTask struct {
	info  TaskInfo
	state TaskState
}

func newCluster(t failer, seed uint64, agents int) *cluster {
	c := &cluster{t: t, limits: DefaultLimits(), now: time.Unix(1_700_000_000, 0), random: rand.New(rand.NewPCG(seed, 1)),
		records: map[recordID][]byte{}, agents: map[AgentID]*modelAgent{}, tasks: map[TaskID]*modelTask{},
		offers: map[OfferID]Offer{}, gone: map[InstanceID]bool{}, unwell: map[PathID]bool{}}
	for n := range agents {
		id := AgentID(fmt.Sprintf("agent-S%03d", n))
		c.agents[id] = &modelAgent{offer: Offer{AgentID: id, Hostname: fmt.Sprintf("host%d", n),
			Address:    netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}),
			Attributes: map[string]string{"rack": fmt.Sprintf("rack-%d", n%3)}, Zone: fmt.Sprintf("z%d", n%2),
			Resources: Resources{CPUs: 8, Mem: 8192, Disk: 8192, Ports: PortRange{{31000, 31099}, {9000, 9010}}}}}
	}
	c.boot(seed)
	return c
}

// boot starts a core from what the store holds, as after a crash.
func (c *cluster) boot(seed uint64) {
	var s [32]byte
	s[0], s[1], s[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	state, err := LoadState(context.Background(), c)
	if err != nil {
		c.t.Fatal(err)
	}
	c.core = NewCore(c.limits, state, s)
	c.pending, c.offers, c.probes = nil, map[OfferID]Offer{}, nil
	for _, a := range c.agents {
		a.offered, a.declined = "", false
	}
	framework := state.FrameworkID
	if framework == "" {
		framework = "framework-1"
	}
	c.send(Registered{FrameworkID: framework})
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
	for _, r := range records {
		if r.Value == nil {
			delete(c.records, recordID{r.Kind, r.Key})
		} else {
			c.records[recordID{r.Kind, r.Key}] = r.Value
		}
	}
	return nil
}

// Run and the methods after it make the cluster an Engine.
func (c *cluster) Run(context.Context, string, chan<- Event) error { return nil }

func (c *cluster) Accept(id OfferID, tasks []TaskInfo) {
	offer, ok := c.offers[id]
	delete(c.offers, id)
	agent := c.agents[offer.AgentID]
	for _, task := range tasks {
		if c.tasks[task.ID] != nil {
			c.t.Fatalf("%s was launched twice", task.ID)
		}
		if c.records[recordID{KindInstance, string(InstanceIDOf(task.ID))}] == nil {
			c.t.Fatalf("%s was launched before its instance was stored", task.ID)
		}
		if !ok || agent == nil {
			c.status(task.ID, offer.AgentID, TaskDropped)
			continue
		}
		c.tasks[task.ID] = &modelTask{task, TaskStaging}
		c.started = append(c.started, task.ID)
		c.status(task.ID, task.AgentID, TaskStaging)
		if !c.stall {
			c.move(task.ID, TaskRunning)
		}
	}
	if agent != nil {
		c.checkRoom(agent)
		agent.offered, agent.declined = "", false
		c.offerAll()
	}
}

func (c *cluster) Decline(id OfferID, _ time.Duration) {
	if a := c.agents[c.offers[id].AgentID]; a != nil && a.offered == id {
		a.offered, a.declined = "", true
	}
	delete(c.offers, id)
}

func (c *cluster) Revive() {
	for _, a := range c.agents {
		a.declined = false
	}
	c.offerAll()
}

func (c *cluster) Kill(ref TaskRef) {
	i := c.core.State().Instance(InstanceIDOf(ref.TaskID))
	if i != nil && i.TaskID() == ref.TaskID && i.Serving() {
		c.t.Fatalf("%s is killed while it is in discovery", ref.TaskID)
	}
	if c.tasks[ref.TaskID] == nil {
		c.status(ref.TaskID, ref.AgentID, TaskUnknown)
		return
	}
	c.move(ref.TaskID, TaskKilled)
}

func (c *cluster) Reconcile(refs []TaskRef) {
	for _, ref := range refs {
		if task := c.tasks[ref.TaskID]; task != nil {
			c.status(ref.TaskID, ref.AgentID, task.state)
		} else {
			c.status(ref.TaskID, ref.AgentID, TaskUnknown)
		}
	}
}

func (c *cluster) Acknowledge(TaskStatus) {}

func (c *cluster) status(id TaskID, agent AgentID, state TaskState) {
	c.send(StatusReceived{TaskStatus{TaskID: id, AgentID: agent, State: state, Timestamp: c.now, Ack: "x"}})
}

// move changes a task's state; a task that ended frees its resources.
func (c *cluster) move(id TaskID, state TaskState) {
	task := c.tasks[id]
	task.state = state
	c.status(id, task.info.AgentID, state)
	if state.Terminal() {
		delete(c.tasks, id)
		if a := c.agents[task.info.AgentID]; a != nil {
			a.declined = false
		}
		c.offerAll()
	}
}

func (c *cluster) free(a *modelAgent) Resources {
	r := a.offer.Resources
	for _, task := range c.tasks {
		if task.info.AgentID == a.offer.AgentID {
			r.CPUs -= task.info.Resources.CPUs
			r.Mem -= task.info.Resources.Mem
			r.Disk -= task.info.Resources.Disk
			for _, p := range task.info.Resources.Ports {
				for port := p.Begin; port <= p.End; port++ {
					r.Ports = r.Ports.Without(port)
				}
			}
		}
	}
	return r
}

func (c *cluster) offerAll() {
	var offers []Offer
	for _, id := range slices.Sorted(maps.Keys(c.agents)) {
		a := c.agents[id]
		if a.offered != "" || a.declined {
			continue
		}
		o := a.offer
		c.serial++
		o.ID, o.Resources = OfferID(fmt.Sprintf("offer-%d", c.serial)), c.free(a)
		a.offered, c.offers[o.ID] = o.ID, o
		offers = append(offers, o)
	}
	if len(offers) > 0 {
		c.send(OffersReceived{offers})
	}
}

// checkRoom fails when an agent's resources are given out twice.
func (c *cluster) checkRoom(a *modelAgent) {
	r := a.offer.Resources
	taken := map[int]TaskID{}
	for id, task := range c.tasks {
		if task.info.AgentID != a.offer.AgentID {
			continue
		}
		r.CPUs -= task.info.Resources.CPUs
		r.Mem -= task.info.Resources.Mem
		for _, p := range task.info.Resources.Ports {
			for port := p.Begin; port <= p.End; port++ {
				if taken[port] != "" {
					c.t.Fatalf("port %d of %s is given to %s and %s", port, a.offer.AgentID, taken[port], id)
				}
				taken[port] = id
			}
		}
	}
	if r.CPUs < -slack || r.Mem < -slack {
		c.t.Fatalf("%s is overbooked: %v left", a.offer.AgentID, r)
	}
}

// step lets the core handle what is pending, and carries its effects out in their order.
func (c *cluster) step(events ...Event) Effects {
	c.now = c.now.Add(time.Millisecond)
	batch := append(c.pending, events...)
	c.pending = nil
	e := c.core.Step(c.now, batch...)
	if err := c.Commit(context.Background(), e.Persist); err != nil {
		c.t.Fatal(err)
	}
	for _, call := range e.Calls {
		call.call(c)
	}
	c.notices = append(c.notices, e.Notices...)
	c.probes = append(c.probes, e.Probes...)
	c.wake = e.Wake
	c.check(e.State)
	return e
}

// settle steps until nothing is pending.
func (c *cluster) settle() {
	for n := 0; len(c.pending) > 0; n++ {
		if n > 1000 {
			c.t.Fatalf("the cluster does not settle; pending: %.300v", c.pending)
		}
		c.step()
		c.answerProbes()
	}
}

func (c *cluster) answerProbes() {
	for _, p := range c.probes {
		i := c.core.State().Instance(p.Instance)
		if i == nil {
			continue
		}
		outcome := ProbeSucceeded
		if c.unwell[i.AppID] {
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
	c.now = end
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

// check fails when a state breaks what must always hold.
func (c *cluster) check(s *State) {
	perHost := map[string]InstanceID{}
	for i := range s.AllInstances() {
		if i.App == nil {
			c.t.Fatalf("%s has no definition", i.ID)
		}
		a := s.App(i.AppID)
		if a == nil || !i.Condition.Active() || i.Condition == UnreachableInactive || outdated(i, a) {
			continue
		}
		for _, k := range a.Constraints {
			if k.Operator == Unique && k.Field == "hostname" {
				key := string(i.AppID) + "|" + i.Hostname
				if other := perHost[key]; other != "" {
					c.t.Fatalf("%s and %s are both on %s in spite of UNIQUE", other, i.ID, i.Hostname)
				}
				perHost[key] = i.ID
			}
		}
	}
	for d := range s.Deployments() {
		for _, id := range d.Plan.AffectedApps() {
			if s.DeploymentOf(id) != d.Plan.ID {
				c.t.Fatalf("deployment %s does not hold %s", d.Plan.ID, id)
			}
		}
	}
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
