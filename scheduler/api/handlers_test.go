package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rollcall/scheduler"
)

func TestAppFilters(t *testing.T) {
	c := newCluster(t)
	c.must(200, "PUT", "/v2/apps", `[{"id": "/shop/web", "cmd": "Serve", "labels": {"tier": "front"}}, {"id": "/shop/db", "cmd": "store"}]`)
	for query, want := range map[string]string{
		"":                         "/shop/db /shop/web",
		"?cmd=SERVE":               "/shop/web",
		"?id=Shop":                 "/shop/db /shop/web",
		"?id=web&cmd=store":        "",
		"?label=tier":              "/shop/web",
		"?label=tier!%3Dfront":     "",
		"?label=tier+in+(a,front)": "/shop/web",
		"?label=":                  "/shop/db /shop/web",
	} {
		for _, slash := range []string{"", "/"} {
			list := unmarshal[struct{ Apps []struct{ ID string } }](t, c.must(200, "GET", "/v2/apps"+slash+query, ""))
			var ids []string
			for _, a := range list.Apps {
				ids = append(ids, a.ID)
			}
			if got := strings.Join(ids, " "); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	}
}

// TestPlainTasks is what HAProxy scripts read.
func TestPlainTasks(t *testing.T) {
	c := newCluster(t)
	c.must(200, "PUT", "/v2/apps", `[{"id": "/shop/web", "cmd": "x", "instances": 2, "ports": [9000], "constraints": [["hostname", "UNIQUE"]]},
		{"id": "/batch", "cmd": "x", "ports": []},
		{"id": "/mapped", "container": {"docker": {"image": "i"}, "portMappings": [{"servicePort": null}, {"servicePort": 9001}]}, "networks": [{"mode": "container/bridge"}]}]`)
	c.offer(3)
	c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	_, got := c.status("GET", "/v2/tasks", "", "Accept", "text/plain")
	lines := strings.Split(got, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "batch\t \tagent") || !strings.HasPrefix(lines[1], "mapped\t9001\tagent") ||
		!strings.HasPrefix(lines[2], "shop_web\t9000\tagent0.example:31") ||
		!strings.HasSuffix(lines[2], "\t") || strings.Count(lines[2], "\t") != 4 {
		t.Errorf("got %q", got)
	}
	if tasks := c.must(200, "GET", "/v2/tasks", ""); !strings.Contains(tasks, `"servicePorts":[null,9001]`) {
		t.Errorf("tasks %s", tasks)
	}
}

// TestKillUnderAnyPath takes a task's id for what it is: go-marathon works out a wrong app from it.
func TestKillUnderAnyPath(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "/shop/web", "cmd": "x"}`)
	c.offer(1)
	c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	tasks := unmarshal[struct{ Tasks []struct{ ID string } }](t, c.must(200, "GET", "/v2/tasks", ""))
	id := tasks.Tasks[0].ID
	body := c.must(200, "DELETE", "/v2/apps/shop/web.instance-x./app/tasks/"+id, "")
	if got := unmarshal[struct{ Task struct{ ID string } }](t, body); got.Task.ID != id {
		t.Errorf("got %s", body)
	}
}

func TestCancelDeployment(t *testing.T) {
	for _, force := range []bool{false, true} {
		c := newCluster(t)
		answer := c.request("POST", "/v2/apps", `{"id": "a", "cmd": "x"}`)
		id := answer.Header.Get("Marathon-Deployment-Id")
		if force {
			if body := c.must(202, "DELETE", "/v2/deployments/"+id+"?force=true", ""); body != "" {
				t.Errorf("body %s", body)
			}
			c.must(200, "GET", "/v2/apps/a", "")
		} else {
			undoing := unmarshal[deploymentResult](t, c.must(200, "DELETE", "/v2/deployments/"+id, ""))
			if string(undoing.DeploymentID) == id || undoing.DeploymentID == "" || undoing.Version != c.State().Version {
				t.Errorf("undone by %+v", undoing)
			}
			c.must(404, "GET", "/v2/apps/a", "")
		}
		c.must(404, "DELETE", "/v2/deployments/unknown", "")
	}
}

// TestTooManyDeployments refuses the one after the hundredth, and what would start none of its own does not count.
func TestTooManyDeployments(t *testing.T) {
	c := newCluster(t)
	for n := range 100 {
		c.must(201, "POST", "/v2/apps", fmt.Sprintf(`{"id": "/a%d", "cmd": "x"}`, n))
	}
	if answer := c.must(403, "POST", "/v2/apps", `{"id": "/b", "cmd": "x"}`); !strings.Contains(answer, `"message":"`) {
		t.Errorf("got %s", answer)
	}
	c.must(404, "GET", "/v2/apps/b", "")
	c.must(200, "PUT", "/v2/apps/a0?force=true", `{"cmd": "y"}`)
	c.must(201, "POST", "/v2/groups", `{"id": "/g"}`)
	m := marathonMetrics(t, c)
	if m["marathon.deployments.active.gauge"] != 100 || m["marathon.deployments.counter"] != 101 || m["marathon.deployments.dismissed.counter"] != 1 {
		t.Errorf("%v under way of %v, %v dismissed", m["marathon.deployments.active.gauge"], m["marathon.deployments.counter"],
			m["marathon.deployments.dismissed.counter"])
	}
}

