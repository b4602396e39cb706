package scheduler

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// Limits are the numbers that Marathon has flags for; DefaultLimits are its defaults.
type Limits struct {
	ServicePorts      Range         // from which service ports given as 0 are taken
	MaxDeployments    int           // running at the same time
	VersionsKept      int           // of each app, and of the root group
	LaunchTimeout     time.Duration // a task that is not running by then, since its launch was sent or it last said so, is killed
	FirstStatusWithin time.Duration // for so long after it was sent a launch counts as under way, should nothing be heard of it
	KillRetry         time.Duration // a kill that shows no effect is repeated
	KillsInFlight     int           // kills at a time that have not shown effect yet; the others wait for their turn
	DeclineFor        time.Duration // how long an offer that fits nothing is refused
	FirstCheckWithin  time.Duration // a first health check is made no later than this after a task runs
	ReconcileInterval time.Duration // all tasks are reconciled with the engine this often

	// What one step does at most, so that statuses and requests never wait for long; the rest is for the next steps.

	Launches int // tasks launched
	Underway int // launches that nothing was heard of yet: no more are decided while there are as many
	Looks    int // offers and instances looked at to place tasks, but for what the last app takes
	Changes  int // apps brought nearer to what is wanted of them and instances changed by it, but for the last app's
	Timers   int // timers that fire
}

// DefaultLimits returns Marathon's defaults (Marathon reference, section 21).
func DefaultLimits() Limits {
	return Limits{
		ServicePorts:      Range{10000, 20000},
		MaxDeployments:    100,
		VersionsKept:      50,
		LaunchTimeout:     5 * time.Minute,
		KillRetry:         30 * time.Second,
		KillsInFlight:     100,
		DeclineFor:        2 * time.Minute,
		FirstCheckWithin:  5 * time.Second,
		ReconcileInterval: 10 * time.Minute,
		Launches:          512,
		Underway:          1024,
		FirstStatusWithin: 30 * time.Second,
		Looks:             100_000,
		Changes:           2048,
		Timers:            512,
	}
}

// Core is the state machine. It is deterministic (but for its seed) and not safe for concurrent use.
type Core struct {
	limits Limits
	random *rand.Rand
	state  *State
}

// NewCore returns a core that begins at state (NewState, or LoadState from a store). Ids, random ports and the order
// in which offers are looked at depend on seed; two runs of one cluster need different ones.
func NewCore(limits Limits, state *State, seed [32]byte) *Core {
	return &Core{limits: limits, random: rand.New(rand.NewChaCha8(seed)), state: state}
}

// NewState returns the state of a cluster on which nothing was ever started.
func NewState() *State {
	s := &State{
		apps: newTree[*App](), groups: newTree[*Group](), versions: newTree[*App](),
		changes:   newTree[*RootChange](),
		instances: newTree[*Instance](), deployments: newTree[*Deployment](), failures: newTree[*TaskFailure](),
		queue: newTree[*launchQueue](), delays: newTree[*delay](), locks: newTree[DeploymentID](), followers: newTree[PathID](),
		breakers: newTree[*Breaker](), kills: newTree[kill](), turns: newTree[TaskID](),
		agents: newTree[*Agent](), offers: newTree[*heldOffer](), timers: newTree[timer](), deadlines: newTree[timer](),
		losses: newTree[time.Time](), back: newTree[returning](), confirmed: newTree[time.Time](), doubted: newTree[time.Time](),
		underway: newTree[TaskID](),
	}
	groups := s.groups.draft()
	groups.put(string(Root), &Group{ID: Root})
	s.groups = groups.commit()
	return s
}

// State returns the state after the newest step.
func (c *Core) State() *State { return c.state }

// Restore goes back to an earlier state, as if the steps since had not been: what a caller does whose store refused
// a step's records. Effects of those steps must not be acted upon.
func (c *Core) Restore(s *State) { c.state = s }

