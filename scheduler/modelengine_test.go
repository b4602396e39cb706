package scheduler

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// modelAgent is a machine. One that is away is not heard of; its tasks may go on running.
type modelAgent struct {
	offer    Offer // what it has, with no offer id
	declined bool
	until    time.Time // it is offered again
	offered  OfferID
	away     bool
}

// modelTask is a task as it really is, which the core may or may not know.
type modelTask struct {
	info  TaskInfo
	state TaskState
}

// addAgents gives the cluster agents with these resources, in three racks and two zones.
func (c *cluster) addAgents(count int, each Resources) {
	for range count {
		n := len(c.agents)
		id := AgentID(fmt.Sprintf("agent-S%03d", n))
		c.agents[id] = &modelAgent{offer: Offer{AgentID: id, Hostname: fmt.Sprintf("host%d", n),
			Address:    netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}),
			Attributes: map[string]string{"rack": fmt.Sprintf("rack-%d", n%3)}, Zone: fmt.Sprintf("z%d", n%2),
			Resources: each}}
	}
}

// Run and the methods after it make the cluster an Engine.
func (c *cluster) Run(context.Context, string, chan<- Event) error { return nil }

// lost says whether a call does not get to the engine.
func (c *cluster) lost() bool {
	if c.deaf > 0 {
		c.deaf--
		return true
	}
	return c.cut
}

