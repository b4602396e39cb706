package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (b *bench) madeAndDeployed() {
	id := b.deploy("POST", "/v2/apps", b.sleeper("a", `"instances": 2`))
	if tasks := b.ids("a"); len(tasks) != 2 {
		b.t.Errorf("tasks %v", tasks)
	}
	b.eventually("deployment_success is told", func() bool { return b.seen.ended("deployment_success", id) })
}

func (b *bench) updatedToTheSame() {
	b.deploy("POST", "/v2/apps", b.sleeper("a", ""))
	before := b.ids("a")
	b.deploy("PUT", "/v2/apps"+b.group+"/a", `{"cmd": "exec sleep 1000"}`)
	if after := b.ids("a"); !slices.Equal(before, after) {
		b.t.Errorf("tasks %v became %v", before, after)
	}
}

func (b *bench) crashing() {
	starts := filepath.Join(b.t.TempDir(), "starts")
	begun := func() int {
		data, _ := os.ReadFile(starts)
		return strings.Count(string(data), "\n")
	}
	b.begin("POST", "/v2/apps", fmt.Sprintf(`{"id": "%s/a", "cmd": "echo >> %s; exit 1", "cpus": 0.001, "mem": 1, "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600}`, b.group, starts))
	delayed := func() bool {
		q := b.waiting("a")
		return q != nil && !q.Delay.Overdue && q.Delay.TimeLeftSeconds > 0
	}
	b.eventually("the app waits", delayed)
	b.begin("PUT", "/v2/apps"+b.group+"/a?force=true", `{"instances": 2}`)
	if !delayed() || begun() != 1 {
		b.t.Errorf("scaling has to keep the delay; started %d times", begun())
	}
	b.must(http.StatusNoContent, "DELETE", "/v2/queue"+b.group+"/a/delay", "")
	b.eventually("the app starts again when its delay is deleted", func() bool { return begun() >= 2 })
	b.eventually("the app waits again", delayed)
	before := begun()
	b.begin("POST", "/v2/apps"+b.group+"/a/restart?force=true", "")
	b.eventually("the app starts again when it is restarted", func() bool { return begun() > before })
	b.eventually("the app waits again", delayed)
	b.deploy("PUT", "/v2/apps"+b.group+"/a?force=true", `{"cmd": "exec sleep 1000", "instances": 1}`)
	if tasks := b.ids("a"); len(tasks) != 1 {
		b.t.Errorf("another command has to start at once: tasks %v", tasks)
	}
}

// serving is a command that answers HTTP on the task's first port.
const serving = "exec python3 -m http.server --bind $HOST $PORT0"

func (b *bench) healthChecks() {
	timing := `, "gracePeriodSeconds": 60, "intervalSeconds": 1, "timeoutSeconds": 10, "delaySeconds": 0`
	b.begin("POST", "/v2/apps", fmt.Sprintf(`{"id": "%s/all", "cmd": "%s", "cpus": 0.001, "mem": 1, "healthChecks": [
		{"protocol": "HTTP", "path": "/", "portIndex": 0%[3]s}, {"protocol": "TCP", "portIndex": 0%[3]s},
		{"protocol": "COMMAND", "command": {"value": "true"}%[3]s}, {"protocol": "MESOS_HTTP", "path": "/"%[3]s}]}`, b.group, serving, timing))
	port := 20000 + os.Getpid()%10000 // agents offer those up to 32000
	b.begin("POST", "/v2/apps", fmt.Sprintf(`{"id": "%s/port", "cmd": "%s", "cpus": 0.001, "mem": 1, "portDefinitions": [{"port": %d}],
		"requirePorts": true, "healthChecks": [{"protocol": "HTTP", "port": %[3]d%s}]}`, b.group, serving, port, timing))
	for name, checks := range map[string]int{"all": 4, "port": 1} {
		b.eventually("every check of "+name+" is passed", func() bool {
			a := b.app(name)
			return a.TasksHealthy == 1 && len(a.Deployments) == 0 && len(a.Tasks) == 1 && len(a.Tasks[0].HealthCheckResults) == checks
		})
	}
}

