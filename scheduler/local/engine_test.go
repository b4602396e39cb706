package local

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/scheduler"
)

func TestTaskFinishes(t *testing.T) {
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: `echo "$GREETING"; echo no >&2; pwd; [ "$PWD" = "$MESOS_SANDBOX" ]`,
		Env: map[string]string{"GREETING": "hello"}})
	var states []scheduler.TaskState
	s := r.statusThat("a", func(s scheduler.TaskStatus) bool {
		states = append(states, s.State)
		return s.State.Terminal()
	})
	if s.State != scheduler.TaskFinished || s.Message != "Command exited with status 0" || states[0] != scheduler.TaskStaging {
		t.Errorf("got %+v after %v", s, states)
	}
	if got, want := r.sandboxFile("a", "stdout"), "hello\n"+r.dir("a").sandbox()+"\n"; got != want {
		t.Errorf("stdout is %q, want %q", got, want)
	}
	if got := r.sandboxFile("a", "stderr"); got != "no\n" {
		t.Errorf("stderr is %q", got)
	}
}

func TestTaskFails(t *testing.T) {
	tests := []struct {
		name    string
		task    scheduler.TaskInfo
		message string
	}{
		{"status", scheduler.TaskInfo{Shell: "exit 3"}, "Command exited with status 3"},
		{"signal", scheduler.TaskInfo{Shell: "kill -9 $$"}, "Command terminated with signal Killed"},
		{"unknown command", scheduler.TaskInfo{Shell: "/no/such/command"}, "Command exited with status 127"},
		{"unknown program", scheduler.TaskInfo{Args: []string{"no-such-program"}}, `Failed to launch: executable "no-such-program" is not found in PATH`},
		{"nothing", scheduler.TaskInfo{}, "Failed to launch: the task has neither a command nor arguments"},
		{"user", scheduler.TaskInfo{Shell: "true", User: "no-such-user"}, `Failed to launch: user "no-such-user" does not exist on this machine`},
		{"volumes without an image", scheduler.TaskInfo{Shell: "true", Container: &scheduler.Container{Type: scheduler.ContainerMesos,
			Volumes: []scheduler.Volume{{ContainerPath: "/c", HostPath: "/etc", Mode: "RO"}}}},
			"volumes and networks of its own need a container image; a plain process has the agent's files and network"},
		{"a network without an image", scheduler.TaskInfo{Shell: "true", Networks: []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: "x"}}},
			"volumes and networks of its own need a container image; a plain process has the agent's files and network"},
		{"container", scheduler.TaskInfo{Container: &scheduler.Container{Docker: &scheduler.Docker{Image: "crate"}}}, dockerIsOff},
	}
	r := newRig(t, Options{Docker: DockerOff})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.task.ID = scheduler.TaskID(dirName(scheduler.TaskID(test.name)))
			r.launch(test.task)
			s := r.status(test.task.ID, scheduler.TaskFailed)
			if s.Message != test.message || s.Reason == "" {
				t.Errorf("got %q (%s), want %q", s.Message, s.Reason, test.message)
			}
		})
	}
}

func TestArgsWithoutShell(t *testing.T) {
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Args: []string{"printf", "%s|", "$HOME", "a b"}})
	r.status("a", scheduler.TaskFinished)
	if got := r.sandboxFile("a", "stdout"); got != "$HOME|a b|" {
		t.Errorf("stdout is %q", got)
	}
}

func TestKillWithGrace(t *testing.T) {
	grace := 200 * time.Millisecond
	tests := []struct{ name, cmd, message string }{
		{"obedient", "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done", "Command exited with status 0"},
		{"deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done", "Command terminated with signal Killed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.launch(scheduler.TaskInfo{ID: "a", Shell: test.cmd, Kill: &grace})
			r.status("a", scheduler.TaskRunning)
			waitFor(t, filepath.Join(r.dir("a").sandbox(), "stdout"))
			r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
			r.status("a", scheduler.TaskKilling)
			if s := r.status("a", scheduler.TaskKilled); s.Message != test.message {
				t.Errorf("message is %q, want %q", s.Message, test.message)
			}
		})
	}
}