// Step handles events in order, then what has become due by now, and says what to do about it. Now must not go
// backwards between steps by more than clocks do; deadlines are moments of that same clock.
func (c *Core) Step(now time.Time, events ...Event) Effects {
	w := c.begin(now)
	for _, e := range events {
		w.handle(e)
	}
	w.settleForgotten()
	w.fireTimers()
	w.settle()
	return w.finish()
}

// work is a state while a step changes it, and what the step wants done.
type work struct {
	*Core
	now time.Time
	ts  Timestamp

	frameworkID string
	refused     string
	master      string
	connected   bool
	version     Timestamp
	apps        draftTree[*App]
	groups      draftTree[*Group]
	versions    draftTree[*App]
	changes     draftTree[*RootChange]
	instances   draftTree[*Instance]
	deployments draftTree[*Deployment]
	failures    draftTree[*TaskFailure]
	queue       draftTree[*launchQueue]
	delays      draftTree[*delay]
	locks       draftTree[DeploymentID]
	followers   draftTree[PathID]
	agents      draftTree[*Agent]
	offers      draftTree[*heldOffer]
	breakers    draftTree[*Breaker]
	tally       tally
	totals      Totals
	kills       draftTree[kill]
	turns       draftTree[TaskID]
	lastTurn    uint64
	timers      draftTree[timer]
	deadlines   draftTree[timer]
	underway    draftTree[TaskID]
	losses      draftTree[time.Time]
	back        draftTree[returning]
	confirmed   draftTree[time.Time]
	doubted     draftTree[time.Time]
	braked      bool
	round       round
	undriven    []PathID
	adopted     int // apps that updates of this step changed

	unknown       map[TaskID]TaskStatus // of tasks that the cluster says it does not know
	agentsCounted int

	effects Effects
	encoder encoder
	unsaved map[recordID]bool   // what Persist has to hold
	changed map[InstanceID]bool // what Changed has to hold
	dirty   map[PathID]bool     // apps that settle has to look at
	revive  bool                // something new waits for an offer

	moreAgents bool            // an agent is new, or not as it was
	reweighed  map[PathID]bool // apps whose breaker is to be looked at
}

type recordID struct {
	kind Kind
	key  string
}

func (c *Core) begin(now time.Time) *work {
	s := c.state
	return &work{
		Core: c, now: now, ts: TimestampOf(now),
		frameworkID: s.FrameworkID, refused: s.Refused, master: s.Master, connected: s.Connected, version: s.Version,
		apps: s.apps.draft(), groups: s.groups.draft(), versions: s.versions.draft(),
		changes:   s.changes.draft(),
		instances: s.instances.draft(), deployments: s.deployments.draft(), failures: s.failures.draft(),
		queue: s.queue.draft(), delays: s.delays.draft(), locks: s.locks.draft(), followers: s.followers.draft(), agents: s.agents.draft(),
		offers: s.offers.draft(), timers: s.timers.draft(), deadlines: s.deadlines.draft(),
		underway: s.underway.draft(), losses: s.losses.draft(), back: s.back.draft(), confirmed: s.confirmed.draft(),
		doubted: s.doubted.draft(), braked: s.braked, round: s.round, undriven: s.undriven, unknown: map[TaskID]TaskStatus{},
		unsaved: map[recordID]bool{}, changed: map[InstanceID]bool{}, dirty: map[PathID]bool{},
		breakers: s.breakers.draft(), tally: s.tally, totals: s.totals, kills: s.kills.draft(), turns: s.turns.draft(), lastTurn: s.lastTurn,
		reweighed: map[PathID]bool{},
	}
}

func (w *work) finish() Effects {
	w.effects.Persist = w.records()
	w.effects.State = w.commit()
	w.state = w.effects.State
	w.effects.Changed = sortedKeys(w.changed)
	if _, t, ok := w.timers.first(); ok {
		w.effects.Wake = t.at
	}
	if _, _, left := w.offers.first(); left && !w.full() || len(w.undriven) > 0 {
		w.effects.Wake = w.now
	}
	return w.effects
}

