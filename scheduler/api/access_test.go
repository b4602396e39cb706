package api

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/scheduler"
)

const users = `{"users": [
	{"name": "root", "password": "p-root", "roles": [{"role": "admin", "path": "/"}]},
	{"name": "shop", "token": "t-shop", "roles": [{"role": "deploy", "path": "/shop"}, {"role": "read", "path": "/db"}]},
	{"name": "eye", "password": "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683", "roles": [{"role": "read", "path": "/"}]}
]}`

// authorized are the headers by which the users of users say who they are; the password of eye is "key".
var authorized = map[string]string{
	"":     "",
	"root": "Basic " + base64.StdEncoding.EncodeToString([]byte("root:p-root")),
	"shop": "Bearer t-shop",
	"eye":  "Basic " + base64.StdEncoding.EncodeToString([]byte("eye:key")),
	"http": "Basic " + base64.StdEncoding.EncodeToString([]byte("marathon:with:colon")),
}

// guarded is a cluster with users, and apps in three groups.
func guarded(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, func(o *Options) {
		credentials, err := LoadCredentials(CredentialFiles{HTTP: file(t, "http", "marathon:with:colon\n"), Users: file(t, "users", users)})
		if err != nil {
			t.Fatal(err)
		}
		o.Authenticator = credentials
		o.RequestsPerSecond = -1
	})
	if status, answer := c.as("root", "PUT", "/v2/apps", `[{"id": "/shop/web", "cmd": "x"}, {"id": "/db/store", "cmd": "x"}, {"id": "/other/app", "cmd": "x", "cpus": 99}]`); status != 200 {
		t.Fatal(status, answer)
	}
	c.offer(3)
	c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	return c
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *cluster) as(user, method, target, body string) (int, string) {
	return c.status(method, target, body, "Authorization", authorized[user])
}

// TestAccess asks for everything there is as everybody there is.
func TestAccess(t *testing.T) {
	tests := []struct {
		method, target, body string
		want                 string // status as nobody, eye, shop, root
	}{
		{"GET", "/ping", "", "200 200 200 200"},
		{"GET", "/healthz", "", "404 404 404 404"}, // nobody monitors this one, and nobody is asked who he is
		{"GET", "/", "", "302 302 302 302"},
		{"GET", "/ui/", "", "401 200 200 200"},
		{"GET", "/v2/openapi.json", "", "200 200 200 200"},
		{"GET", "/metrics", "", "401 200 200 200"},
		{"GET", "/v2/info", "", "401 200 200 200"},
		{"DELETE", "/v2/leader", "", "401 403 403 409"},
		{"GET", "/v2/nothing", "", "404 404 404 404"},
		{"GET", "/v2/apps", "", "401 200 200 200"},
		{"GET", "/v2/apps/shop/web", "", "401 200 200 200"},
		{"GET", "/v2/apps/db/store", "", "401 200 200 200"},
		{"GET", "/v2/apps/other/app", "", "401 200 403 200"},
		{"GET", "/v2/apps/other/none", "", "401 404 403 404"},
		{"GET", "/v2/apps/other/app/versions", "", "401 200 403 200"},
		{"GET", "/v2/apps/other/app/tasks", "", "401 200 403 200"},
		{"GET", "/v2/groups/other", "", "401 200 403 200"},
		{"GET", "/v2/groups/other/versions", "", "401 200 403 200"},
		{"POST", "/v2/apps/shop/web/restart?force=true", "", "401 403 200 200"},
		{"POST", "/v2/apps/db/store/restart?force=true", "", "401 403 403 200"},
		{"PUT", "/v2/apps/db/store?force=true", `{"cmd": "y"}`, "401 403 403 200"},
		{"PATCH", "/v2/apps?force=true", `[{"id": "/shop/web", "instances": 2}, {"id": "/db/store", "instances": 2}]`, "401 403 403 200"},
		{"PATCH", "/v2/apps?force=true", `[{"id": "/shop/web", "instances": 3}]`, "401 403 200 200"},
		{"POST", "/v2/apps", `{"id": "/shop/../db/new", "cmd": "x"}`, "401 403 403 201"},
		{"PUT", "/v2/groups?force=true", `{"id": "/", "groups": []}`, "401 403 403 200"},
		{"POST", "/v2/groups", `{"id": "/shop/sub"}`, "401 403 201 409"},
		{"POST", "/v2/groups/db", `{"id": "../shop/sub2"}`, "401 403 201 409"},
		{"POST", "/v2/groups", `{"id": "/db/sub"}`, "401 403 403 201"},
		{"PUT", "/v2/groups/db?dryRun=true", `{"apps": []}`, "401 403 403 200"},
		{"DELETE", "/v2/groups/db/sub", "", "401 403 403 404"},
		{"DELETE", "/v2/groups", "", "401 403 403 409"},
		{"DELETE", "/v2/queue/other/app/delay", "", "401 403 403 204"},
		{"GET", "/v2/pods", "", "401 404 404 404"},
		{"GET", "/rollcall/agents", "", "401 200 200 200"},
		{"GET", "/rollcall/dns?name=a", "", "401 400 400 400"}, // no such name
		{"GET", "/rollcall/tasks/shop_web.instance-1._app.1/files/stdout", "", "401 200 200 200"},
		{"GET", "/rollcall/tasks/other_app.instance-1._app.1/files/stdout", "", "401 200 403 200"},
	}
	for _, test := range tests {
		c := guarded(t)
		var got []string
		for _, user := range []string{"", "eye", "shop", "root"} {
			status, _ := c.as(user, test.method, test.target, test.body)
			got = append(got, statusText(status))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s %s %s: %q, want %q", test.method, test.target, test.body, strings.Join(got, " "), test.want)
		}
	}
	if status, _ := guarded(t).as("http", "DELETE", "/v2/apps/db/store", ""); status != 200 {
		t.Errorf("http_credentials: %d", status)
	}
}

