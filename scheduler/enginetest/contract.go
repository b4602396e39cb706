package enginetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rollcall/scheduler"
)

// Subject is a cluster of two agents or more, on which processes can be run, and the engines for it.
type Subject struct {
	// Open returns an engine for the cluster, as each process of rollcall has one. The engine before it has ended. It
	// repeats statuses that are not acknowledged within some tenths of a second.
	Open func(t *testing.T) scheduler.Engine
	// FrameworkID is what the engine is run with at first; "" where the cluster gives an id.
	FrameworkID string
}

// Test runs the contract, each test on a cluster of its own.
func Test(t *testing.T, cluster func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"registers with the id that it was given":        registers,
		"tells how tasks end":                            tellsEnds,
		"repeats what is not acknowledged":               repeats,
		"an offer is used up by one answer":              offersAreUsedOnce,
		"what a task leaves of an offer comes back":      restComesBack,
		"what does not fit is answered, the rest runs":   tooLarge,
		"each launch is told of":                         tellsOfLaunches,
		"a declined agent is not offered before Revive":  declines,
		"Revive ends Suppress":                           suppresses,
		"a kill gives the grace that the task has":       killsWithGrace,
		"a kill of what is not known is answered":        killsStrangers,
		"reconciliation tells of every task":             reconciles,
		"tasks outlive the engine, and their end is not": outlives,
		"calls that cannot be made are dropped":          dropsCalls,
	} {
		t.Run(name, func(t *testing.T) { test(t, cluster(t)) })
	}
}

func registers(t *testing.T, s Subject) {
	first := open(t, s, s.FrameworkID)
	if first.registered.FrameworkID == "" || s.FrameworkID != "" && first.registered.FrameworkID != s.FrameworkID {
		t.Errorf("registered %+v", first.registered)
	}
	first.stop()
	second := open(t, s, first.registered.FrameworkID)
	if second.registered.FrameworkID != first.registered.FrameworkID || second.registered.Anew {
		t.Errorf("registered %+v, then %+v", first.registered, second.registered)
	}
}

func tellsEnds(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	for n, c := range []struct {
		command string
		want    scheduler.TaskState
	}{
		{`[ "$GREETING" = hello ]`, scheduler.TaskFinished}, {"exit 3", scheduler.TaskFailed}, {"kill -9 $$", scheduler.TaskFailed},
	} {
		id := scheduler.TaskID(fmt.Sprintf("task%d", n))
		agent := d.launch(scheduler.TaskInfo{ID: id, Shell: c.command, Env: map[string]string{"GREETING": "hello"}})
		ended := d.status(id, scheduler.TaskState.Terminal)
		if ended.State != c.want || ended.AgentID != agent || ended.Timestamp.IsZero() || ended.Message == "" || ended.Ack == "" {
			t.Errorf("%s: %+v, want %s", c.command, ended, c.want)
		}
		running := false
		for _, seen := range d.seen[id][:len(d.seen[id])-1] {
			running = running || seen.State == scheduler.TaskRunning
			if seen.State.Terminal() {
				t.Errorf("%s: ended more than once: %+v", c.command, d.seen[id])
			}
		}
		if !running {
			t.Errorf("%s: never ran: %+v", c.command, d.seen[id])
		}
	}
}

func repeats(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	d.mute = true
	d.launch(scheduler.TaskInfo{ID: "a", Shell: "sleep 1000"})
	// Which of them is repeated depends on whether the engine waits with the next one, or lets it take its place.
	heard := map[string]scheduler.TaskStatus{}
	again := d.status("a", nil)
	for ; heard[again.Ack].Ack == ""; again = d.status("a", nil) {
		if again.Ack == "" {
			t.Fatalf("%+v cannot be acknowledged", again)
		}
		heard[again.Ack] = again
	}
	if first := heard[again.Ack]; again.State != first.State {
		t.Errorf("%+v, then %+v", first, again)
	}
	// Once it is acknowledged, it is not said again; what comes after it is.
	d.mute = false
	d.engine.Acknowledge(again)
	if again.State != scheduler.TaskRunning {
		d.status("a", is(scheduler.TaskRunning))
	}
	d.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	d.status("a", scheduler.TaskState.Terminal)
}

