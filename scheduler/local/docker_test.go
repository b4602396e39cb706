package local

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// testImage is what tests run: a static busybox.
const testImage = "rollcall-test/busybox:1"

// testDaemon is a Docker Engine of the tests' own.
type testDaemon struct {
	*docker
	t    *testing.T
	args []string
	log  string
	cmd  *exec.Cmd
}

// shared is the daemon that most tests use; TestMain ends it.
var shared struct {
	sync.Once
	daemon *testDaemon
	dir    string
	why    string // there is none
}

func endSharedDaemon() {
	if shared.daemon != nil {
		shared.daemon.end()
	}
	if shared.dir != "" {
		removeDaemonDir(shared.dir)
	}
}

// removeDaemonDir removes the directory of a daemon that has ended, in which it leaves mounts: of its network namespace
// and, when it was killed, of its data.
func removeDaemonDir(dir string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	var left []string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			left = append(left, fields[1])
		}
	}
	for _, mount := range slices.Backward(left) { // the ones on top of others first
		_ = unix.Unmount(mount, unix.MNT_DETACH)
	}
	_ = os.RemoveAll(dir)
}

// sharedDaemon starts the daemon, or skips the test where none can be.
func sharedDaemon(t *testing.T) *testDaemon {
	t.Helper()
	shared.Do(func() {
		dir, err := os.MkdirTemp("", "rollcall-docker")
		if err != nil {
			shared.why = err.Error()
			return
		}
		shared.dir = dir
		shared.daemon, shared.why = newDaemon(dir)
	})
	skipWithoutDocker(t, shared.why)
	d := *shared.daemon
	d.t = t
	return &d
}

func skipWithoutDocker(t *testing.T, why string) {
	t.Helper()
	switch {
	case why == "":
	case os.Getenv("CI") == "true":
		t.Fatalf("no Docker Engine can be started: %s", why)
	default:
		t.Skipf("SKIPPED: no Docker Engine can be started: %s (apt-get install docker.io iptables busybox-static, and be root)", why)
	}
}

// ownDaemon starts a daemon for a test that stops it.
func ownDaemon(t *testing.T) *testDaemon {
	t.Helper()
	sharedDaemon(t) // where that one runs this one does
	dir, err := os.MkdirTemp("", "rollcall-docker")
	if err != nil {
		t.Fatal(err)
	}
	d, why := newDaemon(dir)
	skipWithoutDocker(t, why)
	d.t = t
	t.Cleanup(func() { d.end(); removeDaemonDir(dir) })
	return d
}

// newDaemon starts a daemon with everything of its own, and gives it the test's image.
func newDaemon(dir string) (*testDaemon, string) {
	program, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, err.Error()
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err.Error()
	}
	host := "unix://" + filepath.Join(dir, "docker.sock")
	d := &testDaemon{log: filepath.Join(dir, "log"), args: []string{program, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", host, "--shutdown-timeout", "2"}}
	if d.docker, err = connectDocker(host); err != nil {
		return nil, err.Error()
	}
	if why := d.begin(); why != "" {
		return nil, why
	}
	if err := d.load(busybox); err != nil {
		d.end()
		return nil, err.Error()
	}
	return d, ""
}

// begin starts the daemon and waits until it answers; it returns why it does not.
func (d *testDaemon) begin() string {
	// A file and no pipe: of a daemon that was killed containerd is left, which would keep it open.
	log, err := os.Create(d.log)
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	d.cmd = exec.Command(d.args[0], d.args[1:]...)
	d.cmd.Stderr = log
	if err := d.cmd.Start(); err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = insist(ctx, func() error {
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := d.api.Ping(limited, client.PingOptions{NegotiateAPIVersion: true})
		return err
	})
	if err != nil {
		d.end()
		text, _ := os.ReadFile(d.log)
		var last tail
		_, _ = last.Write(text)
		return err.Error() + ": " + last.String()
	}
	return ""
}

// kill ends the daemon at once. Its containerd dies with it; where nobody takes note of the end of orphans, the next
// daemon would take that for alive by its pid.
func (d *testDaemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	_ = os.Remove(filepath.Join(filepath.Dir(d.log), "exec", "containerd", "containerd.pid"))
}

func (d *testDaemon) end() {
	_ = d.cmd.Process.Signal(os.Interrupt)
	_ = d.cmd.Wait()
}

// load makes the image.
func (d *testDaemon) load(busybox []byte) error {
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	write := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		_ = w.WriteHeader(&h)
		_, _ = w.Write(content)
	}
	for _, name := range []string{"bin/", "etc/", "tmp/", "mnt/"} {
		write(tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
	}
	write(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, busybox)
	for _, name := range []string{"sh", "cat", "echo", "env", "hostname", "httpd", "id", "ls", "nc", "printf", "sleep", "true", "false", "touch", "wget", "dd", "tail", "date", "tee"} {
		write(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
	write(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0::/:/bin/sh\ndaemon:x:7:7::/:/bin/sh\n"))
	write(tar.Header{Name: "entry", Typeflag: tar.TypeReg, Mode: 0o755}, []byte("#!/bin/sh\necho entry \"$@\"\nexec \"$@\"\n"))
	if err := w.Close(); err != nil {
		return err
	}
	done, err := d.api.ImageImport(context.Background(), client.ImageImportSource{Source: &image, SourceName: "-"}, testImage,
		client.ImageImportOptions{Changes: []string{`ENTRYPOINT ["/entry"]`, `CMD ["echo", "default"]`}})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, done)
	return err
}
