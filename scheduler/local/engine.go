package local

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// Options are what an Engine needs to know. Dir and Agents are required.
type Options struct {
	// Dir is where tasks live, one directory each; it is made when it is absent. Only one Engine may use it at a
	// time. Users that tasks run as need search permission (x) on every directory above it.
	Dir    string
	Agents []Agent

	User         string        // whom tasks that name no user run as; "" is the user this process runs as
	NoCgroups    bool          // do without control groups, even where the machine would let us
	Grace        time.Duration // between SIGTERM and SIGKILL for tasks that do not say; default DefaultGrace
	FetchTimeout time.Duration // for all files of one task; default DefaultFetchTimeout
	FetchMaxSize int64         // bytes, of one fetched file, packed and unpacked; default DefaultFetchMaxSize
	LogMaxSize   int64         // bytes, of one stdout or stderr file before it is rotated; default DefaultLogMaxSize
	LogFiles     int           // how many files of stdout there are, the current one included; default DefaultLogFiles

	// Docker is the address of the Docker Engine that runs tasks with an image, e.g. "unix:///var/run/docker.sock";
	// "" is that of the environment variable DOCKER_HOST, or Docker's default. DockerOff runs none.
	Docker      string
	Networks    map[string]netip.Prefix // container networks that are made where they are absent; their subnets, if not Docker's choice
	PullTimeout time.Duration           // for one task's image; default DefaultPullTimeout
	DNS         ContainerDNS            // where containers are to look up names

	SandboxMaxAge  time.Duration // ended tasks' directories are removed after this; 0: never
	SandboxMaxSize int64         // bytes, of all ended tasks' directories together; 0: no limit

	// Executable and SupervisorArgs start a supervisor: a program that calls Supervise with the argument that
	// follows SupervisorArgs. The defaults are this very program (also when its file was replaced meanwhile) and
	// "supervise".
	Executable     string
	SupervisorArgs []string

	Logger *slog.Logger // default: nothing is logged
}

const (
	DefaultGrace        = 3 * time.Second // Mesos's
	DefaultFetchTimeout = 10 * time.Minute
	DefaultPullTimeout  = 10 * time.Minute
	DefaultFetchMaxSize = 8 << 30
	DefaultLogMaxSize   = 10 << 20
	DefaultLogFiles     = 2

	selfExecutable = "/proc/self/exe"
)

// Agent is one of the agents that this machine is for the scheduler. Several are virtual: each of them offers what it
// is given here or, by default, all that the machine has.
type Agent struct {
	ID         scheduler.AgentID // default "local-S<index>"; tasks are booked to it over restarts
	Hostname   string            // default: the address
	Address    netip.Addr        // default: the machine's first address that is not loopback, or 127.0.0.1
	Ports      scheduler.PortRange
	Attributes map[string]string
	CPUs       float64 // 0: all that the machine has; likewise Mem and Disk
	Mem        float64 // MiB
	Disk       float64 // MiB
	Region     string
	Zone       string
}

// Engine is the scheduler.Engine that runs tasks on this machine, as processes or in containers. Each task has a supervisor, a process
// that outlives the engine, so that an engine may end at any moment; the next one on the same Dir takes over.
type Engine struct {
	options Options
	machine scheduler.Resources
	cgroup  cgroupPaths
	docker  *docker // nil: off
	log     *slog.Logger

	noContainers atomic.Pointer[string] // why none can be run, for NoContainers; nil: not known yet

	// Variables of tests.
	statusRetry    time.Duration
	gcInterval     time.Duration
	dockerInterval time.Duration

	mu    sync.Mutex
	inbox *inbox // of the Run that is going on; nil: none
}

var _ scheduler.Engine = (*Engine)(nil)

// New returns an engine. It makes the directories it needs, and looks at what the machine has.
func New(o Options) (*Engine, error) {
	if o.Dir == "" || len(o.Agents) == 0 {
		return nil, errors.New("local engine needs a directory and at least one agent")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	o.FetchTimeout = cmp.Or(o.FetchTimeout, DefaultFetchTimeout)
	o.PullTimeout = cmp.Or(o.PullTimeout, DefaultPullTimeout)
	o.FetchMaxSize = cmp.Or(o.FetchMaxSize, DefaultFetchMaxSize)
	o.LogMaxSize = cmp.Or(o.LogMaxSize, DefaultLogMaxSize)
	o.LogFiles = cmp.Or(o.LogFiles, DefaultLogFiles)
	o.Executable = cmp.Or(o.Executable, selfExecutable)
	if o.SupervisorArgs == nil {
		o.SupervisorArgs = []string{"supervise"}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	who, err := identityOf(o.User)
	if err != nil {
		return nil, fmt.Errorf("local engine's user: %w", err)
	}
	if who.UID == 0 {
		o.Logger.Warn("tasks that name no user run as root")
	}
	if o.Agents, err = completeAgents(o.Agents); err != nil {
		return nil, err
	}
	for _, dir := range []string{o.Dir, filepath.Join(o.Dir, "tasks"), filepath.Join(o.Dir, "bell"), filepath.Join(o.Dir, "trash")} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("making the local engine's directories: %w", err)
		}
	}
	e := &Engine{options: o, log: o.Logger, statusRetry: 10 * time.Second, gcInterval: time.Minute,
		dockerInterval: 2 * time.Second}
	if o.Docker != DockerOff {
		if e.docker, err = connectDocker(dockerHost(o.Docker)); err != nil {
			return nil, err
		}
	}
	if e.machine, err = machineResources(o.Dir); err != nil {
		return nil, err
	}
	if !o.NoCgroups {
		e.cgroup = findCgroups(o.Dir)
	}
	o.Logger.Info("limits that this machine lets tasks have", "memory", e.cgroup.Memory != "" || e.cgroup.limits("memory"),
		"cpu", e.cgroup.CPU != "" || e.cgroup.limits("cpu"), "cgroups", e.cgroup.list())
	return e, nil
}

