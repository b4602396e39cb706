package local

import (
	"context"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// A command inside a container has the container's files and the task's environment, whether it has a terminal or not.
func TestExecInContainer(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "echo inside > /mark; exec sleep 1000", Env: map[string]string{"X": "y"}, Container: image(scheduler.Docker{})})
	r.status("a", scheduler.TaskRunning)
	eventually(t, "the container's file", func() bool {
		out, _, _ := r.in("a", scheduler.Exec{Command: []string{"cat", "/mark"}})
		return out == "inside\n"
	})
	for _, tt := range []struct {
		name, stdin string
		command     []string
		out, errors string
		code        int
	}{
		{"arguments as they are", "", []string{"printf", "%s|", "a b", "$X", "*"}, "a b|$X|*|", "", 0},
		{"its environment", "", []string{"sh", "-c", "echo $X"}, "y\n", "", 0},
		{"input, to its end", "one\ntwo\n", []string{"sh", "-c", "while read line; do echo got $line; done"}, "got one\ngot two\n", "", 0},
		{"two outputs and a code", "", []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, "out\n", "err\n", 7},
		{"a signal", "", []string{"sh", "-c", "kill -9 $$"}, "", "", 137},
	} {
		out, errors, code := r.in("a", scheduler.Exec{Command: tt.command, Stdin: strings.NewReader(tt.stdin)})
		if out != tt.out || errors != tt.errors || code != tt.code {
			t.Errorf("%s: %q, %q, code %d; want %q, %q, %d", tt.name, out, errors, code, tt.out, tt.errors, tt.code)
		}
	}
	out, _, code := r.in("a", scheduler.Exec{TTY: true, Size: scheduler.TerminalSize{Rows: 33, Columns: 77},
		Command: []string{"sh", "-c", "read line; echo got $line; exit 3"}, Stdin: strings.NewReader("hello\n")})
	if !strings.Contains(out, "got hello\r\n") || code != 3 {
		t.Errorf("with a terminal: %q, code %d", out, code)
	}
	// Who stops asking does not wait for the command any more, and the task goes on.
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	started := &firstWrite{seen: make(chan struct{})}
	go func() {
		_, err := r.engine.Exec(ctx, scheduler.TaskRef{TaskID: "a"}, scheduler.Exec{
			Command: []string{"sh", "-c", "echo up; exec sleep 2000"}, Stdin: strings.NewReader(""), Stdout: started, Stderr: started})
		ended <- err
	}()
	<-started.seen
	cancel()
	if err := <-ended; err == nil {
		t.Error("a command that nobody waits for any more has an exit code")
	}
	if out, _, _ := r.in("a", scheduler.Exec{Command: []string{"cat", "/mark"}}); out != "inside\n" {
		t.Errorf("the task's container has %q", out)
	}
}

// firstWrite tells that something was written.
type firstWrite struct {
	seen chan struct{}
	once bool
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if !w.once {
		w.once = true
		close(w.seen)
	}
	return len(p), nil
}