func statusText(status int) string {
	return string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
}

// TestTasksOfOthers cannot be killed by way of an app of one's own.
func TestTasksOfOthers(t *testing.T) {
	c := guarded(t)
	var foreign scheduler.TaskID
	for i := range c.State().Instances("/db/store") {
		foreign = i.TaskID()
	}
	for _, test := range []struct{ method, target, body string }{
		{"DELETE", "/v2/apps/shop/web/tasks/" + string(foreign), ""},
		{"POST", "/v2/tasks/delete", `{"ids": ["` + string(foreign) + `"]}`},
	} {
		if status, answer := c.as("shop", test.method, test.target, test.body); status != 403 {
			t.Errorf("%s %s = %d %s", test.method, test.target, status, answer)
		}
	}
	deployments := unmarshal[[]struct{ ID string }](t, func() string { _, a := c.as("root", "GET", "/v2/deployments", ""); return a }())
	if status, _ := c.as("shop", "DELETE", "/v2/deployments/"+deployments[0].ID, ""); status != 403 {
		t.Errorf("somebody else's deployment was undone: %d", status)
	}
}

// TestListsAreFiltered shows in lists what a user may see, without a word of the rest.
func TestListsAreFiltered(t *testing.T) {
	c := guarded(t)
	for _, target := range []string{"/v2/apps", "/v2/apps/*", "/v2/apps/*/tasks", "/v2/groups", "/v2/groups/apps", "/v2/tasks",
		"/v2/queue", "/v2/deployments", "/v2/apps/other/*"} {
		status, answer := c.as("shop", "GET", target, "")
		if status != 200 || strings.Contains(answer, "other") {
			t.Errorf("GET %s = %d %s", target, status, answer)
		}
		if target != "/v2/queue" && target != "/v2/deployments" && target != "/v2/apps/other/*" &&
			(!strings.Contains(answer, "/shop/web") || !strings.Contains(answer, "/db/store")) {
			t.Errorf("GET %s lacks what may be seen: %s", target, answer)
		}
	}
	_, plain := c.status("GET", "/v2/tasks", "", "Accept", "text/plain", "Authorization", authorized["shop"])
	if strings.Contains(plain, "other") || !strings.Contains(plain, "shop_web") {
		t.Errorf("plain tasks %q", plain)
	}
}

// TestAdviceIsFiltered gives no hint of apps that the sender may not see.
func TestAdviceIsFiltered(t *testing.T) {
	c := guarded(t)
	port := c.State().App("/other/app").ServicePorts()[0]
	body := fmt.Sprintf(`{"id": "/shop/new", "cmd": "x", "ports": [%d], "dependencies": ["/other/none", "/db/none"]}`, port)
	answer := c.request("POST", "/v2/apps", body, "Authorization", authorized["shop"])
	if got := answer.Header.Values("Warning"); answer.StatusCode != 201 || len(got) != 1 || !strings.Contains(got[0], "/db/none") {
		t.Errorf("%d %q", answer.StatusCode, got)
	}
}

// TestEventsAreFiltered is the same for the event stream.
func TestEventsAreFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := guarded(t)
		lines, stop := listen(c.api, "/v2/events?event_type=api_post_event&event_type=deployment_info", "Authorization", authorized["shop"])
		defer stop()
		synctest.Wait()
		for _, target := range []string{"/v2/apps/other/app", "/v2/apps/shop/web"} {
			if status, answer := c.as("root", "PUT", target+"?force=true", `{"cmd": "new"}`); status != 200 {
				t.Fatal(status, answer)
			}
		}
		for range 2 {
			if _, _, data := next(t, lines); !strings.Contains(data, "/shop/web") || strings.Contains(data, "/other") {
				t.Errorf("got %s", data)
			}
		}
	})
}

func TestUnauthorized(t *testing.T) {
	c := guarded(t)
	answer := c.request("GET", "/v2/apps", "")
	want := []string{`Basic realm="Mesosphere", charset="UTF-8"`, "Bearer"}
	if got := answer.Header.Values("WWW-Authenticate"); answer.StatusCode != 401 || !slices.Equal(got, want) {
		t.Errorf("%d %q", answer.StatusCode, got)
	}
	for header, want := range map[string]int{
		"token=t-shop": 200, "bearer t-shop": 200, "Bearer t-shop ": 200,
		"Bearer t-shop2": 401, "Bearer p-root": 401, "Bearer": 401, "Basic !": 401,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("root:")):       401,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("none:")):       401,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("shop:t-shop")): 401,
	} {
		c := guarded(t)
		if status, _ := c.status("GET", "/v2/apps", "", "Authorization", header); status != want {
			t.Errorf("%q: %d, want %d", header, status, want)
		}
	}
}

