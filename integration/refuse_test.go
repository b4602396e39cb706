package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What cannot be used is refused with Marathon's status and a message that helps, and changes nothing.
func TestBadRequests(t *testing.T) {
	d := start(t, newConfig(t.TempDir()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "good", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
	before := d.must(http.StatusOK, http.MethodGet, "/v2/groups", "")
	app := func(members string) string { return `{"id": "/bad", "cmd": "sleep 1", ` + members + `}` }
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, c := range []struct {
		name, path, body string
		status           int
		says             []string
	}{
		{"cut off", "/v2/apps", `{"id": "/bad"`, 400, []string{"Invalid JSON", "line 1"}},
		{"wrong types, all told", "/v2/apps", app(`"instances": {}, "cpus": true, "ports": "x"`), 422, []string{"/instances", "/cpus", "error.expected"}},
		{"an unknown operator", "/v2/apps", app(`"constraints": [["hostname", "NEAR"]]`), 422, []string{"operator must be one of the following"}},
		{"capitals in an id", "/v2/apps", `{"id": "/Bad", "cmd": "sleep 1"}`, 422, []string{"/id"}},
		{"a port too high", "/v2/apps", app(`"ports": [70000]`), 422, []string{"/ports(0)", "65535"}},
		{"a port twice", "/v2/apps", app(`"ports": [8000, 8000]`), 422, []string{"unique"}},
		{"nothing to run", "/v2/apps", `{"id": "/bad"}`, 422, []string{"cmd"}},
		{"10 MB", "/v2/apps", app(`"labels": {"x": "` + strings.Repeat("x", 10<<20) + `"}`), 413, []string{"message"}},
		{"deep nesting", "/v2/apps", app(`"labels": ` + deep), 400, []string{"message"}},
		{"a group's cycle", "/v2/groups", `{"id": "/c", "apps": [{"id": "a", "cmd": "sleep 1", "dependencies": ["/c/b"]},
			{"id": "b", "cmd": "sleep 1", "dependencies": ["/c/a"]}]}`, 422, []string{"cyclic dependencies"}},
		{"an app that exists", "/v2/apps", `{"id": "good", "cmd": "true"}`, 409, []string{"already exists"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, answer := d.request(http.MethodPost, c.path, c.body)
			if status != c.status {
				t.Errorf("status %d, want %d: %.300s", status, c.status, answer)
			}
			for _, s := range c.says {
				if !strings.Contains(string(answer), s) {
					t.Errorf("the answer does not say %q: %.300s", s, answer)
				}
			}
		})
	}
	t.Run("the seed with its trailing comma", func(t *testing.T) {
		status, _, answer := d.request(http.MethodPost, "/v2/groups", string(seed(t, "001-ctrlpkw_cluster.json")))
		if status != 400 || !strings.Contains(string(answer), "line 104") {
			t.Errorf("status %d: %s", status, answer)
		}
	})
	if after := d.must(http.StatusOK, http.MethodGet, "/v2/groups", ""); string(after) != string(before) {
		t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
	}
}

// A task that cannot be started fails with its reason and backs off; it does not disturb anybody else.
func TestTasksThatCannotStart(t *testing.T) {
	escape := tarball(t, map[string]string{"../escaped": "x"})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/escape.tar.gz" {
			w.Write(escape) //nolint:errcheck // the client notices
			return
		}
		http.NotFound(w, r)
	}))
	defer web.Close()
	d := start(t, newConfig(t.TempDir()))
	for id, c := range map[string]struct{ members, says string }{
		"no-command": {`"cmd": "exec /no/such/program"`, "127"},
		"no-program": {`"args": ["/no/such/program"]`, "no such file"},
		"no-uri":     {fmt.Sprintf(`"cmd": "sleep 1000", "uris": [%q]`, web.URL+"/none.tar.gz"), "404"},
		"escape":     {fmt.Sprintf(`"cmd": "sleep 1000", "uris": [%q]`, web.URL+"/escape.tar.gz"), "escape"},
	} {
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps",
			fmt.Sprintf(`{"id": %q, "cpus": 0.01, "mem": 16, "backoffSeconds": 3600, "maxLaunchDelaySeconds": 3600, %s}`, id, c.members))
		d.eventually(id+" fails and says why", func() bool {
			var answer struct {
				App struct {
					LastTaskFailure struct{ State, Message string }
				}
			}
			d.get("/v2/apps/"+id, &answer)
			f := answer.App.LastTaskFailure
			return f.State == "TASK_FAILED" && strings.Contains(strings.ToLower(f.Message), c.says)
		})
		if q := d.queued("/" + id); q == nil || q.Delay.TimeLeftSeconds < 3000 {
			t.Errorf("%s is not backing off: %+v", id, q)
		}
	}
	if _, err := os.Stat(filepath.Join(d.dir, "data", "local", "escaped")); err == nil {
		t.Error("a member of an archive left the sandbox")
	}
}

// refused runs rollcall with a configuration that it cannot start with, and returns what it says.
func refused(t *testing.T, c config) string {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir()}
	d.write(c)
	out, err := exec.CommandContext(t.Context(), binary, "-config="+d.configPath()).CombinedOutput()
	if err == nil {
		t.Fatalf("it started:\n%s", out)
	}
	return string(out)
}