// However early a kill comes, the task ends by it, and is said to.
func TestKillAtOnce(t *testing.T) {
	r := newRig(t, Options{})
	var refs []scheduler.TaskRef
	var tasks []scheduler.TaskInfo
	for n := range 20 {
		id := scheduler.TaskID("a" + strconv.Itoa(n))
		tasks = append(tasks, scheduler.TaskInfo{ID: id, AgentID: "local-S0", Shell: "sleep 1000"})
		refs = append(refs, scheduler.TaskRef{TaskID: id})
	}
	r.engine.Accept(r.offer("local-S0").ID, tasks)
	for _, ref := range refs {
		r.engine.Kill(ref)
	}
	ended := map[scheduler.TaskID]bool{}
	r.until(func(e scheduler.Event) bool {
		s, ok := e.(scheduler.StatusReceived)
		if ok && s.Status.State.Terminal() {
			ended[s.Status.TaskID] = true
			if s.Status.State != scheduler.TaskKilled {
				t.Errorf("got %+v", s.Status)
			}
		}
		return len(ended) == len(refs)
	})
}

func TestSupervisorsAreReaped(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "true")
	r.status("a", scheduler.TaskFinished)
	supervisor := r.readStatus("a").Supervisor
	eventually(t, "the end of the zombie", func() bool { _, err := readStat(supervisor.PID); return err != nil })
}

// escape starts a process that leaves the session, the process group and its parent, and ignores SIGTERM.
const escape = `(setsid sh -c 'trap "" TERM; echo $$ > pid.new; mv pid.new pid; while :; do sleep 1; done' &) ; `

func TestKillReachesTheWholeTree(t *testing.T) {
	for _, noCgroups := range []bool{false, true} {
		t.Run("without cgroups "+strconv.FormatBool(noCgroups), func(t *testing.T) {
			grace := 50 * time.Millisecond
			r := newRig(t, Options{NoCgroups: noCgroups})
			r.launch(scheduler.TaskInfo{ID: "a", Shell: escape + "sleep 1000", Kill: &grace})
			r.status("a", scheduler.TaskRunning)
			escaped := waitForPID(t, filepath.Join(r.dir("a").sandbox(), "pid"))
			r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
			r.status("a", scheduler.TaskKilled)
			if !escaped.dead() {
				t.Error("a process of the task lives on")
			}
		})
	}
}

func TestEndOfTheFirstProcessEndsTheTree(t *testing.T) {
	grace := 50 * time.Millisecond
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: escape + "while [ ! -f pid ]; do sleep 0.01; done; exit 5", Kill: &grace})
	if s := r.status("a", scheduler.TaskFailed); s.Message != "Command exited with status 5" {
		t.Errorf("message is %q", s.Message)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(r.sandboxFile("a", "pid"))); err != nil {
		t.Error(err)
	} else if stat, err := readStat(pid); err == nil && stat.state != 'Z' {
		t.Error("a process of the task lives on")
	}
}

func TestSupervisorKilled(t *testing.T) {
	for _, noCgroups := range []bool{false, true} {
		t.Run("without cgroups "+strconv.FormatBool(noCgroups), func(t *testing.T) {
			r := newRig(t, Options{NoCgroups: noCgroups})
			r.shell("a", escape+"sleep 1000")
			r.status("a", scheduler.TaskRunning)
			escaped := waitForPID(t, filepath.Join(r.dir("a").sandbox(), "pid"))
			st := r.readStatus("a")
			signalAll([]processID{st.Supervisor}, 9)
			s := r.status("a", scheduler.TaskFailed)
			if s.Reason != "REASON_EXECUTOR_TERMINATED" {
				t.Errorf("got %+v", s)
			}
			if !escaped.dead() || !st.Process.dead() {
				t.Error("a process of the task lives on")
			}
		})
	}
}