func (c *cluster) Accept(id OfferID, tasks []TaskInfo) {
	offer, ok := c.offers[id]
	for _, task := range tasks {
		c.checkLaunch(offer, task)
	}
	if c.lost() {
		return // the engine still holds the offer open; it is rescinded when the engine is heard of again
	}
	delete(c.offers, id)
	agent := c.agents[offer.AgentID]
	for _, task := range tasks {
		if !ok || agent == nil || agent.away {
			c.status(task.ID, task.AgentID, TaskDropped)
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

func (c *cluster) Decline(id OfferID, refuse time.Duration) {
	if c.lost() {
		return
	}
	if a := c.agents[c.offers[id].AgentID]; a != nil && a.offered == id {
		a.offered, a.declined, a.until = "", true, c.now.Add(refuse)
	}
	delete(c.offers, id)
}

func (c *cluster) Revive() {
	if c.lost() {
		return
	}
	for _, a := range c.agents {
		a.declined = false
	}
	c.offerAll()
}

func (c *cluster) Kill(ref TaskRef) {
	if c.discovery[ref.TaskID] {
		c.violated(unpublishedFirst, "%s is killed while it is in discovery", ref.TaskID)
	}
	if c.lost() {
		return
	}
	switch task := c.tasks[ref.TaskID]; {
	case task == nil:
		c.status(ref.TaskID, ref.AgentID, TaskUnknown)
	case c.agents[task.info.AgentID].away:
		c.status(ref.TaskID, task.info.AgentID, TaskUnreachable)
	case c.stubborn:
		c.status(ref.TaskID, task.info.AgentID, TaskKilling)
	default:
		c.move(ref.TaskID, TaskKilled)
	}
}

func (c *cluster) Reconcile(refs []TaskRef) {
	if c.lost() {
		return
	}
	for _, ref := range refs {
		switch task, agent := c.tasks[ref.TaskID], c.agents[ref.AgentID]; {
		case task == nil && agent != nil && !agent.away:
			c.reconciled(ref.TaskID, ref.AgentID, TaskGone)
		case task == nil:
			c.reconciled(ref.TaskID, ref.AgentID, TaskUnknown)
		case c.agents[task.info.AgentID].away:
			c.reconciled(ref.TaskID, ref.AgentID, TaskUnreachable)
		default:
			c.reconciled(ref.TaskID, ref.AgentID, task.state)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		isIt := func(ref TaskRef) bool { return ref.TaskID == id }
		if agent := c.tasks[id].info.AgentID; !slices.ContainsFunc(refs, isIt) && !c.agents[agent].away {
			c.reconciled(id, agent, c.tasks[id].state)
		}
	}
}

func (c *cluster) Acknowledge(s TaskStatus) {
	if s.State.Terminal() {
		c.checkAcknowledged(s)
	}
}

// status sends an update, which is to be acknowledged.
func (c *cluster) status(id TaskID, agent AgentID, state TaskState) {
	c.tellStatus(TaskStatus{TaskID: id, AgentID: agent, State: state, Timestamp: c.now, Ack: "x"})
}

// reconciled sends an answer to Reconcile, which is not.
func (c *cluster) reconciled(id TaskID, agent AgentID, state TaskState) {
	c.tellStatus(TaskStatus{TaskID: id, AgentID: agent, State: state, Timestamp: c.now, Reason: "REASON_RECONCILIATION"})
}

func (c *cluster) tellStatus(status TaskStatus) {
	s := StatusReceived{status}
	switch {
	case c.cut:
	case c.hold:
		c.held = append(c.held, s)
	default:
		c.send(s)
	}
	c.said = append(c.said, s)
}

// move changes a task's state; a task that ended frees its resources.
func (c *cluster) move(id TaskID, state TaskState) {
	task := c.tasks[id]
	task.state = state
	if !c.agents[task.info.AgentID].away {
		c.status(id, task.info.AgentID, state)
	}
	if state.Terminal() {
		delete(c.tasks, id)
		c.agents[task.info.AgentID].declined = false
		c.offerAll()
	}
}

// vanish ends a task without a word of it.
func (c *cluster) vanish(id TaskID) {
	c.agents[c.tasks[id].info.AgentID].declined = false
	delete(c.tasks, id)
}

// leave takes an agent away, with its tasks, which go on.
func (c *cluster) leave(a *modelAgent) {
	if a.away {
		return
	}
	a.away = true
	if a.offered != "" {
		delete(c.offers, a.offered)
		c.sendUnlessCut(OfferRescinded{a.offered})
		a.offered, a.declined = "", false
	}
	c.sendUnlessCut(AgentLost{a.offer.AgentID})
	for _, id := range c.tasksOn(a) {
		c.status(id, a.offer.AgentID, TaskUnreachable)
	}
}

// comeBack brings an agent back: with its tasks, or after a reboot without them.
func (c *cluster) comeBack(a *modelAgent, rebooted bool) {
	if !a.away {
		return
	}
	a.away = false
	for _, id := range c.tasksOn(a) {
		if rebooted {
			c.move(id, TaskGone)
		} else {
			c.status(id, a.offer.AgentID, c.tasks[id].state)
		}
	}
	c.offerAll()
}

// disconnect cuts the engine off: no call and no event gets through.
func (c *cluster) disconnect() {
	if c.cut {
		return
	}
	c.send(Disconnected{})
	c.cut = true
	c.withdrawOffers()
}

func (c *cluster) reconnect() {
	if !c.cut {
		return
	}
	c.cut = false
	c.send(Registered{FrameworkID: c.core.State().FrameworkID, Master: c.master})
	c.offerAll()
}

func (c *cluster) withdrawOffers() {
	c.offers = map[OfferID]Offer{}
	for _, a := range c.agents {
		a.offered, a.declined = "", false
	}
}

func (c *cluster) sendUnlessCut(e Event) {
	if !c.cut {
		c.send(e)
	}
}

func (c *cluster) tasksOn(a *modelAgent) []TaskID {
	var out []TaskID
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		if c.tasks[id].info.AgentID == a.offer.AgentID {
			out = append(out, id)
		}
	}
	return out
}

func (c *cluster) free(a *modelAgent) Resources {
	r := a.offer.Resources
	for _, id := range c.tasksOn(a) {
		used := c.tasks[id].info.Resources
		r.CPUs -= used.CPUs
		r.Mem -= used.Mem
		r.Disk -= used.Disk
		for _, p := range used.Ports {
			for port := p.Begin; port <= p.End; port++ {
				r.Ports = r.Ports.Without(port)
			}
		}
	}
	return r
}

func (c *cluster) offerAll() {
	if c.cut {
		return
	}
	var offers []Offer
	for _, id := range slices.Sorted(maps.Keys(c.agents)) {
		a := c.agents[id]
		if a.offered != "" || a.declined && c.now.Before(a.until) || a.away {
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
