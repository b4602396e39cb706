package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// marathon lists the calls of Marathon's API that there are here (Marathon reference, section 4).
var marathon = strings.Fields(`
	GET/ping GET/metrics GET/v2/info GET/v2/leader DELETE/v2/leader GET/v2/plugins GET/v2/events
	GET/v2/apps POST/v2/apps PUT/v2/apps PATCH/v2/apps GET/v2/apps/{group}/* GET/v2/apps/{group}/*/tasks
	GET/v2/apps/{id} PUT/v2/apps/{id} PATCH/v2/apps/{id} DELETE/v2/apps/{id} POST/v2/apps/{id}/restart
	GET/v2/apps/{id}/tasks DELETE/v2/apps/{id}/tasks DELETE/v2/apps/{id}/tasks/{task}
	GET/v2/apps/{id}/versions GET/v2/apps/{id}/versions/{version} PUT/v2/apps/{id}/versions/{version}
	GET/v2/groups POST/v2/groups PUT/v2/groups PATCH/v2/groups DELETE/v2/groups GET/v2/groups/apps GET/v2/groups/versions
	GET/v2/groups/versions/{version} PUT/v2/groups/versions/{version}
	GET/v2/groups/{id} POST/v2/groups/{id} PUT/v2/groups/{id} PATCH/v2/groups/{id} DELETE/v2/groups/{id}
	GET/v2/groups/{id}/apps GET/v2/groups/{id}/versions GET/v2/groups/{id}/versions/{version} PUT/v2/groups/{id}/versions/{version}
	GET/v2/tasks POST/v2/tasks/delete GET/v2/deployments DELETE/v2/deployments/{deployment}
	GET/v2/queue DELETE/v2/queue/{id}/delay`)

// sample bodies, by method and pattern.
var samples = map[string]string{
	"POST/v2/apps":         `{"id": "/g/new", "cmd": "x"}`,
	"PUT/v2/apps":          `[{"id": "/g/a", "instances": 2}]`,
	"PATCH/v2/apps":        `[{"id": "/g/a", "instances": 2}]`,
	"PUT/v2/apps/{id}":     `{"instances": 2}`,
	"PATCH/v2/apps/{id}":   `{"instances": 2}`,
	"POST/v2/groups":       `{"id": "/new"}`,
	"POST/v2/groups/{id}":  `{"id": "new"}`,
	"PUT/v2/groups":        `{"apps": []}`,
	"PUT/v2/groups/{id}":   `{"dependencies": []}`,
	"PATCH/v2/groups":      ``,
	"PATCH/v2/groups/{id}": `{"enforceRole": false}`,
	"POST/v2/tasks/delete": `{"ids": []}`,
}

// TestOpenAPI sends a request to every endpoint and holds what happens against what the document says: the status, the
// members of the answer, and the parameters of the query that were looked at.
func TestOpenAPI(t *testing.T) {
	document := documentOf(t, newCluster(t))
	for _, call := range marathon {
		method, path, _ := strings.Cut(call, "/")
		if document.operation(method, "/"+path) == nil {
			t.Errorf("the document lacks %s /%s", method, path)
		}
	}
	for pattern, operations := range document.Paths {
		for method, o := range operations {
			method := strings.ToUpper(method)
			switch {
			case pattern == "/v2/events" || pattern == "/rollcall/events": // have no end
				continue
			case pattern == "/rollcall/tasks/{task}/exec": // is no HTTP any more; TestExec
				continue
			case method == "PATCH" && pattern == "/v2/groups": // is refused always
				continue
			}
			t.Run(method+pattern, func(t *testing.T) { document.exercise(t, method, pattern, o) })
		}
	}
}

