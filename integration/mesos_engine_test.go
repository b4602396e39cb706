package integration

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"rollcall/integration/mesosmaster"
)

// standInCluster is a stand-in Mesos cluster of one leading master and three agents, 127.0.0.1 to 127.0.0.3, on racks r1
// to r3, whose tasks are processes.
type standInCluster struct {
	*mesosmaster.Cluster
	agents []*mesosmaster.Agent
}

func newStandIn(t *testing.T, o mesosmaster.Options) *standInCluster {
	t.Helper()
	o.Processes, o.Dir = true, t.TempDir()
	c := &standInCluster{Cluster: mesosmaster.NewCluster(o)}
	t.Cleanup(c.Close)
	t.Cleanup(func() {
		if n := c.Refused(); n > 0 {
			t.Errorf("the master refused %d tasks as they were", n)
		}
	})
	c.Elect(c.master(t, "127.0.0.11"))
	for n := range 3 {
		c.agents = append(c.agents, c.AddAgent(mesosmaster.AgentOptions{IP: fmt.Sprintf("127.0.0.%d", n+1),
			Attributes: map[string]string{"rack": fmt.Sprintf("r%d", n+1)}}))
	}
	return c
}

func (c *standInCluster) master(t *testing.T, ip string) *mesosmaster.Master {
	t.Helper()
	m, err := c.StartMaster(ip)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newMesosConfig is a rollcall that runs its tasks on a cluster.
func newMesosConfig(dir string, masters ...string) config {
	c := newConfig(dir)
	c["masters"] = masters
	c["scheduler"] = map[string]any{"port": 0, "dataDir": filepath.Join(dir, "data"), "engine": "mesos"}
	return c
}

// startOnMesos runs a rollcall on a cluster.
func startOnMesos(t *testing.T, c *standInCluster) *daemon {
	t.Helper()
	return start(t, newMesosConfig(t.TempDir(), c.Leader().Address()))
}

// webApp is an app that serves HTTP at $HOST:$PORT0.
func webApp(id string, instances int, more string) string {
	return fmt.Sprintf(`{"id": %q, "cmd": "echo ok > index.html; exec busybox httpd -f -p $HOST:$PORT0", "cpus": 0.1, "mem": 32, "instances": %d,
		"portDefinitions": [{"port": 0, "name": "http", "labels": {"VIP_0": "/web:80"}}]%s}`, id, instances, more)
}

// running waits until as many tasks of an app run, and DNS has as many addresses.
func (d *daemon) running(app string, instances int) []task {
	d.t.Helper()
	d.eventually(fmt.Sprintf("%d tasks of %s run", instances, app), func() bool { return len(d.tasks(app)) == instances })
	return d.tasks(app)
}

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

// Agents that are lost have their tasks replaced; one that comes back does not run a task too many for long.
func TestAgentsLostOnMesos(t *testing.T) {
	require(t, "dig")
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 3,
		"constraints": [["hostname", "MAX_PER", "2"]]}`)
	tasks := d.running("/a", 3)
	lost := tasks[0]
	for _, a := range c.agents {
		if c.Tasks()[lost.ID] == a.ID() {
			a.Cut()
			defer a.Return()
		}
	}
	d.eventually("DNS does not lead to the lost agent", func() bool { return !slices.Contains(d.addresses("a.marathon.mesos"), lost.Host) })
	d.eventually("the task is replaced", func() bool {
		now := d.tasks("/a")
		return len(now) == 3 && !slices.Contains(taskIDs(now), lost.ID)
	})
	for _, a := range c.agents {
		a.Return()
	}
	d.eventually("the task that came back is killed", func() bool { return len(c.Tasks()) == 3 && c.Tasks()[lost.ID] == "" })
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

// Resources that are reserved for a role of the framework are used, first of all; agents under maintenance are not.
func TestRolesAndMaintenanceOnMesos(t *testing.T) {
	c := mesosmaster.NewCluster(mesosmaster.Options{})
	t.Cleanup(c.Close)
	m, err := c.StartMaster("127.0.0.11")
	if err != nil {
		t.Fatal(err)
	}
	c.Elect(m)
	reserved := c.AddAgent(mesosmaster.AgentOptions{IP: "127.0.0.1", Reserved: []mesosmaster.Reserve{{Role: "dev", CPUs: 2, Mem: 1024}}})
	away := c.AddAgent(mesosmaster.AgentOptions{IP: "127.0.0.2"})
	away.Maintain(time.Now(), time.Hour)
	conf := newMesosConfig(t.TempDir(), m.Address())
	conf["scheduler"].(map[string]any)["mesos"] = map[string]any{"roles": []string{"dev"}}
	d := start(t, conf)
	app := func(id string, cpus float64, more string) {
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cmd": "sleep 1000", "cpus": %g, "mem": 32%s}`, id, cpus, more))
	}
	app("/both", 3.5, "") // 2 reserved ones and 1.5 of the others
	d.running("/both", 1)
	app("/rest", 0.5, `, "acceptedResourceRoles": ["*"]`)
	d.running("/rest", 1)
	app("/none", 0.5, `, "acceptedResourceRoles": ["dev"]`)
	d.eventually("the queue says why not", func() bool {
		q := d.queued("/none")
		return q != nil && q.declined("InsufficientCpus") > 0
	})
	for id, agent := range c.Tasks() {
		if agent != reserved.ID() {
			t.Errorf("%s runs on an agent that is away", id)
		}
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

// declined is how many of the newest offers were refused for a reason.
func (q *queueItem) declined(reason string) int {
	for _, r := range q.ProcessedOffersSummary.RejectSummaryLastOffers {
		if r.Reason == reason {
			return r.Declined
		}
	}
	return 0
}

// registerMaster writes a master's znodes once the ensemble serves.
func registerMaster(t *testing.T, z *zooKeeperEnsemble, m *mesosmaster.Master) *zk.Conn {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		session, err := m.Register(z.clients, "/mesos")
		if err == nil {
			return session
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Where many agents are lost at once, their tasks are not replaced before somebody says that they are gone.
func TestMassLossOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 6}`)
	d.running("/a", 6) // two on each agent, since they are spread
	var losses struct {
		Agents int
		Held   bool
	}
	c.agents[0].Cut()
	c.agents[1].Cut()
	d.eventually("the brake is on", func() bool { d.get("/rollcall/losses", &losses); return losses.Held && losses.Agents == 2 })
	// The first loss may have been by itself for a moment; what the second one took is not replaced.
	if n := len(d.tasks("/a")); n > 4 {
		t.Errorf("%d tasks run", n)
	}
	d.must(http.StatusOK, http.MethodPost, "/rollcall/losses/confirm", "")
	d.running("/a", 6)
	d.get("/rollcall/losses", &losses)
	if losses.Held {
		t.Error("the brake is still on")
	}
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
		conf["scheduler"].(map[string]any)["zkSessionTimeout"] = "4s"
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