// unhealthy is a health check by the scheduler that never succeeds: nobody listens there.
const unhealthy = `"healthChecks": [{"protocol": "TCP", "port": 1, "gracePeriodSeconds": 600, "intervalSeconds": 1, "timeoutSeconds": 1}]`

func (b *bench) neverHealthy() {
	id := b.begin("POST", "/v2/apps", b.sleeper("a", unhealthy))
	b.eventually("the check fails again and again", func() bool {
		return b.seen.count(func(e event) bool { return e.EventType == "failed_health_check_event" && e.AppID == b.group+"/a" }) >= 2
	})
	if b.seen.ended("deployment_success", id) || !b.deploying(id) {
		b.t.Error("it must not be deployed")
	}
	b.deploy("DELETE", "/v2/apps"+b.group+"/a?force=true", "")
}

func (b *bench) checksKept() {
	b.begin("POST", "/v2/apps", b.sleeper("a", `"instances": 0, `+unhealthy))
	before := b.app("a").HealthChecks
	for _, method := range []string{"PUT", "PATCH"} {
		b.begin(method, "/v2/apps"+b.group+"/a?force=true", `{"cmd": "exec sleep 2000 # `+method+`"}`)
		if after := b.app("a"); fmt.Sprint(after.HealthChecks) != fmt.Sprint(before) || !strings.Contains(after.Cmd, method) {
			b.t.Errorf("%s made it %+v", method, after)
		}
	}
}

func (b *bench) scaledUpAndDown() {
	b.deploy("POST", "/v2/apps", b.sleeper("a", ""))
	b.deploy("PUT", "/v2/apps"+b.group+"/a", `{"instances": 2}`)
	b.deploy("PUT", "/v2/apps"+b.group+"/a", `{"instances": 1}`)
	if tasks := b.ids("a"); len(tasks) != 1 {
		b.t.Errorf("tasks %v", tasks)
	}
	killed := func() int {
		return b.seen.count(func(e event) bool { return e.TaskStatus == "TASK_KILLED" && e.AppID == b.group+"/a" })
	}
	b.eventually("TASK_KILLED is told", func() bool { return killed() > 0 })
	if n := killed(); n != 1 {
		b.t.Errorf("TASK_KILLED %d times", n)
	}
}

func (b *bench) restarted() {
	b.deploy("POST", "/v2/apps", b.sleeper("a", `"instances": 2`))
	before := b.ids("a")
	b.deploy("POST", "/v2/apps"+b.group+"/a/restart", "")
	after := b.ids("a")
	if len(after) != 2 || slices.ContainsFunc(after, func(id string) bool { return slices.Contains(before, id) }) {
		b.t.Errorf("tasks %v became %v", before, after)
	}
}

func (b *bench) versions() {
	var made app
	answer := b.must(http.StatusCreated, "POST", "/v2/apps", b.sleeper("a", `"instances": 0`))
	if err := json.Unmarshal(answer, &made); err != nil {
		b.t.Fatal(err)
	}
	list := func() []string {
		var answer struct{ Versions []string }
		b.get("/v2/apps"+b.group+"/a/versions", &answer)
		return answer.Versions
	}
	if versions := list(); !slices.Equal(versions, []string{made.Version}) {
		b.t.Errorf("versions %v, want %s", versions, made.Version)
	}
	b.deploy("PUT", "/v2/apps"+b.group+"/a?force=true", `{"cmd": "other"}`)
	versions := list()
	if len(versions) != 2 || versions[1] != made.Version {
		b.t.Fatalf("versions %v", versions)
	}
	for n, cmd := range []string{"other", "exec sleep 1000"} {
		var old app
		if b.get("/v2/apps"+b.group+"/a/versions/"+versions[n], &old); old.Cmd != cmd || old.Version != versions[n] {
			b.t.Errorf("version %s is %+v, want %q", versions[n], old, cmd)
		}
	}
}

