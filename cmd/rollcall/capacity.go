package main

import (
	"sync"

	"rollcall/scheduler"
	"rollcall/scheduler/api"
	"rollcall/scheduler/mesos"
)

// capacities are what the agents of a Mesos cluster have, as its master tells. They are kept apart from the names: who
// asks for them does not wait for a host name to be looked up. Methods may be called from any goroutine.
type capacities struct {
	mu     sync.Mutex
	totals map[string]mesos.Total // by agent
}

var _ api.Capacities = (*capacities)(nil)

// reset forgets all agents but these.
func (c *capacities) reset(agents []mesos.Agent) {
	c.mu.Lock()
	c.totals = nil
	c.mu.Unlock()
	c.apply(agents, nil)
}

func (c *capacities) apply(agents []mesos.Agent, gone []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.totals == nil {
		c.totals = map[string]mesos.Total{}
	}
	for _, id := range gone {
		delete(c.totals, id)
	}
	for _, a := range agents {
		c.totals[a.ID] = a.Total
	}
}

// Capacity implements api.Capacities.
func (c *capacities) Capacity(id scheduler.AgentID) (scheduler.Resources, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.totals[string(id)]
	return scheduler.Resources{CPUs: t.CPUs, Mem: t.Mem, Disk: t.Disk}, t != mesos.Total{}
}