type described struct {
	Paths      map[string]map[string]*operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	Parameters []struct{ Name, In string }
	Responses  map[string]struct {
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Type                 string
	Ref                  string `json:"$ref"`
	Items                *schema
	Properties           map[string]schema
	AdditionalProperties *schema
	OneOf                []schema
}

func documentOf(t *testing.T, c *cluster) described {
	t.Helper()
	return unmarshal[described](t, c.must(200, "GET", "/v2/openapi.json", ""))
}

func (d described) operation(method, pattern string) *operation {
	return d.Paths[pattern][strings.ToLower(method)]
}

// exercise makes a request that succeeds.
func (d described) exercise(t *testing.T, method, pattern string, o *operation) {
	c := newCluster(t, func(o *Options) {
		o.Monitor = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
		o.Sandboxes, o.Resolver, o.Abdicate = sandboxes{}, oneName{}, func() {}
	})
	c.must(201, "POST", "/v2/groups", `{"id": "/g", "apps": [{"id": "a", "cmd": "x", "healthChecks": [{}], "constraints": [["hostname", "UNIQUE"]]}, {"id": "big", "cmd": "x", "cpus": 99}]}`)
	version := c.State().Version.String()
	c.offer(2)
	c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	c.health(false)
	var task scheduler.TaskID
	for i := range c.State().Instances("/g/a") {
		task = i.TaskID()
	}
	var deployment scheduler.DeploymentID
	for d := range c.State().Deployments() {
		deployment = d.Plan.ID
	}
	id := "g/a"
	switch {
	case strings.HasPrefix(pattern, "/v2/groups"):
		id = "g"
	case strings.HasPrefix(pattern, "/v2/queue"):
		id = "g/big"
	}
	path := strings.NewReplacer("{id}", id, "{group}", "g", "{task}", string(task), "{version}", version,
		"{deployment}", string(deployment), "/ui/{file}", "/ui/app.js", "/ui", "/ui/", "{file}", "stdout").Replace(pattern)

	declared, read := map[string]bool{}, map[string]bool{}
	query := "?embed=apps.tasks&embed=apps.counts&embed=apps.deployments&embed=apps.readiness&embed=apps.lastTaskFailure&embed=apps.taskStats&embed=lastUnusedOffers&embed=progress&embed=caution"
	for _, p := range o.Parameters {
		if p.In == "query" {
			declared[p.Name] = true
		}
	}
	if declared["force"] && pattern != "/v2/deployments/{deployment}" {
		query += "&force=true"
	}
	if pattern == "/rollcall/dns" {
		query += "&name=web.shop.marathon.mesos"
	}
	c.api.queried = func(_ *http.Request, name string) { read[name] = true }
	status, answer := c.status(method, path+query, samples[method+pattern])
	if !maps.Equal(declared, read) {
		t.Errorf("the document has the parameters %v, the handler reads %v", slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(read)))
	}
	response, ok := o.Responses[fmt.Sprint(status)]
	if !ok {
		t.Fatalf("%s %s = %d %s, which the document does not have", method, path, status, answer)
	}
	content, isJSON := response.Content["application/json"]
	switch {
	case len(response.Content) == 0 && answer != "":
		t.Errorf("a body that the document does not have: %s", answer)
	case isJSON:
		var v any
		if err := json.Unmarshal([]byte(answer), &v); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		d.check(t, "", content.Schema, v)
	}
}

// check wants of a value what its schema says, and no members that are not in it.
func (d described) check(t *testing.T, at string, s schema, v any) {
	t.Helper()
	for _, problem := range d.problems(at, s, v) {
		t.Error(problem)
	}
}

// problems lists what a value has that its schema has not.
func (d described) problems(at string, s schema, v any) (out []string) {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		found, ok := d.Components.Schemas[name]
		if !ok {
			return []string{at + ": there is no schema " + name}
		}
		s = found
	}
	if s.Type == "" && len(s.OneOf) == 0 {
		return nil // anything
	}
	if len(s.OneOf) > 0 {
		for _, one := range s.OneOf {
			if one.Type == typeOf(v) {
				return d.problems(at, one, v)
			}
		}
		return []string{fmt.Sprintf("%s: %v is none of what it may be", at, v)}
	}
	if s.Type != "" && s.Type != typeOf(v) && !(s.Type == "integer" && typeOf(v) == "number" && v == float64(int64(v.(float64)))) {
		return []string{fmt.Sprintf("%s: %v is no %s", at, v, s.Type)}
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			out = append(out, d.problems(fmt.Sprintf("%s(%d)", at, i), *s.Items, item)...)
		}
	case map[string]any:
		for name, member := range v {
			property, ok := s.Properties[name]
			if !ok && s.AdditionalProperties != nil {
				property, ok = *s.AdditionalProperties, true
			}
			if !ok && s.Properties != nil {
				out = append(out, at+"/"+name+" is not in the document")
				continue
			}
			out = append(out, d.problems(at+"/"+name, property, member)...)
		}
	}
	return out
}

func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