func offersAreUsedOnce(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	offer := d.offer(nil)
	d.accept(offer, scheduler.TaskInfo{ID: "a", Shell: "sleep 1000"})
	d.accept(offer, scheduler.TaskInfo{ID: "b", Shell: "sleep 1000"}, scheduler.TaskInfo{ID: "c", Shell: "sleep 1000"})
	d.accept(scheduler.Offer{ID: "no-such-offer", AgentID: offer.AgentID}, scheduler.TaskInfo{ID: "d", Shell: "sleep 1000"})
	for _, id := range []scheduler.TaskID{"b", "c", "d"} {
		if got := d.status(id, nil); got.State != scheduler.TaskDropped || got.Ack != "" {
			t.Errorf("%s on an offer that was used: %+v", id, got)
		}
	}
	d.status("a", is(scheduler.TaskRunning))

	offer = d.offer(nil)
	d.engine.Decline(offer.ID, time.Hour)
	d.accept(offer, scheduler.TaskInfo{ID: "e", Shell: "sleep 1000"})
	if got := d.status("e", nil); got.State != scheduler.TaskDropped {
		t.Errorf("on an offer that was declined: %+v", got)
	}
}

func restComesBack(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	before := d.offer(nil)
	if before.Resources.CPUs < 0.1 || before.Resources.Ports.Len() == 0 || !before.Address.IsValid() || before.Hostname == "" {
		t.Fatalf("offered %+v", before)
	}
	port := before.Resources.Ports[0].Begin
	d.accept(before, scheduler.TaskInfo{ID: "a", Shell: "sleep 1000", Resources: scheduler.Resources{CPUs: 0.1, Mem: 32,
		Ports: scheduler.PortRange{{Begin: port, End: port}}}})
	ofAgent := func(o scheduler.Offer) bool { return o.AgentID == before.AgentID }
	after := d.offer(ofAgent)
	if got := before.Resources.CPUs - after.Resources.CPUs; got < 0.099 || got > 0.101 || after.Resources.Ports.Contains(port) ||
		after.Resources.Mem != before.Resources.Mem-32 {
		t.Errorf("offered %+v, then %+v", before.Resources, after.Resources)
	}
	d.engine.Decline(after.ID, 0)
	d.engine.Kill(scheduler.TaskRef{TaskID: "a", AgentID: before.AgentID})
	d.status("a", scheduler.TaskState.Terminal)
	d.offer(func(o scheduler.Offer) bool {
		all := ofAgent(o) && o.Resources.CPUs > before.Resources.CPUs-0.001 && o.Resources.Ports.Contains(port)
		if !all {
			d.engine.Decline(o.ID, 0)
		}
		return all
	})
}

func tooLarge(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	offer := d.offer(nil)
	all := offer.Resources
	taken := scheduler.PortRange{{Begin: 1, End: 1}}
	d.accept(offer,
		scheduler.TaskInfo{ID: "cpus", Shell: "sleep 1000", Resources: scheduler.Resources{CPUs: all.CPUs + 1}},
		scheduler.TaskInfo{ID: "port", Shell: "sleep 1000", Resources: scheduler.Resources{CPUs: 0.1, Ports: taken}},
		scheduler.TaskInfo{ID: "small", Shell: "sleep 1000", Resources: scheduler.Resources{CPUs: 0.1, Mem: 32}},
		scheduler.TaskInfo{ID: "rest", Shell: "sleep 1000", Resources: scheduler.Resources{CPUs: all.CPUs}})
	for _, id := range []scheduler.TaskID{"cpus", "port", "rest"} {
		if got := d.status(id, nil); got.State != scheduler.TaskError || got.Message == "" || got.Ack != "" {
			t.Errorf("%s: %+v", id, got)
		}
	}
	d.status("small", is(scheduler.TaskRunning))
}

// Of a launch a status tells, or that it was sent: schedulers wait for one of the two before they decide on more.
func tellsOfLaunches(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	offer := d.offer(nil)
	d.accept(offer, scheduler.TaskInfo{ID: "a", Shell: "sleep 1000"},
		scheduler.TaskInfo{ID: "too-large", Shell: "sleep 1000", Resources: scheduler.Resources{CPUs: offer.Resources.CPUs + 1}})
	for _, id := range []scheduler.TaskID{"a", "too-large"} {
		for !slices.Contains(d.sent, id) && len(d.seen[id]) == 0 {
			d.take()
		}
	}
}

func declines(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	declined := d.offer(nil)
	d.engine.Decline(declined.ID, time.Hour)
	other := d.offer(func(o scheduler.Offer) bool { return o.AgentID != declined.AgentID })
	// By the time that a task of the other agent has ended, and its resources are offered again, so would this one's be.
	d.accept(other, scheduler.TaskInfo{ID: "a", Shell: "true"})
	d.status("a", scheduler.TaskState.Terminal)
	d.offer(func(o scheduler.Offer) bool {
		if o.AgentID == declined.AgentID {
			t.Error("an agent is offered that was declined for an hour")
		}
		return o.AgentID == other.AgentID
	})
	d.engine.Revive()
	d.offer(func(o scheduler.Offer) bool { return o.AgentID == declined.AgentID })
}

