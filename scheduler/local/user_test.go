package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rollcall/scheduler"
)

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may do this")
	}
	if _, err := identityOf("nobody"); err != nil {
		t.Skip(err)
	}
}

func TestTaskRunsAsItsUser(t *testing.T) {
	asRoot(t)
	server := artifacts(t)
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", User: "nobody",
		Shell: "id -un; id -Gn; stat -c %U dir/file . stdout; grep NoNewPrivs /proc/self/status; cat ../task.json",
		Fetch: []scheduler.Fetch{{URI: server.URL + "/a.tar", Extract: true}}})
	r.status("a", scheduler.TaskFailed) // by the last command
	if got := r.sandboxFile("a", "stdout"); got != "nobody\nnogroup\nnobody\nnobody\nnobody\nNoNewPrivs:\t1\n" {
		t.Errorf("stdout is %q", got)
	}
}

func TestFetcherReadsOnlyWhatTheTaskMay(t *testing.T) {
	asRoot(t)
	r := newRig(t, Options{User: "nobody"})
	secret := filepath.Join(testDir(t), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "true", Fetch: []scheduler.Fetch{{URI: "file://" + secret}}})
	if s := r.status("a", scheduler.TaskFailed); !strings.HasSuffix(s.Message, "permission denied") {
		t.Errorf("got %+v", s)
	}
}

func TestUserMayNotEnterTheDirectory(t *testing.T) {
	asRoot(t)
	dir := testDir(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Dir: filepath.Join(dir, "local"), User: "nobody"})
	r.shell("a", "true")
	if s := r.status("a", scheduler.TaskFailed); !strings.Contains(s.Message, "may user nobody search every directory above") {
		t.Errorf("got %+v", s)
	}
}

// smallDisk is a directory on a file system of its own.
func smallDisk(t *testing.T) string {
	t.Helper()
	asRoot(t)
	dir := testDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=0711"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	r := newRig(t, Options{Dir: dir})
	r.shell("chatty", "while [ ! -f stop ]; do sleep 0.01; done; dd if=/dev/zero bs=64k count=100; exit 3")
	r.status("chatty", scheduler.TaskRunning)
	chatty := r.readStatus("chatty").Process
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk does not fill")
	}

	// A task that writes goes on, and one that is launched fails with the reason.
	if err := os.WriteFile(filepath.Join(r.dir("chatty").sandbox(), "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waitGone(t, chatty)
	r.shell("late", "true")
	if s := r.status("late", scheduler.TaskFailed); !strings.Contains(s.Message, "no space left") {
		t.Errorf("got %+v", s)
	}

	// With room again, the end that could not be written down is told.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if s := r.status("chatty", scheduler.TaskFailed); s.Message != "Command exited with status 3" {
		t.Errorf("got %+v", s)
	}
}
