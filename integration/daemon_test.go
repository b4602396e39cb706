package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the rollcall under test: ROLLCALL_BINARY, or one built for this run.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	binary = os.Getenv("ROLLCALL_BINARY")
	if binary == "" {
		dir, err := os.MkdirTemp("", "rollcall-integration")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "rollcall")
		build := exec.Command("go", "build", "-o", binary, "rollcall/cmd/rollcall")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // static, as it is built for use
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building rollcall: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// patience bounds every wait: it only matters when something is broken.
const patience = 60 * time.Second

// require skips a test loudly where a program is missing; in CI a missing program is a failure.
func require(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: make deps installs it", p)
			}
			t.Skipf("SKIPPED: %s is missing: make deps installs it", p)
		}
	}
}

// run runs a program that has to succeed, and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// daemon is a running rollcall.
type daemon struct {
	t       testing.TB
	dir     string // holds config.json and the data
	process *exec.Cmd
	exited  chan struct{}

	api, http string // base URLs
	dns       string // host:port

	user, password string       // of the API; "" sends none
	client         *http.Client // of the API; nil: the usual one

	mu  sync.Mutex
	log bytes.Buffer
}

// config is a configuration file being put together; keys may be changed before start.
type config map[string]any

// newConfig is a rollcall on loopback addresses and free ports, with three agents.
func newConfig(dir string) config {
	return config{
		"domain": "mesos", "listener": "127.0.0.1", "port": 0, "httplistener": "127.0.0.1", "httpport": 0,
		"externalon": false, "ttl": 60,
		"scheduler": map[string]any{
			"port": 0, "dataDir": filepath.Join(dir, "data"),
			"local": map[string]any{"agents": 3},
		},
	}
}

// start runs rollcall with a configuration and waits until it serves. The test's end stops it and its tasks.
func start(t testing.TB, c config) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: filepath.Dir(c["scheduler"].(map[string]any)["dataDir"].(string))}
	d.write(c)
	t.Cleanup(d.cleanUp)
	d.run()
	return d
}

// write stores the configuration file.
func (d *daemon) write(c config) {
	d.t.Helper()
	data, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.WriteFile(d.configPath(), data, 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) configPath() string { return filepath.Join(d.dir, "config.json") }

var runsLine = regexp.MustCompile(`msg="rollcall runs".* api=(\S+) dns=(\S+)(?: http=(\S+))?`)

// run starts rollcall on its configuration.
func (d *daemon) run() {
	d.t.Helper()
	d.launch(exec.Command(binary, "-config="+d.configPath()))
}

// launch starts a command that becomes a rollcall, and waits for the line that says where it serves.
func (d *daemon) launch(c *exec.Cmd) {
	d.t.Helper()
	d.process = c
	d.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := d.process.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	d.process.Stdout = io.Discard
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	ready, exited := make(chan []string, 1), make(chan struct{})
	d.exited = exited
	go func() {
		defer close(exited)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			d.mu.Lock()
			fmt.Fprintln(&d.log, lines.Text())
			d.mu.Unlock()
			if m := runsLine.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case ready <- m:
				default:
				}
			}
		}
		d.process.Wait() //nolint:errcheck // how it ended is the test's business
	}()
	select {
	case m := <-ready:
		d.api, d.dns, d.http = m[1], m[2], m[3]
	case <-exited:
		d.t.Fatalf("rollcall ended at once:\n%s", d.output())
	case <-time.After(patience):
		d.t.Fatalf("rollcall does not come up:\n%s", d.output())
	}
}

func (d *daemon) output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// kill ends rollcall at once, as a crash does, and leaves its tasks.
func (d *daemon) kill() {
	d.t.Helper()
	if err := d.process.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	<-d.exited
}

// cleanUp stops rollcall and whatever its tasks left, and shows the log of a failed test.
func (d *daemon) cleanUp() {
	if d.process != nil && d.process.Process != nil {
		syscall.Kill(-d.process.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		<-d.exited
	}
	for _, pid := range d.processes("") {
		syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // likewise
	}
	if d.t.Failed() {
		d.t.Logf("the log of rollcall:\n%s", d.output())
	}
}

// processes lists the processes that work below this rollcall's data, tasks and supervisors, and whose command line
// holds a text.
func (d *daemon) processes(text string) []int {
	var out []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || d.process != nil && pid == d.process.Process.Pid {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		cmdline := strings.ReplaceAll(string(line), "\x00", " ")
		if (strings.HasPrefix(cwd, d.dir) || strings.Contains(cmdline, d.dir)) && strings.Contains(cmdline, text) {
			out = append(out, pid)
		}
	}
	return out
}

// request sends a body to the API and returns status and answer.
func (d *daemon) request(method, path, body string) (int, http.Header, []byte) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(d.t.Context()), method, d.api+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if d.user != "" {
		r.SetBasicAuth(d.user, d.password)
	}
	client := d.client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(r)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", method, path, err, d.output())
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, response.Header, answer
}

// must sends a request that has to be answered with a status.
func (d *daemon) must(status int, method, path, body string) []byte {
	d.t.Helper()
	got, _, answer := d.request(method, path, body)
	if got != status {
		d.t.Fatalf("%s %s: %d, want %d: %s", method, path, got, status, answer)
	}
	return answer
}

// get decodes the answer to a GET.
func (d *daemon) get(path string, into any) {
	d.t.Helper()
	if err := json.Unmarshal(d.must(http.StatusOK, http.MethodGet, path, ""), into); err != nil {
		d.t.Fatalf("GET %s: %v", path, err)
	}
}

// task is what tests read of a task.
type task struct {
	ID, Host, State, AppID string
	Ports                  []int
}

// tasks lists an app's tasks that run.
func (d *daemon) tasks(app string) []task {
	d.t.Helper()
	var all struct{ Tasks []task }
	d.get("/v2/apps/"+strings.TrimPrefix(app, "/")+"/tasks", &all)
	var out []task
	for _, t := range all.Tasks {
		if t.State == "TASK_RUNNING" {
			out = append(out, t)
		}
	}
	return out
}

func (d *daemon) eventually(what string, holds func() bool) {
	d.t.Helper()
	eventually(d.t, what, holds)
}

// eventually waits until a condition holds: it is looked at again and again, because what it looks at lies in other
// processes.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("it never happened that %s", what)
		}
	}
}

// dig runs the real dig against rollcall and returns its output lines, sorted by dig as they came.
func (d *daemon) dig(args ...string) []string {
	d.t.Helper()
	out, err := d.tryDig(args...)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// tryDig is dig where it may fail.
func (d *daemon) tryDig(args ...string) ([]string, error) {
	host, port, _ := strings.Cut(d.dns, ":")
	out, err := exec.CommandContext(d.t.Context(), "dig", append([]string{"-p", port, "@" + host, "+tries=1", "+time=5"}, args...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("dig %v: %w\n%s", args, err, out)
	}
	return strings.Fields(strings.TrimSpace(string(out))), nil
}

// addresses is what dig +short answers for a name.
func (d *daemon) addresses(name string) []string { return d.dig("+short", name, "A") }
