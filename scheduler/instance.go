package scheduler

import (
	"net/netip"
	"strconv"
	"strings"
)

// InstanceID is "a_b.instance-<uuid>"; an instance keeps it over the tasks it has.
type InstanceID string

// TaskID is the id of the instance's task of the given incarnation (counted from 1).
func (id InstanceID) TaskID(incarnation int) TaskID {
	return TaskID(string(id) + "._app." + strconv.Itoa(incarnation))
}

// InstanceIDOf takes the instance's id out of a task id. Those of older Marathons, "a_b.<uuid>" and
// "a_b.instance-<uuid>" with or without the number of an attempt, belong to the instance "a_b.instance-<uuid>". It is ""
// for ids of another form.
func InstanceIDOf(task TaskID) InstanceID {
	if i := strings.LastIndex(string(task), "._app."); i >= 0 {
		return InstanceID(task[:i])
	}
	app, last := cutLast(string(task))
	if n, err := strconv.ParseUint(last, 10, 31); err == nil && strconv.FormatUint(n, 10) == last {
		if app, last = cutLast(app); !strings.HasPrefix(last, "instance-") {
			return ""
		}
	}
	uuid := strings.TrimPrefix(last, "instance-")
	if app == "" || !isUUID(uuid) {
		return ""
	}
	return InstanceID(app + ".instance-" + uuid)
}

// cutLast cuts around the last dot.
func cutLast(text string) (before, after string) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return "", text
	}
	return text[:i], text[i+1:]
}

// isUUID tells whether a text is a UUID as RFC 9562 writes it.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (text[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(text[i])) {
			return false
		}
	}
	return true
}

// Goal is what the core wants of an instance.
type Goal string

const (
	GoalRunning        Goal = "Running"
	GoalDecommissioned Goal = "Decommissioned" // end it and forget it
)

// Condition is where an instance stands; the words are Marathon's.
type Condition string

const (
	Scheduled           Condition = "Scheduled"   // waits for an offer
	Provisioned         Condition = "Provisioned" // a task was launched, nothing heard of it yet
	Staging             Condition = "Staging"
	Starting            Condition = "Starting"
	Running             Condition = "Running"
	Killing             Condition = "Killing"
	Unreachable         Condition = "Unreachable"
	UnreachableInactive Condition = "UnreachableInactive" // unreachable for so long that it is replaced
	Finished            Condition = "Finished"            // it ran, and its app's RestartPolicy wants no more
	Failed              Condition = "Failed"              // so too, but its task failed
)

// Active says whether a task exists, or may.
func (c Condition) Active() bool { return c != Scheduled && !c.Over() }

// Over says whether an instance of a one-shot app has run.
func (c Condition) Over() bool { return c == Finished || c == Failed }

// Instance is one of an app's instances. Instances are immutable once they are part of a State.
type Instance struct {
	ID          InstanceID `json:"id"`
	AppID       PathID     `json:"appId"`
	AppVersion  Timestamp  `json:"appVersion"` // of the definition it runs, or will run
	Goal        Goal       `json:"goal"`
	Condition   Condition  `json:"condition"`
	Since       Timestamp  `json:"since"` // of the condition
	Incarnation int        `json:"incarnation"`
	// Adopted is the present task's id where a Marathon launched it that gave ids of another form; see InstanceIDOf.
	Adopted TaskID `json:"adopted,omitempty"`
	// Index is the smallest number that no other instance of the app's present config had when the first task was
	// launched. It is kept over the instance's tasks, and means nothing before the first.
	Index      int               `json:"index,omitempty"`
	AgentID    AgentID           `json:"agentId,omitempty"`
	Hostname   string            `json:"hostname,omitempty"`
	Address    netip.Addr        `json:"address,omitzero"` // the agent's
	Attributes map[string]string `json:"attributes,omitempty"`
	Region     string            `json:"region,omitempty"`
	Zone       string            `json:"zone,omitempty"`
	HostPorts  []int             `json:"hostPorts,omitempty"` // by the app's ports; 0 where a port has none
	Generated  []int             `json:"generated,omitempty"` // container ports made up, by the app's ports; 0 where given
	Addresses  []netip.Addr      `json:"addresses,omitempty"` // the task's own
	StagedAt   Timestamp         `json:"stagedAt,omitzero"`
	StartedAt  Timestamp         `json:"startedAt,omitzero"`
	Ready      bool              `json:"ready,omitempty"` // passed the readiness check, or there is none

	// Not persisted: after a restart they are unknown until the next result.

	App        *App           `json:"-"` // the definition of AppVersion
	Health     []HealthResult `json:"-"` // by the app's health checks, nil before the first result
	ReadyReply *ProbedReply   `json:"-"` // the readiness check's last answer, when it is to be kept
	Condemned  Timestamp      `json:"-"` // since when it is to be killed for its health as soon as another serves; 0: it is not
}