// commit freezes the work done so far into a State. Work may go on afterwards.
func (w *work) commit() *State {
	return &State{
		FrameworkID: w.frameworkID, Refused: w.refused, Master: w.master, Connected: w.connected, Version: w.version,
		apps: w.apps.commit(), groups: w.groups.commit(), versions: w.versions.commit(),
		changes:   w.changes.commit(),
		instances: w.instances.commit(), deployments: w.deployments.commit(), failures: w.failures.commit(),
		queue: w.queue.commit(), delays: w.delays.commit(), locks: w.locks.commit(), followers: w.followers.commit(), agents: w.agents.commit(),
		breakers: w.breakers.commit(), tally: w.tally, totals: w.totals, kills: w.kills.commit(), turns: w.turns.commit(), lastTurn: w.lastTurn,
		offers: w.offers.commit(), timers: w.timers.commit(), deadlines: w.deadlines.commit(),
		underway: w.underway.commit(), losses: w.losses.commit(), back: w.back.commit(), confirmed: w.confirmed.commit(),
		doubted: w.doubted.commit(), braked: w.braked, round: w.round, undriven: w.undriven,
	}
}

func (w *work) handle(e Event) {
	if w.refused != "" && fromEngine(e) {
		return
	}
	switch e := e.(type) {
	case Registered:
		w.registered(e)
	case Disconnected:
		w.disconnected()
	case OffersReceived:
		w.totals.OffersReceived += len(e.Offers)
		for _, o := range e.Offers {
			w.offered(o)
		}
	case OfferRescinded:
		w.offers.remove(string(e.Offer))
	case StatusReceived:
		w.totals.status(e.Status.State)
		w.status(e.Status)
	case LaunchesSent:
		w.launchesSent(e.Tasks)
	case AgentLost:
		w.agents.remove(string(e.Agent))
		w.agentsChanged()
	case Probed:
		w.probed(e)
	case Update:
		w.reply(w.update(e))
	case KillTasks:
		w.reply(w.killTasks(e))
	case CancelDeployment:
		w.reply(w.cancelDeployment(e))
	case ResetDelay:
		w.reply(nil, w.resetDelay(e.App))
	case ConfirmLosses:
		w.reply(w.confirmLosses(), nil)
	}
}

// fromEngine says whether an event is an engine's word on a cluster, which is nothing to go by while the engine speaks
// for another framework.
func fromEngine(e Event) bool {
	switch e.(type) {
	case OffersReceived, OfferRescinded, StatusReceived, LaunchesSent, AgentLost:
		return true
	}
	return false
}

func (w *work) reply(value any, err error) {
	if err != nil {
		value = nil
	}
	w.effects.Replies = append(w.effects.Replies, Reply{value, err})
}

// registered begins to work with the engine: whatever was under way is taken up again. Tasks are reconciled before
// anything is started anew: an instance that may have a task keeps waiting for word of it.
//
// A framework id other than the one that tasks were launched under is refused while there are instances: the engine
// would not know their tasks, and each would be started a second time beside the first.
func (w *work) registered(e Registered) {
	if _, _, any := w.instances.first(); any && !e.Anew && w.frameworkID != "" && w.frameworkID != e.FrameworkID {
		w.disconnected()
		w.refused = fmt.Sprintf("the engine registered as framework %s, but instances exist whose tasks belong to %s: "+
			"let it register as that one again; to give those tasks up, start with an empty data directory", e.FrameworkID, w.frameworkID)
		return
	}
	w.refused = ""
	if w.frameworkID != e.FrameworkID {
		w.frameworkID = e.FrameworkID
		w.save(KindMeta, metaFramework)
		w.notify(NoticeRegistered, SchedulerRegistered{FrameworkID: e.FrameworkID, Master: e.Master})
	} else {
		w.notify(NoticeReregistered, SchedulerRegistered{Master: e.Master})
	}
	restarted := w.master == "" // which is not stored
	w.master, w.connected = e.Master, true
	if e.Anew {
		w.endAll()
	}
	w.underway = newTree[TaskID]().draft()
	w.reconcile()
	if restarted {
		w.recallLosses()
	}
	for _, i := range w.instances.under("") {
		w.dirty[i.AppID] = true
		w.resume(i)
	}
	for _, a := range w.apps.under("") {
		w.dirty[a.ID] = true
	}
	for _, d := range w.deployments.under("") {
		w.limitTime(d, w.now.Add(w.limits.LaunchTimeout))
		for _, app := range d.Plan.AffectedApps() {
			w.dirty[app] = true
		}
	}
	w.revive = true
}

