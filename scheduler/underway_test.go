package scheduler

import (
	"testing"
	"time"
)

// slowCluster is a cluster whose master takes launches only when it is told to.
type slowCluster struct {
	t      *testing.T
	core   *Core
	limits Limits
	now    time.Time
	wake   time.Time
	sent   []TaskID // accepted by the engine, in this order
	killed []TaskID
	others int // calls that give offers back or ask for them
}

func newSlowCluster(t *testing.T, agents int, a *App) *slowCluster {
	c := &slowCluster{t: t, limits: DefaultLimits(), now: time.Unix(1e9, 0)}
	c.limits.Launches, c.limits.Underway = 2, 3
	c.core = NewCore(c.limits, NewState(), [32]byte{1})
	c.step(Registered{FrameworkID: "f", Master: "m"}, put(a))
	c.others = 0
	c.offer(agents)
	return c
}

func (c *slowCluster) offer(agents int) {
	var offers []Offer
	for n := range agents {
		id := string(rune('a' + n))
		offers = append(offers, Offer{ID: OfferID(id + c.now.String()), AgentID: AgentID(id), Hostname: id,
			Resources: Resources{CPUs: 8, Mem: 1000, Ports: PortRange{{1000, 2000}}}})
	}
	c.step(OffersReceived{offers})
}

// step steps, and on for as long as the core wants to at once.
func (c *slowCluster) step(events ...Event) {
	c.t.Helper()
	for n := 0; ; n++ {
		e := c.core.Step(c.now, events...)
		for _, call := range e.Calls {
			switch call := call.(type) {
			case acceptCall:
				for _, task := range call.tasks {
					c.sent = append(c.sent, task.ID)
				}
			case killCall:
				c.killed = append(c.killed, call.task.TaskID)
			case declineCall, suppressCall:
				c.others++
			}
		}
		c.wake, events = e.Wake, nil
		if c.wake.IsZero() || c.wake.After(c.now) {
			return
		}
		if n > 100 {
			c.t.Fatal("the core steps without end")
		}
	}
}

// later lets time pass, with what becomes due in it.
func (c *slowCluster) later(d time.Duration) {
	c.t.Helper()
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = end
		if !c.wake.IsZero() && c.wake.Before(end) {
			c.now = c.wake
		}
		c.step()
	}
}

// Decisions do not run ahead of what is heard of them: the rest waits, and so do the offers.
func TestLaunchesWaitForTheEngine(t *testing.T) {
	c := newSlowCluster(t, 20, app("/a", 10))
	// With two a step, the third step of three is not made.
	if len(c.sent) != 4 {
		t.Fatalf("%d launches are decided, not 4", len(c.sent))
	}
	if c.others > 0 {
		t.Errorf("%d offers given back", c.others)
	}
	running := func(task TaskID) StatusReceived {
		return StatusReceived{TaskStatus{TaskID: task, AgentID: "a", State: TaskRunning}}
	}
	c.step(running(c.sent[0]))
	if len(c.sent) != 4 {
		t.Errorf("%d launches while nothing is heard of 3", len(c.sent))
	}
	c.step(running(c.sent[1]))
	if len(c.sent) != 6 {
		t.Errorf("%d launches are decided, not 6", len(c.sent))
	}
	// Tasks that take long to start do not keep others from being launched for ever.
	c.step(LaunchesSent{c.sent})
	c.later(c.limits.FirstStatusWithin - time.Second)
	if len(c.sent) != 6 {
		t.Errorf("%d launches while nothing is heard of 4", len(c.sent))
	}
	c.later(2 * time.Second)
	c.step(LaunchesSent{c.sent})
	c.later(c.limits.FirstStatusWithin + time.Second)
	if len(c.sent) != 10 {
		t.Errorf("%d launches are decided, not 10", len(c.sent))
	}
	c.step(LaunchesSent{c.sent})
	if _, _, left := c.core.State().offers.draft().first(); left {
		t.Error("offers are kept that nobody wants")
	}
}

// What was never sent, or is over, keeps nothing from being launched.
func TestLaunchesThatAreOverAreNotWaitedFor(t *testing.T) {
	for name, end := range map[string]func(*slowCluster){
		"disconnected": func(c *slowCluster) {
			c.step(Disconnected{})
			c.step(Registered{FrameworkID: "f", Master: "m"})
			for _, task := range c.sent {
				c.step(StatusReceived{TaskStatus{TaskID: task, State: TaskUnknown, Reason: "REASON_RECONCILIATION"}})
			}
		},
		"dropped": func(c *slowCluster) {
			for _, task := range c.sent {
				c.step(StatusReceived{TaskStatus{TaskID: task, State: TaskDropped, Reason: ReasonMasterDisconnected}})
			}
		},
		"removed": func(c *slowCluster) {
			c.step(remove("/a"))
			for _, task := range c.sent {
				c.step(StatusReceived{TaskStatus{TaskID: task, State: TaskKilled}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSlowCluster(t, 20, app("/a", 4))
			before := len(c.sent)
			end(c)
			c.step(put(app("/b", 1)))
			c.offer(20)
			if len(c.sent) == before {
				t.Error("nothing is launched any more")
			}
		})
	}
}

// A launch that waits for its turn is not late; one that was sent, and of which nothing is heard, is.
func TestLaunchTimeoutBeginsWhenSent(t *testing.T) {
	c := newSlowCluster(t, 3, app("/a", 1))
	c.later(2 * c.limits.LaunchTimeout)
	if len(c.killed) > 0 {
		t.Fatalf("%v was killed before it was launched", c.killed)
	}
	c.step(LaunchesSent{c.sent})
	c.later(c.limits.LaunchTimeout - time.Second)
	if len(c.killed) > 0 {
		t.Fatalf("%v was killed too early", c.killed)
	}
	c.later(2 * time.Second)
	if len(c.killed) != 1 {
		t.Errorf("%v was killed, not %v", c.killed, c.sent)
	}
}
