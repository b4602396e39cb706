package mesosmaster

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"time"
)

// AgentOptions are what an agent has.
type AgentOptions struct {
	IP         string // of 127.0.0.0/8; also its host name
	Attributes map[string]string
	Region     string
	Zone       string
	CPUs       float64   // default 4
	Mem, Disk  float64   // MiB; default 4096 and 8192
	Ports      [2]int    // default 31000-32000
	Reserved   []Reserve // statically, out of the above
}

// Reserve is an amount that is reserved for a role.
type Reserve struct {
	Role      string
	CPUs, Mem float64
}

// Agent is an agent and its tasks.
type Agent struct {
	cluster *Cluster
	options AgentOptions
	id      string
	tasks   map[string]*task
	unused  []resource // what no task uses; nil: to be summed up anew
	files   net.Listener
	// sandboxes are the frameworks of all tasks that ever ran, by task id.
	sandboxes map[string]string
	cut       bool // from the masters
	// unreachable is what the registry says, which the masters share: one that is elected anew knows of it.
	unreachable bool
	gone        bool // for good
	away        *window
}

// window is a planned maintenance.
type window struct {
	start    time.Time
	duration time.Duration
}

// task is a task of an agent, as its executor sees it.
type task struct {
	agent     *Agent
	framework string
	role      string // that its resources are allocated to
	info      taskInfo
	state     string
	healthy   *bool
	process   *process
	container string
	statuses  []told // by the executor, the last five
	pending   []told // updates that are not acknowledged, the oldest first
	sent      time.Time
}

// told is a status that an executor sent: written once, as it is sent several times, and kept for as long as its task.
type told struct {
	state, uuid string
	at          float64 // its timestamp
	status      json.RawMessage
}

// taskInfo is what is read of a TaskInfo; the rest is handed on as it is.
type taskInfo struct {
	Name        string          `json:"name"`
	TaskID      wrapped         `json:"task_id"`
	AgentID     wrapped         `json:"agent_id"`
	Resources   []resource      `json:"resources"`
	Command     *command        `json:"command,omitempty"`
	Container   json.RawMessage `json:"container,omitempty"`
	HealthCheck *healthCheck    `json:"health_check,omitempty"`
	KillPolicy  *struct {
		GracePeriod struct {
			Nanoseconds int64 `json:"nanoseconds"`
		} `json:"grace_period"`
	} `json:"kill_policy,omitempty"`
	Labels    json.RawMessage `json:"labels,omitempty"`
	Discovery json.RawMessage `json:"discovery,omitempty"`
}

type wrapped struct {
	Value string `json:"value"`
}

type command struct {
	Shell       *bool     `json:"shell"` // none: true
	Value       *string   `json:"value"`
	Arguments   []string  `json:"arguments"`
	URIs        []wrapped `json:"uris"`
	Environment struct {
		Variables []struct {
			Name  string  `json:"name"`
			Value *string `json:"value"`
		} `json:"variables"`
	} `json:"environment"`
}

// environment is what the command sets, each "name=value".
func (c *command) environment() []string {
	var out []string
	for _, v := range c.Environment.Variables {
		out = append(out, v.Name+"="+*v.Value)
	}
	return out
}

// resource is a Resource.
type resource struct {
	Name         string          `json:"name"`
	Type         string          `json:"type"`
	Scalar       *scalar         `json:"scalar,omitempty"`
	Ranges       *ranges         `json:"ranges,omitempty"`
	Role         string          `json:"role,omitempty"` // refused
	Reservations json.RawMessage `json:"reservations,omitempty"`
	Allocation   *allocation     `json:"allocation_info,omitempty"`
}

type scalar struct {
	Value float64 `json:"value"`
}

type ranges struct {
	Range []span `json:"range"`
}

type span struct {
	Begin int `json:"begin"`
	End   int `json:"end"`
}

type allocation struct {
	Role string `json:"role"`
}

