package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// forever is a container that runs until it is ended, and counts its starts.
func forever(id scheduler.TaskID) scheduler.TaskInfo {
	grace := 100 * time.Millisecond
	return scheduler.TaskInfo{ID: id, Container: image(scheduler.Docker{}), Kill: &grace,
		Shell: "trap 'exit 4' TERM; echo up | tee -a $MESOS_SANDBOX/starts; while :; do sleep 0.05; done"}
}

func TestContainerSupervisorKilled(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	r.launch(forever("a"))
	r.status("a", scheduler.TaskRunning)
	signalAll([]processID{r.readStatus("a").Supervisor}, 9)
	if s := r.status("a", scheduler.TaskFailed); s.Reason != "REASON_EXECUTOR_TERMINATED" {
		t.Errorf("got %+v", s)
	}
	if n := r.containers(d); n != 0 {
		t.Errorf("%d containers are left", n)
	}
}

func TestContainerOutlivesTheEngine(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	r.launch(forever("a"))
	r.launch(forever("b"))
	r.status("b", scheduler.TaskRunning)
	waitFor(t, filepath.Join(r.dir("a").sandbox(), "starts"))
	r.stop()
	gone := r.readStatus("b").Supervisor
	signalAll([]processID{gone}, 9)
	waitGone(t, gone)

	r = start(t, r.engine)
	r.status("a", scheduler.TaskRunning)
	r.status("b", scheduler.TaskFailed)
	if n := r.containers(d); n != 1 {
		t.Errorf("there are %d containers, want that of task a", n)
	}
	if got := r.sandboxFile("a", "starts"); got != "up\n" {
		t.Errorf("starts are %q", got)
	}
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilled)
}

