package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeAPI answers each path with the answers given for it, one after the other; the last of them for ever.
type fakeAPI struct {
	mu      sync.Mutex
	answers map[string][]string // "GET /v2/apps": "200 {...}"
	asked   []string            // what was not a GET, with its body
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := r.Method + " " + r.URL.Path
	var body bytes.Buffer
	body.ReadFrom(r.Body) //nolint:errcheck // a test's server
	if r.Method != http.MethodGet {
		f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+body.String()))
	}
	answers := f.answers[key]
	if len(answers) == 0 {
		answers = []string{`404 {"message": "nothing there"}`}
	} else if len(answers) > 1 {
		f.answers[key] = answers[1:]
	}
	var status int
	status, text := 0, answers[0]
	fmt.Sscan(text, &status) //nolint:errcheck // a test's own text
	w.WriteHeader(status)
	fmt.Fprint(w, text[4:])
}

// result is what a command left.
type result struct {
	code     int
	out, err string
	asked    []string
}

// runAgainst runs a command against a fake API.
func runAgainst(t *testing.T, answers map[string][]string, stdin string, args ...string) result {
	t.Helper()
	api := &fakeAPI{answers: answers}
	server := httptest.NewServer(api)
	defer server.Close()
	var out, errs bytes.Buffer
	err := Run(t.Context(), args, Environment{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Interval: time.Millisecond,
		Getenv: func(name string) string { return map[string]string{"ROLLCALL_URL": server.URL}[name] }})
	if err != nil {
		fmt.Fprintln(&errs, err)
	}
	return result{code: ExitCode(err), out: out.String(), err: errs.String(), asked: api.asked}
}

const (
	deploying = `200 [{"id": "d", "version": "2026-01-01T00:00:00.000Z", "affectedApps": ["/a"]}]`
	deployed  = `200 {"deploymentId": "d", "version": "2026-01-01T00:00:00.000Z"}`
	appRuns   = `200 {"app": {"id": "/a", "instances": 1, "tasksRunning": 1, "version": "2026-01-01T00:00:00.000Z", "tasks": [{"id": "t", "state": "TASK_RUNNING", "host": "h"}]}}`
	noQueue   = `200 {"queue": []}`
)

// manyActions is a deployment of several apps.
const manyActions = `200 [{"id": "d", "version": "v", "currentStep": 2, "totalSteps": 2, "currentActions": [
	{"action": "ScaleApplication", "app": "/a", "done": true}, {"action": "ScaleApplication", "app": "/b", "reason": "for offers", "instances": [{"done": true}, {}]},
	{"action": "ScaleApplication", "app": "/c", "reason": "for 3s more"}, {"action": "ScaleApplication", "app": "/d"},
	{"action": "StopApplication", "app": "/z"}]}]`

