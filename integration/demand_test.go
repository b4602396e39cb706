package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestDemands is what users of Marathon and Mesos-DNS asked for again and again over the years, where no other test here
// shows it.
func TestDemands(t *testing.T) {
	t.Parallel()
	require(t, "dig", "python3")
	dir := t.TempDir()
	c := newConfig(dir)
	c["negativeTTL"] = 3
	c["scheduler"].(map[string]any)["defaultNetworkName"] = "overlay"
	d := start(t, c)
	for name, demand := range map[string]func(*testing.T, *daemon){
		"only healthy tasks are found":        onlyHealthy,
		"a stuck deployment says why":         stuckDeployment,
		"a name without the type is no error": noData,
		"two ids of one name":                 collision,
		"one instance on each agent":          onePerAgent,
		"one-shot tasks":                      oneShot,
		"drain before the kill":               drain,
		"a checker at fault kills nothing":    faultyChecker,
		"change one member":                   changeOneMember,
		"events from where one left off":      resume,
		"why an offer is refused":             refusedOffers,
		"which of the instances it is":        index,
		"no service port":                     noServicePort,
		"the network of apps that name none":  defaultNetwork,
	} {
		t.Run(name, func(t *testing.T) {
			whole := d.t
			d.t = t
			defer func() { d.t = whole }()
			demand(t, d)
			d.must(http.StatusOK, http.MethodDelete, "/v2/groups?force=true", "")
			d.eventually("nothing is left", func() bool { return d.deployments() == 0 })
		})
	}
}

// submit makes apps that take next to nothing.
func (d *daemon) submit(id, members string) {
	d.t.Helper()
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cpus": 0.01, "mem": 16, %s}`, id, members))
}

// With allUnhealthy as it is by default, tasks whose checks fail are not answered with while others pass.
func onlyHealthy(t *testing.T, d *daemon) {
	d.submit("/mixed", `"instances": 2, "constraints": [["hostname", "UNIQUE"]],
		"cmd": "if [ $MARATHON_APP_INDEX = 0 ]; then exec python3 -m http.server --bind $HOST $PORT0; fi; exec sleep 1000",
		"healthChecks": [{"protocol": "TCP", "gracePeriodSeconds": 0, "intervalSeconds": 1, "timeoutSeconds": 1, "maxConsecutiveFailures": 0}]`)
	d.eventually("one is healthy and the other is not", func() bool {
		var app struct {
			App struct{ TasksHealthy, TasksUnhealthy int }
		}
		d.get("/v2/apps/mixed", &app)
		return app.App.TasksHealthy == 1 && app.App.TasksUnhealthy == 1
	})
	var tasks struct {
		Tasks []struct {
			Host               string
			HealthCheckResults []struct{ Alive bool }
		}
	}
	d.get("/v2/apps/mixed/tasks", &tasks)
	healthy := ""
	for _, task := range tasks.Tasks {
		if task.HealthCheckResults[0].Alive {
			healthy = task.Host
		}
	}
	d.eventually("only the healthy one is found", func() bool { return slices.Equal(d.addresses("mixed.marathon.mesos"), []string{healthy}) })
}

func stuckDeployment(t *testing.T, d *daemon) {
	d.submit("/stuck", `"cmd": "sleep 1000", "constraints": [["hostname", "LIKE", "nowhere"]], "deploymentTimeoutSeconds": 3`)
	d.eventually("the reason shows", func() bool {
		return strings.Contains(string(d.must(http.StatusOK, http.MethodGet, "/v2/deployments?embed=progress", "")), "hostname LIKE nowhere")
	})
	d.eventually("the deployment is undone when its time is over", func() bool {
		status, _, _ := d.request(http.MethodGet, "/v2/apps/stuck", "")
		return status == http.StatusNotFound
	})
}

