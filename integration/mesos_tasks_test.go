package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/integration/mesosmaster"
)

// Apps run on Mesos as they do on one machine.
func TestAppsOnMesos(t *testing.T) {
	require(t, "dig", "busybox")
	c := newStandIn(t, mesosmaster.Options{Cut: 7})
	d := startOnMesos(t, c)

	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", webApp("/shop/web", 3, `,
		"constraints": [["hostname", "UNIQUE"]],
		"healthChecks": [{"protocol": "HTTP", "path": "/", "ignoreHttp1xx": false, "gracePeriodSeconds": 1, "intervalSeconds": 1}]`))
	tasks := d.running("/shop/web", 3)
	hosts := map[string]bool{}
	for _, task := range tasks {
		hosts[task.Host] = true
	}
	if len(hosts) != 3 {
		t.Errorf("they run on %v, although each is to have a host of its own", hosts)
	}
	want := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
	d.eventually("DNS has the tasks", func() bool {
		return slices.Equal(slices.Sorted(slices.Values(d.addresses("web.shop.marathon.mesos"))), want)
	})
	if srv := d.dig("+short", "_http._web.shop._tcp.marathon.mesos", "SRV"); len(srv) != 12 || !strings.Contains(strings.Join(srv, " "), fmt.Sprint(tasks[0].Ports[0])) {
		t.Errorf("SRV records: %v", srv)
	}
	var has struct {
		Agents []struct {
			Hostname    string
			Used, Total struct{ CPUs, Mem, Disk float64 }
		}
	}
	d.get("/rollcall/agents", &has)
	for _, a := range has.Agents {
		if a.Total.CPUs != 4 || a.Total.Mem != 4096 || a.Total.Disk != 8192 || a.Used.CPUs != 0.1 {
			t.Errorf("agent %s uses and has %+v", a.Hostname, a)
		}
	}
	if len(has.Agents) != 3 {
		t.Errorf("%d agents are known", len(has.Agents))
	}
	if got := d.addresses("leader.mesos"); !slices.Equal(got, []string{"127.0.0.11"}) {
		t.Errorf("leader.mesos is %v, not the master", got)
	}
	// The master's own state tells any other Mesos-DNS the same.
	if state := c.Tasks(); len(state) != 3 {
		t.Errorf("the cluster runs %v", state)
	}

	settled := func() { d.eventually("the deployment ends", func() bool { return d.deployments() == 0 }) }
	settled()
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/shop/web", `{"instances": 2}`)
	d.running("/shop/web", 2)
	d.eventually("DNS has two", func() bool { return len(d.addresses("web.shop.marathon.mesos")) == 2 })
	d.eventually("the cluster runs two", func() bool { return len(c.Tasks()) == 2 })

	settled()
	before := taskIDs(d.tasks("/shop/web"))
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/shop/web", `{"env": {"VERSION": "2"}}`)
	settled()
	after := taskIDs(d.running("/shop/web", 2))
	for _, id := range after {
		if slices.Contains(before, id) {
			t.Errorf("%s runs on after an upgrade", id)
		}
	}

	// A task that dies is replaced, one that is killed by request too.
	for id := range c.Tasks() {
		if err := c.Fail(id, "out of memory"); err != nil {
			t.Fatal(err)
		}
		break
	}
	d.eventually("the failed task is replaced", func() bool {
		now := taskIDs(d.tasks("/shop/web"))
		return len(now) == 2 && !slices.Equal(now, after)
	})
	d.must(http.StatusOK, http.MethodDelete, "/v2/apps/shop/web", "")
	d.eventually("all are gone", func() bool { return len(c.Tasks()) == 0 && len(d.addresses("web.shop.marathon.mesos")) == 0 })
}

// Checks that the executor makes decide, and a task that will not end is killed after its grace.
func TestChecksByTheExecutorOnMesos(t *testing.T) {
	require(t, "dig", "busybox")
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", webApp("/web", 1, `, "taskKillGracePeriodSeconds": 1,
		"healthChecks": [{"protocol": "MESOS_HTTP", "path": "/", "gracePeriodSeconds": 5, "intervalSeconds": 1, "delaySeconds": 0, "timeoutSeconds": 1}]`))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/sick", "cmd": "trap '' TERM; while :; do sleep 1; done", "cpus": 0.1, "mem": 32,
		"taskKillGracePeriodSeconds": 1, "healthChecks": [{"protocol": "COMMAND", "command": {"value": "exit 1"}, "gracePeriodSeconds": 0,
		"intervalSeconds": 1, "delaySeconds": 0, "maxConsecutiveFailures": 1}]}`)
	d.running("/web", 1)
	var app struct {
		App struct {
			TasksHealthy    int
			LastTaskFailure struct{ State, Message string }
		}
	}
	d.eventually("the web is healthy", func() bool { d.get("/v2/apps/web", &app); return app.App.TasksHealthy == 1 })
	d.eventually("the sick task was killed", func() bool {
		d.get("/v2/apps/sick", &app)
		return app.App.LastTaskFailure.State == "TASK_KILLED"
	})
}

