package integration

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ubuntu is seed 004, in the form of Marathon 0.6.
func ubuntu(t *testing.T, e *dockerEngine) {
	d := e.start("mesos")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", string(seed(t, "004-ubuntu.json")))
	d.eventually("it runs", func() bool { return len(d.tasks("/ubuntu")) == 1 })
	k := d.tasks("/ubuntu")[0]
	inspected := e.docker("inspect", "--format", "{{.Config.Image}} {{.HostConfig.NetworkMode}}", e.containerOf(k.ID))
	if !slices.Equal(inspected, []string{"libmesos/ubuntu host"}) {
		t.Errorf("its container is %q", inspected)
	}
	clock := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d$`)
	d.eventually("it tells the time", func() bool { return clock.MatchString(d.sandboxFile(k.ID, "stdout")) })
}

// containerNetwork has the names of tasks with an address of their own lead there.
func containerNetwork(t *testing.T, e *dockerEngine) {
	c := e.config(t.TempDir(), "mesos", 53)
	local := c["scheduler"].(map[string]any)["local"].(map[string]any)
	local["networks"] = map[string]any{"apps": "10.88.0.0/24"}
	d := e.startWith(c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/own", "instances": 2, "cpus": 0.1, "mem": 32,
		"cmd": "exec listen 8080", "networks": [{"mode": "container", "name": "apps"}],
		"container": {"type": "DOCKER", "docker": {"image": "crate/crate:0.47.3"}, "portMappings": [{"containerPort": 8080, "name": "http"}]}}`)
	d.eventually("two addresses of that network are found", func() bool {
		found := d.addresses("own.marathon.mesos")
		return len(found) == 2 && !slices.ContainsFunc(found, func(a string) bool { return !strings.HasPrefix(a, "10.88.0.") })
	})
	for _, address := range d.addresses("own.marathon.mesos") {
		d.eventually("it answers there", func() bool { return slices.Contains(taskIDs(d.tasks("/own")), httpAt(t, address+":8080")) })
	}
	inside := e.docker("exec", e.containerOf(d.tasks("/own")[0].ID), "dig", "+short", "own.marathon.mesos")
	if !sameSet(inside, d.addresses("own.marathon.mesos")) {
		t.Errorf("from inside, %v is found", inside)
	}
}

// lastFailure is what became of the last task of an app that failed.
func (d *daemon) lastFailure(app string) (message string) {
	d.t.Helper()
	var v struct {
		App struct {
			LastTaskFailure struct{ State, Message string }
		}
	}
	d.get("/v2/apps"+app, &v)
	return v.App.LastTaskFailure.Message
}

