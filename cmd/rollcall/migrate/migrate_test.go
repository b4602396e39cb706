package migrate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/cmd/rollcall/client"
	"rollcall/scheduler"
)

const (
	uuid = "3e6fb1a0-0000-11ea-8d77-0242ac110002"

	infoAnswer   = `{"name": "marathon", "version": "1.11.24", "elected": true, "frameworkId": "20b8d8b4-0000-4b04-b8b0-0242ac110002-0000"}`
	groupsAnswer = `{"id": "/", "dependencies": [], "version": "2020-01-01T00:00:00.000Z",
		"apps": [{"id": "/sleep", "cmd": "sleep 1000", "cpus": 1, "mem": 128, "instances": 1, "networks": [{"mode": "host"}],
			"portDefinitions": [{"port": 10000, "name": "default", "protocol": "tcp"}], "version": "2020-01-01T00:00:00.000Z",
			"versionInfo": {"lastScalingAt": "2020-01-01T00:00:00.000Z", "lastConfigChangeAt": "2020-01-01T00:00:00.000Z"}}],
		"pods": [{"id": "/pod", "containers": []}],
		"groups": [{"id": "/shop", "dependencies": ["/base"], "apps": [{"id": "/shop/db", "container": {"type": "DOCKER", "volumes": [
			{"containerPath": "/data", "mode": "RW", "external": {"name": "v", "provider": "dvdi"}}]}}], "groups": [], "pods": []}]}`
	tasksAnswer = `{"tasks": [{"appId": "/sleep", "id": "sleep.instance-` + uuid + `._app.1", "host": "agent1", "ports": [31412],
		"slaveId": "20b8d8b4-S0", "state": "TASK_RUNNING", "role": "*", "ipAddresses": [{"ipAddress": "10.0.0.5", "protocol": "IPv4"}],
		"stagedAt": "2020-01-01T00:00:01.000Z", "startedAt": "2020-01-01T00:00:02.000Z", "version": "2020-01-01T00:00:00.000Z",
		"servicePorts": [10000]}]}`
)

