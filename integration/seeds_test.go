package integration

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// seedsApp is an app of three processes, one on each agent. Its ports are its agents'.
const seedsApp = `{"id": "/db", "cmd": "exec sleep 100000", "cpus": 0.01, "mem": 16, "instances": 3, "ports": [7000],
	"requirePorts": true, "constraints": [["hostname", "UNIQUE"]]}`

// seedsFound is what rollcall seeds prints of them, by its flags and the addresses of the agents.
func seedsFound(a []string) map[string]string {
	return map[string]string{
		"db.marathon.mesos -min 3":                     strings.Join(a, ","),
		"db.marathon.mesos -min 3 -port 4300":          strings.Join(a, ":4300,") + ":4300",
		"_db._tcp.marathon.mesos -srv -min 3 -sep ' '": strings.Join(a, ":7000 ") + ":7000",
	}
}

// TestSeeds waits for the tasks of an app, from outside.
func TestSeeds(t *testing.T) {
	d := start(t, newConfig(t.TempDir()))
	seeds := func(args string) *exec.Cmd {
		return exec.CommandContext(t.Context(), "sh", "-c", fmt.Sprintf("%s seeds %s -server %s", binary, args, d.dns))
	}
	out, err := seeds("db.marathon.mesos -timeout 0").CombinedOutput()
	if err == nil || string(out) != "db.marathon.mesos has 0 addresses, 1 wanted\n" {
		t.Errorf("before it runs: %v, %s", err, out)
	}
	var waiting strings.Builder
	early := seeds("-min 3 db.marathon.mesos")
	early.Stdout = &waiting
	if err := early.Start(); err != nil {
		t.Fatal(err)
	}
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", seedsApp)
	agents := []string{"127.0.1.1", "127.0.1.2", "127.0.1.3"}
	if err := early.Wait(); err != nil || waiting.String() != strings.Join(agents, ",")+"\n" {
		t.Errorf("waiting for it: %v, %q", err, waiting.String())
	}
	for args, want := range seedsFound(agents) {
		out, err := seeds(args).CombinedOutput()
		if err != nil || string(out) != want+"\n" {
			t.Errorf("%s: %v, %q, want %q", args, err, out, want)
		}
	}
}

// seedsInContainers has the entrypoints of containers do so, with the servers of their own resolv.conf.
func seedsInContainers(t *testing.T, e *dockerEngine) {
	d := e.start("mesos")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", seedsApp)
	for _, network := range []string{"HOST", "BRIDGE"} {
		app := "/" + strings.ToLower(network)
		script := ""
		for args := range seedsFound(dockerAgents) {
			script += fmt.Sprintf(`echo "%s: $(rollcall seeds %s)"; `, args, args)
		}
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cpus": 0.1, "mem": 64, "cmd": %q,
			"container": {"docker": {"image": "crate/crate:0.47.3", "network": %q}, "volumes":
			[{"containerPath": "/usr/bin/rollcall", "hostPath": %q, "mode": "RO"}]}}`, app, script+"exec sleep 100000", network, binary))
		d.eventually(app+" runs", func() bool { return len(d.tasks(app)) == 1 })
		for args, want := range seedsFound(dockerAgents) {
			d.eventually(app+" finds them with "+args, func() bool { return d.line(d.tasks(app)[0].ID, args+": ") == want })
		}
	}
}