// endAll gives up the tasks of a framework that is no more.
func (w *work) endAll() {
	for _, i := range w.instances.under("") {
		if i.Condition.Active() {
			w.follow(i, TaskStatus{TaskID: i.TaskID(), AgentID: i.AgentID, State: TaskGone, Timestamp: w.now,
				Message: "the framework was removed, and its tasks with it"}, TaskGone)
		}
	}
}

// resume sets the timers of an instance and repeats calls that the engine may have missed. Time that passed while
// nobody listened does not count: first the engine has to have its say on how the task is.
func (w *work) resume(i *Instance) {
	patience := w.now.Add(w.limits.LaunchTimeout)
	switch i.Condition {
	case Provisioned, Staging, Starting:
		w.setTimer(timerLaunch, string(i.ID), 0, patience)
	case Running:
		w.beginChecks(i)
	case Unreachable, UnreachableInactive:
		w.setUnreachableTimers(i, patience)
	}
	switch {
	case i.Condition == Killing && i.App.DrainSeconds > 0 && w.now.Before(i.drained()):
		w.setTimer(timerKill, string(i.ID), 0, i.drained())
	case i.Condition == Killing || i.Condition.Active() && i.Goal == GoalDecommissioned:
		w.callKill(i)
	}
}

func (w *work) reconcile() {
	var tasks []TaskRef
	for _, i := range w.instances.under("") {
		if i.Condition.Active() {
			tasks = append(tasks, TaskRef{i.TaskID(), i.AgentID})
		}
	}
	w.effects.Calls = append(w.effects.Calls, reconcileCall{tasks})
	w.setTimer(timerReconcile, "", 0, w.now.Add(w.limits.ReconcileInterval))
	w.followLosses()
}

func (w *work) disconnected() {
	w.connected = false
	w.underway = newTree[TaskID]().draft() // whether they were launched shows when the engine is connected again
	for _, o := range w.offers.under("") {
		w.offers.remove(string(o.ID))
	}
	w.notify(NoticeDisconnected, SchedulerDisconnected{})
}

// settle brings the apps that events touched nearer to what is wanted of them, and uses the offers at hand.
func (w *work) settle() {
	if w.moreAgents {
		w.agentsChanged()
	}
	w.driveTouched()
	w.nextKills()
	w.match()
	for _, app := range sortedKeys(w.reweighed) {
		w.weighHealth(app)
	}
	if w.revive && w.connected {
		w.effects.Calls = append(w.effects.Calls, reviveCall{})
	}
}

func (w *work) notify(kind string, body any) {
	w.effects.Notices = append(w.effects.Notices, Notice{Type: kind, Timestamp: w.ts, Body: body})
}

func (w *work) save(kind Kind, key string) { w.unsaved[recordID{kind, key}] = true }

// uuid makes a version 4 UUID (RFC 9562) from the core's own randomness, so that a run can be repeated.
func (w *work) uuid() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], w.random.Uint64())
	binary.BigEndian.PutUint64(b[8:], w.random.Uint64())
	return formatUUID(b)
}