// TestGuessing is slowed down, for the one who guesses only by what he guesses.
func TestGuessing(t *testing.T) {
	c := guarded(t)
	for n := 1; ; n++ {
		answer := c.request("GET", "/v2/apps", "", "Authorization", "Bearer guess")
		if answer.StatusCode == 429 {
			if answer.Header.Get("Retry-After") == "" || n != failuresPerSecond*burst+1 {
				t.Errorf("guess %d, retry after %q", n, answer.Header.Get("Retry-After"))
			}
			break
		}
		if answer.StatusCode != 401 || n > 100 {
			t.Fatalf("guess %d is answered %d", n, answer.StatusCode)
		}
	}
	if status, _ := c.as("root", "GET", "/v2/apps", ""); status != 200 {
		t.Errorf("who knows his password gets %d", status)
	}
	c.step() // a second passes
	if status, _ := c.status("GET", "/v2/apps", "", "Authorization", "Bearer guess"); status != 401 {
		t.Errorf("a second later %d", status)
	}
}

func TestRateLimit(t *testing.T) {
	c := newCluster(t, func(o *Options) { o.RequestsPerSecond = 3 })
	count := func() int {
		for n := 0; ; n++ {
			if answer := c.request("GET", "/ping", ""); answer.StatusCode == 429 {
				if after := answer.Header.Get("Retry-After"); after != "1" {
					t.Errorf("Retry-After %q", after)
				}
				return n
			}
		}
	}
	if n := count(); n != 3*burst {
		t.Errorf("%d requests at once, want %d", n, 3*burst)
	}
	c.step()
	if n := count(); n != 3 {
		t.Errorf("%d requests a second later, want 3", n)
	}
}

// TestCredentialsReload changes the users of an API that runs; what cannot be read changes nothing.
func TestCredentialsReload(t *testing.T) {
	now := time.Unix(1000, 0)
	path := file(t, "users", users)
	c, err := LoadCredentials(CredentialFiles{Users: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	works := func(token string) bool {
		now = now.Add(2 * time.Second)
		r := httptest.NewRequest("GET", "/v2/apps", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return c.Authenticate(r) != nil
	}
	if !works("t-shop") || works("t-new") {
		t.Error("before the change")
	}
	replace(t, path, `{"users": [`)
	if !works("t-shop") {
		t.Error("a broken file took the users away")
	}
	replace(t, path, strings.ReplaceAll(users, "t-shop", "t-new"))
	if works("t-shop") || !works("t-new") {
		t.Error("after the change")
	}
}

// replace writes a file as careful people do: another one takes its place.
func replace(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// TestBadCredentials refuses files that would let in somebody else than was meant, and shows no secret while it does.
func TestBadCredentials(t *testing.T) {
	for content, want := range map[string]string{
		`{"users": [{"name": "a", "password": "hunter2"}]}`:                                                                                                                     `"a" has no roles`,
		`{"users": [{"name": "a", "password": "hunter2", "roles": [{"role": "root", "path": "/"}]}]}`:                                                                           `roles are read, deploy and admin`,
		`{"users": [{"name": "a", "password": "hunter2", "roles": [{"role": "read"}]}]}`:                                                                                        `paths are ids`,
		`{"users": [{"name": "a", "password": "hunter2", "roles": [{"role": "read", "path": "shop"}]}]}`:                                                                        `paths are ids`,
		`{"users": [{"name": "a", "password": "hunter2", "roles": [{"role": "admin", "path": "/shop"}]}]}`:                                                                      `its path is /`,
		`{"users": [{"name": "a", "roles": [{"role": "read", "path": "/"}]}]}`:                                                                                                  `neither password nor token`,
		`{"users": [{"name": "a:b", "password": "hunter2"}]}`:                                                                                                                   `without a colon`,
		`{"users": [{"name": "a", "password": "sha256:hunter2", "roles": [{"role": "read", "path": "/"}]}]}`:                                                                    `64 hexadecimal digits`,
		`{"users": [{"name": "a", "passwort": "hunter2"}]}`:                                                                                                                     `unknown field`,
		`{"users": [{"name": "a", "token": "hunter2", "roles": [{"role": "read", "path": "/"}]}, {"name": "b", "token": "hunter2", "roles": [{"role": "read", "path": "/"}]}]}`: `somebody else's`,
	} {
		_, err := LoadCredentials(CredentialFiles{Users: file(t, "users", content)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", content, err, want)
		}
	}
	for _, content := range []string{"", "marathon", "marathon:", ":secret"} {
		if _, err := LoadCredentials(CredentialFiles{HTTP: file(t, "http", content)}); err == nil {
			t.Errorf("%q is accepted", content)
		}
	}
}
