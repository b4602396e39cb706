package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A task is out of DNS before it gets SIGTERM: at that moment it asks for its own name, and is not among the answers.
func TestOutOfDNSBeforeSIGTERM(t *testing.T) {
	require(t, "dig", "bash")
	dir := t.TempDir()
	d := start(t, newConfig(dir))
	host, port, _ := strings.Cut(d.dns, ":")
	app, err := json.Marshal(map[string]any{
		"id": "leaver", "instances": 3, "cpus": 0.01, "mem": 16, "constraints": [][]string{{"hostname", "UNIQUE"}},
		"args": []string{"bash", "-c", "trap 'echo $HOST sees $(dig +short -p " + port + " @" + host +
			" leaver.marathon.mesos | sort) >> " + dir + "/seen; exit 0' TERM; while :; do sleep 0.02; done"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", string(app))
	d.eventually("three are found", func() bool { return len(d.addresses("leaver.marathon.mesos")) == 3 })

	d.must(http.StatusOK, http.MethodPut, "/v2/apps/leaver", `{"instances": 2}`)
	d.eventually("one is left out", func() bool { return len(d.tasks("/leaver")) == 2 && d.deployments() == 0 })
	d.must(http.StatusOK, http.MethodDelete, "/v2/apps/leaver", "")
	d.eventually("all are gone", func() bool { return len(d.processes("leaver")) == 0 })

	seen, err := os.ReadFile(filepath.Join(dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(seen)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d of 3 tasks wrote down what they saw: %q", len(lines), lines)
	}
	for _, line := range lines {
		self, others, _ := strings.Cut(line, " sees ")
		if slices.Contains(strings.Fields(others), self) {
			t.Errorf("%s was still answered for when it got SIGTERM: %s", self, line)
		}
	}
	if got := strings.Fields(lines[0]); len(got) != 2+2 {
		t.Errorf("the first to go saw %v; the two that stayed should be there", got)
	}
}

// The Mesos-DNS configuration of seed 000, with masters, resolvers and port made real and a scheduler added, names
// apps under its own domain and forwards the rest.
func TestSeedConfiguration(t *testing.T) {
	require(t, "dig")
	dir := t.TempDir()
	var c config
	if err := json.Unmarshal(seed(t, "000-mesos-dns-config.json"), &c); err != nil {
		t.Fatal(err)
	}
	c["masters"] = []string{"127.0.0.1:5050"}
	c["resolvers"] = []string{startUpstream(t, "192.0.2.7").addr}
	for key, value := range newConfig(dir) {
		if key != "domain" && key != "externalon" && key != "ttl" {
			c[key] = value
		}
	}
	d := start(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps",
		`{"id": "crate", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16, "instances": 3, "constraints": [["hostname", "UNIQUE"]]}`)
	d.eventually("three are found", func() bool { return len(d.addresses("crate.marathon.crate")) == 3 })
	if got := d.addresses("www.example.org"); !slices.Equal(got, []string{"192.0.2.7"}) {
		t.Errorf("a foreign name: %v", got)
	}
	if got := d.dig("+noall", "+answer", "crate.marathon.crate"); !slices.Contains(got, "60") {
		t.Errorf("the TTL of the configuration is not in %v", got)
	}
	if out := d.output(); !strings.Contains(out, "email") {
		t.Errorf("no warning of the dead key \"email\":\n%s", out)
	}
}
