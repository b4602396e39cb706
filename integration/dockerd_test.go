package integration

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideVariable is set in the process that has namespaces of its own: to a directory, such as for the Docker Engine,
// which the process outside removes when no mount is left in it.
const insideVariable = "ROLLCALL_TEST_INSIDE"

// TestDocker runs containers with a Docker Engine of its own. All of it, this process too, is in namespaces of its own:
// in that network the ports of DNS, Crate and Cassandra are free, whatever else this machine runs, its firewall rules
// are not touched, and nothing is left when the last process is gone.
func TestDocker(t *testing.T) {
	if os.Getenv(insideVariable) == "" {
		runInside(t, "dockerd", "docker", "busybox", "dig", "getent")
		return
	}
	e := startDocker(t)
	e.makeImages()
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, *dockerEngine)
	}{
		{"CrateUnicast", crateUnicast},
		{"CrateWeave", crateWeave},
		{"CassandraNestedGroup", cassandraNested},
		{"Cluster", cassandraCluster},
		{"Ubuntu", ubuntu},
		{"Seeds", seedsInContainers},
		{"ContainerNetwork", containerNetwork},
		{"Failures", containerFailures},
		{"Restart", restartBesideOthers},
		{"Image", imageOfRollcall},
		{"Hang", dockerHangs},
		{"Many", manyContainers},
	} {
		t.Run(scenario.name, func(t *testing.T) { scenario.run(t, e.with(t)) })
	}
}

// runInside runs a test in another process with namespaces of its own. It takes programs.
func runInside(t *testing.T, programs ...string) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin") // where Debian has dockerd and iptables
	require(t, append(programs, "unshare", "ip")...)
	command := []string{"unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		command = append([]string{"sudo", "-n", "--preserve-env=PATH,CI,ROLLCALL_BINARY,ROLLCALL_CONTAINERS,ROLLCALL_NEMESIS,ROLLCALL_NEMESIS_SEED," + insideVariable}, command...)
	}
	if out, err := exec.Command(command[0], append(command[1:], "true")...).CombinedOutput(); err != nil {
		problem := fmt.Sprintf("there are no namespaces without the rights of root: %s: %v: %s", command, err, bytes.TrimSpace(out))
		if os.Getenv("CI") == "true" {
			t.Fatal(problem)
		}
		t.Skip("SKIPPED: " + problem)
	}
	pattern := "^" + t.Name() + "$"
	if _, scenario, ok := strings.Cut(flag.Lookup("test.run").Value.String(), "/"); ok {
		pattern += "/" + scenario
	}
	// The shell is the namespace's process 1, which has to take note of the end of orphans.
	command = append(command, "sh", "-c", `"$0" "$@"; exit $?`, os.Args[0], "-test.v", "-test.run", pattern)
	if deadline, ok := t.Deadline(); ok {
		command = append(command, "-test.timeout", (time.Until(deadline) - 5*time.Second).String())
	}
	dir, err := os.MkdirTemp("", "inside") // short: the paths of sockets may have no more than 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // in the directory for such things
	inside := exec.CommandContext(t.Context(), command[0], command[1:]...)
	inside.Env = append(os.Environ(), insideVariable+"="+dir, "ROLLCALL_BINARY="+binary)
	out, err := inside.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("\n%s", out)
	}
}

// Addresses of the agents. Unlike those of loopback, containers on networks of their own reach them.
var dockerAgents = []string{"10.77.0.1", "10.77.0.2", "10.77.0.3"}

// dockerEngine is a Docker Engine that this test started.
type dockerEngine struct {
	t       *testing.T
	dir     string
	process *exec.Cmd
}

// with is the engine for a subtest. What a failed one leaves does not get into the way of the next.
func (e *dockerEngine) with(t *testing.T) *dockerEngine {
	sub := &dockerEngine{t: t, dir: e.dir, process: e.process}
	t.Cleanup(func() {
		if left := sub.docker("ps", "--all", "--quiet"); len(left) > 0 {
			t.Errorf("containers are left: %v", left)
			sub.docker(append([]string{"rm", "--force"}, left...)...)
		}
	})
	return sub
}

func (e *dockerEngine) socket() string { return "unix://" + filepath.Join(e.dir, "docker.sock") }

