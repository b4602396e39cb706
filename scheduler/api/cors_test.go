package api

import (
	"strings"
	"testing"
)

// TestAllowOrigin lets pages of some sites read, and of none change.
func TestAllowOrigin(t *testing.T) {
	const dash = "https://dash.example"
	for _, tt := range []struct {
		allowed []string
		origin  string
		want    string
	}{
		{nil, dash, ""},
		{[]string{dash, "https://b.example"}, dash, dash},
		{[]string{dash}, "https://evil.example", ""},
		{[]string{dash}, "", ""},
		{[]string{"*"}, "https://evil.example", "*"},
	} {
		c := newCluster(t, func(o *Options) { o.AllowOrigin = tt.allowed })
		for _, request := range [][2]string{{"GET", "/v2/apps"}, {"OPTIONS", "/v2/apps"}, {"GET", "/v2/apps/nope"}} {
			h := c.request(request[0], request[1], "", "Origin", tt.origin, "Access-Control-Request-Headers", "Authorization").Header
			if got := h.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("%v to %s: %s allows %q, want %q", tt.allowed, tt.origin, request, got, tt.want)
			}
			if tt.want == "" {
				continue
			}
			if h.Get("Access-Control-Allow-Headers") != "Authorization" || h.Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS" ||
				h.Get("Access-Control-Max-Age") != "86400" {
				t.Errorf("headers %v", h)
			}
		}
		if status, _ := c.status("POST", "/v2/apps", `{"id": "a", "cmd": "x"}`, "Origin", "https://evil.example"); status != 403 {
			t.Errorf("%v: a page of another site changes something: %d", tt.allowed, status)
		}
	}
}

// TestOptions tells of each path which methods it has, also to who says not who he is.
func TestOptions(t *testing.T) {
	c := guarded(t)
	for path, want := range map[string]string{
		"/v2/apps":         "GET, HEAD, OPTIONS, PATCH, POST, PUT",
		"/v2/apps/a/b":     "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
		"/v2/tasks/delete": "OPTIONS, POST",
	} {
		answer := c.request("OPTIONS", path, "")
		if got := answer.Header.Get("Allow"); answer.StatusCode != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", path, answer.StatusCode, got, want)
		}
	}
	if status, _ := c.status("OPTIONS", "/nothing", ""); status != 404 {
		t.Errorf("unknown path: %d", status)
	}
}

// TestNamedAbsences asks for what Marathon has and rollcall has not: the answer says what there is instead.
func TestNamedAbsences(t *testing.T) {
	c := newCluster(t)
	for target, want := range map[string]string{
		"GET /logging":                                    "SIGHUP",
		"POST /logging":                                   "SIGHUP",
		"GET /config":                                     "/v2/info",
		"GET /help":                                       "/v2/openapi.json",
		"GET /api-console":                                "/v2/openapi.json",
		"GET /v2/pods":                                    "Pods are not supported",
		"GET /v2/pods/a/b::status":                        "Pods are not supported",
		"GET /v2/pods/::status":                           "Pods are not supported",
		"GET /v2/pods/a::versions":                        "Pods are not supported",
		"DELETE /v2/pods/a::instances":                    "Pods are not supported",
		"DELETE /v2/pods/a::instances/i":                  "Pods are not supported",
		"POST /v2/eventSubscriptions?x=y":                 "GET /v2/events",
		"GET /v2/eventSubscriptions":                      "GET /v2/events",
		"GET /v2/artifacts":                               "URI not found: /v2/artifacts",
		"GET /v2/deployments/anything":                    "",
		"DELETE /v2/deployments/none":                     "DeploymentPlan none does not exist",
		"DELETE /v2/queue/none/delay":                     "Application /none not found in tasks queue.",
		"GET /v2/apps/none/tasks":                         "App '/none' does not exist",
		"GET /v2/groups/none/versions":                    "Group '/none' does not exist",
		"GET /v2/apps/none/*":                             "Group '/none' does not exist",
		"DELETE /v2/apps/none/tasks/n.1":                  "Task 'n.1' does not exist",
		"DELETE /v2/apps/none/tasks":                      "App '/none' does not exist",
		"POST /v2/apps/none/restart":                      "App '/none' does not exist",
		"PUT /v2/apps/none/versions/2020-01-01T00:00:00Z": "App '/none' does not exist",
	} {
		method, path, _ := strings.Cut(target, " ")
		status, body := c.status(method, path, "")
		if want == "" {
			if status != 405 {
				t.Errorf("%s: %d %s", target, status, body)
			}
			continue
		}
		if status != 404 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want 404 %s", target, status, body, want)
		}
	}
}

// TestAppInPlaceOfGroup puts an app where a group is.
func TestAppInPlaceOfGroup(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/groups", `{"id": "/a", "groups": [{"id": "left-over"}]}`)
	c.must(201, "POST", "/v2/apps", `{"id": "/a", "cmd": "x"}`)
	if s := c.State(); s.App("/a") == nil || s.Group("/a") != nil || s.Group("/a/left-over") != nil {
		t.Error("a group without apps has to make room")
	}
	c.must(201, "POST", "/v2/apps", `{"id": "/b/c", "cmd": "x"}`)
	for _, request := range [][3]string{
		{"POST", "/v2/apps", `{"id": "/b", "cmd": "x"}`},
		{"POST", "/v2/apps", `{"id": "/a/c", "cmd": "x"}`},
		{"PUT", "/v2/apps/b", `{"cmd": "x"}`},
		{"PUT", "/v2/groups/a", `{}`},
		{"PUT", "/v2/groups", `{"apps": [{"id": "b", "cmd": "x"}]}`},
	} {
		answer := c.must(422, request[0], request[1], request[2])
		if !strings.Contains(answer, `{"path":"/","errors":["Groups and Applications may not have the same identifier."`) {
			t.Errorf("%s: %s", request, answer)
		}
	}
}
