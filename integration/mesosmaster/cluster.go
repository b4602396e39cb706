package mesosmaster

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options are how a cluster behaves. The zero value is quick, for tests.
type Options struct {
	// Processes makes tasks processes of this machine; otherwise they only say that they run.
	Processes bool
	// Dir holds the sandboxes of processes.
	Dir string
	// Heartbeat is the time between heartbeats; default 15 s, as Mesos has it.
	Heartbeat time.Duration
	// Allocation is the time between allocations; default 50 ms (Mesos: 1 s).
	Allocation time.Duration
	// Retry is the time until an update that was not acknowledged comes again; default 10 s, as Mesos has it.
	Retry time.Duration
	// Recovery is the time between an agent's coming back to a new master and the next one's; default 20 ms.
	Recovery time.Duration
	// Forgetful masters keep their registry in memory, as with --registry=in_memory: the next one knows no agent that has
	// not come back to it.
	Forgetful bool
	// Fetch brings what a URI of a task's command names into its sandbox; nil: nothing is brought.
	Fetch func(uri, sandbox string) error
	// Late sends each update of an executor a second time, up to as much later: twice, and out of order.
	Late time.Duration
	// Cut sends streams in pieces of this many octets, each a chunk of its own; 0: each record at once.
	Cut int
}

// Cluster is a number of agents with their tasks, and the masters that lead them. Its methods may be called from any
// goroutine.
type Cluster struct {
	options Options

	mu      sync.Mutex // for everything in the cluster
	agents  []*Agent
	tasks   map[taskKey]*task // of all agents
	masters []*Master
	leader  *Master // nil: none
	removed map[string]bool
	running int // tasks that have not ended
	refused int // tasks that could not be launched as they were
	calls   []Call
	closed  chan struct{}
}

// Call is something that a framework had done.
type Call struct {
	At    time.Time // when it was done
	From  string    // the framework's IP address
	Type  string    // SUBSCRIBE, ACCEPT, KILL and so on (mesos.v1.scheduler.Call.Type)
	Tasks []string  // that it launches or kills
}

// Calls are those that masters carried out, the oldest first; those that they refused are not among them.
func (c *Cluster) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// record notes a call that is carried out.
func (c *Cluster) record(r *http.Request, made *call) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	done := Call{At: time.Now(), From: host, Type: made.Type}
	for _, operation := range made.Accept.Operations {
		for _, info := range operation.Launch.TaskInfos {
			done.Tasks = append(done.Tasks, info.TaskID.Value)
		}
	}
	if made.Type == "KILL" {
		done.Tasks = append(done.Tasks, made.Kill.TaskID.Value)
	}
	c.calls = append(c.calls, done)
}

// taskKey is a task's framework and id.
type taskKey struct{ framework, id string }

// addTask and removeTask keep what is known of an agent's tasks in step.
func (a *Agent) addTask(t *task) {
	id := t.info.TaskID.Value
	a.tasks[id], a.cluster.tasks[taskKey{t.framework, id}] = t, t
	a.cluster.running++
	if a.unused != nil {
		a.unused, _ = subtract(a.unused, t.info.Resources)
	}
}

func (a *Agent) removeTask(t *task) {
	id := t.info.TaskID.Value
	t.end(t.state)
	delete(a.tasks, id)
	delete(a.cluster.tasks, taskKey{t.framework, id})
	a.unused = nil
}

// end puts a task into a state; it may be one in which the task has ended.
func (t *task) end(state string) {
	if !terminal(t.state) && terminal(state) {
		t.agent.cluster.running--
		t.agent.unused = nil
	}
	t.state = state
}

// NewCluster returns a cluster without agents and masters.
func NewCluster(o Options) *Cluster {
	for _, d := range []struct {
		option *time.Duration
		usual  time.Duration
	}{{&o.Heartbeat, 15 * time.Second}, {&o.Allocation, 50 * time.Millisecond}, {&o.Retry, 10 * time.Second}, {&o.Recovery, 20 * time.Millisecond}} {
		if *d.option == 0 {
			*d.option = d.usual
		}
	}
	c := &Cluster{options: o, tasks: map[taskKey]*task{}, removed: map[string]bool{}, closed: make(chan struct{})}
	go c.allocateForEver()
	return c
}

// Close ends the masters and all tasks.
func (c *Cluster) Close() {
	c.mu.Lock()
	close(c.closed)
	masters := c.masters
	var processes []*process
	for _, t := range c.tasks {
		if t.process != nil {
			processes = append(processes, t.process)
		}
	}
	c.mu.Unlock()
	for _, m := range masters {
		m.Kill()
	}
	for _, p := range processes {
		p.end(0)
	}
}

// Elect makes a master lead: agents come back to it one after the other, frameworks when they subscribe again.
func (c *Cluster) Elect(m *Master) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = m
	m.begin()
	agents := append([]*Agent(nil), c.agents...)
	for _, a := range agents {
		switch {
		case a.gone, a.id == "":
		case a.unreachable && !c.options.Forgetful:
			m.unreached[a.id] = a
		case !c.options.Forgetful:
			m.recovered[a.id] = true
		}
	}
	go func() {
		for _, a := range agents {
			if len(agents) <= 100 { // thousands come back within seconds
				select {
				case <-time.After(c.options.Recovery):
				case <-c.closed:
					return
				}
			}
			c.mu.Lock()
			if c.leader == m && !a.cut && !a.gone {
				m.register(a)
			}
			c.mu.Unlock()
		}
		c.mu.Lock()
		if c.leader == m {
			m.allocate()
		}
		c.mu.Unlock()
	}()
}

// Dir holds the sandboxes of processes, by task id.
func (c *Cluster) Dir() string { return c.options.Dir }

// Leader is the master that leads; nil: none.
func (c *Cluster) Leader() *Master {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

func (c *Cluster) allocateForEver() {
	tick := time.NewTicker(c.options.Allocation)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.mu.Lock()
			if c.leader != nil {
				c.leader.allocate()
				c.leader.repeatUpdates()
			}
			c.mu.Unlock()
		case <-c.closed:
			return
		}
	}
}

// Tasks are the ids of the tasks that run, with their agents'.
func (c *Cluster) Tasks() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]string{}
	for _, a := range c.agents {
		for id, t := range a.tasks {
			if !terminal(t.state) {
				out[id] = a.id
			}
		}
	}
	return out
}

// Running are the ids of the tasks that run and are not to end, with their agents' addresses.
func (c *Cluster) Running() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]string{}
	for _, a := range c.agents {
		for id, t := range a.tasks {
			if t.state == "TASK_RUNNING" {
				out[id] = a.options.IP
			}
		}
	}
	return out
}

// Count is how many tasks there are that have not ended.
func (c *Cluster) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// PIDs are the processes of the tasks that run, by task id.
func (c *Cluster) PIDs() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for _, a := range c.agents {
		for id, t := range a.tasks {
			if !terminal(t.state) && t.process != nil {
				out[id] = t.process.pid()
			}
		}
	}
	return out
}

// Refused counts the tasks that were refused because of what their TaskInfo says.
func (c *Cluster) Refused() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

func terminal(state string) bool {
	switch state {
	case "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR":
		return true
	}
	return false
}

func newID() string { return uuid.NewString() }

// newUUID is the uuid of an update, as JSON has bytes.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(b[:])
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func nanoseconds(t time.Time) object { return object{"nanoseconds": t.UnixNano()} }

func offerID(m *Master) string {
	m.offersMade++
	return fmt.Sprintf("%s-O%d", m.id, m.offersMade-1)
}
