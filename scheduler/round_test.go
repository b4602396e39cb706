package scheduler

import (
	"fmt"
	"testing"
	"time"
)

// launchesOf counts the tasks that a step launched.
func launchesOf(e Effects) int {
	n := 0
	for _, call := range e.Calls {
		if accept, ok := call.(acceptCall); ok {
			n += len(accept.tasks)
		}
	}
	return n
}

// However much waits, a step launches so much at most; the rest follows at once. Each step fills some of the offers, so
// that what is offered is enough for as much as if all were launched at once.
func TestStepLaunchesNoMoreThanItMay(t *testing.T) {
	var many []*App
	for n := range 160 {
		many = append(many, app(PathID(fmt.Sprintf("/a%d", n)), 1))
	}
	for name, apps := range map[string][]*App{
		"one app":   {app("/a", 160)},
		"many apps": many,
	} {
		t.Run(name, func(t *testing.T) {
			limits := DefaultLimits()
			limits.Launches = 64
			core := NewCore(limits, NewState(), [32]byte{})
			now := time.Unix(1_700_000_000, 0)
			core.Step(now, Registered{FrameworkID: "f"})
			e := core.Step(now, put(apps...), OffersReceived{offers(40)})
			launched, steps := 0, 0
			for ; ; steps++ {
				n := launchesOf(e)
				if n > limits.Launches {
					t.Fatalf("step %d launches %d", steps, n)
				}
				launched += n
				if e.Wake.After(now) {
					break
				}
				if n == 0 {
					t.Fatalf("step %d launches nothing, and wants another one at once", steps)
				}
				e = core.Step(now)
			}
			for q := range core.State().Queue(now) {
				t.Errorf("%d of %s wait; %d are launched", q.Count, q.App.ID, launched)
			}
			if left := core.State().offers.len(); left > 0 {
				t.Errorf("%d offers are still held", left)
			}
		})
	}
}

// A status that comes in the middle of a large deployment is handled in the next step, and so is a request.
func TestNothingWaitsForLargeDeployment(t *testing.T) {
	core := NewCore(DefaultLimits(), NewState(), [32]byte{})
	now := time.Unix(1_700_000_000, 0)
	core.Step(now, Registered{FrameworkID: "f"})
	var apps []*App
	for n := range 500 {
		apps = append(apps, app(PathID(fmt.Sprintf("/a%d", n)), 10))
	}
	e := core.Step(now, put(apps...), OffersReceived{offers(1000)})
	var first TaskInfo
	for _, call := range e.Calls {
		if accept, ok := call.(acceptCall); ok {
			first = accept.tasks[0]
		}
	}
	if first.ID == "" || e.Wake.After(now) {
		t.Fatalf("launched %d, and the next step is at %v", launchesOf(e), e.Wake)
	}
	e = core.Step(now, StatusReceived{TaskStatus{TaskID: first.ID, AgentID: first.AgentID, State: TaskRunning, Ack: "1"}},
		put(app("/small", 1)))
	if i := e.State.Instance(InstanceIDOf(first.ID)); i.Condition != Running {
		t.Errorf("the task is %s", i.Condition)
	}
	if e.Replies[0].Err != nil || e.State.App("/small") == nil {
		t.Errorf("the request: %+v", e.Replies[0])
	}
	if e.Wake.After(now) {
		t.Error("the deployment was over before: this test shows nothing")
	}
}

// No app has to wait until a larger one before it has all its tasks.
func TestAppsShareWhatStepsLaunch(t *testing.T) {
	limits := DefaultLimits()
	limits.Launches = 10
	core := NewCore(limits, NewState(), [32]byte{})
	now := time.Unix(1_700_000_000, 0)
	core.Step(now, Registered{FrameworkID: "f"})
	core.Step(now, put(app("/large", 1000), app("/small", 3)), OffersReceived{offers(1000)})
	core.Step(now)
	if c := core.State().Counts("/small"); c.Staged != 3 {
		t.Fatalf("%+v", c)
	}
	if q, waits := core.State().Queued("/small", now); waits {
		t.Errorf("%d of the small app wait", q.Count)
	}
	if q, _ := core.State().Queued("/large", now); q.Count < 900 {
		t.Errorf("only %d of the large app wait: this test shows nothing", q.Count)
	}
}

// crowd is a core with apps that wait, and agents that offer the same again whenever nothing is offered any more.
type crowd struct {
	core     *Core
	now      time.Time
	agents   int
	room     float64 // CPUs of each
	paced    int     // so many tasks begin to run in a step; 0: all
	starting []TaskID
	serial   int
}

func newCrowd(c crowd, apps ...*App) *crowd {
	c.core, c.now = NewCore(DefaultLimits(), NewState(), [32]byte{1}), time.Unix(1_700_000_000, 0)
	c.core.Step(c.now, Registered{FrameworkID: "f"})
	c.core.Step(c.now, put(apps...))
	return &c
}

// step hands the core what happened, and then offers.
func (c *crowd) step(events ...Event) {
	c.now = c.now.Add(time.Second)
	for n, id := range c.starting {
		if n == c.paced && c.paced > 0 {
			break
		}
		events = append(events, StatusReceived{TaskStatus{TaskID: id, State: TaskRunning, Timestamp: c.now}})
		c.starting = c.starting[1:]
	}
	c.follow(c.core.Step(c.now, events...))
	if c.core.State().offers.len() > 0 {
		return
	}
	all := offers(c.agents)
	for n := range all {
		c.serial++
		all[n].ID, all[n].Resources.CPUs = OfferID(fmt.Sprint(c.serial)), c.room
	}
	c.follow(c.core.Step(c.now, OffersReceived{all}))
}