// startDocker starts dockerd with everything of its own. The end of the namespaces ends it.
func startDocker(t *testing.T) *dockerEngine {
	t.Helper()
	run(t, "ip", "link", "set", "lo", "up")
	for _, a := range dockerAgents {
		run(t, "ip", "address", "add", a+"/32", "dev", "lo")
	}
	shadowData(t)
	e := &dockerEngine{t: t, dir: os.Getenv(insideVariable)}
	e.configure()
	log, err := os.Create(e.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	e.process = exec.Command("dockerd", "--config-file", e.path("daemon.json"), "--host", e.socket(),
		"--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("pid"))
	e.process.Stdout, e.process.Stderr = log, log
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		e.process.Wait() //nolint:errcheck // the log tells
		close(exited)
	}()
	t.Cleanup(func() {
		e.process.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		<-exited
		if t.Failed() {
			log, _ := os.ReadFile(e.path("log"))
			t.Logf("the end of dockerd's log:\n%s", log[max(0, len(log)-8192):])
		}
	})
	eventually(t, "dockerd answers", func() bool {
		select {
		case <-exited:
			log, _ := os.ReadFile(e.path("log"))
			t.Fatalf("dockerd ended:\n%s", log)
		default:
		}
		return e.command("version").Run() == nil
	})
	return e
}

// configure writes the engine's configuration. Where root has not all capabilities, as in many a CI's machines, no
// container can have all of them, which is what privileged means to Docker; there they get those that there are.
func (e *dockerEngine) configure() {
	e.t.Helper()
	settings := "{}"
	if missing := missingCapabilities(e.t); len(missing) > 0 {
		settings = fmt.Sprintf(`{"runtimes": {"present": {"path": %q}}, "default-runtime": "present"}`, e.path("runc"))
		e.write(e.dir, "runc", fmt.Sprintf(`#!/bin/sh
for word; do
	case $before in
	--bundle) file=$word/config.json ;;
	--process) file=$word ;;
	esac
	before=$word
done
[ -z "$file" ] || sed -i -E 's/"CAP_(%s)"/"CAP_CHOWN"/g' "$file"
exec runc "$@"
`, strings.ToUpper(strings.Join(missing, "|"))), 0o755)
	}
	e.write(e.dir, "daemon.json", settings, 0o600)
}

// missingCapabilities are those that nobody can have here.
func missingCapabilities(t *testing.T) []string {
	t.Helper()
	all, err := exec.Command("setpriv", "--list-caps").Output()
	if err != nil {
		t.Fatal(err)
	}
	dump, err := exec.Command("setpriv", "--dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, bounding, _ := strings.Cut(string(dump), "Capability bounding set: ")
	bounding, _, _ = strings.Cut(bounding, "\n")
	present := strings.Split(bounding, ",")
	return slices.DeleteFunc(strings.Fields(string(all)), func(name string) bool { return slices.Contains(present, name) })
}

// shadowData puts an empty directory where a seed has its data, for this mount namespace only.
func shadowData(t *testing.T) {
	t.Helper()
	if err := os.Mkdir("/data", 0o755); err == nil {
		t.Cleanup(func() {
			syscall.Unmount("/data", syscall.MNT_DETACH) //nolint:errcheck // then it cannot be removed either
			os.Remove("/data")                           //nolint:errcheck // an empty directory
		})
	} else if !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	run(t, "mount", "-t", "tmpfs", "tmpfs", "/data")
}

func (e *dockerEngine) path(name string) string { return filepath.Join(e.dir, name) }

func (e *dockerEngine) command(args ...string) *exec.Cmd {
	return exec.Command("docker", append([]string{"--host", e.socket()}, args...)...)
}

// docker runs a command of the docker client and returns the lines of its output.
func (e *dockerEngine) docker(args ...string) []string {
	e.t.Helper()
	out, err := e.command(args...).Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s%s", err, failed.Stderr, out)
		}
		e.t.Fatalf("docker %v: %v", args, err)
	}
	if text := strings.TrimSpace(string(out)); text != "" {
		return strings.Split(text, "\n")
	}
	return nil
}

// containers lists the ids of all containers, with those that ended, that have a label.
func (e *dockerEngine) containers(label string) []string {
	e.t.Helper()
	return e.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+label)
}

// containerOf is the container of a task that runs.
func (e *dockerEngine) containerOf(task string) string {
	e.t.Helper()
	ids := e.containers("rollcall.task=" + task)
	if len(ids) != 1 {
		e.t.Fatalf("task %s has the containers %v", task, ids)
	}
	return ids[0]
}

// start runs a rollcall that uses the engine, serves DNS to containers, and leaves none of them behind.
func (e *dockerEngine) start(domain string) *daemon {
	e.t.Helper()
	return e.startWith(e.config(e.t.TempDir(), domain, 53))
}

func (e *dockerEngine) startWith(c config) *daemon {
	e.t.Helper()
	d := start(e.t, c)
	e.t.Cleanup(func() { e.clear(d) })
	return d
}

func (e *dockerEngine) config(dir, domain string, dnsPort int) config {
	c := newConfig(dir)
	c["domain"], c["listener"], c["port"], c["ttl"] = domain, "0.0.0.0", dnsPort, 7
	agents := []map[string]any{}
	for _, a := range dockerAgents {
		agents = append(agents, map[string]any{"address": a})
	}
	c["scheduler"].(map[string]any)["local"] = map[string]any{"docker": e.socket(), "agents": agents, "cpus": 8, "mem": 16384}
	return c
}