// usageText is the help of a command.
func usageText(words ...string) string {
	for _, u := range Usages() {
		if slices.Equal(u.Words, words) {
			return u.Text
		}
	}
	return ""
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    string
		stdin   string
		answers map[string][]string
		code    int
		out     string
		err     string // a part of it
		asked   string
	}{
		{name: "a deployment that ends well", args: "app scale a 1", answers: map[string][]string{
			"GET /v2/apps/a": {appRuns}, "PUT /v2/apps/a": {deployed}, "GET /v2/deployments": {deploying, "200 []"}, "GET /v2/queue": {noQueue}},
			err: "  running            h  t\n/a: 1 of 1 instances run\n", asked: `PUT /v2/apps/a {"instances":1}`},
		{name: "a deployment that ends without its instances", args: "app scale a 2", answers: map[string][]string{
			"GET /v2/apps/a": {`200 {"app": {"id": "/a", "instances": 2, "version": "2026-01-01T00:00:00.000Z"}}`}, "PUT /v2/apps/a": {deployed},
			"GET /v2/deployments": {"200 []"}, "GET /v2/queue": {noQueue}}, code: 5, err: "over, but /a has 0 of 2 instances running"},
		{name: "a deployment whose place another took", args: "app scale a 1", answers: map[string][]string{
			"GET /v2/apps/a": {strings.Replace(appRuns, "2026", "2027", 1)}, "PUT /v2/apps/a": {deployed},
			"GET /v2/deployments": {"200 []"}, "GET /v2/queue": {noQueue}}, code: 5, err: "/a was changed again meanwhile"},
		{name: "a deployment that was cancelled", args: "app restart a", answers: map[string][]string{
			"GET /v2/apps/a": {strings.Replace(appRuns, "2026", "2025", 1)}, "POST /v2/apps/a/restart": {deployed},
			"GET /v2/deployments": {"200 []"}, "GET /v2/queue": {noQueue}}, code: 5, err: "/a is as it was before"},
		{name: "a deployment that is stuck", args: "app scale a 1 -timeout 20ms", answers: map[string][]string{
			"GET /v2/apps/a": {`200 {"app": {"id": "/a", "instances": 1}}`}, "PUT /v2/apps/a": {deployed}, "GET /v2/deployments": {deploying},
			"GET /v2/queue": {`200 {"queue": [{"app": {"id": "/a"}, "count": 1, "lastUnusedOffers": [{"offer": {"hostname": "h"}, "reason": ["InsufficientCpus"]}]}]}`}},
			code: 5, err: "not ended after 20ms"},
		{name: "an API that is away for a moment", args: "app scale a 1", answers: map[string][]string{
			"GET /v2/apps/a": {appRuns}, "PUT /v2/apps/a": {deployed}, "GET /v2/deployments": {"503 {}", deploying, "200 []"}, "GET /v2/queue": {noQueue}},
			err: "asking on"},
		{name: "not to wait", args: "app scale a 1 -no-wait", answers: map[string][]string{"GET /v2/apps/a": {appRuns}, "PUT /v2/apps/a": {deployed}}, out: "d\n"},
		{name: "JSON of a change", args: "app scale a 1 -o json -no-wait", answers: map[string][]string{"GET /v2/apps/a": {appRuns}, "PUT /v2/apps/a": {deployed}},
			out: "{\n  \"deploymentId\": \"d\",\n  \"version\": \"2026-01-01T00:00:00.000Z\"\n}\n"},
		{name: "no such app", args: "app scale a 1", code: 3, err: "nothing there"},
		{name: "a lock", args: "app restart a", answers: map[string][]string{"POST /v2/apps/a/restart": {`409 {"message": "locked", "deployments": [{"id": "x"}]}`}},
			code: 4, err: "restarting /a: another deployment is under way (x); -force replaces it"},
		{name: "force", args: "app restart a -force -no-wait", answers: map[string][]string{"POST /v2/apps/a/restart": {deployed}}, out: "d\n",
			asked: "POST /v2/apps/a/restart?force=true"},
		{name: "cancel", args: "deployment cancel x", answers: map[string][]string{"DELETE /v2/deployments/x": {deployed}, "GET /v2/deployments": {"200 []"},
			"GET /v2/queue": {noQueue}}, err: "deployment x is undone", asked: "DELETE /v2/deployments/x"},
		{name: "cancel by force", args: "deployment cancel x -force", answers: map[string][]string{"DELETE /v2/deployments/x": {"202 "}},
			err: "deployment x is stopped; its apps stay as they are", asked: "DELETE /v2/deployments/x?force=true"},
		{name: "apply nothing", args: "app apply -f -", stdin: `{"id": "a", "instances": 1}`, answers: map[string][]string{"GET /v2/apps/a": {appRuns}},
			err: "everything is as the file says"},
		{name: "a dry run", args: "app apply -dry-run -f -", stdin: `{"id": "a", "instances": 2}`, answers: map[string][]string{"GET /v2/apps/a": {appRuns}},
			err: "  /a\n  ~ instances: 1 -> 2\n"},
		{name: "apply one of two", args: "app apply -no-wait -f -", stdin: `[{"id": "a", "instances": 1}, {"id": "b"}]`, answers: map[string][]string{
			"GET /v2/apps/a": {appRuns}, "PUT /v2/apps": {deployed}}, err: "+ /b\n", asked: `PUT /v2/apps [{"id":"a","instances":1},{"id":"b"}]`},
		{name: "no JSON", args: "app apply -f -", stdin: "{\n  \"id\": x}", code: 1, err: "standard input, line 2, column 9: not valid JSON"},
		{name: "a group where apps are wanted", args: "app apply -f -", stdin: `{"apps": []}`, code: 1, err: "rollcall group apply"},
		{name: "a group without one of its apps", args: "group apply -dry-run -f -", stdin: `{"id": "g", "apps": [{"id": "x"}]}`, answers: map[string][]string{
			"GET /v2/groups/g": {`200 {"id": "/g", "apps": [{"id": "/g/x"}, {"id": "/g/y"}]}`}}, err: "- /g/y\n"},
		{name: "a group as the API answered it", args: "group apply -no-wait -f -", stdin: `{"id": "/g", "apps": [{"id": "/g/x"}], "groups": [{"id": "/g/h", "version": "v"}], "version": "v"}`,
			answers: map[string][]string{"GET /v2/groups/g": {`200 {"id": "/g"}`}, "PUT /v2/groups/g": {deployed}}, err: "+ /g/x\n",
			asked: `PUT /v2/groups/g {"apps":[{"id":"/g/x"}],"groups":[{"id":"/g/h"}],"id":"/g"}`},
		{name: "ids", args: "app list -q", answers: map[string][]string{"GET /v2/apps": {`200 {"apps": [{"id": "/b"}, {"id": "/a"}]}`}}, out: "/a\n/b\n"},
		{name: "apps, and why they are not as they should be", args: "app list", answers: map[string][]string{
			"GET /v2/apps": {`200 {"apps": [{"id": "/busy", "instances": 2, "tasksRunning": 2, "cpus": 0.30000000000000004, "deployments": [{"id": "d"}]},
				{"id": "/ill", "instances": 2, "tasksRunning": 2, "tasksUnhealthy": 1, "cmd": "x"},
				{"id": "/late", "instances": 1, "deployments": [{"id": "d"}], "lastTaskFailure": {"host": "h", "message": "exit 1", "state": "TASK_FAILED"}},
				{"id": "/off"}, {"id": "/on", "instances": 1, "tasksRunning": 1},
				{"id": "/stuck", "instances": 1, "deployments": [{"id": "d"}]}]}`},
			"GET /v2/queue": {`200 {"queue": [{"app": {"id": "/late"}, "count": 1, "delay": {"timeLeftSeconds": 8}},
				{"app": {"id": "/stuck"}, "count": 1, "delay": {"overdue": true}, "lastUnusedOffers": [
					{"offer": {"hostname": "h"}, "reason": ["InsufficientCpus"], "explanation": ["less than 9 cpus"]}]}]}`}},
			out: `ID      RUNNING  STATE      CPUS  MEM  RUNS  WHY
/busy   2/2      deploying  0.3   0
/ill    2/2      unhealthy  0     0    x     1 of 2 fail their health checks
/late   0/1      delayed    0     0          exit 1, on h; again in 8 s
/off    0/0      stopped    0     0
/on     1/1      running    0     0
/stuck  0/1      waiting    0     0          less than 9 cpus on h
`},
		{name: "apps with problems", args: "app list -problems -q", answers: map[string][]string{
			"GET /v2/apps":  {`200 {"apps": [{"id": "/ill", "tasksUnhealthy": 1}, {"id": "/stuck"}, {"id": "/on"}]}`},
			"GET /v2/queue": {`200 {"queue": [{"app": {"id": "/stuck"}}]}`}}, out: "/ill\n/stuck\n"},
		{name: "apps of a group", args: "app list g -q", answers: map[string][]string{
			"GET /v2/apps": {`200 {"apps": [{"id": "/g/a"}, {"id": "/g/h/b"}, {"id": "/gg/c"}, {"id": "/g"}]}`}}, out: "/g/a\n/g/h/b\n"},
		{name: "apps of no group", args: "app list g", answers: map[string][]string{"GET /v2/apps": {`200 {"apps": []}`}}, code: 3, err: "nothing there"},
		{name: "why an app does not run", args: "app show a", answers: map[string][]string{
			"GET /v2/apps/a": {`200 {"app": {"id": "/a", "instances": 2, "tasksRunning": 1, "tasksUnhealthy": 1, "tasks": [
				{"id": "t", "host": "h", "state": "TASK_RUNNING", "healthCheckResults": [{"alive": false, "lastFailureCause": "HTTP 500", "consecutiveFailures": 3}]}]}}`},
			"GET /v2/queue": {noQueue}},
			out: "/a  unhealthy\n  instances  1 of 2 running, 0 healthy, 1 unhealthy\n  runs       \n  resources  0 cpus, 0 MiB memory, 0 MiB disk each\n  version    \n" +
				"  t is unhealthy: HTTP 500 (3 in a row)\n\nID  STATE      WHERE  STARTED\nt   unhealthy  h      -\n"},
		{name: "agents", args: "agent list", answers: map[string][]string{"GET /rollcall/agents": {`200 {"agents": [
			{"hostname": "a", "address": "192.0.2.1", "tasks": 2, "used": {"cpus": 0.30000000000000004, "mem": 64}, "total": {"cpus": 4, "mem": 1024, "disk": 10}},
			{"hostname": "b", "attributes": {"rack": "r1"}}]}`}},
			out: "HOSTNAME  ADDRESS    TASKS  CPUS   MEM      DISK  ATTRIBUTES\na         192.0.2.1  2      0.3/4  64/1024  0/10\nb                    0      0/?    0/?      0/?   rack=r1\n"},
		{name: "a deployment of many apps", args: "deployment list", answers: map[string][]string{"GET /v2/deployments": {manyActions}},
			out: "ID  STEP  DOING                                                                     WAITS FOR\n" +
				"d   2/2   ScaleApplication /a, /b, /c and 1 more (1 of 4 done), StopApplication /z  /b: for offers; and 1 more\n"},
		{name: "what a deployment waits for", args: "deployment show d", answers: map[string][]string{"GET /v2/deployments": {manyActions}},
			out: `d  step 2 of 2, since v

ACTION            APP  DONE  WAITS FOR
ScaleApplication  /b   1/2   for offers
ScaleApplication  /c   0/0   for 3s more
ScaleApplication  /d   0/0
StopApplication   /z   0/0
ScaleApplication  /a   0/0
`},
		{name: "a deployment that is not shown", args: "deployment show x", answers: map[string][]string{"GET /v2/deployments": {manyActions}}, code: 3, err: "not under way"},
		{name: "no such page", args: "app list", answers: map[string][]string{"GET /v2/apps": {"404 page not found"}}, code: 3, err: "not as this API does"},
		{name: "what is wrong with an app", args: "app create -f -", stdin: `{"id": "a"}`, answers: map[string][]string{
			"POST /v2/apps": {`422 {"message": "Invalid JSON", "details": [{"path": "/cpus", "errors": ["error.min", "must be at least 0.001"]}, {"path": "/x", "errors": ["error.path.missing"]}]}`}},
			code: 1, err: "creating /a: Invalid JSON\n  /cpus: must be at least 0.001\n  /x: error.path.missing\n"},
		{name: "no time", args: "app scale a 1 -timeout soon", code: 2, err: "a time such as 90s or 5m is needed"},
		{name: "help by help", args: "app help scale", out: usageText("app", "scale")},
		{name: "a deployment that is not there", args: "deployment watch x", answers: map[string][]string{"GET /v2/deployments": {"200 []"}}, code: 3, err: "not under way"},
		{name: "kill", args: "task kill t.1 t.2 -scale", answers: map[string][]string{"POST /v2/tasks/delete": {`200 {}`}},
			asked: `POST /v2/tasks/delete?scale=true {"ids":["t.1","t.2"]}`},
		{name: "a name", args: "dns lookup a.b srv", answers: map[string][]string{
			"GET /rollcall/dns": {`200 {"server": "s", "status": "NOERROR", "answer": [{"name": "a.b.", "ttl": 5, "type": "SRV", "data": "0 1 2 c."}]}`}},
			out: "a.b. 5 SRV 0 1 2 c.\n", err: "s says NOERROR\n"},
		{name: "everything is not removed by a slip", args: "group remove /", code: 2, err: "-everything"},
		{name: "no verb", args: "app", code: 2, err: "a command is missing; rollcall app has list, show,"},
		{name: "another word for a verb", args: "app delete", code: 2, err: `unknown command "app delete"; did you mean "app remove"?`},
		{name: "a slip", args: "app lsit", code: 2, err: `unknown command "app lsit"; did you mean "app list"?`},
		{name: "an unknown verb", args: "app frobnicate", code: 2, err: `unknown command "app frobnicate"; rollcall app has list, show,`},
		{name: "an unknown flag", args: "app list -x", code: 2, err: `unknown flag -x (see "rollcall app list -h"`},
		{name: "too few arguments", args: "app scale a", code: 2, err: "INSTANCES is missing"},
		{name: "too many arguments", args: "app list a b", code: 2, err: `unexpected argument "b"`},
		{name: "not a number", args: "app scale a -- -1", code: 2, err: `"-1" is not a number of instances`},
		{name: "no file", args: "app apply", code: 2, err: "-f FILE is missing"},
		{name: "no such form", args: "app list -o xml", code: 2, err: "use text or json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := runAgainst(t, tt.answers, tt.stdin, strings.Fields(tt.args)...)
			if got.code != tt.code || got.out != tt.out || !strings.Contains(got.err, tt.err) {
				t.Errorf("exit code %d, want %d\n%s\nwant\n%s\non stderr\n%s\nwant\n%s", got.code, tt.code, got.out, tt.out, got.err, tt.err)
			}
			if asked := strings.Join(got.asked, "; "); tt.asked != "" && asked != tt.asked {
				t.Errorf("asked %s, want %s", asked, tt.asked)
			}
		})
	}
}