// containerFailures tells what went wrong in the words of who knows.
func containerFailures(t *testing.T, e *dockerEngine) {
	d := e.start("mesos")
	post := func(id, image, rest string) {
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cpus": 0.1, "mem": 32, "backoffSeconds": 3600,
			"maxLaunchDelaySeconds": 3600, "container": {"docker": {"image": %q}}, %s}`, id, image, rest))
	}
	post("/no-image", "127.0.0.1:1/none:1", `"cmd": "true"`)
	post("/no-program", "libmesos/ubuntu", `"args": ["/no/such/program"]`)
	post("/exit", "libmesos/ubuntu", `"cmd": "exit 7"`)
	for app, want := range map[string]string{"/no-image": "connection refused", "/no-program": "no such file or directory", "/exit": "7"} {
		d.eventually(app+" fails", func() bool { return d.lastFailure(app) != "" })
		if got := d.lastFailure(app); !strings.Contains(got, want) {
			t.Errorf("%s failed with %q, want %q", app, got, want)
		}
		d.eventually(app+" backs off", func() bool { q := d.queued(app); return q != nil && !q.Delay.Overdue })
	}
	d.eventually("what ended is removed", func() bool { return len(e.containers("rollcall.task")) == 0 })
}

// restartBesideOthers kills rollcall while containers run, of which some are not its own.
func restartBesideOthers(t *testing.T, e *dockerEngine) {
	const app = `{"id": "/steady", "instances": 2, "cpus": 0.1, "mem": 32, "taskKillGracePeriodSeconds": 0, "cmd": "exec sleep 100000",
		"container": {"docker": {"image": "libmesos/ubuntu"}}}`
	other := start(t, e.config(t.TempDir(), "mesos", 5353))
	other.must(http.StatusCreated, http.MethodPost, "/v2/apps", app)
	other.eventually("the other's run", func() bool { return len(other.tasks("/steady")) == 2 })
	stranger := e.docker("run", "--detach", "--network", "none", "libmesos/ubuntu", "sleep", "100000")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the containers at the end:\n%s", strings.Join(e.docker("ps", "--all", "--no-trunc"), "\n"))
		}
		e.docker("rm", "--force", stranger[0])
		e.clear(other)
	})
	running := func() []string { return slices.Sorted(slices.Values(e.docker("ps", "--quiet", "--no-trunc"))) }
	foreign := running()

	d := start(t, e.config(t.TempDir(), "mesos", 53))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", app)
	d.eventually("all run", func() bool { return len(d.tasks("/steady")) == 2 && len(running()) == 5 })
	before, tasks := running(), taskIDs(d.tasks("/steady"))
	d.kill()
	d.run()
	d.eventually("the tasks are found again", func() bool { return slices.Equal(taskIDs(d.tasks("/steady")), tasks) })
	if after := running(); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}

	// One ends while rollcall is away: it is replaced, and nobody else.
	d.kill()
	e.docker("kill", e.containerOf(tasks[0]))
	d.run()
	d.eventually("it is replaced", func() bool {
		now := taskIDs(d.tasks("/steady"))
		return len(now) == 2 && !slices.Contains(now, tasks[0]) && slices.Contains(now, tasks[1])
	})
	d.must(http.StatusOK, http.MethodDelete, "/v2/apps/steady?force=true", "")
	d.eventually("only the foreign are left", func() bool {
		return slices.Equal(running(), foreign) && len(e.containers("rollcall.task")) == 2
	})
}

// dockerHangs stops the engine in its tracks, as a full disk may.
func dockerHangs(t *testing.T, e *dockerEngine) {
	d := e.start("mesos")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/before", "cpus": 0.1, "mem": 32, "cmd": "exec sleep 100000",
		"container": {"docker": {"image": "libmesos/ubuntu"}}}`)
	d.eventually("one runs", func() bool { return len(d.tasks("/before")) == 1 })
	container := e.containerOf(d.tasks("/before")[0].ID)

	signal := func(s syscall.Signal) {
		if err := e.process.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	post := func(id string, instances int) {
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cpus": 0.1, "mem": 32, "cmd": "exec sleep 100000",
			"instances": %d, "container": {"docker": {"image": "libmesos/ubuntu"}}}`, id, instances))
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	post("/early", 1)
	d.eventually("the hang is noticed", func() bool { return strings.Contains(d.output(), "containers cannot be run") })
	post("/after", 3)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/process", "cpus": 0.1, "mem": 32, "cmd": "exec sleep 100000"}`)
	d.eventually("processes run on", func() bool { return len(d.tasks("/process")) == 1 && len(d.addresses("process.marathon.mesos")) == 1 })
	if got := d.addresses("before.marathon.mesos"); len(got) != 1 {
		t.Errorf("the container that runs is found at %v", got)
	}
	d.eventually("the queue tells what the others wait for", func() bool {
		q := d.queued("/after")
		return q != nil && q.rejected("ContainerEngineUnavailable") > 0
	})
	signal(syscall.SIGCONT)
	d.eventually("the others run", func() bool { return len(d.tasks("/early")) == 1 && len(d.tasks("/after")) == 3 })
	if got := len(e.containers("rollcall.task")); got != 5 {
		t.Errorf("there are %d containers of 5 tasks", got)
	}
	if got := e.containerOf(d.tasks("/before")[0].ID); got != container {
		t.Errorf("the container from before was replaced")
	}
}