// clear removes all apps and waits until all of their containers are gone. Their grace is not waited for.
func (e *dockerEngine) clear(d *daemon) {
	e.t.Helper()
	d.must(http.StatusOK, http.MethodDelete, "/v2/groups?force=true", "")
	d.eventually("no task is left", func() bool {
		var all struct{ Tasks []task }
		d.get("/v2/tasks", &all)
		for _, k := range all.Tasks {
			for _, id := range e.containers("rollcall.task=" + k.ID) {
				e.command("kill", id).Run() //nolint:errcheck // it may have ended meanwhile
			}
		}
		return len(all.Tasks) == 0
	})
	d.eventually("no container of its own is left", func() bool { return len(e.containers("rollcall.dir="+filepath.Join(d.dir, "data", "local"))) == 0 })
}

// The programs that stand in for those of the images. Each binds the address of its agent if it has that, as on the
// host's network; its entrypoint looks up its seeds as those of the seeds' images do.
var dockerPrograms = map[string]string{
	"crate": `#!/bin/busybox sh
until [ $(dig +search +short ${MARATHON_APP_ID#/} | wc -l) -ge 3 ]; do sleep 0.2; done
echo unicast=$(dig +search +short ${MARATHON_APP_ID#/} | sed 's/$/:4300/' | sort | paste -s -d,)
exec listen 4200 4300
`,
	"cassandra": `#!/bin/busybox sh
until [ $(dig +short $SEED | wc -l) -ge 2 ]; do sleep 0.2; done
echo seeds=$(echo $(dig +short $SEED) | tr ' ' ',')
exec listen $PORT0 $PORT1 $PORT2 $PORT3 $PORT4
`,
	"ctrl-pkw": `#!/bin/busybox sh
until wget -q -O /dev/null http://$CASSANDRA_CONTACT_POINT:9042/; do sleep 0.2; done
echo contacts=$(getent ahostsv4 $CASSANDRA_CONTACT_POINT | sed 's/ .*//' | sort -u | paste -s -d,)
exec listen 8080
`,
	"listen": `#!/bin/busybox sh
ip address | grep -q " $HOST/" && bind=$HOST || bind=0.0.0.0
trap 'kill $(jobs -p); exit 0' TERM
mkdir -p /www
echo $MESOS_TASK_ID > /www/index.html
for port; do httpd -f -p $bind:$port -h /www & done
wait
`,
}

// makeImages makes the images that the seeds name.
func (e *dockerEngine) makeImages() {
	e.t.Helper()
	root := e.path("root")
	for _, dir := range []string{"bin", "etc", "tmp", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			e.t.Fatal(err)
		}
	}
	e.copyIn(root, "busybox", "/bin/busybox")
	list, err := exec.Command("busybox", "--list").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	for applet := range strings.FieldsSeq(string(list)) {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil && applet != "busybox" {
			e.t.Fatal(err)
		}
	}
	e.write(root, "etc/nsswitch.conf", "hosts: files dns\n", 0o644)
	// As in Ubuntu, the shell is dash, which finds sleep by PATH: the clock of seed 004 would first tell the time after
	// ten seconds.
	for _, name := range []string{"bin/sh", "bin/sleep"} {
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			e.t.Fatal(err)
		}
	}
	e.copyIn(root, "dash", "/bin/sh")
	e.write(root, "bin/sleep", "#!/bin/sh\n[ \"$1\" != 10 ] || set -- 0.2\nexec busybox sleep \"$@\"\n", 0o755)
	e.importImage(root, "libmesos/ubuntu")

	e.copyIn(root, "dig", "/usr/bin/dig")
	e.copyIn(root, "getent", "/usr/bin/getent")
	for name, text := range dockerPrograms {
		e.write(root, "usr/bin/"+name, text, 0o755)
	}
	e.importImage(root, "crate/crate:0.47.3")
	for image, program := range map[string]string{"docker.touk.pl/cassandra": "cassandra", "trombka/ctrl-pkw:latest": "ctrl-pkw"} {
		id := e.docker("create", "crate/crate:0.47.3", "true")[0]
		e.docker("commit", "--change", fmt.Sprintf("ENTRYPOINT [%q]", program), id, image)
		e.docker("rm", id)
	}
}

func (e *dockerEngine) write(root, name, text string, mode os.FileMode) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(text), mode); err != nil {
		e.t.Fatal(err)
	}
}

func (e *dockerEngine) importImage(root, image string) {
	e.t.Helper()
	archive := e.path("image.tar")
	run(e.t, "tar", "-C", root, "-cf", archive, ".")
	e.docker("import", "--change", "ENV PATH=/bin:/usr/bin", archive, image)
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// copyIn puts a program of this machine into an image, with the libraries it needs.
func (e *dockerEngine) copyIn(root, program, to string) {
	e.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		e.t.Fatal(err)
	}
	files := map[string]string{path: to}
	libraries, _ := exec.Command("ldd", path).Output() // it fails for static programs
	for _, m := range library.FindAllStringSubmatch(string(libraries), -1) {
		files[m[1]] = m[1]
	}
	for from, to := range files {
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			e.t.Fatal(err)
		}
		run(e.t, "cp", "--dereference", from, to)
	}
}
