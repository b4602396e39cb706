package api

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// answers are documents that Marathon's own description gives as answers, and the calls that they answer.
var answers = map[string]struct{ method, pattern string }{
	"raml-examples/app_task.json":           {"DELETE", "/v2/apps/{id}/tasks/{task}"},
	"raml-examples/app_tasks.json":          {"GET", "/v2/apps/{id}/tasks"},
	"raml-examples/deployments.json":        {"GET", "/v2/deployments"},
	"raml-examples/deployments_result.json": {"PUT", "/v2/apps/{id}"},
	"raml-examples/info.json":               {"GET", "/v2/info"},
	"raml-examples/queue.json":              {"GET", "/v2/queue"},
	"raml-examples/tasks.json":              {"GET", "/v2/tasks"},
}

// elsewhere are documents that other tests look at.
var elsewhere = []string{
	"dumps/group-tree-155_100.json", "events/event-bus-doc.jsonl", "raml-examples/app_list.json", "raml-examples/app_patch.json",
	"raml-examples/apps_create.json", "raml-examples/apps_patch.json", "raml-examples/deployment_steps.json", "raml-examples/group.json",
	"seeds/000-mesos-dns-config.json", "seeds/001-scale-cassandra.json", "seeds/003-scale-rails.json",
	"vectors/backoff.json", "vectors/constraints.json", "vectors/deployment-plans.json", "vectors/label-selectors.json",
	"vectors/path-ids.json", "vectors/restart-strategy.json",
}

// olden are members of those answers that newer Marathons no longer write, and forms of attributes and resources that
// there are not here: attributes are texts.
var olden = []string{"app/ports", "app/uris", "docker/network", "resources(0)/set", "attributes(0)/scalar", "attributes(0)/ranges",
	"attributes(0)/set", "actions(0)/pod"}

// TestAnswersHaveMarathonsMembers finds each member of Marathon's answers among those of ours.
func TestAnswersHaveMarathonsMembers(t *testing.T) {
	d := documentOf(t, newCluster(t))
	for file, call := range answers {
		t.Run(file, func(t *testing.T) {
			var v any
			if err := json.Unmarshal(readShared(t, file), &v); err != nil {
				t.Fatal(err)
			}
			schema := d.operation(call.method, call.pattern).Responses["200"].Content["application/json"].Schema
			for _, problem := range d.problems("", schema, v) {
				if !slices.ContainsFunc(olden, func(o string) bool { return strings.Contains(problem, o+" is not in") }) {
					t.Error(problem)
				}
			}
		})
	}
}

// TestPods refuses every pod by name.
func TestPods(t *testing.T) {
	refused := 0
	for file, use := range documented(t) {
		if !strings.Contains(use, "pod,") && file != "raml-examples/pod.json" {
			continue
		}
		refused++
		if status, answer := newCluster(t).status("POST", "/v2/pods", string(readShared(t, file))); status != 404 || !strings.Contains(answer, "Pods are not supported") {
			t.Errorf("%s: %d %s", file, status, answer)
		}
	}
	if refused < 20 {
		t.Errorf("the README names %d pods; has its form changed?", refused)
	}
}

