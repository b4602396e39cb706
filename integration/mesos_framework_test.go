package integration

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/integration/mesosmaster"
)

// rollcall is killed and started again: the same framework, the same tasks.
func TestKilledOnMesos(t *testing.T) {
	require(t, "dig")
	c := newStandIn(t, mesosmaster.Options{})
	book := filepath.Join(t.TempDir(), "ledger")
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", ledgerApp("/a", book, 4))
	d.running("/a", 4)
	d.eventually("the deployment ends", func() bool { return d.deployments() == 0 })
	before, pids := c.Frameworks(), c.PIDs()
	d.kill()
	d.run()
	d.running("/a", 4)
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"instances": 5}`)
	d.running("/a", 5)
	if after := c.Frameworks(); !slices.Equal(before, after) || len(after) != 1 {
		t.Errorf("the framework was %v and is %v", before, after)
	}
	now := c.PIDs()
	maps.DeleteFunc(now, func(id string, _ int) bool { return pids[id] == 0 })
	if !maps.Equal(pids, now) {
		t.Errorf("tasks were %v and are %v", pids, now)
	}
	if ids, _ := ledger(t, book); len(ids) != 5 {
		t.Errorf("started: %v", ids)
	}
}

// A framework that was removed is not registered anew while its tasks may be somewhere.
func TestFrameworkRemovedOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32}`)
	d.running("/a", 1)
	c.Teardown()
	select {
	case <-d.exited:
	case <-time.After(patience):
		t.Fatal("rollcall goes on")
	}
	if out := d.output(); !strings.Contains(out, "the framework has been removed") || !strings.Contains(out, "scheduler.mesos.frameworkRemoved") {
		t.Errorf("it does not say why, and what to do:\n%s", out)
	}
	if len(c.Frameworks()) != 0 {
		t.Errorf("it registered as %v", c.Frameworks())
	}
}

// Two rollcalls with one framework id do not take turns: the one that was first gives up.
func TestFrameworkTakenOverOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{})
	first := startOnMesos(t, c)
	first.eventually("it has registered, and stored its id", func() bool {
		var info struct {
			FrameworkID string `json:"frameworkId"`
		}
		first.get("/v2/info", &info)
		return info.FrameworkID != ""
	})
	data, err := os.ReadFile(filepath.Join(first.dir, "data", "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	second := newMesosConfig(t.TempDir(), c.Leader().Address())
	dataDir := second["scheduler"].(map[string]any)["dataDir"].(string)
	if err := errors.Join(os.MkdirAll(dataDir, 0o755), os.WriteFile(filepath.Join(dataDir, "state.db"), data, 0o600)); err != nil {
		t.Fatal(err)
	}
	d := start(t, second)
	select {
	case <-first.exited:
	case <-time.After(patience):
		t.Fatal("both go on")
	}
	if !strings.Contains(first.output(), "another scheduler has registered with this framework id") {
		t.Errorf("it does not say why:\n%s", first.output())
	}
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32}`)
	d.running("/a", 1)
}

// Two rollcalls with a shared state: when the one that leads is killed, the other registers as the same framework, and
// no task is touched. The follower has the names all the time.
func TestRollcallsOnMesos(t *testing.T) {
	require(t, "dig")
	z := startZooKeeper(t)
	c := newStandIn(t, mesosmaster.Options{})
	defer registerMaster(t, z, c.Leader()).Close()
	book := filepath.Join(t.TempDir(), "ledger")
	rollcall := func() *daemon {
		conf := newMesosConfig(t.TempDir(), c.Leader().Address())
		conf["scheduler"].(map[string]any)["zk"] = "zk://" + strings.Join(z.clients, ",") + "/rollcall"
		conf["scheduler"].(map[string]any)["zkSessionTimeout"] = peerSession
		return start(t, conf)
	}
	first := rollcall()
	first.eventually("it leads", func() bool { return len(c.Frameworks()) == 1 })
	second := rollcall()
	second.eventually("it follows", func() bool { return strings.Contains(second.output(), "another rollcall leads") })
	first.must(http.StatusCreated, http.MethodPost, "/v2/apps", ledgerApp("/a", book, 3))
	first.running("/a", 3)
	first.eventually("the deployment ends", func() bool { return first.deployments() == 0 })
	names := func() []string { return slices.Sorted(slices.Values(second.addresses("a.marathon.mesos"))) }
	second.eventually("the follower has the names", func() bool { return len(names()) == 3 })
	want, framework, pids := names(), c.Frameworks(), c.PIDs()

	first.kill()
	second.eventually("the other leads", func() bool { return strings.Contains(second.output(), "registered with the Mesos master") })
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("DNS has %v, and %v before", got, want)
	}
	second.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"instances": 4}`)
	second.running("/a", 4)
	if got := c.Frameworks(); !slices.Equal(got, framework) {
		t.Errorf("the framework was %v and is %v", framework, got)
	}
	now := c.PIDs()
	maps.DeleteFunc(now, func(id string, _ int) bool { return pids[id] == 0 })
	if !maps.Equal(pids, now) {
		t.Errorf("tasks were %v and are %v", pids, now)
	}
	if ids, _ := ledger(t, book); len(ids) != 4 {
		t.Errorf("started: %v", ids)
	}
}

// Where that is wished, a framework that was removed comes back as another one, with all of its apps.
func TestFrameworkRegistersAnewOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{})
	conf := newMesosConfig(t.TempDir(), c.Leader().Address())
	conf["scheduler"].(map[string]any)["mesos"] = map[string]any{"frameworkRemoved": "reregister"}
	d := start(t, conf)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 2}`)
	before := taskIDs(d.running("/a", 2))
	old := c.Frameworks()
	c.Teardown()
	d.eventually("the apps run again", func() bool { return len(c.Tasks()) == 2 && len(d.tasks("/a")) == 2 })
	if now := c.Frameworks(); len(now) != 1 || slices.Equal(now, old) {
		t.Errorf("the framework was %v and is %v", old, now)
	}
	for _, task := range d.tasks("/a") {
		if slices.Contains(before, task.ID) {
			t.Errorf("%s is one of the framework that was removed", task.ID)
		}
	}
}