// AddAgent adds an agent; one that leads knows of it at once.
func (c *Cluster) AddAgent(o AgentOptions) *Agent {
	if o.CPUs == 0 {
		o.CPUs, o.Mem, o.Disk, o.Ports = 4, 4096, 8192, [2]int{31000, 32000}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &Agent{cluster: c, options: o, tasks: map[string]*task{}, sandboxes: map[string]string{}}
	if c.options.Processes {
		if err := a.serveFiles(); err != nil {
			panic(err) // its address is not one of this machine
		}
	}
	c.agents = append(c.agents, a)
	if c.leader != nil {
		c.leader.register(a)
	}
	return a
}

// ID is the agent's id; "" before a master gave it one.
func (a *Agent) ID() string {
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	return a.id
}

// total is all that the agent has. Resources that are reserved stand apart.
func (a *Agent) total() []resource {
	cpus, mem := a.options.CPUs, a.options.Mem
	var out []resource
	for _, r := range a.options.Reserved {
		reservations, _ := json.Marshal([]object{{"type": "STATIC", "role": r.Role}})
		out = append(out, resource{Name: "cpus", Type: "SCALAR", Scalar: &scalar{r.CPUs}, Reservations: reservations},
			resource{Name: "mem", Type: "SCALAR", Scalar: &scalar{r.Mem}, Reservations: reservations})
		cpus, mem = cpus-r.CPUs, mem-r.Mem
	}
	return append(out, resource{Name: "ports", Type: "RANGES", Ranges: &ranges{[]span{{a.options.Ports[0], a.options.Ports[1]}}}},
		resource{Name: "cpus", Type: "SCALAR", Scalar: &scalar{cpus}}, resource{Name: "mem", Type: "SCALAR", Scalar: &scalar{mem}},
		resource{Name: "disk", Type: "SCALAR", Scalar: &scalar{a.options.Disk}})
}

// free is what no task of the agent uses.
func (a *Agent) free() []resource {
	if a.unused == nil {
		a.unused = a.total()
		for _, id := range slices.Sorted(maps.Keys(a.tasks)) {
			if t := a.tasks[id]; !terminal(t.state) {
				a.unused, _ = subtract(a.unused, t.info.Resources)
			}
		}
	}
	return a.unused
}

// merge makes one resource of those that differ in their amount only, as Mesos counts them.
func merge(resources []resource) []resource {
	var out []resource
	for _, r := range resources {
		n := slices.IndexFunc(out, func(o resource) bool { return o.Name == r.Name && string(o.Reservations) == string(r.Reservations) })
		switch {
		case n < 0:
			out = append(out, r)
		case r.Scalar != nil:
			out[n].Scalar = &scalar{math.Round((out[n].Scalar.Value+r.Scalar.Value)*1000) / 1000}
		default:
			out[n].Ranges = &ranges{slices.Concat(out[n].Ranges.Range, r.Ranges.Range)}
		}
	}
	return out
}

// subtract takes resources out of others. It reports false where there are too few.
func subtract(from, what []resource) ([]resource, bool) {
	out := make([]resource, 0, len(from))
	for _, r := range from {
		if r.Scalar != nil {
			r.Scalar = &scalar{r.Scalar.Value}
		}
		out = append(out, r)
	}
	for _, w := range what {
		n := slices.IndexFunc(out, func(r resource) bool {
			return r.Name == w.Name && string(r.Reservations) == string(w.Reservations)
		})
		if n < 0 {
			return out, false
		}
		if w.Scalar != nil {
			left := math.Round((out[n].Scalar.Value-w.Scalar.Value)*1000) / 1000
			if left < 0 {
				return out, false
			}
			out[n].Scalar = &scalar{left}
			continue
		}
		for _, s := range w.Ranges.Range {
			rest, ok := without(out[n].Ranges.Range, s)
			if !ok {
				return out, false
			}
			out[n].Ranges = &ranges{rest}
		}
	}
	return slices.DeleteFunc(out, func(r resource) bool {
		return r.Scalar != nil && r.Scalar.Value == 0 || r.Ranges != nil && len(r.Ranges.Range) == 0
	}), true
}

func without(in []span, s span) ([]span, bool) {
	for n, r := range in {
		if s.Begin < r.Begin || s.End > r.End {
			continue
		}
		var rest []span
		if r.Begin < s.Begin {
			rest = append(rest, span{r.Begin, s.Begin - 1})
		}
		if s.End < r.End {
			rest = append(rest, span{s.End + 1, r.End})
		}
		return slices.Concat(in[:n], rest, in[n+1:]), true
	}
	return in, false
}

// allocated marks resources as allocated to a role.
func allocated(resources []resource, role string) []resource {
	out := slices.Clone(resources)
	for n := range out {
		out[n].Allocation = &allocation{role}
	}
	return out
}

// launch has the agent run a task.
func (t *task) launch() {
	if t.agent.cluster.options.Processes {
		t.start()
		return
	}
	t.update("TASK_STARTING", "", "")
	t.update("TASK_RUNNING", "", "")
}

// update is what the executor tells. It is kept until the framework has acknowledged it.
func (t *task) update(state, reason, message string) {
	if terminal(t.state) {
		return
	}
	t.end(state)
	status := t.status(state)
	uuid := newUUID()
	status["source"], status["executor_id"], status["uuid"] = "SOURCE_EXECUTOR", value(t.info.TaskID.Value), uuid
	if reason != "" {
		status["reason"] = reason
	}
	if message != "" {
		status["message"] = message
	}
	if t.healthy != nil {
		status["healthy"] = *t.healthy
	}
	tell := told{state: state, uuid: uuid, at: status["timestamp"].(float64), status: appendJSON(nil, status)}
	t.statuses = append(t.statuses, tell)
	if len(t.statuses) > 5 {
		t.statuses = t.statuses[len(t.statuses)-5:]
	}
	t.pending = append(t.pending, tell)
	if m := t.agent.cluster.leader; m != nil && !t.agent.cut && m.agents[t.agent.id] != nil {
		m.operatorUpdate(t, state, tell.status)
		if len(t.pending) == 1 {
			m.deliver(t)
		}
	}
}

// status is a status with what all of them have.
func (t *task) status(state string) object {
	return object{
		"task_id": value(t.info.TaskID.Value), "state": state, "agent_id": value(t.agent.id), "timestamp": seconds(time.Now()),
		"container_status": t.containerStatus(),
	}
}

func (t *task) containerStatus() object {
	return object{"container_id": value(t.container), "network_infos": []object{
		{"ip_addresses": []object{{"protocol": "IPv4", "ip_address": t.agent.options.IP}}}}, "executor_pid": 1000}
}

// kill ends a task.
func (t *task) kill() {
	if terminal(t.state) {
		return
	}
	if t.process == nil {
		t.update("TASK_KILLED", "", "Command terminated with signal Terminated")
		return
	}
	t.update("TASK_KILLING", "", "")
	grace := 3 * time.Second
	if t.info.KillPolicy != nil {
		grace = time.Duration(t.info.KillPolicy.GracePeriod.Nanoseconds)
	}
	go t.process.end(grace)
}

// Cut cuts the agent off, as a network does: the master waits in vain for it, and after that its tasks are
// unreachable. They run on.
func (a *Agent) Cut() {
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	a.cut = true
	if m := a.cluster.leader; m != nil {
		m.unreachable(a)
	}
}

// Return ends Cut: the agent comes back with its tasks, or what is left of them.
func (a *Agent) Return() {
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	a.cut = false
	if m := a.cluster.leader; m != nil {
		m.comeBack(a)
	}
}

// MarkGone is what an operator does with an agent that will not come back; its tasks end.
func (a *Agent) MarkGone() {
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	a.gone = true
	if m := a.cluster.leader; m != nil {
		m.markGone(a)
	}
	for _, t := range a.tasks {
		if t.process != nil {
			go t.process.end(0)
		}
		t.end("TASK_GONE_BY_OPERATOR")
		t.pending = nil
	}
}

// Maintain plans a maintenance of the agent.
func (a *Agent) Maintain(start time.Time, duration time.Duration) {
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	a.away = &window{start, duration}
	if m := a.cluster.leader; m != nil {
		m.planMaintenance(a)
	}
}

// Fail ends a task as its executor would when it fails.
func (c *Cluster) Fail(taskID, message string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.agents {
		if t := a.tasks[taskID]; t != nil {
			t.update("TASK_FAILED", "REASON_COMMAND_EXECUTOR_FAILED", message)
			return nil
		}
	}
	return fmt.Errorf("no task %q", taskID)
}
