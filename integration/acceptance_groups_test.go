package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// within is the body of a group with one app of the bench's, whose members are given.
func (b *bench) within(members string) string {
	return fmt.Sprintf(`{"id": "%s", "apps": [%s]}`, b.group, b.sleeper("a", members))
}

func (b *bench) emptyGroup() {
	b.deploy("POST", "/v2/groups", `{"id": "`+b.group+`"}`)
	b.eventually("group_change_success is told", func() bool {
		return b.seen.count(func(e event) bool { return e.EventType == "group_change_success" && e.GroupID == b.group }) > 0
	})
	b.deploy("PUT", "/v2/groups"+b.group, `{"dependencies": ["/t15-other"]}`)
	var g struct{ Dependencies []string }
	if b.get("/v2/groups"+b.group, &g); !slices.Equal(g.Dependencies, []string{"/t15-other"}) {
		b.t.Errorf("dependencies %v", g.Dependencies)
	}
	b.deploy("DELETE", "/v2/groups"+b.group, "")
	b.must(http.StatusNotFound, "GET", "/v2/groups"+b.group, "")
	b.must(http.StatusNotFound, "DELETE", "/v2/groups"+b.group, "")
}

func (b *bench) groupChanged() {
	b.deploy("POST", "/v2/groups", b.within(""))
	before := b.ids("a")
	if id := b.begin("PUT", "/v2/groups"+b.group, b.within("")); b.deploying(id) {
		b.t.Error("an update to the same is a deployment that goes on")
	}
	if now := b.ids("a"); !slices.Equal(before, now) {
		b.t.Errorf("tasks %v became %v", before, now)
	}
	b.deploy("PUT", "/v2/groups"+b.group, b.within(`"env": {"A": "b"}`))
	if now := b.ids("a"); len(now) != 1 || slices.Equal(before, now) {
		b.t.Errorf("tasks %v became %v", before, now)
	}
}

func (b *bench) groupRolledBack() {
	b.deploy("POST", "/v2/groups", b.within(""))
	var g struct{ Version string }
	b.get("/v2/groups"+b.group, &g)
	b.deploy("PUT", "/v2/groups"+b.group, b.within(`"env": {"A": "b"}, "labels": {"new": "yes"}`))
	b.deploy("PUT", "/v2/groups"+b.group, `{"version": "`+g.Version+`"}`)
	if answer := string(b.must(http.StatusOK, "GET", "/v2/apps"+b.group+"/a", "")); !strings.Contains(answer, `"labels":{}`) {
		b.t.Errorf("after the rollback: %s", answer)
	}
}

func (b *bench) oldStay() {
	b.deploy("POST", "/v2/groups", b.within(""))
	before := b.ids("a")
	b.begin("PUT", "/v2/groups"+b.group, b.within(`"env": {"A": "b"}, `+unhealthy))
	b.eventually("the new version runs and is checked", func() bool {
		return len(b.ids("a")) == 2 && b.seen.count(func(e event) bool {
			return e.EventType == "failed_health_check_event" && e.AppID == b.group+"/a"
		}) > 0
	})
	if now := b.ids("a"); !slices.Contains(now, before[0]) {
		b.t.Errorf("tasks %v became %v", before, now)
	}
}

func (b *bench) groupLocked() {
	b.begin("POST", "/v2/groups", b.within(nowhere))
	status, _, answer := b.request("PUT", "/v2/groups"+b.group, b.within(`"instances": 2`))
	if status != http.StatusConflict || !strings.Contains(string(answer), `"deployments":[{"id":"`) {
		b.t.Errorf("a change of a busy group: %d %s", status, answer)
	}
	b.eventually("group_change_failed is told", func() bool {
		return b.seen.count(func(e event) bool { return e.EventType == "group_change_failed" && e.GroupID == b.group }) > 0
	})
	b.must(http.StatusConflict, "DELETE", "/v2/groups"+b.group, "")
	b.begin("PUT", "/v2/groups"+b.group+"?force=true", b.within(`"instances": 2, `+nowhere))
	b.deploy("DELETE", "/v2/groups"+b.group+"?force=true", "")
}