// What a task wrote is read through its agent, in parts, and after its end as well.
func TestSandboxesOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cpus": 0.1, "mem": 32, "backoffSeconds": 3600, "cmd":
		"seq 100000 > numbers; echo hello; echo failing >&2; while ! [ -e end ]; do sleep 0.02; done; exit 3"}`)
	task := d.running("/a", 1)[0].ID
	read := func(task, file string) string {
		t.Helper()
		var all strings.Builder
		for {
			var part struct{ Data string }
			d.get(fmt.Sprintf("/rollcall/tasks/%s/files/%s?offset=%d&length=500000", task, file, all.Len()), &part)
			if part.Data == "" {
				return all.String()
			}
			all.WriteString(part.Data)
		}
	}
	d.eventually("its output is read", func() bool { return read(task, "stdout") == "hello\n" && read(task, "stderr") == "failing\n" })
	if numbers := read(task, "numbers"); len(numbers) != 588895 || !strings.HasSuffix(numbers, "\n99999\n100000\n") {
		t.Errorf("a long file has %d bytes", len(numbers))
	}
	d.must(http.StatusNotFound, http.MethodGet, "/rollcall/tasks/"+task+"/files/nothing", "")
	d.must(http.StatusNotFound, http.MethodGet, "/rollcall/tasks/a.instance-none._app.1/files/stdout", "")
	if out, err := exec.Command(binary, "task", "logs", "-url", d.api, task).CombinedOutput(); err != nil || !strings.Contains(string(out), "hello") {
		t.Errorf("rollcall task logs: %v: %s", err, out)
	}
	end := filepath.Join(c.Dir(), task, "end")
	if err := os.WriteFile(end, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.eventually("it has failed", func() bool { return len(d.tasks("/a")) == 0 })
	if got := read(task, "stdout"); got != "hello\n" {
		t.Errorf("after its end: %q", got)
	}
}

// Updates that come twice, and late, so that older ones follow newer ones, change nothing: no task is started or ended
// that would not be otherwise.
func TestUpdatesTwiceAndLateOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{Late: time.Second, Retry: 300 * time.Millisecond})
	d := startOnMesos(t, c)
	book := filepath.Join(t.TempDir(), "ledger")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", ledgerApp("/a", book, 8))
	d.running("/a", 8)
	settled := func(what string, started int) {
		t.Helper()
		d.eventually(what, func() bool {
			ids, _ := ledger(t, book)
			return d.deployments() == 0 && len(ids) == started && len(c.Tasks()) == len(d.tasks("/a"))
		})
	}
	settled("they have started", 8)
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"instances": 3}`)
	d.running("/a", 3)
	settled("the others have ended", 8)
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"env": {"VERSION": "2"}}`)
	settled("they are replaced", 11)
	if err := c.Fail(d.running("/a", 3)[0].ID, "as it happens"); err != nil {
		t.Fatal(err)
	}
	settled("the one that failed is replaced", 12)
	d.kill()
	d.run()
	d.running("/a", 3)
	settled("nothing has changed", 12)
}
