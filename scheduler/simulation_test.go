package scheduler

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	simulations = flag.Int("simulations", 300, "random histories that TestSimulation runs")
	simulateAt  = flag.Uint64("simulate-from", 0, "seed of the first history")
	replay      = flag.String("replay", "", "a history to run instead, as a failure of TestSimulation prints it")
)

// historyLength is how many events a random history has.
const historyLength = 120

// TestSimulation lets seeded random things happen to a core and the model of a cluster, in virtual time, and checks the
// safety sentences after every step. A history that breaks one is cut down to the events that it takes, and printed
// in a form that -replay reads.
func TestSimulation(t *testing.T) {
	if *replay != "" {
		history, err := parseHistory(*replay)
		if err != nil {
			t.Fatal(err)
		}
		failure, told := history.run()
		t.Logf("\n%s", told)
		if failure != "" {
			t.Error(failure)
		}
		return
	}
	for n := range 8 {
		t.Run(fmt.Sprintf("part=%d", n), func(t *testing.T) {
			t.Parallel()
			for seed := *simulateAt + uint64(n); seed < *simulateAt+uint64(*simulations); seed += 8 {
				history := randomHistory(seed)
				if failure, _ := history.run(); failure != "" {
					t.Fatal(explain(history, failure))
				}
			}
		})
	}
}

// Two runs of one history are the same, in all that they do.
func TestSimulationRepeatsExactly(t *testing.T) {
	for seed := range uint64(20) {
		history := randomHistory(1_000_000 + seed)
		_, first := history.run()
		_, second := history.run()
		if first != second {
			t.Fatalf("seed %d: two runs differ:\n%s\n---\n%s", seed, first, second)
		}
	}
}

// A failure is cut down to the events that it takes.
func TestSimulationShrinks(t *testing.T) {
	whole := randomHistory(7)
	isNeeded := func(e simulationEvent) bool { return e.verb == "leader" || e.verb == "jump" }
	small := whole.shrink(func(h history) bool {
		return slices.ContainsFunc(h.events, func(e simulationEvent) bool { return e.verb == "leader" }) &&
			slices.ContainsFunc(h.events, func(e simulationEvent) bool { return e.verb == "jump" })
	})
	if len(small.events) != 2 || !isNeeded(small.events[0]) || !isNeeded(small.events[1]) {
		t.Errorf("shrunk to %s", small)
	}
	if again, err := parseHistory(small.String()); err != nil || again.String() != small.String() {
		t.Errorf("%s is read as %s: %v", small, again, err)
	}
}

// history is a seed, for what the core and the model choose by themselves, and what happens. An event's numbers are
// read modulo what there is, so that a history is still one when events are taken out of it.
type history struct {
	seed   uint64
	events []simulationEvent
}

type simulationEvent struct {
	verb string
	a, b uint64
}

// String is the form that parseHistory reads: "17: change 3 4; leader 0 1".
func (h history) String() string {
	words := make([]string, len(h.events))
	for n, e := range h.events {
		words[n] = fmt.Sprintf("%s %d %d", e.verb, e.a, e.b)
	}
	return fmt.Sprintf("%d: %s", h.seed, strings.Join(words, "; "))
}

func parseHistory(s string) (history, error) {
	seed, events, _ := strings.Cut(s, ":")
	var h history
	var err error
	if h.seed, err = strconv.ParseUint(strings.TrimSpace(seed), 10, 64); err != nil {
		return h, fmt.Errorf("a history begins with its seed and a colon: %w", err)
	}
	for part := range strings.SplitSeq(events, ";") {
		var e simulationEvent
		if _, err := fmt.Sscanf(part, "%s %d %d", &e.verb, &e.a, &e.b); err != nil {
			return h, fmt.Errorf("%q is not a verb and two numbers: %w", part, err)
		}
		if simulationVerbs[e.verb] == nil {
			return h, fmt.Errorf("no verb %q", e.verb)
		}
		h.events = append(h.events, e)
	}
	return h, nil
}

func randomHistory(seed uint64) history {
	random := rand.New(rand.NewPCG(seed, 2))
	h := history{seed: seed}
	total := 0
	for _, w := range simulationWeights {
		total += w.weight
	}
	for range historyLength {
		at := random.IntN(total)
		for _, w := range simulationWeights {
			if at -= w.weight; at < 0 {
				h.events = append(h.events, simulationEvent{w.verb, random.Uint64N(1000), random.Uint64N(1000)})
				break
			}
		}
	}
	return h
}

// violation is what a simulation panics with when a check fails.
type violation string

