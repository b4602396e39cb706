package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/cli.md does what it says, line by line. Of what is printed the document shows a part.
func TestCommandLine(t *testing.T) {
	require(t, "jq", "sed")
	dir := t.TempDir()
	dns, api := freePort(t), freePort(t)
	d := &daemon{t: t, dir: dir}
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command(binary, "dev", "-example", "-dns-port="+dns, "-api-port="+api, "-http-port=0", "-data-dir="+filepath.Join(dir, "data")))
	d.eventually("the example app runs", func() bool {
		status, _, _ := d.request(http.MethodGet, "/v2/apps/hello", "")
		return status == http.StatusOK && len(d.tasks("/hello")) == 3
	})
	if err := os.Symlink(binary, filepath.Join(dir, "rollcall")); err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "ROLLCALL_URL="+d.api)
	for _, s := range console(t, filepath.Join(moduleRoot(t), "docs", "cli.md")) {
		c := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", s.command)
		c.Dir, c.Env = dir, environment
		out, err := c.CombinedOutput()
		got := strings.Split(string(out), "\n")
		if err != nil {
			got = append(got, err.Error())
		}
		wantsError := len(s.output) > 0 && strings.HasPrefix(s.output[len(s.output)-1], "exit status")
		if err != nil && !wantsError {
			t.Fatalf("$ %s: %v\n%s", s.command, err, out)
		}
		for _, line := range s.output {
			line = strings.ReplaceAll(line, ":8053", ":"+dns)
			pattern := strings.ReplaceAll(strings.ReplaceAll(regexp.QuoteMeta(line), ` \.\.\. `, ` +.*`), `\.\.\.`, ".*")
			if !regexp.MustCompile("(?m)^ *" + pattern + " *$").MatchString(strings.Join(got, "\n")) {
				t.Fatalf("$ %s\nprints\n%s\nand not\n%s", s.command, strings.Join(got, "\n"), line)
			}
		}
	}
}

// Commands say who asks: by the environment, or by a profile.
func TestCommandLineUser(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	c := newConfig(dir)
	c["scheduler"].(map[string]any)["auth"] = map[string]any{"usersFile": write("users.json",
		`{"users": [{"name": "ops", "password": "correct horse", "roles": [{"role": "admin", "path": "/"}]}]}`)}
	d := start(t, c)
	profiles := write("profiles.json", `{"default": "here", "profiles": {"here": {"url": "`+d.api+`", "user": "ops", "passwordFile": "password"}}}`)
	write("password", "correct horse\n")
	for _, tt := range []struct {
		name        string
		environment []string
		code        int
	}{
		{"nobody", []string{"ROLLCALL_URL=" + d.api}, 1},
		{"a wrong password", []string{"ROLLCALL_URL=" + d.api, "ROLLCALL_USER=ops", "ROLLCALL_PASSWORD=battery"}, 1},
		{"by the environment", []string{"ROLLCALL_URL=" + d.api, "ROLLCALL_USER=ops", "ROLLCALL_PASSWORD=correct horse"}, 0},
		{"by a profile", []string{"ROLLCALL_PROFILES=" + profiles}, 0},
	} {
		command := exec.CommandContext(t.Context(), binary, "app", "list")
		command.Env = tt.environment
		out, err := command.CombinedOutput()
		if code := command.ProcessState.ExitCode(); code != tt.code || code != 0 && !strings.Contains(string(out), "ROLLCALL_TOKEN") {
			t.Errorf("%s: %v\n%s", tt.name, err, out)
		}
	}
}

// A command inside a task gets a terminal where there is one, ends with its client, and is forbidden by policy.
func TestTaskExec(t *testing.T) {
	require(t, "script")
	c := newConfig(t.TempDir())
	d := start(t, c)
	d.must(201, "POST", "/v2/apps", `{"id": "/web", "cmd": "exec sleep 1000", "cpus": 0.1, "mem": 32}`)
	d.eventually("the task runs", func() bool { tasks := d.tasks("/web"); return len(tasks) == 1 && tasks[0].State == "TASK_RUNNING" })
	id := d.tasks("/web")[0].ID
	run := func(command string) (string, int) {
		t.Helper()
		shell := exec.CommandContext(t.Context(), "bash", "-c", command)
		shell.Env = append(os.Environ(), "ROLLCALL_URL="+d.api, "ROLLCALL="+binary, "TASK="+id, "SHELL=/bin/sh")
		out, err := shell.CombinedOutput()
		if _, ended := err.(*exec.ExitError); err != nil && !ended {
			t.Fatal(err)
		}
		return string(out), shell.ProcessState.ExitCode()
	}
	for _, tt := range []struct {
		name, command, says string
		code                int
	}{
		{"a terminal", `script -qec 'stty rows 30 cols 70; $ROLLCALL task exec $TASK sh -c "tty -s && stty size; exit 5"' /dev/null </dev/null`, "30 70", 5},
		{"none", `$ROLLCALL task exec $TASK sh -c 'tty -s || echo none' </dev/null`, "none", 0},
		{"one that is wanted", `$ROLLCALL task exec -tty yes $TASK sh -c 'tty -s && echo one' </dev/null`, "one", 0},
		{"Ctrl-C", `$ROLLCALL task exec $TASK sh -c 'echo $$; exec sleep 4321' > pid & until [ -s pid ]; do sleep 0.05; done; kill -INT $!; wait $!; code=$?
			while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done; rm pid; exit $code`, "", 1},
		{"no such task", `$ROLLCALL task exec absent.1 true`, "Task 'absent.1' does not exist", 3},
		{"no command", `$ROLLCALL task exec $TASK`, "COMMAND... is missing", 2},
	} {
		out, code := run("cd " + d.dir + "; " + tt.command)
		if !strings.Contains(out, tt.says) || code != tt.code {
			t.Errorf("%s: %q, code %d; want %q, %d", tt.name, out, code, tt.says, tt.code)
		}
	}
	d.kill()
	c["scheduler"].(map[string]any)["taskPolicy"] = map[string]any{"exec": false}
	d.write(c)
	d.run()
	d.eventually("the task is found again", func() bool { return len(d.tasks("/web")) == 1 })
	if out, code := run(`$ROLLCALL task exec $TASK true`); !strings.Contains(out, "scheduler.taskPolicy.exec") || code != 1 {
		t.Errorf("forbidden: %q, code %d", out, code)
	}
}
