package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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

// The manual page is a good one.
func TestManual(t *testing.T) {
	require(t, "mandoc")
	dir := t.TempDir()
	page := filepath.Join(dir, "rollcall.1")
	if err := os.WriteFile(page, []byte(run(t, binary, "manual")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("mandoc", "-Tlint", "-Wwarning", page).CombinedOutput() // its status is that of the warnings
	for line := range strings.Lines(string(out)) {
		// A date would be that of the build, and no two builds would be the same.
		if !strings.Contains(line, "missing date") {
			t.Errorf("mandoc: %s", line)
		}
	}
	if text := run(t, "mandoc", "-Tascii", page); !strings.Contains(text, "rollcall") {
		t.Errorf("the page shows %s", text)
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
	if len(files) < 15 {
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

// The packages are installed on a Debian without anything else, what their units say is started there, and names resolve.
func TestPackageInstall(t *testing.T) {
	dir := packages(t)
	require(t, "debootstrap", "dpkg", "chroot", "dig", "rpm", "systemd-nspawn", "nsenter", "curl")
	if os.Getuid() != 0 || strings.TrimSpace(run(t, "uname", "-m")) != "x86_64" {
		t.Skip("SKIPPED: root on amd64 is needed")
	}
	t.Setenv("DEBIAN_FRONTEND", "noninteractive")
	t.Setenv("DPKG_FORCE", "unsafe-io") // the root is thrown away
	root := filepath.Join(t.TempDir(), "root")
	if made := os.Getenv("ROLLCALL_DEBIAN"); made != "" { // by the command below, at another time
		run(t, "cp", "-a", made, root)
	} else {
		run(t, "debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,procps", "bookworm", root, mirror(t))
	}
	in := func(args ...string) string { return run(t, "chroot", append([]string{root}, args...)...) }
	put := func(name string) string {
		run(t, "cp", filepath.Join(dir, name), filepath.Join(root, "root", name))
		return "/root/" + name
	}
	in("dpkg", "-i", put("rollcall-amd64.deb"))
	if owner := in("stat", "-c", "%U %G %a", "/etc/rollcall/dns.json"); owner != "root rollcall 640\n" {
		t.Errorf("dns.json belongs to %s", owner)
	}
	in("systemd-analyze", "verify", "--man=no", "rollcall.service", "rollcall-dns.service")
	t.Run("Chroot", func(t *testing.T) { packageInChroot(t, root) })
	t.Run("Systemd", func(t *testing.T) { packageUnderSystemd(t, root) })
	in("dpkg", "--purge", "rollcall")
	if left := in("find", "/usr", "/etc", "-name", "*rollcall*"); left != "" {
		t.Errorf("dpkg --purge leaves\n%s", left)
	}

	// There is no rpm in Debian's root: the one outside installs into it, and has no packages there to depend on.
	rpm := func(args ...string) string { return run(t, "rpm", append([]string{"--root", root}, args...)...) }
	put("rollcall-amd64.rpm")
	rpm("--initdb")
	rpm("--install", "--nodeps", filepath.Join(root, "root", "rollcall-amd64.rpm"))
	rpm("--verify", "--nodeps", "--nogroup", "--nomode", "rollcall") // the group and mode of dns.json are postinstall's
	if owner := in("stat", "-c", "%U %G %a", "/etc/rollcall/dns.json"); owner != "root rollcall 640\n" {
		t.Errorf("dns.json of the .rpm belongs to %s", owner)
	}
	in("rollcall", "check", "-config=/etc/rollcall/config.json")
	rpm("--erase", "--nodeps", "rollcall")
	if left := in("find", "/usr", "-name", "*rollcall*"); left != "" {
		t.Errorf("rpm --erase leaves\n%s", left)
	}
}

// packageInChroot starts what the unit says, in a root in which nothing else runs.
func packageInChroot(t *testing.T, root string) {
	config := filepath.Join(root, "root", "config.json")
	const text = `{"listener": "127.0.0.1", "port": 0, "httpport": 0, "httplistener": "127.0.0.1", "externalon": false,
		"scheduler": {"port": 0, "dataDir": "/root/data"}}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ExecStart=(.*)/etc/rollcall/config.json$`).FindStringSubmatch(run(t, "cat", filepath.Join(root, "usr/lib/systemd/system/rollcall.service")))
	proc := filepath.Join(root, "proc")
	if err := syscall.Mount("proc", proc, "proc", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(proc, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d := &daemon{t: t, dir: filepath.Join(root, "root")}
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command("chroot", append([]string{root}, strings.Fields(command[1]+"/root/config.json")...)...))
	d.must(201, "POST", "/v2/apps", `{"id": "here", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16}`)
	d.eventually("the app's name resolves", func() bool { return len(d.addresses("here.marathon.mesos")) == 1 })
}

// packageUnderSystemd boots the root with a network of its own, and uses both units as they are installed.
func packageUnderSystemd(t *testing.T, root string) {
	resolv := filepath.Join(root, "etc", "resolv.conf")
	if err := os.Remove(resolv); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(resolv, []byte("nameserver 192.0.2.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	boot := exec.Command("systemd-nspawn", "--quiet", "--directory="+root, "--boot", "--register=no", "--keep-unit",
		"--private-network", "--resolv-conf=off", "--console=pipe")
	if err := boot.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		boot.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		boot.Wait()                          //nolint:errcheck // it was told to end
	})
	d := &daemon{t: t}
	init := ""
	d.eventually("systemd runs", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", boot.Process.Pid))
		if fields := strings.Fields(string(children)); err == nil && len(fields) > 0 {
			init = fields[0]
		}
		// A unit of the container that fails makes it "degraded", which is no concern of ours.
		out, _ := exec.Command("nsenter", "-t", init, "-m", "-u", "-i", "-n", "-p", "systemctl", "is-system-running").Output()
		return slices.Contains([]string{"running", "degraded"}, strings.TrimSpace(string(out)))
	})
	in := func(args ...string) string {
		return run(t, "nsenter", append([]string{"-t", init, "-m", "-u", "-i", "-n", "-p"}, args...)...)
	}
	outside := func(args ...string) string { // our own programs, in its network
		out, _ := exec.Command("nsenter", append([]string{"-t", init, "-n"}, args...)...).Output()
		return strings.TrimSpace(string(out))
	}
	state := func(unit, property string) string {
		return strings.TrimSpace(in("systemctl", "show", "--value", "-p", property, unit))
	}
	resolves := func() bool {
		return outside("dig", "+short", "+tries=1", "+time=1", "@127.0.0.1", "here.marathon.mesos") != ""
	}

	in("systemctl", "enable", "--now", "rollcall")
	d.eventually("the API answers", func() bool { return outside("curl", "-s", "http://127.0.0.1:8080/ping") == "pong" })
	outside("curl", "-s", "-X", "POST", "http://127.0.0.1:8080/v2/apps", "-d",
		`{"id": "here", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16}`)
	d.eventually("the app's name resolves", resolves)
	task := strings.TrimSpace(in("pgrep", "-f", "^sleep 3600$"))
	if group := in("cat", "/proc/"+task+"/cgroup"); !strings.Contains(group, "rollcall.service") {
		t.Errorf("the task is not below the unit: %s", group)
	}
	same := func(when string) {
		t.Helper()
		d.eventually("the name resolves "+when, resolves)
		if now := strings.TrimSpace(in("pgrep", "-f", "^sleep 3600$")); now != task {
			t.Errorf("%s the task is process %s, it was %s", when, now, task)
		}
	}
	in("systemctl", "reload", "rollcall")
	same("after a reload")
	in("systemctl", "restart", "rollcall")
	same("after a restart")
	before := state("rollcall", "MainPID")
	in("systemctl", "kill", "--kill-who=main", "--signal=KILL", "rollcall")
	d.eventually("systemd starts it again", func() bool {
		now := state("rollcall", "MainPID")
		return now != "0" && now != before && state("rollcall", "ActiveState") == "active"
	})
	same("after a crash")
	in("systemctl", "stop", "rollcall")
	if now := strings.TrimSpace(in("pgrep", "-f", "^sleep 3600$")); now != task {
		t.Errorf("the task did not survive the stop: process %s, it was %s", now, task)
	}
	in("systemctl", "start", "rollcall")
	same("after a stop and a start")
	outside("curl", "-s", "-X", "DELETE", "http://127.0.0.1:8080/v2/apps/here")
	d.eventually("the app is gone", func() bool { return !resolves() })
	in("systemctl", "disable", "--now", "rollcall")

	// No ZooKeeper is there. That is no reason to end, and what is asked gets an answer.
	in("systemctl", "start", "rollcall-dns")
	d.eventually("the DNS-only unit answers", func() bool {
		return strings.Contains(outside("dig", "+tries=1", "+time=1", "@127.0.0.1", "mesos", "SOA"), "status: NOERROR")
	})
	if who := strings.TrimSpace(in("ps", "-o", "user=", "-p", state("rollcall-dns", "MainPID"))); who != "rollcall" {
		t.Errorf("the DNS-only unit runs as %q", who)
	}
	in("dpkg", "--remove", "rollcall")
	if active := state("rollcall-dns", "ActiveState"); active != "inactive" {
		t.Errorf("after dpkg --remove the unit is %s", active)
	}
}

// The binary for arm64 works, as far as an emulator tells.
func TestPackageForARM(t *testing.T) {
	dir := packages(t)
	require(t, "qemu-aarch64-static", "dig")
	emulated := func(args ...string) *exec.Cmd {
		return exec.Command("qemu-aarch64-static", append([]string{filepath.Join(dir, "rollcall-linux-arm64")}, args...)...)
	}
	if out, err := emulated("version").CombinedOutput(); err != nil || len(out) < 4 {
		t.Fatalf("%v %s", err, out)
	}
	d := &daemon{t: t, dir: t.TempDir()}
	t.Cleanup(d.cleanUp)
	c := newConfig(d.dir)
	c["masters"] = []string{"127.0.0.1:1"} // nobody: the names of the server itself are enough
	delete(c, "scheduler")
	d.write(c)
	d.launch(emulated("-config=" + filepath.Join(d.dir, "config.json")))
	d.eventually("it answers", func() bool { return len(d.addresses("ns1.mesos")) == 1 })
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
