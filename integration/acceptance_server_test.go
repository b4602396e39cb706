package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func (b *bench) leader() {
	var answer struct{ Leader string }
	if b.get("/v2/leader", &answer); "http://"+answer.Leader != b.api {
		b.t.Errorf("leader %q", answer.Leader)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(b.api + "/")
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusFound || response.Header.Get("Location") != "/ui/" {
		b.t.Errorf("GET /: %d to %s", response.StatusCode, response.Header.Get("Location"))
	}
}

func (b *bench) events() {
	t, ok := b.t.(*testing.T)
	if !ok {
		b.t.Fatal("a test only")
	}
	only := listen(t, b.daemon, "deployment_success")
	id := b.deploy("POST", "/v2/apps", b.sleeper("a", `"instances": 0`))
	b.eventually("deployment_success is told", func() bool { return only.ended("deployment_success", id) })
	if n := only.count(func(e event) bool { return e.EventType != "deployment_success" }); n > 0 {
		b.t.Errorf("%d events of other types", n)
	}
	if n := only.count(func(e event) bool { return e.Plan["original"] != nil || e.Plan["steps"] == nil }); n > 0 {
		b.t.Errorf("%d plans with the original, or without steps", n)
	}
}

func (b *bench) queue() {
	if b.waiting("a") != nil {
		b.t.Error("an app that is not there waits")
	}
	b.begin("POST", "/v2/apps", b.sleeper("a", `"instances": 3, `+nowhere))
	b.eventually("it waits", func() bool { q := b.waiting("a"); return q != nil && q.Count == 3 })
	b.begin("POST", "/v2/apps", fmt.Sprintf(`{"id": "%s/b", "cmd": "exit 1", "cpus": 0.001, "mem": 1, "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600}`, b.group))
	b.eventually("the failing app backs off", func() bool {
		q := b.waiting("b")
		return q != nil && q.Delay.TimeLeftSeconds > 60 && !q.Delay.Overdue
	})
}

func (b *bench) info() {
	var info struct {
		Name, Version, FrameworkID, Leader string
		Elected                            bool
		Marathon                           map[string]any `json:"marathon_config"`
		HTTP                               map[string]int `json:"http_config"`
	}
	b.get("/v2/info", &info)
	if info.Name != "marathon" || info.Version == "" || info.FrameworkID == "" || !info.Elected || "http://"+info.Leader != b.api ||
		info.Marathon["local_port_min"] != 10000.0 || info.Marathon["local_port_max"] != 20000.0 ||
		info.Marathon["webui_url"] != b.api+"/ui/" || fmt.Sprintf("http://127.0.0.1:%d", info.HTTP["http_port"]) != b.api || info.HTTP["https_port"] != 0 {
		b.t.Errorf("%+v", info)
	}
}

func (b *bench) portTaken() {
	t, ok := b.t.(*testing.T)
	if !ok {
		b.t.Fatal("a test only")
	}
	c := newConfig(t.TempDir())
	_, port, _ := strings.Cut(strings.TrimPrefix(b.api, "http://"), ":")
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	c["scheduler"].(map[string]any)["port"] = number
	second := &daemon{t: t, dir: filepath.Dir(c["scheduler"].(map[string]any)["dataDir"].(string))}
	second.write(c)
	out, err := exec.Command(binary, "-config="+second.configPath()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "address already in use") {
		t.Errorf("a second rollcall on the port: %v\n%s", err, out)
	}
}

// TestRestartInADeployment has rollcall die while new instances start: they belong to the deployment, which goes on
// with them.
func TestRestartInADeployment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := start(t, newConfig(dir))
	b := &bench{daemon: d, group: "/t31"}
	b.deploy("POST", "/v2/apps", b.sleeper("a", ""))
	old := b.ids("a")
	good := filepath.Join(dir, "good")
	id := b.begin("PUT", "/v2/apps/t31/a", `{"env": {"A": "b"}, "healthChecks": [{"protocol": "COMMAND", "command": {"value": "test -e `+good+`"},
		"intervalSeconds": 1, "delaySeconds": 0, "gracePeriodSeconds": 600}]}`)
	b.eventually("the new instance runs beside the old one", func() bool { return len(b.ids("a")) == 2 })
	both := b.ids("a")
	d.kill()
	d.run()
	if now := b.ids("a"); !slices.Equal(now, both) || !b.deploying(id) {
		t.Fatalf("tasks %v became %v, or the deployment ended", both, now)
	}
	if err := os.WriteFile(good, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.eventually("the deployment ends", func() bool { return !b.deploying(id) })
	if now := b.ids("a"); len(now) != 1 || now[0] == old[0] || !slices.Contains(both, now[0]) {
		t.Errorf("the tasks were %v, then %v, and are %v", old, both, now)
	}
}
