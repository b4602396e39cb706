package scheduler

import (
	"net/netip"
	"time"
)

// TaskID is a Mesos task id: "a_b.instance-<uuid>._app.<incarnation>".
type TaskID string

// AgentID is a Mesos agent id.
type AgentID string

// OfferID is a Mesos offer id.
type OfferID string

// TaskState is a Mesos task state.
type TaskState string

const (
	TaskStaging        TaskState = "TASK_STAGING"
	TaskStarting       TaskState = "TASK_STARTING"
	TaskRunning        TaskState = "TASK_RUNNING"
	TaskKilling        TaskState = "TASK_KILLING"
	TaskFinished       TaskState = "TASK_FINISHED"
	TaskFailed         TaskState = "TASK_FAILED"
	TaskKilled         TaskState = "TASK_KILLED"
	TaskError          TaskState = "TASK_ERROR"
	TaskLost           TaskState = "TASK_LOST"
	TaskDropped        TaskState = "TASK_DROPPED"
	TaskUnreachable    TaskState = "TASK_UNREACHABLE"
	TaskGone           TaskState = "TASK_GONE"
	TaskGoneByOperator TaskState = "TASK_GONE_BY_OPERATOR"
	TaskUnknown        TaskState = "TASK_UNKNOWN"
)

// Resources are an amount of an agent's resources.
type Resources struct {
	CPUs  float64   `json:"cpus"`
	Mem   float64   `json:"mem"`  // MiB
	Disk  float64   `json:"disk"` // MiB
	GPUs  int       `json:"gpus"`
	Ports PortRange `json:"ports,omitempty"`
}

// PortRange is a set of ports: ascending ranges, both ends included, that do not touch.
type PortRange []Range

// Range is the numbers from Begin to End, both included.
type Range struct {
	Begin int `json:"begin"`
	End   int `json:"end"`
}

// Offer is a part of an agent's resources that the engine lets the scheduler use. An offer is used up by one Accept
// or Decline; what was not used comes back as another offer.
type Offer struct {
	ID         OfferID
	AgentID    AgentID
	Hostname   string
	Address    netip.Addr        // the agent's address, as tasks on its network are reached
	Attributes map[string]string // as constraints compare them (Marathon reference, constraints)
	Region     string
	Zone       string
	Resources  Resources // reserved for nobody
	// Role is the Mesos role that the offer is for: only its apps may use it; "" is for all, where there are no roles.
	Role     string
	Reserved Resources // for Role, besides Resources
	// Remote is set where the agent is in another region than the master: only apps that ask for regions use it.
	Remote bool
	// Maintenance is when the agent is going to be away; nil when nothing is planned.
	Maintenance *Period
	// NoContainers says why tasks with a container image cannot be run on this agent now; "" when they can.
	NoContainers string
}

// Period is a span of time from Start to before End; a zero End is never.
type Period struct{ Start, End time.Time }

// covers says whether t lies in the period.
func (p *Period) covers(t time.Time) bool {
	return p != nil && !t.Before(p.Start) && (p.End.IsZero() || t.Before(p.End))
}

// TaskInfo is a task to launch, in Mesos's words. It is all an engine needs; engines may write it down as JSON.
type TaskInfo struct {
	ID          TaskID            `json:"id"`
	Name        string            `json:"name"`        // reversed path: "cassandra-seed.db.ctrlpkw"
	FrameworkID string            `json:"frameworkId"` // who launched it
	AgentID     AgentID           `json:"agentId"`
	Resources   Resources         `json:"resources"`         // reserved for nobody; Ports are host ports assigned
	Reserved    Resources         `json:"reserved,omitzero"` // of those reserved for the offer's role
	Shell       string            `json:"shell,omitempty"`
	Args        []string          `json:"args,omitempty"` // instead of Shell: argv, or the image's arguments
	User        string            `json:"user,omitempty"` // "" means the engine's default
	Env         map[string]string `json:"env,omitempty"`
	Secrets     map[string]string `json:"-"` // variables to be added to Env, by where their values are kept
	Fetch       []Fetch           `json:"fetch,omitempty"`
	Container   *Container        `json:"container,omitempty"` // ports of its mappings are the assigned ones
	Networks    []Network         `json:"networks,omitempty"`
	TTY         bool              `json:"tty,omitempty"`         // it wants a terminal
	HealthCheck *HealthCheck      `json:"healthCheck,omitempty"` // one that the agent runs
	Kill        *time.Duration    `json:"kill,omitempty"`        // grace between SIGTERM and SIGKILL; nil means the engine's 3 s
	Labels      map[string]string `json:"labels,omitempty"`
	Discovery   []DiscoveryPort   `json:"discovery,omitempty"` // DiscoveryInfo's ports; its name is Name
}

// DiscoveryPort is one port of a task's DiscoveryInfo (Marathon reference 18.3).
type DiscoveryPort struct {
	Number   int               `json:"number"`
	Name     string            `json:"name,omitempty"`
	Protocol string            `json:"protocol"`
	Labels   map[string]string `json:"labels,omitempty"`
	// Container says that Number is a port of the task's own address, not of the agent's.
	Container bool `json:"container,omitempty"`
}

// TaskStatus is what an engine knows of a task at a moment.
type TaskStatus struct {
	TaskID    TaskID
	AgentID   AgentID
	State     TaskState
	Timestamp time.Time
	Message   string
	Reason    string       // Mesos's REASON_..., "" for none
	Healthy   *bool        // of a check the agent runs; nil: no result
	Addresses []netip.Addr // the task's own addresses, when it is not on the agent's network
	// Ack identifies the update. When it is not empty the engine repeats the status until it is acknowledged, and
	// the core acknowledges it once what it changed is durable.
	Ack string
}

// ReasonMasterDisconnected is the reason of TASK_DROPPED for a task that was never launched, since there was no master to
// launch it. It is nobody's failure, and the next task of the app need not wait.
const ReasonMasterDisconnected = "REASON_MASTER_DISCONNECTED"

// Terminal says whether a task in this state has ended and will not come back.
func (s TaskState) Terminal() bool {
	switch s {
	case TaskFinished, TaskFailed, TaskKilled, TaskError, TaskLost, TaskDropped, TaskGone, TaskGoneByOperator, TaskUnknown:
		return true
	}
	return false
}
