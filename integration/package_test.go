package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The units give away no more of the machine than they need, in systemd's own measure (0 to 10).
func TestUnits(t *testing.T) {
	require(t, "systemd-analyze")
	dir := filepath.Join(moduleRoot(t), "cmd", "rollcall", "package")
	for unit, most := range map[string]float64{"rollcall-dns.service": 2.0, "rollcall.service": 6.0} {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", filepath.Join(dir, unit)).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", unit, err, out)
		}
		level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if level == nil {
			t.Fatalf("%s: no level is told:\n%s", unit, out)
		}
		if got, err := strconv.ParseFloat(string(level[1]), 64); err != nil || got > most {
			t.Errorf("%s is exposed to %s, at most %v is wanted:\n%s", unit, level[1], most, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "rollcall.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, needed := range []string{"\nKillMode=process\n", "\nDelegate=yes\n"} {
		if !strings.Contains(string(text), needed) {
			t.Errorf("rollcall.service lacks %s: tasks would end with it, or have no limits", strings.TrimSpace(needed))
		}
	}
}

// The configuration files that are installed are good ones.
func TestInstalledConfigurations(t *testing.T) {
	for _, name := range []string{"config.json", "dns.json"} {
		file := filepath.Join(moduleRoot(t), "cmd", "rollcall", "package", name)
		if out, err := exec.Command(binary, "check", "-config="+file).CombinedOutput(); err != nil || bytes.Contains(out, []byte("warning")) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// packages is the directory with what "make package" built; "make packagetest" names it.
func packages(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ROLLCALL_PACKAGES")
	if dir == "" {
		t.Skip("SKIPPED: takes minutes; make packagetest runs it")
	}
	return dir
}

// The same commit gives the same files, also in another directory and with nothing in Go's cache.
func TestPackageReproducible(t *testing.T) {
	first := packages(t)
	source, second := filepath.Join(t.TempDir(), "somewhere-else"), filepath.Join(t.TempDir(), "out")
	run(t, "git", "clone", "-q", moduleRoot(t), source)
	if status := run(t, "git", "-C", moduleRoot(t), "status", "--porcelain"); status != "" {
		t.Fatalf("what is not committed cannot be built twice:\n%s", status)
	}
	build := exec.Command(filepath.Join(source, "cmd", "rollcall", "package", "build"), second)
	build.Env = append(os.Environ(), "GOCACHE="+t.TempDir())
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := os.ReadDir(first)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 14 {
		t.Errorf("only %d files were built", len(files))
	}
	for _, f := range files {
		if a, b := digest(t, filepath.Join(first, f.Name())), digest(t, filepath.Join(second, f.Name())); a != b {
			t.Errorf("%s differs", f.Name())
		}
	}
}

func digest(t *testing.T, file string) [sha256.Size]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// Checksums hold, binaries are static and of their machine, and the list of contents has the modules of go.mod.
func TestPackageContents(t *testing.T) {
	dir := packages(t)
	c := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for arch, machine := range map[string]string{"amd64": "Advanced Micro Devices X86-64", "arm64": "AArch64"} {
		file := filepath.Join(dir, "rollcall-linux-"+arch)
		if out := run(t, "readelf", "-h", "-l", file); !strings.Contains(out, machine) || strings.Contains(out, "INTERP") {
			t.Errorf("%s is not a static binary for %s:\n%s", file, machine, out)
		}
		var sbom struct {
			Components []struct{ Name, Version, Purl string }
		}
		data, err := os.ReadFile(file + ".cdx.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &sbom); err != nil {
			t.Fatal(err)
		}
		mod, err := os.ReadFile(filepath.Join(moduleRoot(t), "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, part := range sbom.Components {
			found[part.Name] = true
			if part.Name != "std" && !strings.Contains(string(mod), part.Name+" "+part.Version) {
				t.Errorf("%s: %s %s is not in go.mod", file, part.Name, part.Version)
			}
		}
		if !found["github.com/miekg/dns"] || !found["std"] {
			t.Errorf("%s.cdx.json names %v only", file, found)
		}
	}
	image := t.TempDir()
	run(t, "tar", "-C", image, "-xf", filepath.Join(dir, "rollcall-image-amd64.tar"))
	if os.Getuid() == 0 && strings.TrimSpace(run(t, "uname", "-m")) == "x86_64" {
		run(t, "chroot", image, "/rollcall", "check", "-config=/etc/rollcall/config.json")
	}
}

// The .deb is installed on a Debian without anything else, what its unit says is started there, and a name resolves.
func TestPackageInstall(t *testing.T) {
	dir := packages(t)
	require(t, "debootstrap", "dpkg", "chroot", "dig")
	if os.Getuid() != 0 || strings.TrimSpace(run(t, "uname", "-m")) != "x86_64" {
		t.Skip("SKIPPED: root on amd64 is needed")
	}
	root := filepath.Join(t.TempDir(), "root")
	run(t, "debootstrap", "--variant=minbase", "--include=systemd", "bookworm", root, mirror(t))
	t.Cleanup(func() { run(t, "chroot", root, "dpkg", "--purge", "rollcall") })
	run(t, "cp", filepath.Join(dir, "rollcall-amd64.deb"), filepath.Join(root, "tmp", "rollcall.deb"))
	run(t, "chroot", root, "dpkg", "-i", "/tmp/rollcall.deb")
	if owner := run(t, "chroot", root, "stat", "-c", "%U %G %a", "/etc/rollcall/dns.json"); owner != "root rollcall 640\n" {
		t.Errorf("dns.json belongs to %s", owner)
	}
	run(t, "chroot", root, "systemd-analyze", "verify", "--man=no", "rollcall.service", "rollcall-dns.service")
	const config = `{"listener": "127.0.0.1", "port": 0, "httpport": 0, "httplistener": "127.0.0.1", "externalon": false,
		"scheduler": {"port": 0, "dataDir": "/var/lib/rollcall"}}`
	if err := os.WriteFile(filepath.Join(root, "etc", "rollcall", "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(run(t, "cat", filepath.Join(root, "usr/lib/systemd/system/rollcall.service")))
	proc := filepath.Join(root, "proc")
	if err := syscall.Mount("proc", proc, "proc", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(proc, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d := &daemon{t: t, dir: root}
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command("chroot", append([]string{root}, strings.Fields(command[1])...)...))
	d.must(201, "POST", "/v2/apps", `{"id": "here", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16}`)
	d.eventually("the app's name resolves", func() bool { return len(d.addresses("here.marathon.mesos")) == 1 })
}

// mirror is where this machine has its Debian from.
func mirror(t *testing.T) string {
	t.Helper()
	var sources []byte
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, data...)
		}
	}
	found := regexp.MustCompile(`(?m)^(?:URIs:|deb (?:\[.*\] )?) ?(http\S+)`).FindSubmatch(sources)
	if found == nil {
		t.Fatal("apt's sources name no mirror")
	}
	return string(found[1])
}
