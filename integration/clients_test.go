package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Clients that were written for Marathon, as they are published: each drives a running rollcall through its whole
// surface, in integration/clients.

// runClient runs a client's own test against a rollcall and wants it to succeed.
func runClient(t *testing.T, environment []string, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = "clients"
	command.Env = append(os.Environ(), environment...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGKILL) }
	command.WaitDelay = time.Second
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// TestGoMarathon is go-marathon, which Traefik and Terraform providers are built on.
func TestGoMarathon(t *testing.T) {
	d := start(t, newConfig(t.TempDir()))
	runClient(t, []string{"ROLLCALL_API=" + d.api}, "go", "test", "-count=1", "./...")
}

// TestPythonMarathon is python-marathon, which refuses any member of an answer that it does not know.
func TestPythonMarathon(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has Debian's modules
	if out, err := exec.Command(python, "-c", "import marathon").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("python3-marathon is missing: make deps installs it: %s", out)
		}
		t.Skip("SKIPPED: python3-marathon is missing: make deps installs it")
	}
	d := start(t, newConfig(t.TempDir()))
	runClient(t, nil, python, "python_marathon.py", d.api)
}

// TestNodeMarathon is marathon-node and marathon-event-bus-client. They come from the registry of npm, which is not
// everywhere: without them the test is skipped.
func TestNodeMarathon(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: %s is missing: the clients for Node.js are not tested", program)
		}
	}
	dir := t.TempDir()
	manifest, err := os.ReadFile("clients/package.json")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts",
		"--cache", filepath.Join(dir, "cache"))
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the clients for Node.js cannot be installed and are not tested: %v\n%s", err, out)
	}
	d := start(t, newConfig(t.TempDir()))
	runClient(t, []string{"NODE_PATH=" + filepath.Join(dir, "node_modules")}, "node", "node_marathon.js", d.api)
}

// TestPrometheusDiscovery has Prometheus find tasks by its marathon_sd_configs, with the credentials of a user who may
// only read, and scrape them.
func TestPrometheusDiscovery(t *testing.T) {
	require(t, "prometheus", "python3")
	dir := t.TempDir()
	c := newConfig(dir)
	users := filepath.Join(dir, "users.json")
	writeFile(t, users, `{"users": [{"name": "prometheus", "password": "scrape", "roles": [{"role": "read", "path": "/shop"}]},
		{"name": "ops", "password": "all", "roles": [{"role": "admin", "path": "/"}]}]}`)
	c["scheduler"].(map[string]any)["auth"] = map[string]any{"usersFile": users}
	d := start(t, c)
	d.user, d.password = "ops", "all"
	for _, id := range []string{"/shop/web", "/hidden"} {
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cpus": 0.1, "mem": 32, "instances": 2, "labels": {"tier": "front"},
			"cmd": "mkdir -p www && echo up_to 1 > www/metrics && cd www && exec python3 -m http.server --bind $HOST $PORT0"}`, id))
	}
	d.eventually("all tasks run", func() bool { return len(d.tasks("/shop/web")) == 2 && len(d.tasks("/hidden")) == 2 })

	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, config, fmt.Sprintf(`
scrape_configs:
  - job_name: apps
    scrape_interval: 1s
    marathon_sd_configs:
      - servers: [%q]
        refresh_interval: 1s
        basic_auth: {username: prometheus, password: scrape}
    relabel_configs:
      - {source_labels: [__meta_marathon_app], target_label: app}
      - {source_labels: [__meta_marathon_app_label_tier], target_label: tier}
      - {source_labels: [__meta_marathon_task], target_label: task}
`, d.api))
	prometheus := startPrometheus(t, config, filepath.Join(dir, "tsdb"))
	var want []string
	for _, task := range d.tasks("/shop/web") {
		want = append(want, fmt.Sprintf("%s:%d /shop/web front %s up", task.Host, task.Ports[0], task.ID))
	}
	slices.Sort(want)
	d.eventually("Prometheus scrapes the tasks", func() bool {
		var answer struct {
			Data struct {
				ActiveTargets []struct {
					Labels map[string]string
					Health string
				}
			}
		}
		response, err := http.Get("http://" + prometheus + "/api/v1/targets")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return false
		}
		var got []string
		for _, target := range answer.Data.ActiveTargets {
			l := target.Labels
			got = append(got, strings.Join([]string{l["instance"], l["app"], l["tier"], l["task"], target.Health}, " "))
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

var listeningOn = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// startPrometheus runs Debian's Prometheus and returns where it listens.
func startPrometheus(t *testing.T, config, data string) string {
	t.Helper()
	command := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+data, "--web.listen-address=127.0.0.1:0")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	address, ended := make(chan string, 1), make(chan struct{})
	var log bytes.Buffer
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(&log, lines.Text())
			if m := listeningOn.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		command.Process.Kill() //nolint:errcheck // it may have ended
		<-ended
		command.Wait() //nolint:errcheck // killed
		if t.Failed() {
			t.Logf("the log of Prometheus:\n%s", &log)
		}
	})
	select {
	case at := <-address:
		return at
	case <-ended:
		t.Fatal("Prometheus ended at once")
	case <-time.After(patience):
		t.Fatal("Prometheus does not come up")
	}
	return ""
}