func suppresses(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	d.engine.Decline(d.offer(nil).ID, time.Hour)
	d.engine.Decline(d.offer(nil).ID, time.Hour)
	d.engine.Suppress()
	d.engine.Revive()
	d.offer(nil)
}

func killsWithGrace(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	grace := time.Hour
	d.launch(scheduler.TaskInfo{ID: "obedient", Shell: "trap 'exit 7' TERM; while :; do sleep 0.02; done", Kill: &grace})
	d.status("obedient", is(scheduler.TaskRunning))
	d.engine.Kill(scheduler.TaskRef{TaskID: "obedient"})
	if got := d.status("obedient", scheduler.TaskState.Terminal); got.State != scheduler.TaskKilled {
		t.Errorf("ended with %+v", got)
	}
	short := 50 * time.Millisecond
	d.launch(scheduler.TaskInfo{ID: "deaf", Shell: "trap '' TERM; while :; do sleep 0.02; done", Kill: &short})
	d.status("deaf", is(scheduler.TaskRunning))
	d.engine.Kill(scheduler.TaskRef{TaskID: "deaf"})
	if got := d.status("deaf", scheduler.TaskState.Terminal); got.State != scheduler.TaskKilled {
		t.Errorf("deaf: ended with %+v", got)
	}
}

func killsStrangers(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	agent := d.offer(nil).AgentID
	d.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	d.status("a", scheduler.TaskState.Terminal)
	d.engine.Kill(scheduler.TaskRef{TaskID: "b", AgentID: agent})
	d.status("b", scheduler.TaskState.Terminal)
}

func reconciles(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	agents := map[scheduler.TaskID]scheduler.AgentID{}
	for _, id := range []scheduler.TaskID{"listed", "not-listed"} {
		agents[id] = d.launch(scheduler.TaskInfo{ID: id, Shell: "sleep 1000"})
		d.status(id, is(scheduler.TaskRunning))
	}
	clear(d.seen)
	d.engine.Reconcile([]scheduler.TaskRef{{TaskID: "listed", AgentID: agents["listed"]}, {TaskID: "stranger", AgentID: agents["listed"]},
		{TaskID: "no-agent"}})
	for _, id := range []scheduler.TaskID{"listed", "not-listed"} {
		if got := d.status(id, nil); got.State != scheduler.TaskRunning || got.AgentID != agents[id] {
			t.Errorf("%s: %+v", id, got)
		}
	}
	for _, id := range []scheduler.TaskID{"stranger", "no-agent"} {
		if got := d.status(id, nil); !got.State.Terminal() || got.Reason != "REASON_RECONCILIATION" {
			t.Errorf("%s: %+v", id, got)
		}
	}
}

func outlives(t *testing.T, s Subject) {
	d := open(t, s, s.FrameworkID)
	file := t.TempDir() + "/end"
	d.launch(scheduler.TaskInfo{ID: "ends", Shell: "while ! [ -e " + file + " ]; do sleep 0.02; done; exit 4"})
	d.launch(scheduler.TaskInfo{ID: "runs", Shell: "sleep 1000"})
	d.status("ends", is(scheduler.TaskRunning))
	d.status("runs", is(scheduler.TaskRunning))
	d.stop()
	touch(t, file)
	next := open(t, s, d.registered.FrameworkID)
	next.engine.Reconcile([]scheduler.TaskRef{{TaskID: "ends"}, {TaskID: "runs"}})
	next.status("runs", is(scheduler.TaskRunning))
	if got := next.status("ends", scheduler.TaskState.Terminal); got.State != scheduler.TaskFailed {
		t.Errorf("ended while nobody was there: %+v", got)
	}
	// What was said and acknowledged is over: a later engine hears of it no more than by asking.
	next.engine.Kill(scheduler.TaskRef{TaskID: "runs"})
	if got := next.status("runs", scheduler.TaskState.Terminal); got.State != scheduler.TaskKilled {
		t.Errorf("killed by the next engine: %+v", got)
	}
}

func dropsCalls(t *testing.T, s Subject) {
	engine := s.Open(t)
	calls := func() {
		engine.Accept("o", []scheduler.TaskInfo{{ID: "a", AgentID: "s", Shell: "true"}})
		engine.Decline("o", time.Hour)
		engine.Revive()
		engine.Suppress()
		engine.Kill(scheduler.TaskRef{TaskID: "a"})
		engine.Reconcile([]scheduler.TaskRef{{TaskID: "a"}})
		engine.Acknowledge(scheduler.TaskStatus{TaskID: "a", Ack: "AAAAAAAAAAAAAAAAAAAAAA=="})
	}
	calls() // before it runs
	d := run(t, engine, s.FrameworkID)
	d.offer(nil)
	d.stop()
	calls() // after it has run
}
