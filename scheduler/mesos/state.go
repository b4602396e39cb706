package mesos

import (
	"net/netip"
	"slices"
	"strings"
)

// TaskRunning is the state of a task that runs.
const TaskRunning = "TASK_RUNNING"

// State is a cluster as its leading master knows it, as far as names depend on it. It and all that it holds are not
// changed once they have been handed on.
type State struct {
	// Leader is the leading master's address by its own account, "host:port".
	Leader string
	// MasterID is the id of the leading master's process, "" if it does not tell. An elected master is another process
	// than the one before: where leader and id are the same, it is the same term.
	MasterID   string
	Agents     []Agent
	Frameworks []Framework
	Tasks      []Task // in any state, in the order of the frameworks
	// Recovered are the ids of agents that a newly elected master knows of, but has not heard from since; nil when the
	// master does not tell. Their tasks are not among Tasks, but may well run.
	Recovered []string
	// Ended are tasks that the master still remembers although they run no longer, or cannot be reached.
	Ended []TaskKey
	// Completed are the ids of frameworks that are no more.
	Completed []string
	// Broken are the items that could not be read. All others are there.
	Broken Broken
}

// TaskKey tells tasks apart: task ids are unique within their framework only.
type TaskKey struct{ FrameworkID, ID string }

// Endpoint is where an agent or a framework is reached, from its pid ("slave(1)@10.0.0.1:5051"). The host is an IP
// address or a name; the zero value is for none.
type Endpoint struct {
	Host string
	Port int
}

// Agent is a machine that runs tasks.
type Agent struct {
	ID       string
	Endpoint Endpoint
	Total    Total
}

// Total is what an agent has in all, whoever uses it. The zero value is for one of which it is not known.
type Total struct {
	CPUs float64
	Mem  float64 // MiB
	Disk float64 // MiB
}

// Framework is a scheduler. One that uses the HTTP API has no pid: its Endpoint then has the host name that it
// registered with, and no port.
type Framework struct {
	ID, Name string
	Endpoint Endpoint
}

// Task is a task of a framework.
type Task struct {
	FrameworkID, ID string
	Name            string
	AgentID         string
	State           string // "TASK_RUNNING", ...
	Ports           []int  // the host ports of its resources, expanded, in order
	Addresses       Addresses
	Discovery       *Discovery // nil when there is none
	// Labels are those of the task's labels whose keys begin with LabelPrefix; most tasks have none.
	Labels map[string]string
}

// LabelPrefix is what the keys of labels begin with that are meant for rollcall. The others are not kept: a hundred
// thousand tasks have many.
const LabelPrefix = "rollcall."

// Key tells the task apart from all others of the cluster.
func (t *Task) Key() TaskKey { return TaskKey{t.FrameworkID, t.ID} }

// Addresses are a task's own addresses in its newest status with the state TASK_RUNNING, by where they stand there.
type Addresses struct {
	NetInfo []netip.Addr // container_status.network_infos
	Docker  []netip.Addr // the label Docker.NetworkSettings.IPAddress, of Mesos before 0.28
	Mesos   []netip.Addr // the label MesosContainerizer.NetworkSettings.IPAddress
}

// Discovery is a task's DiscoveryInfo.
type Discovery struct {
	Name  string
	Ports []DiscoveryPort
}

// DiscoveryPort is one port of a DiscoveryInfo.
type DiscoveryPort struct {
	Number   int
	Name     string
	Protocol string
}

// Change is what happened to a cluster since its State or the Change before. What is gone is removed before what is
// there is added; to add what is there already replaces it. Items may come in any order, a task before its framework.
type Change struct {
	Tasks          []Task
	TasksGone      []TaskKey
	Agents         []Agent
	AgentsGone     []string // ids
	Frameworks     []Framework
	FrameworksGone []string // ids; their tasks are told of apart
}

// Sink is told of a cluster. Its methods are called by one goroutine at a time and take over their arguments. They
// may take a moment: a source that must not wait calls them from a goroutine of its own.
type Sink interface {
	// Reset says what there is: whatever was said before and is not in it is gone.
	Reset(State)
	// Apply says what is different. It is called after the first Reset only.
	Apply(Change)
}

// Masters are the masters of a cluster, each "host:port".
type Masters struct {
	Leader string   // "" when nobody is known to lead
	All    []string // in the order that numbers them
}

func (m Masters) equal(n Masters) bool { return m.Leader == n.Leader && slices.Equal(m.All, n.All) }

// parsePID reads a libprocess pid, "id@host:port". Of several that cannot be told apart it reads none.
func parsePID(pid string) (Endpoint, bool) {
	id, at, found := strings.Cut(pid, "@")
	if !found || id == "" || strings.Contains(at, "@") {
		return Endpoint{}, false
	}
	return ParseEndpoint(at)
}