func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

func TestRefusedStarts(t *testing.T) {
	dir := t.TempDir()
	d := start(t, newConfig(dir))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "a", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
	d.eventually("it runs", func() bool { return len(d.tasks("/a")) == 1 })

	t.Run("a second one on the same data", func(t *testing.T) {
		says(t, refused(t, newConfig(dir)), "state.db", "another rollcall")
	})
	t.Run("a port that is taken", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		c := newConfig(t.TempDir())
		c["port"] = taken.Addr().(*net.TCPAddr).Port
		says(t, refused(t, c), "address already in use", "port")
	})
	t.Run("a damaged state", func(t *testing.T) {
		d.kill()
		path := filepath.Join(dir, "data", "state.db")
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := append([]byte(nil), good...)
		for n := len(bad) / 2; n < len(bad)/2+64; n++ {
			bad[n] ^= 0xff
		}
		for n := 0; n < 64; n++ {
			bad[n] ^= 0xff
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, refused(t, newConfig(dir)), "state.db", "damaged")
		if len(d.processes("sleep")) == 0 {
			t.Error("the task was killed on account of a damaged state")
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		d.run()
		d.eventually("the task is found again", func() bool { return len(d.tasks("/a")) == 1 })
	})
	t.Run("check lists everything", func(t *testing.T) {
		c := newConfig(t.TempDir())
		c["externalon"], c["ttl"], c["resolvers"] = true, "long", []string{"...", ""}
		c["scheduler"].(map[string]any)["prot"] = 8080
		d := &daemon{t: t, dir: t.TempDir()}
		d.write(c)
		out, err := exec.CommandContext(t.Context(), binary, "check", "-config="+d.configPath()).CombinedOutput()
		if code := err.(*exec.ExitError).ExitCode(); code != 1 {
			t.Errorf("exit code %d", code)
		}
		says(t, string(out), "ttl", "resolvers[0]", "resolvers[1]", "scheduler.prot", `"port"`)
	})
	t.Run("the Mesos-DNS configuration of the seed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, seed(t, "000-mesos-dns-config.json"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.CommandContext(t.Context(), binary, "check", "-config="+path).CombinedOutput() //nolint:errcheck // judged by what it says
		says(t, string(out), "resolvers[", "email")
	})
}

// Port 53 without the right to it: said in words that help. It needs a user who has no rights, so it runs as root.
func TestPortWithoutTheRight(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can become a user without rights")
	}
	if low, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil && strings.TrimSpace(string(low)) == "0" {
		t.Skip("SKIPPED: this machine lets anybody use port 53")
	}
	dir, err := os.MkdirTemp("/tmp", "rollcall-nobody")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "rollcall")
	data, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	c := newConfig(dir)
	c["port"] = 53
	text, _ := json.Marshal(c) //nolint:errcheck // it is a map of plain values
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644)
	}
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), program, "-config="+filepath.Join(dir, "config.json"))
	run.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := run.CombinedOutput()
	if err == nil {
		t.Fatal("it started")
	}
	says(t, string(out), "permission denied", "CAP_NET_BIND_SERVICE")
}

// A full disk refuses changes with the reason; tasks, names and reads go on, and it recovers by itself.
func TestFullDisk(t *testing.T) {
	require(t, "dig")
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can mount a small disk")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("SKIPPED: mounting a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) }) //nolint:errcheck // it goes with the machine
	d := start(t, newConfig(disk))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "kept", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
	d.eventually("it runs and is found", func() bool { return len(d.tasks("/kept")) == 1 && len(d.addresses("kept.marathon.mesos")) == 1 })

	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); err == nil {
		t.Fatal("the disk did not fill up")
	}
	refusedAt := -1
	for n := range 200 {
		status, _, answer := d.request(http.MethodPost, "/v2/apps",
			fmt.Sprintf(`{"id": "more-%d", "cmd": "sleep 1", "instances": 0, "labels": {"x": %q}}`, n, strings.Repeat("x", 20_000)))
		if status != http.StatusCreated {
			if status != http.StatusServiceUnavailable && status != http.StatusInsufficientStorage {
				t.Errorf("status %d: %s", status, answer)
			}
			says(t, string(answer), "no space left")
			refusedAt = n
			break
		}
	}
	if refusedAt < 0 {
		t.Fatal("the store never noticed the full disk")
	}
	if status, _, _ := d.request(http.MethodGet, fmt.Sprintf("/v2/apps/more-%d", refusedAt), ""); status != http.StatusNotFound {
		t.Errorf("the refused app is there: %d", status)
	}
	if len(d.tasks("/kept")) != 1 || len(d.addresses("kept.marathon.mesos")) != 1 {
		t.Error("a full disk disturbs what runs")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	d.eventually("it stores again", func() bool {
		status, _, _ := d.request(http.MethodPost, "/v2/apps", `{"id": "again", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}`)
		return status == http.StatusCreated
	})
	d.eventually("it runs", func() bool { return len(d.tasks("/again")) == 1 })
}