// HealthResult is what one health check said of an instance. Its JSON is Marathon's.
type HealthResult struct {
	Alive               bool       `json:"alive"`
	ConsecutiveFailures int        `json:"consecutiveFailures"`
	FirstSuccess        Timestamp  `json:"firstSuccess,omitzero"`
	LastSuccess         Timestamp  `json:"lastSuccess,omitzero"`
	LastFailure         Timestamp  `json:"lastFailure,omitzero"`
	LastFailureCause    string     `json:"lastFailureCause,omitempty"`
	InstanceID          InstanceID `json:"instanceId"`
}

// Known says whether the check has had a result.
func (h HealthResult) Known() bool { return h.LastSuccess != 0 || h.LastFailure != 0 }

// TaskID is the id of the instance's present or last task; "" before the first.
func (i *Instance) TaskID() TaskID {
	switch {
	case i.Adopted != "":
		return i.Adopted
	case i.Incarnation == 0:
		return ""
	}
	return i.ID.TaskID(i.Incarnation)
}

// Healthy says what the health checks say together: nil while any of them has no result (or there are none), true
// when all are alive, else false.
func (i *Instance) Healthy() *bool {
	if i.App == nil || len(i.App.HealthChecks) == 0 || len(i.Health) < len(i.App.HealthChecks) {
		return nil
	}
	alive := true
	for _, h := range i.Health {
		if !h.Known() {
			return nil
		}
		alive = alive && h.Alive
	}
	return &alive
}

// TaskState is the instance's condition as a Mesos state; instances that wait or were just launched are TASK_STAGING.
func (i *Instance) TaskState() TaskState {
	switch i.Condition {
	case Starting:
		return TaskStarting
	case Running:
		return TaskRunning
	case Killing:
		return TaskKilling
	case Unreachable, UnreachableInactive:
		return TaskUnreachable
	case Finished:
		return TaskFinished
	case Failed:
		return TaskFailed
	}
	return TaskStaging
}

// EffectivePort is the number under which port n (an index into App.Ports) is reached: the host port, or for a
// mapping without one the container port.
func (i *Instance) EffectivePort(n int) int {
	if n < len(i.HostPorts) && i.HostPorts[n] != 0 {
		return i.HostPorts[n]
	}
	if n < len(i.Generated) && i.Generated[n] != 0 {
		return i.Generated[n]
	}
	if ports := i.App.Ports(); n < len(ports) {
		return ports[n].ContainerPort
	}
	return 0
}

// TaskFailure is the last failure of an app's tasks. Its JSON is Marathon's lastTaskFailure.
type TaskFailure struct {
	AppID     PathID    `json:"appId"`
	Host      string    `json:"host"`
	Message   string    `json:"message"`
	State     TaskState `json:"state"`
	TaskID    TaskID    `json:"taskId"`
	Timestamp Timestamp `json:"timestamp"`
	Version   Timestamp `json:"version"`
	SlaveID   AgentID   `json:"slaveId,omitempty"`
}
