package local

import (
	"cmp"
	"context"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// containerEnd is how a container ended.
type containerEnd struct {
	known       bool // the rest is
	code        int
	outOfMemory bool
	complaint   string // Docker's
}

// follow copies the container's output until it ends, and ends it when the engine asks for that.
func (s *supervisor) follow(c *containerRun) containerEnd {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	copied := make(chan struct{})
	go func() { defer close(copied); c.log.follow(ctx, c.docker, c.id) }()
	ended := make(chan containerEnd, 1)
	go func() { ended <- c.await(ctx) }()

	asked := make(chan struct{}, 1) // the container has the first signal
	var deadline <-chan time.Time
	stopping := false
	stop := func() {
		if !stopping {
			stopping = true
			go func() { c.signal(ctx, c.stopSignal(ctx)); asked <- struct{}{} }()
		}
	}
	if s.stopped {
		stop()
	}
	for {
		var retry <-chan time.Time
		if s.unsaved {
			retry = time.After(saveRetry)
		}
		select {
		case end := <-ended:
			select {
			case <-copied:
			case <-time.After(logPatience):
			}
			cancel()
			<-copied // nothing is written into the files when they are closed
			return end
		case <-s.signals:
			s.stopped = true
			s.readKill()
			stop()
		case <-asked:
			deadline = time.After(s.spec.Grace)
		case <-deadline:
			deadline = nil
			go c.signal(ctx, "SIGKILL")
		case <-retry:
			s.save()
		}
	}
}

// stopSignal is the image's, by default SIGTERM.
func (c *containerRun) stopSignal(ctx context.Context) string {
	if there, err := c.inspect(ctx, c.id); err == nil && there.Config.StopSignal != "" {
		return there.Config.StopSignal
	}
	return "SIGTERM"
}

// signal sends a signal, as soon as there is a daemon that can. A container that has ended needs none.
func (c *containerRun) signal(ctx context.Context, name string) {
	_ = insist(ctx, func() error {
		_, err := c.api.ContainerKill(ctx, c.id, client.ContainerKillOptions{Signal: name})
		return err
	})
}

// await waits for the container's end, however often the daemon goes away meanwhile.
func (c *containerRun) await(ctx context.Context) containerEnd {
	pause := retryFirst
	for ctx.Err() == nil {
		var told *container.WaitResponse
		wait := c.api.ContainerWait(ctx, c.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
		select {
		case answer := <-wait.Result:
			told = &answer
		case <-wait.Error:
		case <-ctx.Done():
			return containerEnd{}
		}
		there, err := c.inspect(ctx, c.id)
		switch {
		case err == nil && !there.State.Running && !there.State.Restarting:
			return containerEnd{known: true, code: there.State.ExitCode, outOfMemory: there.State.OOMKilled, complaint: there.State.Error}
		case cerrdefs.IsNotFound(err) && told != nil:
			return containerEnd{known: true, code: int(told.StatusCode)}
		case cerrdefs.IsNotFound(err):
			return containerEnd{}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, retryMost)
		}
	}
	return containerEnd{}
}

// outcome says how the end is to be reported.
func (c *containerRun) outcome(end containerEnd, kill *killRequest) status {
	message := fmt.Sprintf("Container exited with status %d", end.code)
	switch {
	case !end.known:
		message = "Container is gone: it was removed by somebody else"
	case end.complaint != "":
		message += ": " + end.complaint
	}
	switch {
	case kill != nil:
		return killed(kill, message)
	case end.known && end.code == 0:
		return status{State: scheduler.TaskFinished, Message: message}
	case end.outOfMemory:
		return status{State: scheduler.TaskFailed, Reason: "REASON_CONTAINER_LIMITATION_MEMORY",
			Message: fmt.Sprintf("Memory limit exceeded: Requested: %gMB (%s)", c.spec.Task.Resources.Mem, message)}
	}
	return status{State: scheduler.TaskFailed, Reason: "REASON_COMMAND_EXECUTOR_FAILED", Message: message}
}

// removeWithin is how long a supervisor tries to remove its container before it leaves that to the engine.
const removeWithin = 30 * time.Second

// removeTask kills and removes the container that carries a task's labels, if there is one. It tries until the daemon
// has said that there is none, or ctx ends; an error is about the latter or the daemon's own.
func (d *docker) removeTask(ctx context.Context, labels map[string]string) error {
	return insist(ctx, func() error {
		there, err := d.list(ctx, labels)
		if err != nil {
			return err
		}
		for _, c := range there {
			// The container's own anonymous volumes go with it.
			_, err := d.api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			if err != nil && !cerrdefs.IsNotFound(err) && !cerrdefs.IsConflict(err) {
				return err
			}
		}
		if len(there) > 0 {
			return errStillThere // until the list says otherwise
		}
		return nil
	})
}

// list lists the containers, running or not, that carry all of the labels.
func (d *docker) list(ctx context.Context, labels map[string]string) ([]container.Summary, error) {
	filters := client.Filters{}
	for name, value := range labels {
		filters.Add("label", name+"="+value)
	}
	answer, err := ask(ctx, func(ctx context.Context) (client.ContainerListResult, error) {
		return d.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	})
	return answer.Items, err
}

// removeContainer has the container removed that a killed supervisor may have left. Until that is done, however long
// there is no daemon to do it, the task counts as what it was: reported as over it would be started a second time.
func (k *keeper) removeContainer(ctx context.Context, st status) {
	if k.status.State == "" {
		st.State, st.Since = cmp.Or(st.State, scheduler.TaskStaging), time.Now()
		if k.killing {
			st.State = scheduler.TaskKilling
		}
		k.tell(st)
	}
	removed := make(chan struct{})
	k.removed = removed
	labels := containerLabels(k.spec.Task.FrameworkID, k.dir.engine(), k.spec.Task.ID)
	k.run.keepers.Go(func() {
		d, err := connectDocker(k.spec.Container.Docker)
		if err == nil {
			defer d.close()
			err = persist(ctx, func() error { return d.removeTask(ctx, labels) })
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			k.run.taskLog(k.spec.Task.ID).Error("task's container cannot be removed", "err", err)
		}
		close(removed)
	})
}