func (c *crowd) follow(e Effects) {
	for _, call := range e.Calls {
		if accept, ok := call.(acceptCall); ok {
			for _, task := range accept.tasks {
				c.starting = append(c.starting, task.ID)
			}
		}
	}
}

// waiting counts an app's instances that wait.
func (c *crowd) waiting(id PathID) int {
	q, _ := c.core.State().Queued(id, c.now)
	return q.Count
}

// An app that comes while a large one is being deployed is launched soon after, however little is offered, and
// whichever id it has: the large one does not get everything for as long as it can use it.
func TestNewAppIsNotHeldUpByLargeOne(t *testing.T) {
	for name, test := range map[string]struct {
		crowd
		within int // steps
	}{
		"few agents, with room for some": {crowd{agents: 4, room: 1.6}, 1},
		"few agents, with much room":     {crowd{agents: 4, room: 64}, 1},
		"many agents":                    {crowd{agents: 500, room: 64}, 1},
		"one machine":                    {crowd{agents: 1, room: 3.2}, 1},
		"a slow master":                  {crowd{agents: 500, room: 64, paced: 100}, 10}, // it takes 512 tasks in 5 steps
	} {
		for _, id := range []PathID{"/before", "/small"} {
			t.Run(name+string(id), func(t *testing.T) {
				c := newCrowd(test.crowd, app("/big", 10_000))
				for range 8 {
					c.step()
				}
				c.step(put(app(id, 1)))
				for n := 0; c.waiting(id) > 0; n++ {
					if n == test.within {
						t.Fatalf("it waits after %d steps", n)
					}
					c.step()
				}
				if left := c.waiting("/big"); left < 1000 {
					t.Errorf("only %d of the large app wait: this test shows nothing", left)
				}
			})
		}
	}
}

// Where there is not enough for all, each app that waits is the first in its turn, also one that needs a whole offer.
func TestAppsTakeTurns(t *testing.T) {
	var apps []*App
	for n := range 10 {
		apps = append(apps, app(PathID(fmt.Sprintf("/a%d", n)), 1000, func(a *App) {
			switch a.CPUs = 0.3; n {
			case 3:
				a.CPUs = 3.2
			case 4:
				a.CPUs = 0.1 // which the others leave
			case 5:
				a.CPUs = 1000 // of which there is none
			}
		}))
	}
	c := newCrowd(crowd{agents: 1, room: 3.2}, apps...)
	for range 3 * len(apps) {
		c.step()
	}
	for n, a := range apps {
		if launched := 1000 - c.waiting(a.ID); launched == 0 != (n == 5) {
			t.Errorf("%d of %s are launched", launched, a.ID)
		}
	}
}

// An offer is declined when every app has looked at it, and an app that came too late for that has offers asked for.
func TestOffersAreNotHeldForEver(t *testing.T) {
	limits := DefaultLimits()
	limits.Looks = 1 // one app a step
	core := NewCore(limits, NewState(), [32]byte{})
	now := time.Unix(1_700_000_000, 0)
	core.Step(now, Registered{FrameworkID: "f"})
	tooBig := func(a *App) { a.CPUs = 1000 }
	of := func(e Effects) (declined int, revived bool) {
		for _, call := range e.Calls {
			switch call.(type) {
			case declineCall:
				declined++
			case reviveCall:
				revived = true
			}
		}
		return declined, revived
	}
	core.Step(now, put(app("/b", 1, tooBig), app("/c", 1, tooBig), app("/d", 1, tooBig)), OffersReceived{offers(3)})
	late := offers(4)[3:]
	core.Step(now, put(app("/a", 1)), OffersReceived{late})
	e := core.Step(now)
	if declined, revived := of(e); declined != 3 || !revived {
		t.Errorf("after the round: declined %d of 3, revived %v", declined, revived)
	}
	e = core.Step(now)
	if launchesOf(e) != 1 {
		t.Errorf("the app that came late: %d launched", launchesOf(e))
	}
	for n := 0; !e.Wake.After(now); n++ {
		if n > 10 {
			t.Fatal("it does not come to an end")
		}
		e = core.Step(now)
	}
	if left := core.State().offers.len(); left > 0 {
		t.Errorf("%d offers are still held", left)
	}
}

// Apps and timers that a step leaves are taken up in the next ones.
func TestStepLeavesWork(t *testing.T) {
	limits := DefaultLimits()
	limits.Changes = 5
	core := NewCore(limits, NewState(), [32]byte{})
	now := time.Unix(1_700_000_000, 0)
	core.Step(now, Registered{FrameworkID: "f"})
	var apps []*App
	for n := range 20 {
		apps = append(apps, app(PathID(fmt.Sprintf("/a%02d", n)), 3))
	}
	e := core.Step(now, put(apps...))
	if _, ok := e.Replies[0].Value.(*Deployed); !ok {
		t.Fatalf("%+v", e.Replies[0])
	}
	for n := 0; !e.Wake.After(now); n++ {
		if len(e.Changed) > limits.Changes+2 {
			t.Fatalf("a step changes %d instances", len(e.Changed))
		}
		if n > 100 {
			t.Fatal("it does not come to an end")
		}
		e = core.Step(now)
	}
	if _, queued := core.State().Queued("/a19", now); !queued {
		t.Error("the last app was forgotten")
	}
}