// completeAgents fills in what agents were not given, and wants them to be told apart.
func completeAgents(given []Agent) ([]Agent, error) {
	agents := slices.Clone(given)
	for i := range agents {
		a := &agents[i]
		if a.ID == "" {
			a.ID = scheduler.AgentID(fmt.Sprintf("local-S%d", i))
		}
		if !a.Address.IsValid() {
			a.Address = machineAddress()
		}
		a.Hostname = cmp.Or(a.Hostname, a.Address.String())
		var err error
		if a.Ports, err = scheduler.ParsePortRange(a.Ports.String()); err != nil { // sorts and joins them, too
			return nil, fmt.Errorf("ports of local agent %s: %w", a.ID, err)
		}
		for _, b := range agents[:i] {
			if b.ID == a.ID {
				return nil, fmt.Errorf("local engine has two agents with the id %q", a.ID)
			}
		}
	}
	return agents, nil
}

// machineAddress is the first address that is neither loopback nor link-local.
func machineAddress() netip.Addr {
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return local
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr().Unmap()
		}
	}
	return local
}

// machineResources is all that the machine has: its processors, its memory, and the file system of a directory.
func machineResources(dir string) (scheduler.Resources, error) {
	var memory unix.Sysinfo_t
	if err := unix.Sysinfo(&memory); err != nil {
		return scheduler.Resources{}, fmt.Errorf("looking at the machine's memory: %w", err)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return scheduler.Resources{}, fmt.Errorf("looking at the disk of %s: %w", dir, err)
	}
	return scheduler.Resources{
		CPUs: float64(runtime.NumCPU()),
		Mem:  float64(uint64(memory.Totalram) * uint64(memory.Unit) >> 20),
		Disk: float64(disk.Blocks * uint64(disk.Bsize) >> 20),
	}, nil
}

// NoContainers says why no containers can be run at this moment, "" when they can. It may be called from any goroutine.
func (e *Engine) NoContainers() string {
	if why := e.noContainers.Load(); why != nil {
		return *why
	}
	return dockerNotAsked
}

// Accept implements scheduler.Engine.
func (e *Engine) Accept(offer scheduler.OfferID, tasks []scheduler.TaskInfo) {
	e.post(func(r *run) { r.accept(offer, tasks) })
}

// Decline implements scheduler.Engine.
func (e *Engine) Decline(offer scheduler.OfferID, refuse time.Duration) {
	e.post(func(r *run) { r.decline(offer, refuse) })
}

// Revive implements scheduler.Engine.
func (e *Engine) Revive() { e.post((*run).revive) }

// Suppress implements scheduler.Engine. Offers go on all the same: they cost nothing, and tell what there is.
func (e *Engine) Suppress() {}

// Kill implements scheduler.Engine. A task that is not known is answered with TASK_UNKNOWN.
func (e *Engine) Kill(task scheduler.TaskRef) { e.post(func(r *run) { r.kill(task) }) }

// Reconcile implements scheduler.Engine.
func (e *Engine) Reconcile(tasks []scheduler.TaskRef) { e.post(func(r *run) { r.reconcile(tasks) }) }

// Acknowledge implements scheduler.Engine.
func (e *Engine) Acknowledge(status scheduler.TaskStatus) {
	e.post(func(r *run) { r.acknowledge(status) })
}

// post hands work to the Run that is going on; without one it is dropped.
func (e *Engine) post(work func(*run)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inbox != nil {
		e.inbox.put(work)
	}
}

// inbox is an unbounded queue of work for one goroutine.
type inbox struct {
	mu    sync.Mutex
	work  []func(*run)
	ready chan struct{} // holds one token while there is work
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (i *inbox) put(work func(*run)) {
	i.mu.Lock()
	i.work = append(i.work, work)
	i.mu.Unlock()
	notify(i.ready)
}

func (i *inbox) take() []func(*run) {
	i.mu.Lock()
	defer i.mu.Unlock()
	work := i.work
	i.work = nil
	return work
}

// notify leaves a token in a channel of one place; one that is there already says as much.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
