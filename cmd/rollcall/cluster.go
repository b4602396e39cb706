package main

import (
	"net/netip"
	"strconv"
	"sync"

	"rollcall/records"
	"rollcall/scheduler/mesos"
)

// sourceMesos is what the zone knows the tasks of a Mesos cluster by.
const sourceMesos = "mesos"

// cluster keeps a zone up to date with a Mesos cluster. Its methods may be called from any goroutine.
type cluster struct {
	zone  *records.Zone
	hosts *mesos.Hosts
	first chan struct{} // closed when the zone knows the cluster
	has   capacities

	mu         sync.Mutex // for what follows, and to update the zone
	masters    mesos.Masters
	leader     string            // by the last state; "" before the first
	frameworks map[string]string // names by id
}

var _ mesos.Sink = (*cluster)(nil)

// newCluster returns a cluster of which nothing is known; the zone waits for it.
func newCluster(zone *records.Zone, hosts *mesos.Hosts) *cluster {
	zone.Expect(sourceMesos)
	return &cluster{zone: zone, hosts: hosts, first: make(chan struct{}), frameworks: map[string]string{}}
}

// setMasters says which masters there are. They have names once the cluster's state is known.
func (c *cluster) setMasters(m mesos.Masters) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.masters = m
	if c.leader != "" {
		c.zone.Update(sourceMesos, records.Update{Masters: c.recordMasters()})
	}
}

// Reset implements mesos.Sink.
func (c *cluster) Reset(s mesos.State) {
	c.has.reset(s.Agents)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader == "" {
		defer close(c.first)
	}
	c.leader = s.Leader
	clear(c.frameworks)
	u := c.update(mesos.Change{Tasks: s.Tasks, Agents: s.Agents, Frameworks: s.Frameworks})
	u.Reset = true
	u.Masters = c.recordMasters()
	c.zone.Update(sourceMesos, u)
}

// Apply implements mesos.Sink.
func (c *cluster) Apply(change mesos.Change) {
	c.has.apply(change.Agents, change.AgentsGone)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zone.Update(sourceMesos, c.update(change))
}

// update words a change as the zone takes it.
func (c *cluster) update(change mesos.Change) records.Update {
	c.lookUp(change)
	u := records.Update{
		Tasks:          make([]records.Task, len(change.Tasks)),
		TasksGone:      make([]string, len(change.TasksGone)),
		Agents:         make([]records.Agent, len(change.Agents)),
		AgentsGone:     change.AgentsGone,
		Frameworks:     make([]records.Framework, len(change.Frameworks)),
		FrameworksGone: change.FrameworksGone,
	}
	for _, id := range change.FrameworksGone {
		delete(c.frameworks, id)
	}
	for i, key := range change.TasksGone {
		u.TasksGone[i] = taskKey(key)
	}
	for i, f := range change.Frameworks {
		c.frameworks[f.ID] = f.Name
		u.Frameworks[i] = records.Framework{Key: f.ID, Name: f.Name, Addrs: c.hosts.Addrs(f.Endpoint.Host), Port: f.Endpoint.Port}
	}
	for i, a := range change.Agents {
		u.Agents[i] = records.Agent{ID: a.ID, Addrs: c.hosts.Addrs(a.Endpoint.Host), Port: a.Endpoint.Port}
	}
	seen := make(map[string]int, len(change.Tasks))
	for i := range change.Tasks {
		t := c.task(&change.Tasks[i])
		// Some schedulers use an id again before its task has ended. All of them run.
		again := seen[t.Key]
		seen[t.Key]++
		if again > 0 {
			t.Key += "#" + strconv.Itoa(again)
		}
		u.Tasks[i] = t
	}
	return u
}

// lookUp has the hosts looked up that the change names.
func (c *cluster) lookUp(change mesos.Change) {
	hosts := make([]string, 0, len(change.Agents)+len(change.Frameworks))
	for _, a := range change.Agents {
		hosts = append(hosts, a.Endpoint.Host)
	}
	for _, f := range change.Frameworks {
		hosts = append(hosts, f.Endpoint.Host)
	}
	c.hosts.Prepare(hosts)
}

// task is a task as the zone sees it. A task's health does not matter to Mesos-DNS, and not here either: who reads the
// names of other schedulers' tasks relies on what those schedulers do about it.
func (c *cluster) task(t *mesos.Task) records.Task {
	out := records.Task{
		Key: taskKey(t.Key()), ID: t.ID, Name: t.Name, Framework: c.frameworks[t.FrameworkID],
		FrameworkKey: t.FrameworkID, AgentID: t.AgentID,
		State: t.State, Ports: t.Ports, Addresses: records.Addresses(t.Addresses),
		TTL: ttlOf(t.Labels),
	}
	if d := t.Discovery; d != nil {
		out.Discovery = &records.Discovery{Name: d.Name}
		for _, p := range d.Ports {
			out.Discovery.Ports = append(out.Discovery.Ports,
				records.DiscoveryPort{Number: p.Number, Name: p.Name, Protocol: p.Protocol, Container: true})
		}
	}
	return out
}

func taskKey(k mesos.TaskKey) string { return k.FrameworkID + "/" + k.ID }

// recordMasters are the leader, by the cluster's state, and the masters, as far as they have addresses.
func (c *cluster) recordMasters() *records.Masters {
	var hosts []string
	for _, m := range append([]string{c.leader}, c.masters.All...) {
		if e, ok := mesos.ParseEndpoint(m); ok {
			hosts = append(hosts, e.Host)
		}
	}
	c.hosts.Prepare(hosts)
	out := &records.Masters{}
	if leader, ok := c.addrPort(c.leader); ok {
		out.Leader = leader
	}
	for _, m := range c.masters.All {
		if at, ok := c.addrPort(m); ok {
			out.All = append(out.All, at)
		}
	}
	return out
}

// addrPort is where a "host:port" is. Of a name with several addresses it is the first, as a master has one.
func (c *cluster) addrPort(hostPort string) (netip.AddrPort, bool) {
	e, ok := mesos.ParseEndpoint(hostPort)
	if !ok {
		return netip.AddrPort{}, false
	}
	addrs := c.hosts.Addrs(e.Host)
	if len(addrs) == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(e.Port)), true
}