func TestTaskOutlivesTheEngine(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "echo up; while [ ! -f stop ]; do sleep 0.01; done; exit 7")
	r.status("a", scheduler.TaskRunning)
	before := r.readStatus("a")
	r.stop()

	r = start(t, r.engine)
	r.status("a", scheduler.TaskRunning)
	if after := r.readStatus("a"); after.Process != before.Process || after.Process.dead() {
		t.Errorf("process was %+v and is %+v", before.Process, after.Process)
	}
	if o := r.offer("local-S0"); o.Resources.Mem != r.engine.machine.Mem-16 {
		t.Errorf("offered are %g MiB of %g while a task holds 16", o.Resources.Mem, r.engine.machine.Mem)
	}
	if err := os.WriteFile(filepath.Join(r.dir("a").sandbox(), "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s := r.status("a", scheduler.TaskFailed); s.Message != "Command exited with status 7" {
		t.Errorf("got %+v", s)
	}
}

func TestSupervisorKilledAfterAdoption(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "sleep 1000")
	r.status("a", scheduler.TaskRunning)
	r.stop()
	r = start(t, r.engine)
	r.status("a", scheduler.TaskRunning)
	signalAll([]processID{r.readStatus("a").Supervisor}, 9)
	r.status("a", scheduler.TaskFailed)
}

func TestEndWhileTheEngineWasAwayIsReportedOnce(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "echo up; while [ ! -f stop ]; do sleep 0.01; done; exit 7")
	r.status("a", scheduler.TaskRunning)
	supervisor := r.readStatus("a").Supervisor
	r.stop()
	if err := os.WriteFile(filepath.Join(r.dir("a").sandbox(), "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waitGone(t, supervisor)

	r = start(t, r.engine)
	r.hold = true
	r.status("a", scheduler.TaskFailed)
	r.stop()

	r = start(t, r.engine) // not acknowledged: told again
	if s := r.status("a", scheduler.TaskFailed); s.Message != "Command exited with status 7" {
		t.Errorf("got %+v", s)
	}
	r.reported("a")
	r.stop()

	r = start(t, r.engine)
	if e, ok := r.next().(scheduler.OffersReceived); !ok {
		t.Errorf("got %#v, want no status of a task whose end is known", e)
	}
	r.engine.Reconcile([]scheduler.TaskRef{{TaskID: "a"}})
	if s := r.status("a", scheduler.TaskFailed); s.Ack != "" {
		t.Errorf("got %+v, want the end without an Ack", s)
	}
}

func TestSupervisorKilledWhileTheEngineWasAway(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "sleep 1000")
	r.status("a", scheduler.TaskRunning)
	st := r.readStatus("a")
	r.stop()
	signalAll([]processID{st.Supervisor}, 9)
	waitGone(t, st.Supervisor)
	r = start(t, r.engine)
	if s := r.next().(scheduler.StatusReceived).Status; s.State != scheduler.TaskFailed {
		t.Errorf("first status is %+v", s)
	}
	if !st.Process.dead() {
		t.Error("the task lives on")
	}
}

func TestKillGoesOnWithoutTheEngine(t *testing.T) {
	grace := 100 * time.Millisecond
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "trap '' TERM; echo up; while :; do sleep 0.01; done", Kill: &grace})
	r.status("a", scheduler.TaskRunning)
	waitFor(t, filepath.Join(r.dir("a").sandbox(), "stdout"))
	supervisor := r.readStatus("a").Supervisor
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilling)
	r.stop()
	waitGone(t, supervisor)
	r = start(t, r.engine)
	r.status("a", scheduler.TaskKilled)
}

// A kill that was written down before the engine died, but that the supervisor was not told of, is taken up again.
func TestKillIsTakenUpAgain(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "sleep 1000")
	r.status("a", scheduler.TaskRunning)
	r.stop()
	if err := r.dir("a").write(killFile, killRequest{}); err != nil {
		t.Fatal(err)
	}
	r = start(t, r.engine)
	r.status("a", scheduler.TaskKilled)
}

