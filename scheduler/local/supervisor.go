package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

// Supervise is the life of a supervisor: it runs the task whose directory args names and returns once the task's end
// is written down. It is what the program named by Options.Executable has to call with the arguments that follow
// Options.SupervisorArgs, as the first thing it does and from its main goroutine; an error is to be printed on stderr
// and gives a status other than 0. It takes over the process's signals, children and one of its threads.
func Supervise(args []string) error {
	if len(args) != 1 {
		return errors.New("supervising takes one argument, the directory of a task; rollcall itself starts supervisors")
	}
	if args[0] == fetchArg {
		return runFetchProcess()
	}
	// The task dies with the thread that started it (PR_SET_PDEATHSIG), so that thread has to stay.
	runtime.LockOSThread()
	dir := taskDir(args[0])
	held, err := dir.lock()
	if err != nil {
		return fmt.Errorf("supervising %s: %w", dir, err)
	}
	defer held.Close()
	s := &supervisor{dir: dir, cleanUp: func() {}}
	if err := s.prepare(); err != nil {
		return fmt.Errorf("supervising %s: %w", dir, err)
	}
	s.run()
	return nil
}

// supervisor runs one task. Everything happens on one goroutine, but for waiting for children and copying output.
type supervisor struct {
	dir    taskDir
	spec   spec
	status status
	cgroup cgroupPaths

	unsaved bool // status.json or the bell lags behind status
	signals chan os.Signal
	stopped bool         // SIGTERM came: the task is to end
	kill    *killRequest // why, if it was the engine that asked
	stdout  *logFiles
	stderr  *logFiles
	cleanUp func() // after the end is written down
}

// prepare gets everything ready that can fail before anything was started.
func (s *supervisor) prepare() error {
	found, err := s.dir.read(specFile, &s.spec)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("there is no task in this directory")
	}
	if s.dir.has(statusFile) || s.dir.has(reportedFile) {
		return errors.New("this task was started before; a task is never started twice")
	}
	if s.status.Supervisor, err = identify(os.Getpid()); err != nil {
		return err
	}
	s.signals = make(chan os.Signal, 1)
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming the reaper of the task's orphans: %w", err)
	}
	// Inherited by the task: no setuid program makes it more than the user it runs as.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	// Inherited as well: core files could fill the disk with what the task knows.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	first := scheduler.TaskStarting
	if s.spec.Container != nil {
		first = scheduler.TaskStaging // until its image is there
	}
	s.advance(status{State: first})
	if s.unsaved {
		return errors.New("cannot write down that the task starts (is the disk full?), so it is not started")
	}
	if s.cgroup, err = s.spec.Cgroup.create(s.spec.Task.Resources.CPUs, s.spec.Task.Resources.Mem); err != nil {
		fmt.Fprintf(os.Stderr, "not all limits could be set: %v\n", err)
	}
	return nil
}

// advance makes s the task's status and tells the engine.
func (s *supervisor) advance(next status) {
	next.Supervisor, next.Since, next.Began = s.status.Supervisor, time.Now(), s.status.Began
	if next.State == scheduler.TaskRunning {
		next.Began = next.Since
	}
	if next.Process == (processID{}) {
		next.Process = s.status.Process
	}
	if next.Addresses == nil {
		next.Addresses = s.status.Addresses
	}
	s.status = next
	s.save()
}

func (s *supervisor) save() {
	err := s.dir.write(statusFile, s.status)
	if err == nil {
		err = ring(s.spec.Bell)
	}
	if err != nil && !s.unsaved {
		fmt.Fprintf(os.Stderr, "writing down %s (retried until it works): %v\n", s.status.State, err)
	}
	s.unsaved = err != nil
}

// saveRetry is how soon a status that could not be written (as a rule on a full disk) is tried again.
const saveRetry = time.Second

// run runs the task to its end and writes that down, however long that takes; there is nobody to tell only when the
// task's directory was removed.
func (s *supervisor) run() {
	s.advance(s.task())
	for s.unsaved && isDir(string(s.dir)) {
		time.Sleep(saveRetry)
		s.save()
	}
	s.cgroup.remove()
	s.cleanUp()
}

