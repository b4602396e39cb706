package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// imageOfRollcall runs rollcall itself in a container, by the commands of docs/operations.md, from a root file system
// as cmd/rollcall/package/build makes it: the binary, a configuration and nothing else.
func imageOfRollcall(t *testing.T, e *dockerEngine) {
	var documented string
	for _, b := range blocks(t, "docs/operations.md") {
		if strings.HasPrefix(b.text, "docker import ") {
			documented = b.text
		}
	}
	lines := strings.Split(strings.TrimSpace(documented), "\n")
	if len(lines) != 2 {
		t.Fatalf("docs/operations.md has %d commands for the image, want 2", len(lines))
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	run(t, "mkdir", "-p", filepath.Join(root, "etc/rollcall"), filepath.Join(root, "var/lib/rollcall"), filepath.Join(root, "tmp"))
	run(t, "cp", binary, filepath.Join(root, "rollcall"))
	run(t, "cp", filepath.Join(moduleRoot(t), "cmd/rollcall/package/config.json"), filepath.Join(root, "etc/rollcall/config.json"))
	run(t, "tar", "-C", root, "-cf", filepath.Join(dir, "rollcall-image-amd64.tar"), ".")
	const config = `{"masters": ["127.0.0.1:1"], "listener": "127.0.0.1", "port": 8053, "httpon": false, "externalon": false}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := func(command string) *exec.Cmd {
		c := exec.Command("sh", "-c", "exec "+command)
		c.Dir, c.Env = dir, append(os.Environ(), "DOCKER_HOST="+e.socket(), "PWD="+dir)
		return c
	}
	if out, err := shell(lines[0]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", lines[0], err, out)
	}
	d := &daemon{t: t, dir: dir}
	t.Cleanup(func() {
		for _, id := range e.docker("ps", "--all", "--quiet", "--filter", "ancestor=rollcall") {
			e.docker("rm", "--force", id)
		}
		<-d.exited
	})
	d.launch(shell(lines[1]))
	d.eventually("the container answers", func() bool { return len(d.addresses("ns1.mesos")) == 1 })
}