// Every help says how the command is used, and its flags; the manual page has all of them.
func TestUsages(t *testing.T) {
	manual := Manual("1", "the program", Usages())
	for _, u := range Usages() {
		words := strings.Join(u.Words, " ")
		got := runAgainst(t, nil, "", append(u.Words, "-h")...)
		if got.code != 0 || got.out != u.Text || !strings.HasPrefix(u.Text, "usage: rollcall "+words) || !strings.Contains(u.Text, "  -url URL ") {
			t.Errorf("the help of %s is\n%s", words, got.out)
		}
		if !strings.Contains(manual, verbatim(u.Text)) {
			t.Errorf("the manual page lacks %s", words)
		}
	}
	if got := runAgainst(t, nil, "", "app", "-h"); !strings.Contains(got.out, "rollback ID [VERSION]") {
		t.Errorf("the help of app is\n%s", got.out)
	}
}

// What a list prints as JSON is the API's own answer.
func TestJSON(t *testing.T) {
	const answer = `{"apps": [{"id": "/a", "unheardOf": [1.50]}]}`
	got := runAgainst(t, map[string][]string{"GET /v2/apps": {"200 " + answer}}, "", "app", "list", "-o", "json")
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(got.out)); err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(answer, " ", ""); compact.String() != want {
		t.Errorf("%s, want %s", compact.String(), want)
	}
}

// A bundle has what can be had, without what may be secret, and says what could not be had.
func TestBundle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	got := runAgainst(t, map[string][]string{
		"GET /v2/apps":   {`200 {"apps": [{"id": "/a", "cmd": "login hunter2", "args": [], "env": {"PASSWORD": "hunter2"}, "instances": 3}]}`},
		"GET /metrics":   {"200 up 1\n"},
		"GET /debug/log": {"200 level=WARN message=\"fetching https://me:hunter2@example.com/a.tar\"\n"},
	}, "", "debug", "bundle", file)
	if got.code != 0 || got.out != file+"\n" {
		t.Fatalf("%+v", got)
	}
	out, err := exec.Command("tar", "-xzOf", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	for _, want := range []string{`"cmd": "(hidden)"`, `"env": "(hidden)"`, `"args": []`, `"instances": 3`, "up 1\n", "https://(hidden)@example.com/a.tar", "/v2/queue: nothing there\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the bundle lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("the bundle tells a secret:\n%s", text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	if again := runAgainst(t, map[string][]string{"GET /metrics": {"200 up 1\n"}}, "", "debug", "bundle", file); again.code != 1 {
		t.Errorf("a file that is there is overwritten: %+v", again)
	}
}