func TestContainerEndedByOthers(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	r.launch(forever("killed"))
	r.status("killed", scheduler.TaskRunning)
	name := func(id scheduler.TaskID) string {
		return containerName(containerLabels(framework, r.engine.options.Dir, id))
	}
	if _, err := d.api.ContainerKill(t.Context(), name("killed"), client.ContainerKillOptions{Signal: "SIGKILL"}); err != nil {
		t.Fatal(err)
	}
	if s := r.status("killed", scheduler.TaskFailed); s.Message != "Container exited with status 137" {
		t.Errorf("got %+v", s)
	}
	r.launch(forever("removed"))
	r.status("removed", scheduler.TaskRunning)
	if _, err := d.api.ContainerRemove(t.Context(), name("removed"), client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	r.status("removed", scheduler.TaskFailed)
}

// Containers of this engine that nobody looks after any more are removed; those of others are not touched.
func TestContainersLeftBehindAreRemoved(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	r.stop()
	put := func(name string, labels map[string]string) string {
		t.Helper()
		made, err := d.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: name,
			Config: &container.Config{Image: testImage, Labels: labels, Cmd: []string{"sleep", "1000"}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, _ = d.api.ContainerRemove(context.Background(), made.ID, client.ContainerRemoveOptions{Force: true})
		})
		if _, err := d.api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	put("left-behind", containerLabels(framework, r.engine.options.Dir, "old"))
	others := []string{
		put("of-another-framework", containerLabels("another", r.engine.options.Dir, "old")),
		put("of-another-rollcall", containerLabels(framework, "/elsewhere", "old")),
		put("of-nobody", nil),
	}
	r = start(t, r.engine)
	eventually(t, "the removal of the container", func() bool { return r.containers(d) == 0 })
	for _, id := range others {
		there, err := d.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if err != nil || !there.Container.State.Running {
			t.Errorf("container of somebody else: %v", err)
		}
	}
}

// statuses waits until tasks are in these states, of whichever they are told first.
func (r *rig) statuses(want map[scheduler.TaskID]scheduler.TaskState) {
	r.t.Helper()
	are := func() bool {
		for id, state := range want {
			if r.newest[id].State != state {
				return false
			}
		}
		return true
	}
	if !are() {
		r.until(func(scheduler.Event) bool { return are() })
	}
}

// offerSaying waits for an offer that says so of containers: offers are made anew when that changes, also while the
// scheduler wants none.
func (r *rig) offerSaying(why string) {
	r.t.Helper()
	for {
		o := r.offer("local-S0")
		if strings.Contains(o.NoContainers, why) && (o.NoContainers == "") == (why == "") {
			r.engine.Decline(o.ID, 0)
			return
		}
		r.engine.Decline(o.ID, time.Hour)
	}
}

// A daemon that hangs holds up containers, and nothing else.
func TestDockerHangs(t *testing.T) {
	d := ownDaemon(t)
	r := newContainerRig(t, d, Options{})
	r.stop()
	r.engine.dockerInterval = 50 * time.Millisecond
	r = start(t, r.engine)
	r.launch(forever("running"))
	r.status("running", scheduler.TaskRunning)

	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resumed := false
	resume := func() {
		if !resumed {
			resumed = true
			_ = d.cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	t.Cleanup(resume)
	r.launch(forever("late"))
	r.status("late", scheduler.TaskStaging)
	r.shell("process", "true")
	r.status("process", scheduler.TaskFinished)
	r.offerSaying("does not answer")
	signalAll([]processID{r.readStatus("running").Supervisor}, 9)
	r.stop()
	r = start(t, r.engine) // does not wait for Docker
	if s := r.status("running", scheduler.TaskRunning); s.State.Terminal() {
		t.Errorf("got %+v while its container may run", s)
	}
	resume()
	r.statuses(map[scheduler.TaskID]scheduler.TaskState{"running": scheduler.TaskFailed, "late": scheduler.TaskRunning})
	waitFor(t, filepath.Join(r.dir("late").sandbox(), "starts"))
	eventually(t, "the end of the other container", func() bool { return r.containers(d) == 1 })
	r.engine.Kill(scheduler.TaskRef{TaskID: "late"})
	r.status("late", scheduler.TaskKilled)
	if got := r.sandboxFile("late", "starts"); got != "up\n" {
		t.Errorf("starts are %q", got)
	}
}

// With the daemon, Docker ends its containers; those of a daemon that was killed, the next one ends. The tasks are told
// when there is a daemon again.
func TestDockerRestarts(t *testing.T) {
	for name, kill := range map[string]bool{"stopped": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			d := ownDaemon(t)
			r := newContainerRig(t, d, Options{})
			r.stop()
			r.engine.dockerInterval = 50 * time.Millisecond
			r = start(t, r.engine)
			r.launch(forever("a"))
			r.status("a", scheduler.TaskRunning)
			waitFor(t, filepath.Join(r.dir("a").sandbox(), "starts"))
			if kill {
				d.kill()
			} else {
				d.end()
			}
			r.offerSaying("cannot be used")
			r.launch(forever("b"))
			r.status("b", scheduler.TaskStaging)
			if why := d.begin(); why != "" {
				t.Fatal(why)
			}
			r.statuses(map[scheduler.TaskID]scheduler.TaskState{"a": scheduler.TaskFailed, "b": scheduler.TaskRunning})
			waitFor(t, filepath.Join(r.dir("b").sandbox(), "starts"))
			if a := r.newest["a"]; !strings.HasPrefix(a.Message, "Container exited with status ") {
				t.Errorf("got %+v", a)
			}
			r.engine.Kill(scheduler.TaskRef{TaskID: "b"})
			r.status("b", scheduler.TaskKilled)
			eventually(t, "the removal of all containers", func() bool { return r.containers(d) == 0 })
			for _, id := range []scheduler.TaskID{"a", "b"} {
				if got := r.sandboxFile(id, "starts"); got != "up\n" {
					t.Errorf("starts of %s are %q", id, got)
				}
			}
		})
	}
}

// A container that the daemon made for a supervisor whose call was lost is found by its name, and not made twice.
func TestContainerIsMadeOnce(t *testing.T) {
	d := sharedDaemon(t)
	dir := taskDir(filepath.Join(testDir(t), "tasks", "a"))
	if err := os.MkdirAll(dir.sandbox(), 0o755); err != nil {
		t.Fatal(err)
	}
	s := spec{Task: scheduler.TaskInfo{ID: "a", FrameworkID: framework, Container: image(scheduler.Docker{})}, Container: &containerSpec{Docker: d.host}}
	labels := containerLabels(framework, dir.engine(), "a")
	t.Cleanup(func() { _ = d.removeTask(context.Background(), labels) })
	var ids []string
	for range 2 {
		c := &containerRun{docker: d.docker, spec: s, labels: labels}
		if err := c.configure(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		if err := c.make(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
		c.await(t.Context())
		ids = append(ids, c.id)
	}
	if ids[0] != ids[1] {
		t.Fatalf("made %v", ids)
	}
	logs, err := d.api.ContainerLogs(t.Context(), ids[0], client.ContainerLogsOptions{ShowStdout: true, Timestamps: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	var out strings.Builder
	l := containerLog{stdout: &out, stderr: &out}
	if err := l.copy(logs); err != nil || strings.Count(out.String(), "entry") != 1 {
		t.Errorf("it ran as %q (%v), want once", out.String(), err)
	}
}
