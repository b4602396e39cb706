package integration

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/integration/mesosmaster"
)

// The leading master dies, and with it what masters know: tasks run on, their names stay, and the next leader has them
// scaled.
func TestMasterFailover(t *testing.T) {
	require(t, "dig")
	c := newStandIn(t, mesosmaster.Options{Recovery: 300 * time.Millisecond})
	first, second := c.Leader(), c.master(t, "127.0.0.12")
	book := filepath.Join(t.TempDir(), "ledger")
	d := start(t, newMesosConfig(t.TempDir(), first.Address(), second.Address()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", ledgerApp("/a", book, 3))
	before := taskIDs(d.running("/a", 3))
	d.eventually("the deployment ends", func() bool { return d.deployments() == 0 })
	addresses := func() []string { return slices.Sorted(slices.Values(d.addresses("a.marathon.mesos"))) }
	d.eventually("DNS has them", func() bool { return len(addresses()) == 3 })
	names, pids := addresses(), c.PIDs()

	first.Kill()
	framework := ""
	d.eventually("the loss is noticed", func() bool { return strings.Contains(d.output(), "not connected to the Mesos masters") })
	if got := addresses(); !slices.Equal(got, names) {
		t.Errorf("DNS has %v without a leader, %v before", got, names)
	}
	c.Elect(second)
	d.eventually("it has registered again", func() bool { framework = strings.Join(c.Frameworks(), " "); return framework != "" })
	for range 10 {
		if got := addresses(); !slices.Equal(got, names) {
			t.Errorf("DNS has %v after the election, %v before", got, names)
		}
	}
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"instances": 5}`)
	after := taskIDs(d.running("/a", 5))
	for _, id := range before {
		if !slices.Contains(after, id) {
			t.Errorf("%s is gone", id)
		}
	}
	now := c.PIDs()
	for id, pid := range pids {
		if now[id] != pid {
			t.Errorf("%s was process %d and is %d", id, pid, now[id])
		}
	}
	if ids, _ := ledger(t, book); len(ids) != 5 {
		t.Errorf("started: %v", ids)
	}
	if !strings.Contains(d.output(), "framework="+framework) {
		t.Errorf("the framework %s was never told of", framework)
	}
}

// The next leader has lost its memory, and says that it does not know tasks before their agents have come back to it, which
// takes a while. None of them is given up, and their names stay.
func TestMasterThatForgot(t *testing.T) {
	require(t, "dig")
	c := newStandIn(t, mesosmaster.Options{Recovery: 2 * time.Second, Forgetful: true})
	first, second := c.Leader(), c.master(t, "127.0.0.12")
	d := start(t, newMesosConfig(t.TempDir(), first.Address(), second.Address()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 6}`)
	before := taskIDs(d.running("/a", 6))
	d.eventually("the deployment ends", func() bool { return d.deployments() == 0 })
	d.eventually("DNS has them", func() bool { return len(d.addresses("a.marathon.mesos")) == 3 })
	pids := c.PIDs()

	asked := func() int {
		n := 0
		for _, call := range c.Calls() {
			if call.Type == "RECONCILE" {
				n++
			}
		}
		return n
	}
	first.Kill()
	known := asked()
	c.Elect(second)
	d.eventually("tasks are asked for, and asked for again", func() bool {
		if got := d.addresses("a.marathon.mesos"); len(got) != 3 {
			t.Errorf("DNS has %v", got)
		}
		return asked() >= known+4 // both times by their ids, and for all that there are
	})
	if got := taskIDs(d.tasks("/a")); !slices.Equal(got, before) {
		t.Errorf("the tasks were %v, now they are %v", before, got)
	}
	if now := c.PIDs(); !maps.Equal(now, pids) {
		t.Errorf("the processes were %v, now they are %v", pids, now)
	}
	if strings.Contains(d.output(), "many agents are lost at once") {
		t.Error("agents that were on their way back count as lost")
	}
}

// The same with masters that are found through ZooKeeper, whose nodes outlive a dead master for a while: until then
// the others still send to it.
func TestMasterFailoverThroughZooKeeper(t *testing.T) {
	require(t, "dig")
	z := startZooKeeper(t)
	c := newStandIn(t, mesosmaster.Options{})
	first, second := c.Leader(), c.master(t, "127.0.0.12")
	session, standby := registerMaster(t, z, first), registerMaster(t, z, second)
	defer standby.Close()
	conf := newMesosConfig(t.TempDir())
	delete(conf, "masters")
	conf["zk"] = z.url()
	d := start(t, conf)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 2}`)
	d.running("/a", 2)
	d.eventually("the deployment ends", func() bool { return d.deployments() == 0 })
	before := c.PIDs()

	first.Kill()
	d.eventually("the loss is noticed", func() bool { return strings.Contains(d.output(), "not connected to the Mesos masters") })
	c.Elect(second)
	session.Close()
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"instances": 3}`)
	d.running("/a", 3)
	now := c.PIDs()
	maps.DeleteFunc(now, func(id string, _ int) bool { return before[id] == 0 })
	if !maps.Equal(before, now) {
		t.Errorf("tasks were %v and are %v", before, now)
	}
	d.eventually("leader.mesos is the new one", func() bool { return slices.Equal(d.addresses("leader.mesos"), []string{"127.0.0.12"}) })
}