// task fetches what is to be fetched and runs the task; the result is how it ended.
func (s *supervisor) task() status {
	s.readKill()
	if s.kill != nil {
		return killed(s.kill, "Task was killed before it started")
	}
	sandbox := s.dir.sandbox()
	for name, log := range map[string]**logFiles{"stdout": &s.stdout, "stderr": &s.stderr} {
		files, err := newLogFiles(filepath.Join(sandbox, name), s.spec.LogMaxSize, s.spec.LogFiles, s.spec.User)
		if err != nil {
			return failedToStart(err)
		}
		defer files.close()
		*log = files
	}
	if len(s.spec.Task.Fetch) > 0 {
		if end, ok := s.fetch(); !ok {
			return end
		}
	}
	if s.spec.Container != nil {
		return s.container()
	}
	env := environment(s.spec, sandbox)
	argv, err := commandLine(s.spec.Task, sandbox, env)
	if err != nil {
		return failedToStart(err)
	}
	exit, err := s.execute(command{argv: argv, env: env, dir: sandbox}, func(id processID) {
		s.advance(status{State: scheduler.TaskRunning, Process: id})
	})
	if err != nil {
		return failedToStart(err)
	}
	return outcome(exit, s.kill, s.cgroup.oomKills() > 0, s.spec.Task.Resources.Mem)
}

// readKill looks whether the engine asked for the task's end.
func (s *supervisor) readKill() {
	var request killRequest
	if found, err := s.dir.read(killFile, &request); found || err != nil {
		s.kill = &request
	}
}

// fetch runs the fetcher. It returns false, and how the task ended by that, when not all is there.
func (s *supervisor) fetch() (status, bool) {
	plan, err := fetchPlan{s.dir.sandbox(), s.spec.Task.Fetch, s.spec.FetchTimeout, s.spec.FetchMaxSize}.file()
	if err != nil {
		return failedToStart(err), false
	}
	defer plan.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return failedToStart(err), false
	}
	defer reader.Close()
	exit, err := s.execute(command{
		argv: append(slices.Clone(s.spec.Command), fetchArg),
		path: selfExecutable, env: fetchEnvironment(), dir: "/", stdin: plan, result: writer,
	}, func(processID) {})
	_ = writer.Close()
	switch {
	case err != nil:
		return failedToStart(fmt.Errorf("fetcher: %w", err)), false
	case s.kill != nil:
		return killed(s.kill, "Task was killed while its files were fetched"), false
	case exit.Exited() && exit.ExitStatus() == 0:
		return status{}, true
	}
	cause, _ := io.ReadAll(io.LimitReader(reader, 4096))
	if len(cause) == 0 {
		cause = []byte(strings.Replace(exitMessage(exit), "Command", "fetcher", 1))
	}
	return status{State: scheduler.TaskFailed, Reason: "REASON_CONTAINER_LAUNCH_FAILED",
		Message: "Failed to fetch " + string(cause)}, false
}

// killed is the end of a task that the engine asked for.
func killed(request *killRequest, message string) status {
	if request.Message != "" {
		message = request.Message
	}
	return status{State: scheduler.TaskKilled, Message: message, Healthy: request.Healthy}
}

func failedToStart(err error) status {
	return status{State: scheduler.TaskFailed, Reason: "REASON_CONTAINER_LAUNCH_FAILED",
		Message: "Failed to launch: " + err.Error()}
}

// outcome says how a task whose first process ended is to be reported.
func outcome(exit syscall.WaitStatus, kill *killRequest, outOfMemory bool, mem float64) status {
	switch {
	case kill != nil:
		return killed(kill, exitMessage(exit))
	case exit.Exited() && exit.ExitStatus() == 0:
		return status{State: scheduler.TaskFinished, Message: exitMessage(exit)}
	case outOfMemory:
		return status{State: scheduler.TaskFailed, Reason: "REASON_CONTAINER_LIMITATION_MEMORY",
			Message: fmt.Sprintf("Memory limit exceeded: Requested: %gMB (%s)", mem, exitMessage(exit))}
	}
	return status{State: scheduler.TaskFailed, Reason: "REASON_COMMAND_EXECUTOR_FAILED", Message: exitMessage(exit)}
}

// exitMessage words an exit status as Mesos does.
func exitMessage(exit syscall.WaitStatus) string {
	if exit.Signaled() {
		name := exit.Signal().String()
		return "Command terminated with signal " + strings.ToUpper(name[:1]) + name[1:]
	}
	return fmt.Sprintf("Command exited with status %d", exit.ExitStatus())
}