// TestDockerAbsent has an app wait for a Docker Engine that is not there, and nothing else.
func TestDockerAbsent(t *testing.T) {
	require(t, "dig")
	c := newConfig(t.TempDir())
	c["scheduler"].(map[string]any)["local"].(map[string]any)["docker"] = "unix:///nowhere/docker.sock"
	d := start(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/container", "cpus": 0.1, "mem": 32, "cmd": "exec sleep 100000",
		"container": {"docker": {"image": "libmesos/ubuntu"}}}`)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/process", "cpus": 0.1, "mem": 32, "cmd": "exec sleep 100000"}`)
	d.eventually("the process runs and is found", func() bool {
		return len(d.tasks("/process")) == 1 && len(d.addresses("process.marathon.mesos")) == 1
	})
	d.eventually("the queue tells what the container waits for", func() bool {
		q := d.queued("/container")
		return q != nil && q.rejected("ContainerEngineUnavailable") == 3
	})
	if log := d.output(); !strings.Contains(log, "nowhere/docker.sock") {
		t.Errorf("the log does not name the Docker Engine that is missing:\n%s", log)
	}
}

// manyContainers starts and stops many containers: none is left, and DNS has exactly those that run.
// ROLLCALL_CONTAINERS says how many, 40 if it is not set; "make containers" has 200.
func manyContainers(t *testing.T, e *dockerEngine) {
	const wave = 40
	most := wave
	if text := os.Getenv("ROLLCALL_CONTAINERS"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	d := e.start("mesos")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/many", "instances": 0, "cpus": 0.01, "mem": 16,
		"cmd": "trap 'exit 0' TERM; sleep 100000 & wait", "container": {"docker": {"image": "libmesos/ubuntu"}}}`)
	known := map[string][]string{} // the ports of tasks
	// listening are the ports of those containers that run, by what is known of their tasks.
	listening := func() []string {
		for _, k := range d.tasks("/many") {
			known[k.ID] = ports([]task{k})
		}
		var out []string
		for _, id := range e.docker("ps", "--format", `{{.Label "rollcall.task"}}`) {
			out = append(out, known[id]...)
		}
		return out
	}
	scale := func(n int) {
		began := time.Now()
		d.must(http.StatusOK, http.MethodPut, "/v2/apps/many?force=true", fmt.Sprintf(`{"instances": %d}`, n))
		d.eventually(fmt.Sprintf("%d run", n), func() bool {
			// A task is named only while its container runs: it is in the list before or in the one after.
			before := listening()
			found := d.srvPorts("_many._tcp.marathon.mesos")
			run := append(before, listening()...)
			for _, port := range found {
				if !slices.Contains(run, port) {
					t.Errorf("port %s is found, where no container runs", port)
				}
			}
			return len(d.tasks("/many")) == n
		})
		d.eventually(fmt.Sprintf("%d are found, each at its port", n), func() bool {
			return sameSet(d.srvPorts("_many._tcp.marathon.mesos"), ports(d.tasks("/many")))
		})
		d.eventually(fmt.Sprintf("%d containers are there", n), func() bool { return len(e.containers("rollcall.task")) == n })
		t.Logf("%d containers after %s", n, time.Since(began).Round(time.Second/10))
	}
	for n := wave; n < most; n += wave {
		scale(n)
	}
	scale(most)
	scale(most / 4)
	scale(0)
}

// srvPorts are the ports of SRV records.
func (d *daemon) srvPorts(name string) []string {
	d.t.Helper()
	fields := d.dig("+short", "+tcp", name, "SRV")
	var out []string
	for i := 2; i < len(fields); i += 4 {
		out = append(out, fields[i])
	}
	return out
}

func ports(tasks []task) []string {
	var out []string
	for _, k := range tasks {
		for _, p := range k.Ports {
			out = append(out, strconv.Itoa(p))
		}
	}
	return out
}