// TestEveryDocument leaves none of the documents out.
func TestEveryDocument(t *testing.T) {
	readShared(t, "README.md")
	use := documented(t)
	err := filepath.WalkDir(marathonData, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(filepath.Ext(path), ".json") {
			return err
		}
		file, err := filepath.Rel(marathonData, path)
		if err != nil {
			return err
		}
		_, answer := answers[file]
		posted := expectedStatus.MatchString(use[file]) || strings.Contains(use[file], "pod,") || file == "raml-examples/pod.json"
		if !answer && !posted && !slices.Contains(elsewhere, file) {
			t.Errorf("%s is looked at by no test", file)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, file := range elsewhere {
		if _, err := os.Stat(filepath.Join(marathonData, file)); err != nil {
			t.Errorf("%s is not there", file)
		}
	}
}

var section = regexp.MustCompile(`^## (\S+?)/?\s*$`)

// documented is what the README says of each document.
func documented(t *testing.T) map[string]string {
	out := map[string]string{}
	dir := ""
	for line := range strings.Lines(string(readShared(t, "README.md"))) {
		if m := section.FindStringSubmatch(line); m != nil {
			dir = m[1]
		}
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			out[dir+"/"+strings.TrimSpace(cells[1])] = cells[2] + cells[3]
		}
	}
	return out
}

// groupVersion is the version of a group in an indented document: it follows the group's dependencies.
var groupVersion = regexp.MustCompile(`("dependencies": \[[^\]]*\]),\s*"version": "[^"]*"`)

// TestOldAnswersCanBeSentBack puts what an old Marathon wrote of a group, and of single apps, as somebody does who moves.
// As there, the group must not have its version in it: that would ask for a rollback.
func TestOldAnswersCanBeSentBack(t *testing.T) {
	c := newCluster(t)
	group := string(readShared(t, "raml-examples/group.json"))
	if status, answer := c.status("PUT", "/v2/groups", group); status != 422 || strings.Count(answer, "not allowed in conjunction with other properties.") != 4 {
		t.Errorf("PUT /v2/groups = %d %s", status, answer)
	}
	c.must(200, "PUT", "/v2/groups", groupVersion.ReplaceAllString(group, "$1"))
	if len(slices.Collect(c.State().Apps())) == 0 {
		t.Error("the group has no apps")
	}
	c.must(201, "POST", "/v2/apps", `{"id": "/patched", "cmd": "x", "instances": 1}`)
	c.must(200, "PATCH", "/v2/apps/patched?force=true", string(readShared(t, "raml-examples/app_patch.json")))
	if app := c.State().App("/patched"); app.Cmd != "x" || app.VersionInfo.LastConfigChangeAt == app.Version {
		t.Errorf("not only scaled: %+v", app)
	}
	var steps struct {
		Steps []struct {
			Actions []struct{ Action, App string }
		}
	}
	if err := json.Unmarshal(readShared(t, "raml-examples/deployment_steps.json"), &steps); err != nil || len(steps.Steps) == 0 {
		t.Fatal(err)
	}
	ours := unmarshal[map[string][]map[string][]map[string]string](t, c.must(200, "PUT", "/v2/groups?dryRun=true&force=true", `{"id": "/", "apps": []}`))
	if ours["steps"][0]["actions"][0]["action"] == "" || ours["steps"][0]["actions"][0]["app"] == "" {
		t.Errorf("steps %v", ours)
	}
}

// TestEventTypes knows every event that Marathon's documentation has, but for those of what there is not here.
func TestEventTypes(t *testing.T) {
	recorded, err := os.ReadFile("testdata/events.http")
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]map[string]bool{}
	for line := range strings.Lines(string(recorded)) {
		if strings.HasPrefix(line, `{"eventType"`) {
			event := unmarshal[map[string]json.RawMessage](t, line)
			kind := unmarshal[string](t, string(event["eventType"]))
			if ours[kind] == nil {
				ours[kind] = map[string]bool{}
			}
			for name := range event {
				ours[kind][name] = true
			}
		}
	}
	absent := []string{"subscribe_event", "unsubscribe_event", "framework_message_event", "pod_created_event", "pod_updated_event",
		"pod_deleted_event", "unhealthy_task_kill_event", "event_stream_attached", "event_stream_detached"} // the last two: TestReadersAreTold
	for line := range strings.Lines(string(readShared(t, "events/event-bus-doc.jsonl"))) {
		event := unmarshal[map[string]json.RawMessage](t, line)
		kind := unmarshal[string](t, string(event["eventType"]))
		switch {
		case slices.Contains(absent, kind):
		case ours[kind] == nil:
			t.Errorf("there is no %s", kind)
		default:
			for name := range event {
				if !ours[kind][name] && kind+" "+name != "remove_health_check_event healthCheck" { // nor does Marathon write it

					t.Errorf("%s lacks %s", kind, name)
				}
			}
		}
	}
}
