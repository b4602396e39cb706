package main

import (
	"net/netip"
	"strconv"

	"rollcall/records"
	"rollcall/scheduler"
	"rollcall/scheduler/mesos"
)

// sourceScheduler is what the zone knows the scheduler's own tasks by.
const sourceScheduler = "scheduler"

// names keeps a zone up to date with the scheduler's tasks, told in the words in which a Mesos master's state would
// tell Mesos-DNS of them. Its methods are called by the scheduler's loop only.
type names struct {
	zone      *records.Zone
	framework string
	self      netip.AddrPort // where the API is reached: the framework's address, and the leader's
	leads     bool           // the scheduler goes by the names of the masters: there are no others
	told      map[scheduler.InstanceID]scheduler.TaskID
	state     *scheduler.State // the one the zone was last told of; nil before the first
}

var _ scheduler.Observer = (*names)(nil)

func newNames(zone *records.Zone, framework string, self netip.AddrPort, leads bool) *names {
	zone.Expect(sourceScheduler)
	return &names{zone: zone, framework: framework, self: self, leads: leads, told: map[scheduler.InstanceID]scheduler.TaskID{}}
}

// Withdraw takes instances out of the zone: when it returns no answer holds them.
func (n *names) Withdraw(state *scheduler.State, ids []scheduler.InstanceID) {
	n.tell(state, ids)
}

// Publish brings the zone up to date with what changed.
func (n *names) Publish(state *scheduler.State, changed []scheduler.InstanceID, _ []scheduler.Notice) {
	n.tell(state, changed)
}

func (n *names) tell(state *scheduler.State, changed []scheduler.InstanceID) {
	var u records.Update
	first := n.state == nil
	if first {
		u.Reset = true // of what the leader before had said
		u.Frameworks = []records.Framework{{Name: n.framework, Addrs: []netip.Addr{n.self.Addr()}, Port: int(n.self.Port())}}
		if n.leads {
			u.Masters = &records.Masters{Leader: n.self, All: []netip.AddrPort{n.self}}
		}
	}
	if first || !state.SameAgents(n.state) {
		for a := range state.Agents() {
			u.Agents = append(u.Agents, records.Agent{ID: string(a.ID), Addrs: []netip.Addr{a.Address}})
		}
	}
	n.state = state
	for _, id := range changed {
		i := state.Instance(id)
		if before, ok := n.told[id]; ok && (i == nil || !i.Serving() || i.TaskID() != before) {
			u.TasksGone = append(u.TasksGone, string(before))
			delete(n.told, id)
		}
		if i != nil && i.Serving() {
			n.told[id] = i.TaskID()
			u.Tasks = append(u.Tasks, n.task(i))
			if state.Agent(i.AgentID) == nil { // adopted from the store, no offer seen yet
				u.Agents = append(u.Agents, records.Agent{ID: string(i.AgentID), Addrs: []netip.Addr{i.Address}})
			}
		}
	}
	if first || u.Agents != nil || u.Tasks != nil || u.TasksGone != nil {
		n.zone.Update(sourceScheduler, u)
	}
}

// task is an instance's task as the zone sees it.
func (n *names) task(i *scheduler.Instance) records.Task {
	t := records.Task{
		ID: string(i.TaskID()), Name: i.AppID.Hostname(), Framework: n.framework, AgentID: string(i.AgentID),
		State: string(i.TaskState()), Addresses: records.Addresses{NetInfo: i.Addresses},
		Discovery: &records.Discovery{Name: i.AppID.Hostname()},
	}
	if i.App != nil {
		t.TTL = ttlOf(i.App.Labels)
	}
	for _, p := range i.HostPorts {
		if p != 0 {
			t.Ports = append(t.Ports, p)
		}
	}
	for _, p := range i.DiscoveryPorts() {
		t.Discovery.Ports = append(t.Discovery.Ports, records.DiscoveryPort{Number: p.Number, Name: p.Name,
			Protocol: p.Protocol, Container: p.Container})
	}
	if h := i.Healthy(); h != nil && *h {
		t.Health = records.Healthy
	} else if h != nil {
		t.Health = records.Unhealthy
	}
	return t
}

// ttlLabel is the label of an app, or of a Mesos cluster's task, that says how many seconds its records may be kept.
const ttlLabel = mesos.LabelPrefix + "dns.ttl"

// ttlOf is what the label says, nil if there is none, or one that is no TTL.
func ttlOf(labels map[string]string) *uint32 {
	seconds, err := strconv.ParseUint(labels[ttlLabel], 10, 31)
	if err != nil {
		return nil
	}
	ttl := uint32(seconds)
	return &ttl
}
