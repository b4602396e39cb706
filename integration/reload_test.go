package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// hangUp changes the configuration file, has it read again, and waits for the line that says what became of it.
func (d *daemon) hangUp(c config, says string) {
	d.t.Helper()
	before := strings.Count(d.output(), says)
	d.write(c)
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	d.eventually("the log says "+says, func() bool { return strings.Count(d.output(), says) > before })
}

// with returns a configuration with other values.
func (c config) with(changed config) config {
	out := config{}
	for _, from := range []config{c, changed} {
		for key, value := range from {
			out[key] = value
		}
	}
	return out
}

// SIGHUP has changes followed that can be, names those that take a restart, and keeps the last good configuration where
// the new one is wrong. Through all of it the names are there.
func TestReload(t *testing.T) {
	require(t, "dig")
	one, two := newReplayMaster(t, "127.0.0.11"), newReplayMaster(t, "127.0.0.12")
	one.serve(recorded(t, "state-2-one-task/state.json"))
	two.serve(recorded(t, "state-2-one-task/state.json"))
	base := config{"domain": "mesos", "listener": "127.0.0.1", "port": 0, "httplistener": "127.0.0.1", "httpport": 0,
		"externalon": false, "masters": []string{one.address}, "refreshSeconds": 1}
	d := startDNSOnly(t, base)
	const name = "web.marathon.mesos"
	d.eventually("the task is known", func() bool { return len(d.addresses(name)) == 1 })
	missing := watchName(d, name)

	answer := func(args ...string) string {
		return strings.Join(d.dig(append([]string{"+noall", "+answer"}, args...)...), " ")
	}
	if got := answer(name); !strings.Contains(got, name+". 60 IN A") {
		t.Fatal(got)
	}
	d.hangUp(base.with(config{"ttl": 7, "port": 5399}), `keys=port`)
	if got := answer(name); !strings.Contains(got, name+". 7 IN A") {
		t.Errorf("the new TTL is not in %q", got)
	}
	if !strings.Contains(d.output(), `msg="the configuration was read again"`) || !strings.Contains(d.output(), "took_effect=ttl") {
		t.Error("the log does not say what took effect")
	}

	d.hangUp(base.with(config{"ttl": "x", "resolvers": []string{"y"}, "externalon": true, "enumerationOn": 3}), "the last good one stays in force")
	for _, problem := range []string{"ttl: ", "resolvers[0]: ", "enumerationOn: "} {
		if lines := linesWith(d.output(), "the last good one stays in force"); len(lines) != 1 || !strings.Contains(lines[0], problem) {
			t.Errorf("no line with all problems: %q", lines)
		}
	}
	if got := answer(name); !strings.Contains(got, name+". 7 IN A") {
		t.Errorf("the last good TTL is not in %q", got)
	}

	// Another master leads the cluster, and the one before goes away.
	d.hangUp(base.with(config{"masters": []string{two.address}, "enumerationOn": false, "SOAMname": "ns.mesos"}), "took_effect=")
	d.eventually("the other master leads", func() bool { return slices.Equal(d.addresses("leader.mesos"), []string{"127.0.0.12"}) })
	one.stop()
	asked := two.questions()
	d.eventually("the other master is asked", func() bool { return two.questions() >= asked+2 })
	if got := strings.Join(d.dig("+short", "mesos", "NS"), " "); got != "ns.mesos." {
		t.Errorf("the name server is %s", got)
	}
	if status, _ := httpGet(t, d.http+"/v1/axfr"); status != http.StatusNotFound {
		t.Errorf("enumeration is off, and /v1/axfr is answered %d", status)
	}
	_, body := httpGet(t, d.http+"/v1/config")
	var shown struct {
		Masters  []string
		TTL      int
		SOAMname string
		Port     int
	}
	if err := json.Unmarshal(body, &shown); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(shown.Masters, []string{two.address}) || shown.TTL != 60 || shown.SOAMname != "ns.mesos." || shown.Port != 0 {
		t.Errorf("/v1/config shows %+v", shown)
	}
	if n := missing(); n != 0 {
		t.Errorf("%s was missing from %d answers", name, n)
	}
}

// linesWith are the lines of a text that hold a part.
func linesWith(text, part string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return out
}

func httpGet(t testing.TB, url string) (status int, body []byte) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// The log changes its form and level at once. Profiles are for this machine.
func TestReloadLog(t *testing.T) {
	base := newConfig(t.TempDir())
	d := start(t, base)
	d.hangUp(base.with(config{"log": map[string]any{"format": "json", "level": "debug"}}), `"took_effect":"log"`)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "a", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16}`)
	d.eventually("debugging is told as JSON", func() bool { return strings.Contains(d.output(), `"level":"DEBUG"`) })
	d.hangUp(base, "took_effect=log")
	if profile := d.must(http.StatusOK, http.MethodGet, "/debug/pprof/goroutine?debug=1", ""); !strings.Contains(string(profile), "goroutine profile") {
		t.Errorf("the profile is %.100s", profile)
	}
	for base, want := range map[string]int{d.api: http.StatusForbidden, d.http: http.StatusNotFound} {
		request, err := http.NewRequest(http.MethodGet, base+"/debug/pprof/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "rollcall.example"
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s answers another host's page with status %d, want %d", base, response.StatusCode, want)
		}
	}
}
