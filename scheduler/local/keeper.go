package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"rollcall/scheduler"
)

// keeper looks after one task for the engine: it has the supervisor started, follows it through status.json, kills
// through it, and takes its place when it dies. All that concerns the task's directory happens on its goroutine, so
// that a slow disk delays no other task.
type keeper struct {
	run  *run
	dir  taskDir
	spec spec

	bell         chan struct{}    // status.json changed
	kills        chan killRequest // end the task
	acknowledged chan struct{}    // the scheduler knows how the task ended

	status     status // the newest told
	killing    bool   // kill.json is written
	supervisor *process
	child      *exec.Cmd     // the supervisor, when it is our child
	gone       chan struct{} // the supervisor ended; nil: not watched
	reattach   <-chan time.Time
	removed    chan struct{} // its container is, after the supervisor's death; nil: that is not under way
	clear      bool          // no container is left of it
	made       bool          // the directory is this task's
	fresh      bool          // launched by this run of the engine, and not told yet that it runs
	running    time.Time     // since when the task runs
	count      healthCount
	results    chan error // of the health check; nil: none runs
	stopCheck  context.CancelFunc
	retired    bool // the scheduler knows how the task ended
}

func newKeeper(r *run, dir taskDir, s spec) *keeper {
	return &keeper{run: r, dir: dir, spec: s, bell: make(chan struct{}, 1), kills: make(chan killRequest, 1),
		acknowledged: make(chan struct{}, 1), stopCheck: func() {}}
}

// start begins to look after the task, first by begin (launch or adopt), until the task is over or ctx ends.
func (k *keeper) start(ctx context.Context, begin func(*keeper, context.Context)) {
	k.run.keepers.Go(func() {
		defer k.detach()
		defer func() { k.stopCheck() }()
		begin(k, ctx)
		for !k.retired || k.gone != nil { // a supervisor that is our child is waited for, to be reaped
			select {
			case <-ctx.Done():
				return
			case <-k.bell:
				k.refresh(ctx)
			case request := <-k.kills:
				k.kill(request)
			case <-k.gone:
				k.gone = nil
				k.detach()
				k.settle(ctx)
			case <-k.removed:
				k.removed, k.clear = nil, true
				k.settle(ctx)
			case <-k.reattach:
				k.reattach = nil
				k.adopt(ctx)
			case err := <-k.results:
				k.checked(err)
			case <-k.acknowledged:
				k.retire()
			}
		}
	})
}

// tell makes st the newest status and tells the engine. Of a task that was so short that nobody saw it run it tells that
// it did: so do executors on Mesos, and whoever follows events waits for it.
func (k *keeper) tell(st status) {
	if st.State.Terminal() && k.fresh && !st.Began.IsZero() && !k.killing {
		k.tell(status{State: scheduler.TaskRunning, Since: st.Began, Process: st.Process, Addresses: st.Addresses})
	}
	k.status = st
	k.fresh = k.fresh && st.State != scheduler.TaskRunning
	if st.State.Terminal() {
		k.stopCheck()
		k.results, k.reattach = nil, nil
	}
	k.run.inbox.put(func(r *run) { r.spoke(k, st) })
}

// update is a status in the scheduler's words.
func (st status) update(info scheduler.TaskInfo) scheduler.TaskStatus {
	return scheduler.TaskStatus{TaskID: info.ID, AgentID: info.AgentID, State: st.State, Timestamp: st.Since,
		Message: st.Message, Reason: st.Reason, Healthy: st.Healthy, Addresses: st.Addresses}
}

// launch writes the task down and has it supervised.
func (k *keeper) launch(ctx context.Context) {
	select {
	case k.run.launches <- struct{}{}:
		defer func() { <-k.run.launches }()
	case <-ctx.Done():
		return
	}
	var err error
	if k.spec.User, err = k.user(); err == nil {
		err = os.Mkdir(string(k.dir), 0o711)
	}
	if err == nil {
		k.made, k.fresh = true, true
		err = k.dir.fill(k.spec)
	}
	if err == nil {
		err = k.spawn()
	}
	if err != nil {
		k.abandon(err.Error())
	}
}

// user is whom the task runs as and the sandbox belongs to. The user that a container runs as is the image's; should
// it be one of the machine's as well, the sandbox is theirs.
func (k *keeper) user() (identity, error) {
	fallback := k.run.options.User
	if k.spec.Task.User == "" {
		return identityOf(fallback)
	}
	who, err := identityOf(k.spec.Task.User)
	if err != nil && k.spec.Container != nil {
		return identityOf(fallback)
	}
	return who, err
}