// TestReservedWords lets ids hold the words of routes before their end.
func TestReservedWords(t *testing.T) {
	c := newCluster(t)
	for _, id := range []string{"foo/tasks/bar", "foo/versions/bar", "restart/foo"} {
		c.must(201, "POST", "/v2/apps", `{"id": "/`+id+`", "cmd": "x"}`)
		c.must(200, "GET", "/v2/apps/"+id, "")
		c.must(200, "GET", "/v2/apps/"+id+"/versions", "")
		c.must(200, "DELETE", "/v2/apps/"+id, "")
	}
	c.must(422, "PUT", "/v2/apps/foo/Bar", `{"cmd": "x"}`)
	c.must(405, "PUT", "/v2/apps/foo/tasks", `{"cmd": "x"}`)
}

func TestOldRollback(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "a", "cmd": "x", "instances": 0}`)
	first := c.State().App("/a").Version
	c.must(200, "PUT", "/v2/apps/a", `{"cmd": "y"}`)
	c.must(200, "PUT", "/v2/apps/a/versions/"+first.String(), "")
	if app := c.State().App("/a"); app.Cmd != "x" {
		t.Errorf("cmd %q", app.Cmd)
	}
	c.must(404, "PUT", "/v2/apps/a", `{"version": "2001-01-01T00:00Z"}`)
	c.must(422, "PUT", "/v2/apps/a", `{"version": "yesterday"}`)
	c.must(200, "PUT", "/v2/groups/versions/"+c.State().Version.String(), "")
	c.must(422, "PUT", "/v2/groups/versions/2001-01-01T00:00Z", "")
	c.must(422, "PUT", "/v2/groups/versions/yesterday", "")
	c.must(200, "GET", "/v2/groups/versions/"+c.State().Version.String(), "")
}

// TestGroupReplaces makes a group what the body says, at each level.
func TestGroupReplaces(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/groups/x", `{"id": "y", "dependencies": ["../z"], "apps": [{"id": "a", "cmd": "x", "instances": 3}, {"id": "b", "cmd": "x"}],
		"groups": [{"id": "g", "apps": [{"id": "c", "cmd": "x"}]}]}`)
	c.must(200, "PUT", "/v2/groups/x/y?force=true", `{"apps": [{"id": "a", "cmd": "x"}]}`)
	s := c.State()
	if s.App("/x/y/b") != nil || s.App("/x/y/a").Instances != 1 || s.App("/x/y/g/c") == nil {
		t.Error("apps replaces apps, and nothing else")
	}
	if deps := s.Group("/x/y").Dependencies; len(deps) != 1 || deps[0] != "/x/z" {
		t.Errorf("dependencies %v", deps)
	}
	c.must(200, "PUT", "/v2/groups/x/y?force=true", `{"groups": [], "dependencies": []}`)
	s = c.State()
	if s.Group("/x/y/g") != nil || s.App("/x/y/a") == nil || len(s.Group("/x/y").Dependencies) != 0 {
		t.Error("groups replaces groups, and nothing else")
	}
	c.must(409, "POST", "/v2/groups", `{"id": "/x/y/a"}`)
	c.must(409, "POST", "/v2/groups", `{}`)
	c.must(422, "POST", "/v2/apps", `{"id": "/x/y", "cmd": "x"}`)
	c.must(422, "PUT", "/v2/groups/x", `{"scaleBy": 1e9}`)
	c.must(422, "PUT", "/v2/groups/x", `{"scaleBy": -1}`)
	c.must(200, "PUT", "/v2/groups/x?force=true", `{"scaleBy": 1.2}`)
	if app := c.State().App("/x/y/a"); app.Instances != 2 {
		t.Errorf("1.2 times 1 is %d", app.Instances)
	}
	c.must(200, "PUT", "/v2/groups/x?force=true", `{"scaleBy": 0}`)
	c.must(200, "PUT", "/v2/groups/x?force=true", `{"scaleBy": 2}`)
	if app := c.State().App("/x/y/a"); app.Instances != 0 {
		t.Errorf("twice nothing is %d", app.Instances)
	}
	// What bounds the instances of an app bounds scaleBy.
	c.must(200, "PUT", "/v2/groups/x/one?force=true", `{"apps": [{"id": "a", "cmd": "x", "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}}]}`)
	if body := c.must(422, "PUT", "/v2/groups/x?force=true", `{"scaleBy": 2}`); !strings.Contains(body, "'/x/one/a' would have 2 instances") {
		t.Errorf("got %s", body)
	}
	c.must(200, "PUT", "/v2/groups/x/one?force=true", `{"apps": [{"id": "a", "cmd": "x", "onePerAgent": true}]}`)
	c.must(200, "PUT", "/v2/groups/x?force=true", `{"scaleBy": 2}`)
	if app := c.State().App("/x/one/a"); app.Instances != 1 {
		t.Errorf("%d instances on each agent", app.Instances)
	}
	c.must(422, "PUT", "/v2/groups/x", `{"pods": [{}]}`)
	c.must(404, "PUT", "/v2/groups/unknown", `{"scaleBy": 2}`)
	c.must(200, "DELETE", "/v2/groups?force=true", "")
	if groups := c.must(200, "GET", "/v2/groups", ""); !strings.Contains(groups, `"groups":[]`) {
		t.Errorf("got %s", groups)
	}
}

// TestStrictMembers keeps to the members that python-marathon knows, which refuses any other.
func TestStrictMembers(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/groups", `{"id": "g", "apps": [{"id": "a", "cmd": "x", "instances": 2}]}`)
	c.offer(1)
	group := unmarshal[map[string]json.RawMessage](t, c.must(200, "GET", "/v2/groups/g", ""))
	known(t, group, "apps dependencies groups id pods version")
	app := unmarshal[struct{ App map[string]json.RawMessage }](t, c.must(200, "GET", "/v2/apps/g/a?embed=app.taskStats&embed=app.readiness", ""))
	known(t, app.App, `acceptedResourceRoles args backoffFactor backoffSeconds cmd constraints container cpus dependencies
		deployments disk env executor healthChecks id role instances killSelection labels lastTaskFailure
		maxLaunchDelaySeconds mem ports requirePorts storeUrls taskRateLimit tasks tasksRunning tasksStaged tasksHealthy
		tasksUnhealthy taskKillGracePeriodSeconds upgradeStrategy unreachableStrategy uris user version versionInfo
		ipAddress fetch taskStats readinessChecks readinessCheckResults secrets portDefinitions residency gpus networks`)
	tasks := unmarshal[struct{ Tasks []map[string]json.RawMessage }](t, c.must(200, "GET", "/v2/tasks", ""))
	known(t, tasks.Tasks[0], `appId healthCheckResults host id ports servicePorts slaveId stagedAt startedAt version
		ipAddresses state localVolumes region zone role`)
	c.must(201, "POST", "/v2/apps", `{"id": "/big", "cmd": "x", "cpus": 99}`)
	c.offer(1)
	queue := unmarshal[struct{ Queue []map[string]json.RawMessage }](t, c.must(200, "GET", "/v2/queue?embed=lastUnusedOffers", ""))
	known(t, queue.Queue[0], "app overdue count delay since processedOffersSummary lastUnusedOffers")
	if offers := string(queue.Queue[0]["lastUnusedOffers"]); !strings.Contains(offers, `"reason":["InsufficientCpus"]`) {
		t.Errorf("offers %s", offers)
	}
	deployments := unmarshal[[]map[string]json.RawMessage](t, c.must(200, "GET", "/v2/deployments", ""))
	known(t, deployments[0], "affectedApps affectedPods currentActions currentStep id steps totalSteps version")
}

func known(t *testing.T, object map[string]json.RawMessage, names string) {
	t.Helper()
	all := strings.Fields(names)
	for name := range object {
		found := false
		for _, n := range all {
			found = found || n == name
		}
		if !found {
			t.Errorf("member %q is not known to python-marathon", name)
		}
	}
}

// TestReadiness is what Traefik waits for.
func TestReadiness(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "a", "cmd": "x", "portDefinitions": [{"name": "web"}], "readinessChecks": [{"portName": "web"}]}`)
	c.offer(1)
	c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	if body := c.must(200, "GET", "/v2/apps/a", ""); !strings.Contains(body, `"readinessCheckResults":[{"name":"readinessCheck","taskId":"a.instance-`) ||
		!strings.Contains(body, `"ready":false`) {
		t.Errorf("app %s", body)
	}
	if body := c.must(200, "GET", "/v2/deployments", ""); !strings.Contains(body, `"readinessCheckResults":[{"name":"readinessCheck"`) {
		t.Errorf("deployments %s", body)
	}
}

// TestSameName tells of apps that DNS cannot tell from each other, and of no others.
func TestSameName(t *testing.T) {
	c := newCluster(t)
	for _, tt := range []struct{ method, target, body, want string }{
		{"POST", "/v2/apps", `{"id": "/x/y", "cmd": "x"}`, ""},
		{"POST", "/v2/apps", `{"id": "/y/x", "cmd": "x"}`, ""},
		{"POST", "/v2/apps", `{"id": "/y.x", "cmd": "x"}`, "/y.x has the name of /x/y in DNS"},
		{"PUT", "/v2/apps/y.x?force=true", `{"cmd": "y"}`, ""},
		{"POST", "/v2/groups", `{"id": "/a/b", "apps": [{"id": "z.y", "cmd": "x"}]}`, ""},
		{"POST", "/v2/apps", `{"id": "/a/b/y/z", "cmd": "x"}`, "/a/b/y/z has the name of /a/b/z.y in DNS"},
	} {
		answer := c.request(tt.method, tt.target, tt.body)
		if got := strings.Join(answer.Header.Values("Warning"), " "); answer.StatusCode >= 300 || (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s = %d, warning %q, want %q", tt.method, tt.body, answer.StatusCode, got, tt.want)
		}
	}
}