// A task that was written down, but whose supervisor was not started before the engine died, is started then.
func TestLaunchIsTakenUpAgain(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "true")
	r.status("a", scheduler.TaskFinished)
	var s spec
	if _, err := r.dir("a").read(specFile, &s); err != nil {
		t.Fatal(err)
	}
	r.stop()
	s.Task.ID = "b"
	s.Cgroup, s.Bell = r.engine.cgroup.within("b"), bellPath(r.engine.options.Dir, "b")
	if err := os.Mkdir(string(r.dir("b")), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := r.dir("b").fill(s); err != nil {
		t.Fatal(err)
	}
	r = start(t, r.engine)
	r.status("b", scheduler.TaskFinished)
}

func TestUnknownTasks(t *testing.T) {
	r := newRig(t, Options{})
	r.offer("local-S0")
	r.engine.Kill(scheduler.TaskRef{TaskID: "nobody"})
	if s := r.status("nobody", scheduler.TaskUnknown); s.Ack != "" {
		t.Errorf("got %+v, want no Ack", s)
	}
	r.engine.Reconcile([]scheduler.TaskRef{{TaskID: "nobody2", AgentID: "local-S0"}})
	r.status("nobody2", scheduler.TaskUnknown)
}

// What status.json says of processes may be old: the pids may belong to strangers by now.
func TestStrangersAreNotKilled(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("stranger", "sleep 1000") // its processes play the stranger's
	r.status("stranger", scheduler.TaskRunning)
	stranger := r.readStatus("stranger")

	r.shell("a", "sleep 1000")
	r.status("a", scheduler.TaskRunning)
	st := r.readStatus("a")
	r.stop()
	signalAll([]processID{st.Supervisor}, 9)
	waitGone(t, st.Supervisor)
	st.Supervisor.PID, st.Process.PID = stranger.Supervisor.PID, stranger.Process.PID
	st.Process.Start, st.Supervisor.Start = 1, 1
	if err := r.dir("a").write(statusFile, st); err != nil {
		t.Fatal(err)
	}
	r = start(t, r.engine)
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskFailed, scheduler.TaskKilled)
	if stranger.Process.dead() || stranger.Supervisor.dead() {
		t.Error("a stranger was killed")
	}
}

func TestTasksOfAnotherFrameworkAreLeftAlone(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "sleep 1000")
	r.status("a", scheduler.TaskRunning)
	r.stop()
	var s spec
	if _, err := r.dir("a").read(specFile, &s); err != nil {
		t.Fatal(err)
	}
	s.Task.FrameworkID = "another"
	if err := r.dir("a").write(specFile, s); err != nil {
		t.Fatal(err)
	}
	r = start(t, r.engine)
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskUnknown)
	if r.readStatus("a").Process.dead() {
		t.Error("the task of another framework was killed")
	}
}

// Saying that a task is unknown would have it started a second time.
func TestNothingIsSaidOfATaskThatCannotBeRead(t *testing.T) {
	r := newRig(t, Options{})
	r.stop()
	if err := os.Mkdir(string(r.dir("a")), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.dir("a").path(specFile), []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = start(t, r.engine)
	r.offer("local-S0")
	r.engine.Reconcile([]scheduler.TaskRef{{TaskID: "a"}, {TaskID: "nobody"}})
	if s := r.next().(scheduler.StatusReceived).Status; s.TaskID != "nobody" {
		t.Errorf("got %+v", s)
	}
	if !exists(r.dir("a").path(specFile)) {
		t.Error("the file was removed")
	}
}

// A launch that was cut short before its task was written down leaves a directory that is removed.
func TestHalfMadeDirectoriesAreRemoved(t *testing.T) {
	r := newRig(t, Options{})
	r.stop()
	if err := os.MkdirAll(r.dir("a").sandbox(), 0o711); err != nil {
		t.Fatal(err)
	}
	r = start(t, r.engine)
	r.offer("local-S0")
	if exists(string(r.dir("a"))) {
		t.Error("the directory is there still")
	}
}

func TestSecondEngineOnADirectoryIsRefused(t *testing.T) {
	r := newRig(t, Options{})
	second, err := New(r.engine.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context(), framework, make(chan scheduler.Event)); err == nil || !strings.Contains(err.Error(), "another rollcall") {
		t.Errorf("error is %v", err)
	}
}

func TestSecondSupervisorIsRefused(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "sleep 1000")
	r.status("a", scheduler.TaskRunning)
	if err := Supervise([]string{string(r.dir("a"))}); err == nil {
		t.Error("a second supervisor of a task started")
	}
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilled)
	if err := Supervise([]string{string(r.dir("a"))}); err == nil {
		t.Error("a task that ended was started again")
	}
}

