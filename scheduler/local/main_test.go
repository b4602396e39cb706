package local

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/scheduler"
)

// TestMain lets the test's own binary be the supervisor of the tasks it starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "supervise" {
		if err := Supervise(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	endSharedDaemon()
	os.Exit(code)
}

const framework = "framework-of-the-test"

// patience is how long a test waits for what has to happen; it is never waited for to the end when all is well.
const patience = 30 * time.Second

// rig is an engine with a scheduler in front of it that acknowledges everything.
type rig struct {
	t      *testing.T
	engine *Engine
	events chan scheduler.Event
	offers []scheduler.Offer
	stop   func()
	hold   bool // acknowledge nothing
	newest map[scheduler.TaskID]scheduler.TaskStatus
}

// newRig starts an engine. Further ones on the same options take over from it, once it is stopped.
func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	if o.Dir == "" {
		o.Dir = testDir(t)
	}
	if o.Agents == nil {
		o.Agents = []Agent{{Address: loopback(1), Ports: scheduler.PortRange{{Begin: 21000, End: 21100}}}}
	}
	engine, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	engine.statusRetry = 100 * time.Millisecond
	t.Cleanup(func() {
		clearTasks(o.Dir)
		for _, group := range engine.cgroup.list() {
			_ = os.Remove(group)
		}
	})
	return start(t, engine)
}

func start(t *testing.T, engine *Engine) *rig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{t: t, engine: engine, events: make(chan scheduler.Event),
		newest: map[scheduler.TaskID]scheduler.TaskStatus{}}
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx, framework, r.events) }()
	r.stop = func() {
		if cancel(); done != nil {
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			done = nil
		}
	}
	t.Cleanup(r.stop)
	if e, ok := r.next().(scheduler.Registered); !ok || e.FrameworkID != framework {
		t.Fatalf("first event is %#v, want Registered", e)
	}
	return r
}

// testDir is a directory that other users may enter.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rollcall-local")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// clearTasks kills what the tasks of a test left behind.
func clearTasks(dir string) {
	supervised, _ := filepath.Glob(filepath.Join(dir, "tasks", "*"))
	for _, d := range supervised {
		endForTest(taskDir(d))
	}
}

// endForTest kills a supervisor that a test left behind, with its task.
func endForTest(dir taskDir) {
	var s spec
	var st status
	if found, err := dir.read(specFile, &s); !found || err != nil {
		return
	}
	if found, err := dir.read(statusFile, &st); !found || err != nil {
		return
	}
	if supervisor, err := st.Supervisor.open(); err == nil {
		_ = supervisor.signal(9)
		_ = supervisor.wait()
		supervisor.close()
	}
	killLeftovers(s, st, dir.sandbox())
}

func loopback(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 9, n}) }

// next is the next event.
func (r *rig) next() scheduler.Event {
	r.t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(patience):
		r.t.Fatalf("nothing was heard of the engine; of tasks, last: %+v", r.newest)
		return nil
	}
}

// until takes events until found says that it is the one; it acknowledges statuses.
func (r *rig) until(found func(scheduler.Event) bool) {
	r.t.Helper()
	for {
		e := r.next()
		if s, ok := e.(scheduler.StatusReceived); ok {
			r.newest[s.Status.TaskID] = s.Status
			if !r.hold {
				r.engine.Acknowledge(s.Status)
			}
		}
		if o, ok := e.(scheduler.OffersReceived); ok {
			r.offers = append(r.offers, o.Offers...)
		}
		if found(e) {
			return
		}
	}
}

// offer is an offer of the agent; the others wait.
func (r *rig) offer(agent scheduler.AgentID) scheduler.Offer {
	r.t.Helper()
	for {
		if i := slices.IndexFunc(r.offers, func(o scheduler.Offer) bool { return o.AgentID == agent }); i >= 0 {
			o := r.offers[i]
			r.offers = slices.Delete(r.offers, i, i+1)
			return o
		}
		r.until(func(e scheduler.Event) bool { _, ok := e.(scheduler.OffersReceived); return ok })
	}
}

// status waits for a task to be in one of the states.
func (r *rig) status(id scheduler.TaskID, states ...scheduler.TaskState) scheduler.TaskStatus {
	r.t.Helper()
	return r.statusThat(id, func(s scheduler.TaskStatus) bool {
		if s.State.Terminal() && !slices.Contains(states, s.State) {
			r.t.Fatalf("task %s is %s (%s: %s), want %v", id, s.State, s.Reason, s.Message, states)
		}
		return slices.Contains(states, s.State)
	})
}

func (r *rig) statusThat(id scheduler.TaskID, is func(scheduler.TaskStatus) bool) (found scheduler.TaskStatus) {
	r.t.Helper()
	r.until(func(e scheduler.Event) bool {
		s, ok := e.(scheduler.StatusReceived)
		if ok && s.Status.TaskID == id && is(s.Status) {
			found = s.Status
			return true
		}
		return false
	})
	return found
}

// launch launches a task on the first agent.
func (r *rig) launch(info scheduler.TaskInfo) {
	r.t.Helper()
	if info.AgentID == "" {
		info.AgentID = "local-S0"
	}
	info.FrameworkID = framework
	r.engine.Accept(r.offer(info.AgentID).ID, []scheduler.TaskInfo{info})
}

func (r *rig) shell(id scheduler.TaskID, cmd string) {
	r.t.Helper()
	r.launch(scheduler.TaskInfo{ID: id, Shell: cmd, Resources: scheduler.Resources{CPUs: 0.01, Mem: 16}})
}

func (r *rig) dir(id scheduler.TaskID) taskDir {
	return taskDir(filepath.Join(r.engine.options.Dir, "tasks", dirName(id)))
}

func (r *rig) sandboxFile(id scheduler.TaskID, name string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir(id).sandbox(), name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

func (r *rig) readStatus(id scheduler.TaskID) status {
	r.t.Helper()
	var st status
	if found, err := r.dir(id).read(statusFile, &st); !found || err != nil {
		r.t.Fatalf("status of %s: found %v, %v", id, found, err)
	}
	return st
}

// waitGone waits until a process is gone or a zombie.
func waitGone(t *testing.T, id processID) {
	t.Helper()
	p, err := id.open()
	if err != nil {
		return
	}
	defer p.close()
	_ = p.pidfd.SetReadDeadline(time.Now().Add(patience))
	if err := p.wait(); err != nil {
		t.Fatalf("process %d does not end: %v", id.PID, err)
	}
}

// eventually waits until holds does: for what the file system or the kernel tells nobody of.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s does not come", what)
		}
	}
}

// waitFor waits for a line in a file.
func waitFor(t *testing.T, path string) (line string) {
	t.Helper()
	eventually(t, "a line in "+path, func() bool {
		data, err := os.ReadFile(path)
		line = strings.TrimSpace(string(data))
		return err == nil && strings.HasSuffix(string(data), "\n")
	})
	return line
}

func waitForPID(t *testing.T, path string) processID {
	t.Helper()
	pid, err := strconv.Atoi(waitFor(t, path))
	if err != nil {
		t.Fatal(err)
	}
	id, err := identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// reported waits until it is written down that a task's end is known.
func (r *rig) reported(id scheduler.TaskID) {
	r.t.Helper()
	eventually(r.t, "the file reported", func() bool { return exists(r.dir(id).path(reportedFile)) })
}