func (b *bench) killedAndScaled() {
	b.deploy("POST", "/v2/apps", b.sleeper("a", `"instances": 3, "backoffSeconds": 0`))
	before := b.ids("a")
	b.must(http.StatusOK, "DELETE", "/v2/apps"+b.group+"/a/tasks/"+before[0], "")
	b.eventually("the killed task is replaced", func() bool {
		now := b.ids("a")
		return len(now) == 3 && !slices.Contains(now, before[0])
	})
	b.deploy("DELETE", "/v2/apps"+b.group+"/a/tasks/"+before[1]+"?scale=true", "")
	if now := b.ids("a"); b.app("a").Instances != 2 || len(now) != 2 || slices.Contains(now, before[1]) {
		b.t.Errorf("%d instances, tasks %v", b.app("a").Instances, now)
	}
	b.deploy("DELETE", "/v2/apps"+b.group+"/a/tasks?scale=true", "")
	if now := b.ids("a"); b.app("a").Instances != 0 || len(now) != 0 {
		b.t.Errorf("%d instances, tasks %v", b.app("a").Instances, now)
	}
}

func (b *bench) removed() {
	b.deploy("POST", "/v2/apps", b.sleeper("a", ""))
	b.deploy("DELETE", "/v2/apps"+b.group+"/a", "")
	b.must(http.StatusNotFound, "GET", "/v2/apps"+b.group+"/a", "")
	b.must(http.StatusNotFound, "GET", "/v2/apps"+b.group+"/a/tasks", "")
}

// nowhere is a constraint that no agent fulfils.
const nowhere = `"constraints": [["hostname", "CLUSTER", "no-such-agent"]]`

func (b *bench) impossible() {
	id := b.begin("POST", "/v2/apps", b.sleeper("stopped", `"instances": 5, `+nowhere))
	if !b.deploying(id) {
		b.t.Error("the deployment is not to be seen")
	}
	b.eventually("it waits for an offer", func() bool {
		q := b.waiting("stopped")
		return q != nil && q.Delay.Overdue && q.Count == 5
	})
	if answer := b.must(http.StatusAccepted, "DELETE", "/v2/deployments/"+id+"?force=true", ""); len(answer) != 0 {
		b.t.Errorf("the answer has a body: %s", answer)
	}
	b.eventually("deployment_failed is told", func() bool { return b.seen.ended("deployment_failed", id) })
	if b.app("stopped").Instances != 5 {
		b.t.Error("the app has changed")
	}
	id = b.begin("POST", "/v2/apps", b.sleeper("undone", nowhere))
	b.deploy("DELETE", "/v2/deployments/"+id, "")
	b.must(http.StatusNotFound, "GET", "/v2/apps"+b.group+"/undone", "")
}

func (b *bench) wiped() {
	b.deploy("POST", "/v2/apps", b.sleeper("a", `"backoffSeconds": 0`))
	next := func(query string) (before, after string) {
		before = b.ids("a")[0]
		b.must(http.StatusOK, "DELETE", "/v2/apps"+b.group+"/a/tasks/"+before+query, "")
		b.eventually("another task runs", func() bool {
			now := b.ids("a")
			if len(now) == 1 {
				after = now[0]
			}
			return after != "" && after != before
		})
		return before, after
	}
	if before, after := next(""); !strings.HasSuffix(before, "._app.1") || after != strings.TrimSuffix(before, "1")+"2" {
		b.t.Errorf("killed %s, then %s", before, after)
	}
	if before, after := next("?wipe=true"); strings.HasPrefix(after, strings.TrimSuffix(before, "2")) {
		b.t.Errorf("wiped %s, then %s", before, after)
	}
}
