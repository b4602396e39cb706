package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// On one processor there are two threads for Go, so that no question waits for a long computation, and one socket, as two
// would only share its packets.
func TestOneProcessor(t *testing.T) {
	require(t, "dig", "taskset", "ss")
	d := &daemon{t: t, dir: t.TempDir()}
	d.write(newConfig(d.dir))
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command("taskset", "-c", "0", binary, "-config="+d.configPath()))

	if got := d.metric("go_sched_gomaxprocs_threads"); got != "2" {
		t.Errorf("Go uses %s threads, want 2", got)
	}
	out, err := exec.Command("ss", "--udp", "--listening", "--numeric", "--no-header", "src", d.dns).Output()
	if err != nil {
		t.Fatal(err)
	}
	if sockets := strings.Count(string(out), d.dns); sockets != 1 {
		t.Errorf("%d sockets, want 1:\n%s", sockets, out)
	}
	if got := d.dig("+short", "mesos", "NS"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