// A question for an address that a known name does not have is answered NOERROR, and not for long, and neither is one for
// a name that there is not: the SOA record has negativeTTL in both places that clients look at.
func noData(t *testing.T, d *daemon) {
	d.submit("/plain", `"cmd": "sleep 1000"`)
	d.eventually("the name is there", func() bool { return len(d.addresses("plain.marathon.mesos")) == 1 })
	for _, want := range []struct {
		name  string
		rcode int
	}{{"plain.marathon.mesos.", dns.RcodeSuccess}, {"none.marathon.mesos.", dns.RcodeNameError}} {
		m := ask(d.dns, want.name, dns.TypeAAAA)
		if m == nil || m.Rcode != want.rcode || !m.Authoritative || len(m.Answer) != 0 || len(m.Ns) != 1 {
			t.Fatalf("%s: %v", want.name, m)
		}
		soa, ok := m.Ns[0].(*dns.SOA)
		if !ok || soa.Hdr.Ttl != 3 || soa.Minttl != 3 {
			t.Errorf("%s: %v", want.name, m.Ns)
		}
	}
}

func collision(t *testing.T, d *daemon) {
	for n, id := range []string{"/x/y", "/y.x", "/y-x"} {
		_, header, answer := d.request(http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cmd": "sleep 1000", "cpus": 0.01, "mem": 16,
			"constraints": [["hostname", "CLUSTER", "127.0.1.%d"]]}`, id, n+1))
		if told := strings.Contains(header.Get("Warning"), "/y.x has the name of /x/y in DNS"); told != (n == 1) {
			t.Errorf("%s: the warning is %q: %s", id, header.Get("Warning"), answer)
		}
	}
	for name, hosts := range map[string][]string{"y.x.marathon.mesos": {"127.0.1.1", "127.0.1.2"},
		"y-x.marathon.mesos": {"127.0.1.1", "127.0.1.2", "127.0.1.3"}} {
		d.eventually("all are found by "+name, func() bool {
			found := d.addresses(name)
			slices.Sort(found)
			return slices.Equal(found, hosts)
		})
	}
	d.eventually("the log says so", func() bool { return strings.Contains(d.output(), "names collide") })
}

func onePerAgent(t *testing.T, d *daemon) {
	d.submit("/everywhere", `"cmd": "sleep 1000", "onePerAgent": true`)
	d.eventually("there is one on each of three", func() bool {
		hosts := map[string]bool{}
		tasks := d.tasks("/everywhere")
		for _, task := range tasks {
			hosts[task.Host] = true
		}
		return len(tasks) == 3 && len(hosts) == 3 && d.deployments() == 0
	})
}

func oneShot(t *testing.T, d *daemon) {
	for _, shot := range []struct{ policy, cmd, want string }{
		{"never", "echo ran >> %s; exit 1", "ran\n"},
		{"on-failure", "echo ran >> %[1]s; test $(wc -l < %[1]s) = 2", "ran\nran\n"},
	} {
		file := filepath.Join(d.dir, shot.policy)
		d.submit("/shot/"+shot.policy, fmt.Sprintf(`"cmd": %q, "restartPolicy": %q, "backoffSeconds": 0`, fmt.Sprintf(shot.cmd, file), shot.policy))
		d.eventually("the deployment is over", func() bool { return d.deployments() == 0 })
		if ran, err := os.ReadFile(file); err != nil || string(ran) != shot.want {
			t.Errorf("%s: %q %v", shot.policy, ran, err)
		}
		if tasks, queue := d.tasks("/shot/"+shot.policy), string(d.must(http.StatusOK, http.MethodGet, "/v2/queue", "")); len(tasks) != 0 || queue != `{"queue":[]}` {
			t.Errorf("%s: afterwards %v, %s", shot.policy, tasks, queue)
		}
	}
}

func drain(t *testing.T, d *daemon) {
	d.submit("/drained", `"cmd": "exec sleep 12345", "drainSeconds": 5`)
	d.eventually("it is found", func() bool { return len(d.addresses("drained.marathon.mesos")) == 1 })
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/drained", `{"instances": 0}`)
	d.eventually("it is out of DNS", func() bool { return len(d.addresses("drained.marathon.mesos")) == 0 })
	if len(d.processes("sleep 12345")) == 0 {
		t.Error("it was killed when it was taken out of DNS")
	}
	d.eventually("it is killed", func() bool { return len(d.processes("sleep 12345")) == 0 })
}

// All instances turn unhealthy at once: rather the checker is at fault, or what all of them need, and none is killed.
func faultyChecker(t *testing.T, d *daemon) {
	www := filepath.Join(d.dir, "www")
	if err := os.MkdirAll(www, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(www, "ok"), "ok")
	d.submit("/checked", fmt.Sprintf(`"instances": 3, "cmd": "exec python3 -m http.server --bind $HOST --directory %s $PORT0",
		"healthChecks": [{"path": "/ok", "gracePeriodSeconds": 60, "intervalSeconds": 1, "timeoutSeconds": 5, "maxConsecutiveFailures": 1}]`, www))
	d.eventually("all are healthy", func() bool { return d.deployments() == 0 && len(d.tasks("/checked")) == 3 })
	before := d.tasks("/checked")
	if err := os.Remove(filepath.Join(www, "ok")); err != nil {
		t.Fatal(err)
	}
	var failures struct {
		Tasks []struct {
			ID                 string
			HealthCheckResults []struct{ ConsecutiveFailures int }
		}
	}
	d.eventually("all have failed more often than an instance may", func() bool {
		d.get("/v2/apps/checked/tasks", &failures)
		for _, task := range failures.Tasks {
			if len(task.HealthCheckResults) == 0 || task.HealthCheckResults[0].ConsecutiveFailures < 4 {
				return false
			}
		}
		return true
	})
	if after := d.tasks("/checked"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%v became %v", before, after)
	}
	var info struct{ HealthBreakers []struct{ AppID string } }
	if d.get("/v2/info?embed=caution", &info); len(info.HealthBreakers) == 0 {
		t.Error("nothing tells that the checks are not trusted")
	}
}

func changeOneMember(t *testing.T, d *daemon) {
	d.submit("/merged", `"instances": 0, "container": {"docker": {"image": "web:1", "forcePullImage": true}, "portMappings": [{"containerPort": 80}]},
		"networks": [{"mode": "container/bridge"}]`)
	var app struct {
		App struct {
			Version   string
			Container struct {
				Docker       struct{ Image string }
				PortMappings []any
			}
		}
	}
	d.get("/v2/apps/merged", &app)
	patch := func(version string) int {
		r, err := http.NewRequest(http.MethodPatch, d.api+"/v2/apps/merged?force=true", strings.NewReader(`{"container": {"docker": {"image": "web:2"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/merge-patch+json")
		r.Header.Set("If-Match", `"`+version+`"`)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	first := app.App.Version
	if got := []int{patch(first), patch(first)}; !slices.Equal(got, []int{http.StatusOK, http.StatusPreconditionFailed}) {
		t.Errorf("two changes of one version: %v", got)
	}
	d.get("/v2/apps/merged", &app)
	if app.App.Container.Docker.Image != "web:2" || len(app.App.Container.PortMappings) != 1 {
		t.Errorf("merged: %+v", app.App)
	}
}

// Whoever was cut off goes on with the event after the last one that he saw.
func resume(t *testing.T, d *daemon) {
	d.submit("/first", `"cmd": "sleep 1000", "instances": 0`)
	before := readEvents(t, d, "")
	d.eventually("an event comes", func() bool { return before.last.Load() > 0 })
	before.close()
	seen := before.id.Load().(string)
	d.submit("/missed", `"cmd": "sleep 1000", "instances": 0`)
	after := readEventsAfter(t, d, "?event_type=api_post_event", seen)
	d.eventually("what was missed comes", func() bool { return after.events.Load() == 1 })
	after.close()
	if after.last.Load() <= before.last.Load() {
		t.Errorf("%d came after %d", after.last.Load(), before.last.Load())
	}
}

func refusedOffers(t *testing.T, d *daemon) {
	d.submit("/picky", `"cmd": "sleep 1000", "constraints": [["hostname", "LIKE", "nowhere"]]`)
	var queue struct {
		Queue []struct {
			LastUnusedOffers []struct{ Reason, Explanation []string }
		}
	}
	d.eventually("offers were refused, and why", func() bool {
		d.get("/v2/queue?embed=lastUnusedOffers", &queue)
		if len(queue.Queue) != 1 || len(queue.Queue[0].LastUnusedOffers) == 0 {
			return false
		}
		refused := queue.Queue[0].LastUnusedOffers[0]
		return slices.Equal(refused.Reason, []string{"UnfulfilledConstraint"}) && strings.Contains(fmt.Sprint(refused.Explanation), "hostname LIKE nowhere")
	})
}

// An instance keeps its number when its task is started again, and variables stand in others where that is asked for.
func index(t *testing.T, d *daemon) {
	d.submit("/numbered", `"instances": 2, "backoffSeconds": 0, "cmd": "echo $MARATHON_APP_INDEX $ADVERTISE $PORT0; exec sleep 1000",
		"expandEnv": true, "env": {"ADVERTISE": "${PORT0}"}`)
	numbers := func() map[string]string {
		out := map[string]string{}
		for _, task := range d.tasks("/numbered") {
			var file struct{ Data string }
			status, _, answer := d.request(http.MethodGet, "/rollcall/tasks/"+task.ID+"/files/stdout", "")
			if status != http.StatusOK || json.Unmarshal(answer, &file) != nil {
				continue
			}
			words := strings.Fields(file.Data)
			if len(words) == 3 && words[1] == words[2] {
				instance, _, _ := strings.Cut(task.ID, "._app")
				out[words[0]] = instance
			}
		}
		return out
	}
	d.eventually("there are the numbers 0 and 1", func() bool { n := numbers(); return n["0"] != "" && n["1"] != "" })
	before := numbers()
	killed := d.tasks("/numbered")[0].ID
	d.must(http.StatusOK, http.MethodDelete, "/v2/apps/numbered/tasks/"+killed, "")
	d.eventually("another task has the number of the one that was killed", func() bool {
		return fmt.Sprint(numbers()) == fmt.Sprint(before) && !slices.ContainsFunc(d.tasks("/numbered"), func(t task) bool { return t.ID == killed })
	})
}

func noServicePort(t *testing.T, d *daemon) {
	d.submit("/quiet", `"instances": 0, "container": {"docker": {"image": "i"}, "portMappings": [{"containerPort": 80, "servicePort": null}, {"containerPort": 81}]},
		"networks": [{"mode": "container/bridge"}]`)
	ports := func() string {
		var app struct {
			App struct {
				Container struct {
					PortMappings []struct{ ServicePort *int }
				}
			}
		}
		d.get("/v2/apps/quiet", &app)
		var out []string
		for _, m := range app.App.Container.PortMappings {
			if m.ServicePort == nil {
				out = append(out, "none")
			} else {
				out = append(out, fmt.Sprint(*m.ServicePort))
			}
		}
		return strings.Join(out, " ")
	}
	if got := ports(); got != "none 10000" {
		t.Errorf("service ports %s", got)
	}
	var answer struct{ App map[string]any }
	d.get("/v2/apps/quiet", &answer)
	for _, name := range []string{"version", "versionInfo", "deployments"} {
		delete(answer.App, name)
	}
	answer.App["labels"] = map[string]string{"sent": "back"}
	whole, err := json.Marshal(answer.App)
	if err != nil {
		t.Fatal(err)
	}
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/quiet?force=true&partialUpdate=false", string(whole))
	if got := ports(); got != "none 10000" {
		t.Errorf("service ports %s after the answer was sent back", got)
	}
	_, header, _ := d.request(http.MethodPost, "/v2/apps", `{"id": "/shares", "cmd": "sleep 1000", "instances": 0, "ports": [10000]}`)
	if warning := header.Get("Warning"); !strings.Contains(warning, "10000") {
		t.Errorf("a shared service port is told of by %q", warning)
	}
}

func defaultNetwork(t *testing.T, d *daemon) {
	d.submit("/networked", `"instances": 0, "container": {"docker": {"image": "i", "network": "USER"}}`)
	var app struct {
		App struct{ Networks []map[string]string }
	}
	d.get("/v2/apps/networked", &app)
	if got := app.App.Networks; len(got) != 1 || got[0]["mode"] != "container" || got[0]["name"] != "overlay" {
		t.Errorf("networks %v", got)
	}
	if info := string(d.must(http.StatusOK, http.MethodGet, "/v2/info", "")); !strings.Contains(info, `"default_network_name":"overlay"`) {
		t.Errorf("info %s", info)
	}
}
