package records

import (
	"cmp"
	"net/netip"
	"slices"
)

// taskRunning is the state of the tasks that are published.
const taskRunning = "TASK_RUNNING"

// Health is what is known of a task's health.
type Health uint8

const (
	HealthUnknown Health = iota // no health check, or no result yet
	Healthy
	Unhealthy
)

// Task is what DNS needs to know of one task; the words are those of Mesos's state document.
// A Task given to a Zone belongs to the Zone: its slices must not be changed afterwards.
type Task struct {
	// Key tells the task apart within its source; "" means that its ID does. Mesos's task ids are unique within a
	// framework only: a source that speaks for several frameworks needs keys.
	Key       string
	ID        string // Mesos task id
	Name      string // TaskInfo.name, e.g. "cassandra-seed.db.ctrlpkw"
	Framework string // the framework's name as registered, e.g. "marathon"
	// FrameworkKey is the Key of the framework, "" where its name is.
	FrameworkKey string
	AgentID      string // the agent it runs on; its addresses come from the Agent of that id
	State        string // Mesos's word; only TASK_RUNNING is published
	Health       Health
	Ports        []int // the host ports it holds (resources.ports), expanded, in order
	Addresses    Addresses
	Discovery    *Discovery // nil when the task has no DiscoveryInfo
	// TTL is how many seconds its records may be kept, at most 2147483647; nil: as long as those of others. A name that
	// several tasks have has the smallest.
	TTL *uint32
}

// Addresses are a task's own addresses by where Mesos's state keeps them, each the name of an IPSource.
// The source "host" is not among them: it means the agent's addresses.
type Addresses struct {
	NetInfo []netip.Addr // container_status.network_infos
	Docker  []netip.Addr // status label Docker.NetworkSettings.IPAddress
	Mesos   []netip.Addr // status label MesosContainerizer.NetworkSettings.IPAddress
}

// Discovery is the part of Mesos's DiscoveryInfo that names depend on.
type Discovery struct {
	Name  string // without a name the task is named as if it had no DiscoveryInfo at all: Ports are not used either
	Ports []DiscoveryPort
}

// DiscoveryPort is one port of a DiscoveryInfo.
type DiscoveryPort struct {
	Number int
	Name   string // "" for a port without a name
	// Protocol is "tcp" or "udp"; "" means both, and so does a list of the two with a comma between them.
	Protocol string
	// Container says that Number is a port of the task's own address. Otherwise it is a port of the agent.
	// The target of the port's SRV records follows from it: the task's canonical name when Container is set or when
	// the task's addresses (by Options.IPSources) are the agent's, else its canonical name under "slave", which has
	// the agent's addresses. Mesos's state does not say which it is, and Mesos-DNS always names the task: a source
	// that wants its names sets Container.
	Container bool
}

// Agent is a machine that runs tasks.
type Agent struct {
	ID    string
	Addrs []netip.Addr
	Port  int // the port of its pid; 0 for none
}

// Framework is a scheduler with an address of its own.
type Framework struct {
	Key   string // tells it apart within its source; "" means that its Name does, which Mesos does not promise
	Name  string
	Addrs []netip.Addr
	Port  int // 0 for none (HTTP frameworks have no pid)
}

// Masters are the leading master and the list of all of them, in the order that numbers them.
// An invalid Leader means that nobody leads.
type Masters struct {
	Leader netip.AddrPort
	All    []netip.AddrPort
}

// Update is what a source says changed. Within one Update removals are applied before additions; the whole of it
// becomes visible at once.
type Update struct {
	Reset          bool // forget everything this source said before
	Tasks          []Task
	TasksGone      []string // keys of tasks
	Agents         []Agent
	AgentsGone     []string // agent ids
	Frameworks     []Framework
	FrameworksGone []string // keys of frameworks
	Masters        *Masters // nil: unchanged
}

func (t *Task) key() string { return cmp.Or(t.Key, t.ID) }

func (f *Framework) key() string { return cmp.Or(f.Key, f.Name) }

func (t *Task) equal(u *Task) bool {
	return t.Key == u.Key && t.ID == u.ID && t.Name == u.Name && t.Framework == u.Framework &&
		t.FrameworkKey == u.FrameworkKey && t.AgentID == u.AgentID &&
		t.State == u.State && t.Health == u.Health && slices.Equal(t.Ports, u.Ports) &&
		t.Addresses.equal(&u.Addresses) && t.Discovery.equal(u.Discovery) && sameTTL(t.TTL, u.TTL)
}

func sameTTL(a, b *uint32) bool { return a == b || a != nil && b != nil && *a == *b }

func (a *Addresses) equal(b *Addresses) bool {
	return slices.Equal(a.NetInfo, b.NetInfo) && slices.Equal(a.Docker, b.Docker) && slices.Equal(a.Mesos, b.Mesos)
}

func (d *Discovery) equal(e *Discovery) bool {
	if d == nil || e == nil {
		return d == e
	}
	return d.Name == e.Name && slices.Equal(d.Ports, e.Ports)
}

func (a *Agent) equal(b *Agent) bool {
	return a.ID == b.ID && a.Port == b.Port && slices.Equal(a.Addrs, b.Addrs)
}

func (f *Framework) equal(g *Framework) bool {
	return f.Key == g.Key && f.Name == g.Name && f.Port == g.Port && slices.Equal(f.Addrs, g.Addrs)
}

func (m *Masters) equal(n *Masters) bool { return m.Leader == n.Leader && slices.Equal(m.All, n.All) }