// abandon ends a task of which nothing was ever started. Its directory goes at once, so that it never will be.
func (k *keeper) abandon(message string) {
	if k.made {
		k.run.rubbish.discard(k.dir)
	}
	st := status{State: scheduler.TaskFailed, Since: time.Now(), Reason: "REASON_CONTAINER_LAUNCH_FAILED",
		Message: "Failed to launch: " + message}
	if k.killing {
		st.State, st.Reason, st.Message = scheduler.TaskKilled, "", "Task was killed before it started"
	}
	k.tell(st)
}

// spawn starts the supervisor, in a session of its own so that nothing meant for rollcall reaches it.
func (k *keeper) spawn() error {
	log, err := os.OpenFile(k.dir.path(logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(k.run.options.Executable)
	cmd.Args = append(append([]string(nil), k.spec.Command...), string(k.dir))
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the task's supervisor: %w", err)
	}
	k.child = cmd
	supervisor, err := openChild(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("watching the task's supervisor: %w", err)
	}
	k.watch(supervisor)
	return nil
}

// watch has gone closed when the supervisor ends.
func (k *keeper) watch(supervisor *process) {
	k.supervisor, k.gone = supervisor, make(chan struct{})
	gone := k.gone
	k.run.keepers.Go(func() {
		if supervisor.wait() == nil {
			close(gone)
		}
	})
}

// detach lets go of the supervisor; one that was our child and has ended is reaped.
func (k *keeper) detach() {
	if k.supervisor != nil {
		k.supervisor.close()
		k.supervisor = nil
	}
	if k.child != nil && k.gone == nil {
		_ = k.child.Wait() // how a task ended is told by its status, never by its supervisor's exit
		k.child = nil
	}
}

// adopt finds out how a task is that an earlier run of the engine launched.
func (k *keeper) adopt(ctx context.Context) {
	k.made = true
	held, err := k.dir.lock()
	k.killing = k.dir.has(killFile)
	switch {
	case errors.Is(err, errLocked):
		k.attach(ctx)
	case err != nil:
		k.run.taskLog(k.spec.Task.ID).Error("task cannot be adopted yet", "err", err)
		k.later()
	default:
		// Nobody supervises the task: it was never started, or is over, or its supervisor was killed.
		_ = held.Close()
		found, err := k.dir.read(statusFile, new(status))
		switch {
		case err != nil || found:
			k.settle(ctx)
		case k.killing:
			k.abandon("")
		default:
			if err := k.spawn(); err != nil {
				k.abandon(err.Error())
				return
			}
			k.tell(status{State: scheduler.TaskStaging, Since: time.Now()})
		}
	}
}

// attachRetry is how soon a supervisor is looked for again that holds its lock but has not told who it is.
const attachRetry = time.Second

func (k *keeper) later() {
	k.reattach = time.After(attachRetry)
	if k.status.State == "" {
		k.tell(status{State: scheduler.TaskStaging, Since: time.Now()})
	}
}

// attach watches the supervisor that holds the task's lock.
func (k *keeper) attach(ctx context.Context) {
	var st status
	if found, err := k.dir.read(statusFile, &st); err != nil || !found {
		k.later()
		return
	}
	supervisor, err := st.Supervisor.open()
	if err != nil {
		k.later() // it has just ended, and so has its lock
		return
	}
	k.watch(supervisor)
	k.refresh(ctx)
	if k.killing && !k.status.State.Terminal() {
		k.signal()
	}
}

// refresh reads how far the supervisor is, and tells what is new.
func (k *keeper) refresh(ctx context.Context) {
	var st status
	found, err := k.dir.read(statusFile, &st)
	if err != nil {
		k.run.taskLog(k.spec.Task.ID).Error("task's status cannot be read", "err", err)
		return
	}
	if !found || k.status.State.Terminal() {
		return
	}
	if !st.State.Terminal() && k.killing {
		st.State = scheduler.TaskKilling
	}
	if st.State == k.status.State {
		return
	}
	k.tell(st)
	if st.State == scheduler.TaskRunning {
		k.running = st.Since
		k.beginCheck(ctx)
	}
}

// settle ends a task whose supervisor is gone, unless it had ended before.
func (k *keeper) settle(ctx context.Context) {
	if k.status.State.Terminal() || k.removed != nil {
		return
	}
	held, err := k.dir.lock()
	if err != nil {
		k.later()
		return
	}
	defer held.Close()
	var st status
	found, err := k.dir.read(statusFile, &st)
	if err == nil && !found {
		k.abandon("the supervisor ended at once" + k.complaint())
		return
	}
	if err == nil && st.State.Terminal() {
		k.tell(st)
		return
	}
	if err != nil {
		st = status{}
	}
	if k.spec.Container != nil && !k.clear && (st.Supervisor.Boot == "" || st.Supervisor.Boot == bootID()) {
		k.removeContainer(ctx, st)
		return
	}
	if !killLeftovers(k.spec, st, k.dir.sandbox()) {
		k.run.taskLog(k.spec.Task.ID).Error("task's processes do not end although they were killed", "dir", string(k.dir))
	}
	st.State, st.Since, st.Healthy = scheduler.TaskFailed, time.Now(), nil
	st.Reason, st.Message = "REASON_EXECUTOR_TERMINATED", "The task's supervisor was killed, and the task with it"+k.complaint()
	if st.Supervisor.Boot != "" && st.Supervisor.Boot != bootID() {
		st.Message = "The machine was restarted"
	}
	var request killRequest
	if found, err := k.dir.read(killFile, &request); found || err != nil {
		end := killed(&request, st.Message)
		st.State, st.Reason, st.Message, st.Healthy = end.State, "", end.Message, end.Healthy
	}
	// Should this fail, the next start of the engine comes to the same end.
	if err := k.dir.write(statusFile, st); err != nil {
		k.run.taskLog(k.spec.Task.ID).Error("task's end cannot be written down", "err", err)
	}
	k.tell(st)
}

// complaint is the last thing a supervisor had to say, as an addition to a message.
func (k *keeper) complaint() string {
	data, err := os.ReadFile(k.dir.path(logFile))
	if err != nil || len(data) == 0 {
		return ""
	}
	var last tail
	_, _ = last.Write(data)
	return ": " + strings.TrimSpace(last.String())
}

// kill asks the supervisor to end the task. The request is written down first: whatever happens to this process, the
// task will end.
func (k *keeper) kill(request killRequest) {
	if k.status.State.Terminal() {
		return
	}
	if !k.killing {
		if err := k.dir.write(killFile, request); err != nil {
			// The supervisor is asked all the same: a full disk must not keep a task alive.
			k.run.taskLog(k.spec.Task.ID).Error("kill cannot be written down", "err", err)
		}
		k.killing = true
		st := k.status
		st.State, st.Since, st.Message = scheduler.TaskKilling, time.Now(), request.Message
		if request.Healthy != nil {
			st.Healthy = request.Healthy
		}
		k.tell(st)
		k.stopCheck()
		k.results = nil
	}
	k.signal()
}

func (k *keeper) signal() {
	if k.supervisor == nil {
		return // settle or attach find the request
	}
	if err := k.supervisor.signal(syscall.SIGTERM); err != nil && !errors.Is(err, errGone) {
		k.run.taskLog(k.spec.Task.ID).Error("supervisor cannot be asked to end the task", "err", err)
	}
}

// beginCheck starts the health check, if the task has one for the agent.
func (k *keeper) beginCheck(ctx context.Context) {
	check := k.spec.Task.HealthCheck
	if check == nil || !check.Protocol.ByAgent() || k.results != nil {
		return
	}
	ctx, k.stopCheck = context.WithCancel(ctx)
	results := make(chan error)
	k.results = results
	c := &checker{check: *check, address: k.spec.Address, spec: k.spec, dir: k.dir}
	if own := k.status.Addresses; len(own) > 0 && check.Port != nil && !k.spec.Task.Resources.Ports.Contains(*check.Port) {
		c.address = own[0] // the port is not published on the agent
	}
	k.run.keepers.Go(func() {
		c.run(ctx, func(err error) {
			select {
			case results <- err:
			case <-ctx.Done():
			}
		})
	})
}

// checked takes in a result of the health check.
func (k *keeper) checked(failure error) {
	healthy := failure == nil
	v := k.count.record(healthy, time.Since(k.running), *k.spec.Task.HealthCheck)
	if !v.report {
		return
	}
	message := ""
	if failure != nil {
		message = "Health check failed: " + failure.Error()
	}
	if v.kill {
		k.kill(killRequest{Message: fmt.Sprintf("%s (%d times in a row)", message, k.count.failures), Healthy: &healthy})
		return
	}
	st := k.status
	st.Healthy, st.Message, st.Since = &healthy, message, time.Now()
	k.tell(st)
}

// retire writes down that the scheduler knows how the task ended, and leaves what remains to the collection.
func (k *keeper) retire() {
	k.retired = true
	if !k.made || !k.dir.has(specFile) {
		k.run.forgotten(k.spec.Task.ID) // it was never started, and nothing is left of it
		return
	}
	err := os.WriteFile(k.dir.path(reportedFile), nil, 0o600)
	if err == nil {
		err = syncDir(string(k.dir))
	}
	if err != nil {
		// It is reported again after the next start, as a status the scheduler already knows.
		k.run.taskLog(k.spec.Task.ID).Error("it cannot be written down that the task's end is known", "err", err)
	}
	k.run.rubbish.add(k.dir, k.spec.Task.ID, k.status.Since)
}