func (b *bench) cycle() {
	status, _, answer := b.request("POST", "/v2/groups", fmt.Sprintf(`{"id": "%s", "apps": [%s, %s, %s]}`, b.group,
		b.sleeper("a", `"dependencies": ["c"]`), b.sleeper("b", `"dependencies": ["a"]`), b.sleeper("c", `"dependencies": ["b"]`)))
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(answer), "cyclic dependencies") {
		b.t.Errorf("%d %s", status, answer)
	}
}

// healthy is a health check that always succeeds.
const healthy = `"healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}, "intervalSeconds": 1, "delaySeconds": 0}]`

func (b *bench) ordered() {
	b.deploy("POST", "/v2/groups", fmt.Sprintf(`{"id": "%s", "apps": [%s, %s, %s]}`, b.group,
		b.sleeper("service", healthy+`, "dependencies": ["`+b.group+`/db"]`),
		b.sleeper("front", healthy+`, "dependencies": ["`+b.group+`/service"]`), b.sleeper("db", healthy)))
	b.deploy("POST", "/v2/groups"+b.group, fmt.Sprintf(`{"id": "groups", "groups": [
		{"id": "front", "dependencies": ["../db"], "apps": [%s]}, {"id": "db", "apps": [%s]}]}`,
		b.sleeper("groups/front/a", healthy), b.sleeper("groups/db/a", healthy)))
	for _, order := range [][]string{{"db", "service", "front"}, {"groups/db/a", "groups/front/a"}} {
		before := ""
		for _, name := range order {
			tasks := b.app(name).Tasks
			if len(tasks) != 1 || len(tasks[0].HealthCheckResults) != 1 {
				b.t.Fatalf("%s has the tasks %+v", name, tasks)
			}
			if tasks[0].StagedAt < before {
				b.t.Errorf("%s was staged at %s, before what it depends on was healthy at %s", name, tasks[0].StagedAt, before)
			}
			before = tasks[0].HealthCheckResults[0].FirstSuccess
		}
	}
}

func (b *bench) relative() {
	b.begin("POST", "/v2/groups", fmt.Sprintf(`{"id": "%s", "apps": [%s, %s], "groups": [{"id": "in", "dependencies": ["../beside"], "apps": [%s]}]}`, b.group,
		b.sleeper("a", `"instances": 0`), b.sleeper("b", `"instances": 0, "dependencies": ["a"]`),
		b.sleeper("in/c", `"instances": 0, "dependencies": ["../a", "./d"]`)))
	if got := b.app("b").Dependencies; !slices.Equal(got, []string{b.group + "/a"}) {
		b.t.Errorf("dependencies of b: %v", got)
	}
	if got := b.app("in/c").Dependencies; !slices.Equal(got, []string{b.group + "/a", b.group + "/in/d"}) {
		b.t.Errorf("dependencies of in/c: %v", got)
	}
	var g struct{ Dependencies []string }
	if b.get("/v2/groups"+b.group+"/in", &g); !slices.Equal(g.Dependencies, []string{b.group + "/beside"}) {
		b.t.Errorf("dependencies of the group: %v", g.Dependencies)
	}
}

func (b *bench) enforceRole() {
	b.begin("POST", "/v2/groups", fmt.Sprintf(`{"id": "%s", "groups": [{"id": "in"}]}`, b.group))
	b.must(http.StatusUnprocessableEntity, "PUT", "/v2/groups"+b.group, strings.Replace(b.within(`"instances": 0`), `{`, `{"enforceRole": true, `, 1))
	b.must(http.StatusUnprocessableEntity, "PATCH", "/v2/groups"+b.group+"/in", `{"enforceRole": true}`)
	if answer := b.must(http.StatusOK, "PATCH", "/v2/groups"+b.group, `{"enforceRole": true}`); len(answer) != 0 {
		b.t.Errorf("the answer has a body: %s", answer)
	}
	if answer := string(b.must(http.StatusOK, "GET", "/v2/groups"+b.group, "")); !strings.Contains(answer, `"enforceRole":true`) {
		b.t.Error(answer)
	}
}