// newMarathon serves answers as a Marathon's.
func newMarathon(t *testing.T, deployments string) *client.Client {
	t.Helper()
	answers := map[string]string{"/v2/info": infoAnswer, "/v2/groups": groupsAnswer, "/v2/tasks": tasksAnswer, "/v2/deployments": deployments}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers[r.URL.Path] == "" || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == "/v2/groups" && !slices.Contains(r.URL.Query()["embed"], "group.pods") {
			t.Error("pods are not asked for: those of newer Marathons would not be seen")
		}
		w.Write([]byte(answers[r.URL.Path])) //nolint:errcheck // the client will notice
	}))
	t.Cleanup(s.Close)
	c, err := client.New(client.Address{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadAndSave(t *testing.T) {
	d, err := Read(t.Context(), newMarathon(t, "[]"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dump.json")
	if err := d.Save(file); err != nil {
		t.Fatal(err)
	}
	again, err := ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, again); diff != "" {
		t.Errorf("what is saved is not what was read:\n%s", diff)
	}
	tree := NewTree(again)
	if got := tree.Apps(); !slices.Equal(got, []string{"/sleep"}) {
		t.Errorf("the apps are %v", got)
	}
	want := []string{"pod /pod: rollcall has no pods", "app /shop/db: it has an external volume"}
	for n, l := range tree.Left {
		if l.String() != want[n] {
			t.Errorf("left is %q, not %q", l, want[n])
		}
	}
	group := tree.Document()["groups"].([]any)[0].(object)
	if diff := cmp.Diff(object{"id": "/shop", "apps": []any{}, "groups": []any{}, "dependencies": []any{"/base"}}, group); diff != "" {
		t.Errorf("the group:\n%s", diff)
	}
	err = again.Settled(tree)
	if err == nil || !strings.Contains(err.Error(), "/pod") || !strings.Contains(err.Error(), "/shop/db") {
		t.Errorf("tasks of what is left would be killed: %v", err)
	}
}

func TestUnsettled(t *testing.T) {
	d, err := Read(t.Context(), newMarathon(t, `[{"id": "x"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Settled(&Tree{root: &node{}}); err == nil || !strings.Contains(err.Error(), "1 deployments") {
		t.Errorf("with a deployment under way: %v", err)
	}
	if err := (&Dump{}).Settled(&Tree{root: &node{}}); err == nil || !strings.Contains(err.Error(), "framework id") {
		t.Errorf("without a framework id: %v", err)
	}
}

func TestParse(t *testing.T) {
	for document, want := range map[string]string{
		`{"apps": []}`:                      "",
		`{"id": "/g", "groups": []}`:        "",
		`{"info": {}, "group": {"id":"/"}}`: "neither apps nor groups",
		`{"tasks": []}`:                     "neither apps nor groups",
		`[]`:                                "no JSON object",
		``:                                  "no JSON object",
	} {
		_, err := parse([]byte(document))
		if got := errorText(err); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", document, got, want)
		}
	}
}

// Apps in a list have groups by their ids, and problems of a document are those of apps.
func TestLeave(t *testing.T) {
	d, err := parse([]byte(`{"apps": [{"id": "/x"}, {"id": "/a/b/one"}, {"id": "/a/b/two"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	tree := NewTree(d)
	if !tree.leave(map[string]string{"/groups(0)/groups(0)/apps(1)/cmd": "is missing", "/groups(0)/groups(0)/apps(10)": "nowhere"}) {
		t.Error("the problem is of no app")
	}
	if diff := cmp.Diff([]Left{{"app", "/a/b/two", "cmd is missing"}}, tree.Left); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
	if got := tree.Apps(); !slices.Equal(got, []string{"/a/b/one", "/x"}) {
		t.Errorf("the apps are %v", got)
	}
	if tree.leave(map[string]string{"/groups(0)/dependencies": "is wrong"}) {
		t.Error("a group's problem was taken for an app's")
	}
}

func TestInstances(t *testing.T) {
	host := &scheduler.App{ID: "/shop/web", Networks: []scheduler.Network{{Mode: scheduler.NetworkHost}},
		PortDefinitions: []scheduler.PortDefinition{{}, {}}}
	hostPort := 0
	mapped := &scheduler.App{ID: "/c", Networks: []scheduler.Network{{Mode: scheduler.NetworkContainer}}, Container: &scheduler.Container{
		PortMappings: []scheduler.PortMapping{{ContainerPort: 80}, {ContainerPort: 81, HostPort: &hostPort}}}}
	apps := map[scheduler.PathID]*scheduler.App{host.ID: host, mapped.ID: mapped}
	good := Task{ID: "shop_web.instance-" + uuid + "._app.3", AppID: "/shop/web", State: "TASK_RUNNING", SlaveID: "S0", Host: "10.0.0.5",
		Ports: []int{31000, 31001}, Version: "2020-01-02T00:00:00.000Z"}
	with := func(change func(*Task)) Task { n := good; change(&n); return n }
	for name, c := range map[string]struct {
		task Task
		want string // of the error
	}{
		"good":              {good, ""},
		"old id":            {with(func(t *Task) { t.ID = "shop_web." + uuid }), ""},
		"old instance id":   {with(func(t *Task) { t.ID = "shop_web.instance-" + uuid + ".1" }), ""},
		"of a pod":          {with(func(t *Task) { t.ID = "shop_web.instance-" + uuid + ".main" }), "of no form"},
		"of another app":    {with(func(t *Task) { t.ID = "web.instance-" + uuid + "._app.1" }), "of no form"},
		"odd number":        {with(func(t *Task) { t.ID = "shop_web.instance-" + uuid + "._app.01" }), ""},
		"no number":         {with(func(t *Task) { t.ID = "shop_web.instance-" + uuid + "._app.0" }), ""},
		"no state":          {with(func(t *Task) { t.State, t.StartedAt = "", "2020-01-02T00:00:01.000Z" }), ""},
		"unknown app":       {with(func(t *Task) { t.AppID = "/gone" }), "not among the apps"},
		"ending":            {with(func(t *Task) { t.State = "TASK_KILLING" }), "wait until it has ended"},
		"no agent":          {with(func(t *Task) { t.SlaveID = "" }), "on which agent"},
		"old definition":    {with(func(t *Task) { t.Version = "2019-12-31T23:59:59.999Z" }), "restart the app"},
		"too few ports":     {with(func(t *Task) { t.Ports = []int{31000} }), "its app more"},
		"too many ports":    {with(func(t *Task) { t.Ports = []int{1, 2, 3} }), "its app fewer"},
		"unpublished ports": {Task{ID: "c.instance-" + uuid + "._app.1", AppID: "/c", State: "TASK_RUNNING", SlaveID: "S0", Host: "agent", Ports: []int{31000}}, ""},
		"unknown host": {Task{ID: "c.instance-" + uuid + "._app.1", AppID: "/c", State: "TASK_RUNNING", SlaveID: "S0", Host: "nowhere", Ports: []int{31000}},
			"looking up its host"},
		"bad address": {with(func(t *Task) {
			t.IPAddresses = append(t.IPAddresses, struct {
				IPAddress string `json:"ipAddress"`
			}{"x"})
		}), `its address is "x"`},
		"bad moment": {with(func(t *Task) { t.StartedAt = "now" }), "Invalid timestamp"},
	} {
		lookup := func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if host != "agent" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.9")}, nil
		}
		d := Dump{Tasks: []Task{c.task}}
		got, err := d.Instances(t.Context(), func(id scheduler.PathID) *scheduler.App { return apps[id] },
			map[string]string{"/shop/web": "2020-01-01T00:00:00.000Z"}, lookup)
		if text := errorText(err); !strings.Contains(text, c.want) || c.want == "" && text != "" {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
		if c.want == "" && (len(got) != 1 || got[0].TaskID() != scheduler.TaskID(c.task.ID) || got[0].Condition != scheduler.Running ||
			scheduler.InstanceIDOf(got[0].TaskID()) != got[0].ID) {
			t.Errorf("%s: the instance is %+v", name, got[0])
		}
		switch {
		case name == "good" && (got[0].Incarnation != 3 || got[0].TaskID() != scheduler.TaskID(good.ID) || !slices.Equal(got[0].HostPorts, good.Ports)):
			t.Errorf("the instance is %+v", got[0])
		case name == "unpublished ports" && (!slices.Equal(got[0].HostPorts, []int{0, 31000}) || got[0].Address.String() != "10.0.0.9"):
			t.Errorf("the instance is %+v", got[0])
		}
	}
	waiting := Dump{Tasks: []Task{{ID: "shop_web.instance-" + uuid + "._app.1", AppID: "/shop/web", State: "TASK_STAGING"}}}
	if got, err := waiting.Instances(t.Context(), nil, nil, nil); err != nil || len(got) != 0 {
		t.Errorf("a task that was never launched is %v, %v", got, err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