// run plays a history. It returns the first failure, "" for none, and what happened.
func (h history) run() (failure, told string) {
	s := newSimulation(h.seed)
	defer func() {
		told = s.told.String()
		switch r := recover().(type) {
		case nil:
		case violation:
			failure = string(r)
		default:
			failure = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	for _, e := range h.events {
		s.tell(simulationVerbs[e.verb](s, e.a, e.b))
		s.checkAcknowledgedApps()
	}
	s.finish()
	return "", ""
}

// shrink takes events out, in ever smaller pieces, for as long as the rest still fails.
func (h history) shrink(fails func(history) bool) history {
	for size := len(h.events) / 2; size >= 1; {
		before := len(h.events)
		for at := 0; at < len(h.events); {
			less := history{h.seed, slices.Delete(slices.Clone(h.events), at, min(at+size, len(h.events)))}
			if fails(less) {
				h = less
			} else {
				at += size
			}
		}
		if len(h.events) == before || size > 1 {
			size /= 2
		}
	}
	return h
}

// explain cuts a failing history down and tells what happens in it.
func explain(h history, failure string) string {
	sentence, _, _ := strings.Cut(failure, ":")
	small := h.shrink(func(less history) bool {
		f, _ := less.run()
		return strings.HasPrefix(f, sentence)
	})
	failure, told := small.run()
	return fmt.Sprintf("%s\n\nin %d of %d events:\n%s\nto see it again:\ngo test ./scheduler -run 'TestSimulation$' -v -replay '%s'",
		failure, len(small.events), len(h.events), told, small)
}

// simulation is a cluster in which a history happens.
type simulation struct {
	*cluster
	seed         uint64
	told         strings.Builder
	began        time.Time
	acknowledged map[PathID]*App
	heard        int // notices that were looked at
	deaths       int // of the process, that were looked at
}

func newSimulation(seed uint64) *simulation {
	s := &simulation{seed: seed, acknowledged: map[PathID]*App{}}
	s.cluster = emptyCluster(s, seed)
	s.began = s.now
	room := Resources{CPUs: 8, Mem: 8192, Disk: 8192, Ports: PortRange{{9000, 9010}, {31000, 31099}}}
	if seed%4 == 3 { // not all that is wanted has room
		room = Resources{CPUs: 0.35, Mem: 8192, Disk: 8192, Ports: PortRange{{31000, 31002}}}
	}
	if seed%3 == 2 { // whatever is begun goes on over many steps
		s.limits.Launches, s.limits.Looks, s.limits.Changes, s.limits.Timers = 1+int(seed%2), 3, 1+int(seed%4), 1
	}
	if seed%2 == 1 { // kills wait for each other
		s.limits.KillsInFlight = 1 + int(seed/2%3)
	}
	if seed%5 == 4 { // it may lose sight of its agents
		s.master = "master:5050"
	}
	s.addAgents(5, room)
	s.boot(seed)
	s.settle()
	return s
}

// Helper, Fatal, Fatalf and Errorf make the simulation its own failer.
func (s *simulation) Helper()                   {}
func (s *simulation) Fatal(args ...any)         { panic(violation(fmt.Sprint(args...))) }
func (s *simulation) Fatalf(f string, a ...any) { panic(violation(fmt.Sprintf(f, a...))) }
func (s *simulation) Errorf(f string, a ...any) { panic(violation(fmt.Sprintf(f, a...))) }
func (s *simulation) tell(what string)          { fmt.Fprintf(&s.told, "%10s  %s\n", s.now.Sub(s.began), what) }

// ask makes a request and keeps account of what was acknowledged. An answer that a crash swallowed may be either.
func (s *simulation) ask(e Event) string {
	reply := s.request(e)
	if s.crashed {
		clear(s.acknowledged)
		for a := range s.core.State().Apps() {
			s.acknowledged[a.ID] = a
		}
		return "the process dies"
	}
	if reply.Err != nil {
		var locked *LockedError
		if errors.As(reply.Err, &locked) {
			return "locked"
		}
		return reply.Err.Error()
	}
	deployed, _ := reply.Value.(*Deployed)
	if killed, ok := reply.Value.(*Killed); ok {
		deployed = killed.Deployed
	}
	if deployed == nil {
		return "ok"
	}
	for _, id := range deployed.Plan.AffectedApps() {
		if after := deployed.Plan.After[id]; after != nil {
			s.acknowledged[id] = after
		} else {
			delete(s.acknowledged, id)
		}
	}
	return "ok"
}

// hearRollbacks keeps account of deployments that were not done in time: what was acknowledged is taken back.
func (s *simulation) hearRollbacks() {
	state := s.core.State()
	takeBack := func(id PathID) {
		if now := state.App(id); now != nil {
			s.acknowledged[id] = now
		} else {
			delete(s.acknowledged, id)
		}
	}
	for ; s.heard < len(s.notices); s.heard++ {
		if end, ok := s.notices[s.heard].Body.(DeploymentEnd); ok && strings.HasPrefix(end.Reason, "not done within") {
			for _, id := range end.Plan.Plan.AffectedApps() {
				takeBack(id)
			}
		}
	}
	if s.died == s.deaths {
		return
	}
	s.deaths = s.died
	limited := false // by a deployment whose end a death swallowed
	for _, app := range s.acknowledged {
		limited = limited || app.DeploymentTimeout > 0
	}
	if limited {
		for app := range state.Apps() {
			takeBack(app.ID)
		}
		for id := range s.acknowledged {
			takeBack(id)
		}
	}
}

func (s *simulation) checkAcknowledgedApps() {
	s.hearRollbacks()
	state := s.core.State()
	for id, want := range s.acknowledged {
		got := state.App(id)
		if got == nil || got.Version != want.Version || !sameDefinition(got, want) {
			s.violated(nothingLost, "%s was acknowledged as %+v; it is %+v", id, want, got)
		}
	}
	for a := range state.Apps() {
		if s.acknowledged[a.ID] == nil {
			s.violated(nothingLost, "the removal of %s was acknowledged; it is there", a.ID)
		}
	}
}

// finish lets the cluster come to rest and compares it with what was acknowledged.
func (s *simulation) finish() {
	s.tell("all comes to rest")
	s.stall, s.stubborn, s.mute, s.deaf, s.full, s.crash = false, false, false, 0, 0, crashNot
	clear(s.unwell)
	clear(s.ailing)
	s.release(0)
	s.reconnect()
	for _, id := range sortedKeys(s.agents) {
		if s.seed%5 != 1 { // else those that left are gone for good
			s.comeBack(s.agents[id], false)
		}
	}
	s.comeUp()
	s.settle()
	s.ask(ConfirmLosses{})
	s.advance(35 * time.Minute) // longer than the clock was set back, and than the reconciliation interval
	for range 10 {              // one after the other, where there is no room for all
		s.endOneShots()
		s.rescindAll()
		s.advance(6 * time.Minute)
	}
	s.checkAcknowledgedApps()
	s.checkEnd() // without a restart, which would take up what was forgotten
	s.checkStore()
	s.boot(4711)
	s.advance(15 * time.Minute)
	s.endOneShots()
	s.advance(15 * time.Minute)
	s.checkAcknowledgedApps()
	s.checkEnd()
}

// checkEnd: now that nothing stands in the way, all that is wanted runs, and nothing else; what does not says why.
func (s *simulation) checkEnd() {
	state := s.core.State()
	known := map[TaskID]bool{}
	for i := range state.AllInstances() {
		if i.Condition.Active() {
			known[i.TaskID()] = true
			if i.waitsForEver() && i.Goal == GoalRunning && s.agents[i.AgentID].away {
				continue
			}
			if s.tasks[i.TaskID()] == nil || i.Condition != Running || i.Goal != GoalRunning {
				s.violated(tasksEnd, "%s is %s, to be %s; its task is %v", i.ID, i.Condition, i.Goal, s.tasks[i.TaskID()])
			}
		}
		if s.acknowledged[i.AppID] == nil {
			s.violated(tasksEnd, "%s is of an app that is not wanted", i.ID)
		}
	}
	for id, task := range s.tasks {
		if s.agents[task.info.AgentID].away {
			continue // it may go on where nobody hears of it
		}
		if !known[id] || task.state != TaskRunning {
			s.violated(tasksEnd, "task %s is %s, and known: %v", id, task.state, known[id])
		}
	}
	anyAgent := false
	for _, a := range s.agents {
		anyAgent = anyAgent || !a.away
	}
	for id, a := range s.acknowledged {
		running, size, held := 0, state.Size(a), false
		if d := state.Deployment(state.DeploymentOf(id)); d != nil && d.actsLater(id) {
			held = true // others of the deployment are waited for, and that is told
		}
		for i := range state.Instances(id) {
			held = held || i.waitsForEver() && state.DeploymentOf(id) != "" // it takes the room that the rest needs, and that is told
			if outdated(i, a) && state.DeploymentOf(id) != "" {
				continue // a deployment still needs it, and says so
			}
			if i.Serving() || i.Condition.Over() || i.waitsForEver() {
				running++
			}
		}
		queued, waits := state.Queued(id, s.now)
		if running > size || running < size && !held && (!waits || len(queued.RejectedLast) == 0 && queued.Delay == 0 && anyAgent) {
			s.violated(nothingLost, "%s has %d of %d instances; it waits: %v, refused: %v",
				id, running, size, waits, queued.RejectedLast)
		}
	}
	for d := range state.Deployments() {
		for _, p := range state.Progress(d, s.now) {
			if !p.Done && (p.Reason == "" || p.Reason == nothingKnown) {
				s.violated(deploymentsEnd, "%s of %s goes on, and nothing says why", d.Plan.ID, p.App)
			}
		}
	}
}
