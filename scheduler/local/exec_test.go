package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// in runs a command inside a task, to its end.
func (r *rig) in(id scheduler.TaskID, x scheduler.Exec) (out, errors string, code int) {
	r.t.Helper()
	var stdout, stderr bytes.Buffer
	x.Stdout, x.Stderr = &stdout, &stderr
	if x.Stdin == nil {
		x.Stdin = strings.NewReader("")
	}
	code, err := r.engine.Exec(r.t.Context(), scheduler.TaskRef{TaskID: id}, x)
	if err != nil {
		r.t.Fatalf("%q: %v", x.Command, err)
	}
	return stdout.String(), stderr.String(), code
}

// A command inside a task has what the task has: environment, directory, groups, and no way to more privileges.
func TestExec(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "exec sleep 1000")
	r.status("a", scheduler.TaskRunning)
	for _, tt := range []struct {
		name, stdin string
		command     []string
		out, errors string
		code        int
	}{
		{"arguments as they are", "", []string{"printf", "%s|", "a b", "$HOME", "*"}, "a b|$HOME|*|", "", 0},
		{"its environment", "", []string{"sh", "-c", "echo ${MESOS_SANDBOX##*/}"}, "sandbox\n", "", 0},
		{"input, to its end", "one\ntwo\n", []string{"wc", "-l"}, "2\n", "", 0},
		{"two outputs and a code", "", []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, "out\n", "err\n", 7},
		{"a signal", "", []string{"sh", "-c", "kill -9 $$"}, "", "", 137},
		{"a program that is not there", "", []string{"/absent"}, "", "", 127},
		{"no more privileges", "", []string{"grep", "NoNewPrivs", "/proc/self/status"}, "NoNewPrivs:\t1\n", "", 0},
		{"no descriptor of ours", "", []string{"sh", "-c", "[ ! -e /proc/$$/fd/3 ]"}, "", "", 0},
		{"something left behind", "", []string{"sh", "-c", "sleep 60 & echo here"}, "here\n", "", 0},
	} {
		out, errors, code := r.in("a", scheduler.Exec{Command: tt.command, Stdin: strings.NewReader(tt.stdin)})
		if out != tt.out || tt.code != 127 && errors != tt.errors || code != tt.code {
			t.Errorf("%s: %q, %q, code %d; want %q, %q, %d", tt.name, out, errors, code, tt.out, tt.errors, tt.code)
		}
	}
	if out, _, _ := r.in("a", scheduler.Exec{Command: []string{"pwd"}}); strings.TrimSpace(out) != r.dir("a").sandbox() {
		t.Errorf("it is in %q", out)
	}
	own, err := os.ReadFile("/proc/" + strconv.Itoa(r.readStatus("a").Process.PID) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if out, _, _ := r.in("a", scheduler.Exec{Command: []string{"cat", "/proc/self/cgroup"}}); out != string(own) {
		t.Errorf("it is in the groups\n%s, the task in\n%s", out, own)
	}
}

func TestExecWithTerminal(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "exec sleep 1000")
	r.status("a", scheduler.TaskRunning)
	sizes := make(chan scheduler.TerminalSize, 1)
	out, _, code := r.in("a", scheduler.Exec{TTY: true, Size: scheduler.TerminalSize{Rows: 33, Columns: 77}, Resize: sizes,
		Command: []string{"sh", "-c", "tty -s && stty size; read line; echo got $line; exit 3"}, Stdin: strings.NewReader("hello\n")})
	if !strings.Contains(out, "33 77\r\n") || !strings.Contains(out, "got hello\r\n") || code != 3 {
		t.Errorf("%q, code %d", out, code)
	}
	// The size changes while it runs.
	typed, keys := io.Pipe()
	sizes <- scheduler.TerminalSize{Rows: 10, Columns: 20}
	go func() { _, _ = keys.Write([]byte("\n")) }()
	out, _, _ = r.in("a", scheduler.Exec{TTY: true, Resize: sizes, Stdin: typed,
		Command: []string{"sh", "-c", `read line; until [ "$(stty size)" = "10 20" ]; do :; done; echo resized`}})
	if !strings.Contains(out, "resized") {
		t.Errorf("%q", out)
	}
}

// Who goes away has the command killed; what is not running cannot be entered.
func TestExecEnds(t *testing.T) {
	r := newRig(t, Options{})
	r.shell("a", "exec sleep 1000")
	r.status("a", scheduler.TaskRunning)
	gone := errors.New("gone")
	for _, tty := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		stdin, _ := io.Pipe()
		said, out := io.Pipe()
		go func() {
			_, _ = said.Read(make([]byte, 100))
			cancel(gone)
			_, _ = io.Copy(io.Discard, said)
		}()
		_, err := r.engine.Exec(ctx, scheduler.TaskRef{TaskID: "a"}, scheduler.Exec{TTY: tty, Stdin: stdin, Stdout: out, Stderr: out,
			Command: []string{"sh", "-c", "echo begun; exec sleep 12345"}})
		if !errors.Is(err, gone) {
			t.Errorf("a terminal %v: %v", tty, err)
		}
		if out, _, _ := r.in("a", scheduler.Exec{Command: []string{"sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"}}); strings.Contains(out, "sleep 12345") {
			t.Errorf("a terminal %v: it still runs", tty)
		}
	}
	_, err := r.engine.Exec(t.Context(), scheduler.TaskRef{TaskID: "b"}, scheduler.Exec{Command: []string{"true"}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a task that is not there: %v", err)
	}
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilled)
	_, err = r.engine.Exec(t.Context(), scheduler.TaskRef{TaskID: "a"}, scheduler.Exec{Command: []string{"true"}})
	if !errors.Is(err, scheduler.ErrNotRunning) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a task that has ended: %v", err)
	}
}