func TestStatusIsRepeatedUntilAcknowledged(t *testing.T) {
	r := newRig(t, Options{})
	r.hold = true
	r.shell("a", "true")
	first := r.status("a", scheduler.TaskFinished)
	if again := r.status("a", scheduler.TaskFinished); again.Ack != first.Ack || first.Ack == "" {
		t.Errorf("got %+v, then %+v", first, again)
	}
	r.engine.Acknowledge(first)
	r.reported("a")
}

func TestOffers(t *testing.T) {
	r := newRig(t, Options{Agents: []Agent{
		{Hostname: "one", Address: loopback(1), Ports: scheduler.PortRange{{Begin: 21000, End: 21009}}, CPUs: 4, Mem: 100, Disk: 10,
			Attributes: map[string]string{"rack": "r1"}, Region: "earth", Zone: "north"},
		{Address: loopback(2), Ports: scheduler.PortRange{{Begin: 21000, End: 21009}}},
	}})
	one, two := r.offer("local-S0"), r.offer("local-S1")
	if one.Hostname != "one" || one.Address != loopback(1) || one.Attributes["rack"] != "r1" || one.Region != "earth" ||
		one.Resources.CPUs != 4 || one.Resources.Mem != 100 || one.Resources.Disk != 10 || one.Resources.Ports.Len() != 10 {
		t.Errorf("offer is %+v", one)
	}
	if two.Hostname != "127.0.9.2" || two.Resources.CPUs != r.engine.machine.CPUs || two.Resources.Mem == 0 || two.Resources.Disk == 0 {
		t.Errorf("offer is %+v", two)
	}
	r.engine.Decline(two.ID, time.Hour)
	r.engine.Accept(one.ID, []scheduler.TaskInfo{{ID: "a", AgentID: "local-S0", Shell: "sleep 1000",
		Resources: scheduler.Resources{CPUs: 1, Mem: 60, Ports: scheduler.PortRange{{Begin: 21003, End: 21004}}}}})
	rest := r.offer("local-S0")
	if rest.Resources.CPUs != 3 || rest.Resources.Mem != 40 || rest.Resources.Ports.String() != "[21000-21002, 21005-21009]" {
		t.Errorf("rest is %+v", rest.Resources)
	}
	r.engine.Accept(rest.ID, []scheduler.TaskInfo{{ID: "b", AgentID: "local-S0", Shell: "true", Resources: scheduler.Resources{Mem: 41}}})
	r.status("b", scheduler.TaskError)
	r.engine.Accept(rest.ID, []scheduler.TaskInfo{{ID: "c", AgentID: "local-S0", Shell: "true"}})
	r.status("c", scheduler.TaskDropped)
	r.engine.Decline(r.offer("local-S0").ID, time.Hour)
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilled)
	if all := r.offer("local-S0"); all.Resources.Mem != 100 || all.Resources.Ports.Len() != 10 {
		t.Errorf("offer is %+v", all)
	}
	r.engine.Revive()
	r.offer("local-S1")
}

func TestSandboxesAreCollected(t *testing.T) {
	r := newRig(t, Options{SandboxMaxAge: time.Nanosecond})
	r.shell("a", "true")
	r.status("a", scheduler.TaskFinished)
	r.reported("a")
	r.stop()
	r = start(t, r.engine)
	eventually(t, "the end of the directory", func() bool { return !exists(string(r.dir("a"))) })
}
