package local

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// newContainerRig starts an engine that uses a daemon, and waits until it does.
func newContainerRig(t *testing.T, d *testDaemon, o Options) *rig {
	t.Helper()
	o.Docker = d.host
	r := newRig(t, o)
	t.Cleanup(func() {
		r.stop()
		labels := containerLabels(framework, r.engine.options.Dir, "")
		delete(labels, labelTask)
		_ = d.removeTask(context.Background(), labels)
	})
	return r
}

func image(d scheduler.Docker) *scheduler.Container {
	if d.Image == "" {
		d.Image = testImage
	}
	return &scheduler.Container{Type: scheduler.ContainerDocker, Docker: &d}
}

// containers lists those of the rig.
func (r *rig) containers(d *testDaemon) int {
	r.t.Helper()
	labels := containerLabels(framework, r.engine.options.Dir, "")
	delete(labels, labelTask)
	there, err := d.list(context.Background(), labels)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(there)
}

func TestContainerRuns(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	tests := []struct {
		name           string
		task           scheduler.TaskInfo
		state          scheduler.TaskState
		message        string
		stdout, stderr string
	}{
		{"the image's", scheduler.TaskInfo{Container: image(scheduler.Docker{})},
			scheduler.TaskFinished, "Container exited with status 0", "entry echo default\ndefault\n", ""},
		{"args", scheduler.TaskInfo{Args: []string{"printf", "%s|", "a b", "$c"}, Container: image(scheduler.Docker{})},
			scheduler.TaskFinished, "Container exited with status 0", "entry printf %s| a b $c\na b|$c|", ""},
		{"cmd", scheduler.TaskInfo{Shell: "echo $X; echo no >&2; exit 3", Env: map[string]string{"X": "y"}, Container: image(scheduler.Docker{})},
			scheduler.TaskFailed, "Container exited with status 3", "y\n", "no\n"},
		{"user", scheduler.TaskInfo{Shell: "id -u", User: "daemon", Container: image(scheduler.Docker{})},
			scheduler.TaskFinished, "Container exited with status 0", "7\n", ""},
		{"no such program", scheduler.TaskInfo{Container: image(scheduler.Docker{Parameters: []scheduler.Parameter{{Key: "entrypoint", Value: "/nowhere"}}})},
			scheduler.TaskFailed, "no such file", "", ""},
		{"unknown parameter", scheduler.TaskInfo{Container: image(scheduler.Docker{Parameters: []scheduler.Parameter{{Key: "publish", Value: "1:1"}}})},
			scheduler.TaskFailed, `docker parameter "publish" is not supported`, "", ""},
		{"no such image", scheduler.TaskInfo{Container: image(scheduler.Docker{Image: "127.0.0.1:1/nothing"})},
			scheduler.TaskFailed, "pulling image 127.0.0.1:1/nothing: ", "", ""},
		{"no such network", scheduler.TaskInfo{Container: image(scheduler.Docker{}), Networks: []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: "nowhere"}}},
			scheduler.TaskFailed, `no such container network: "nowhere"`, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.task.ID = scheduler.TaskID(strings.ReplaceAll(test.name, " ", "-"))
			r.launch(test.task)
			s := r.status(test.task.ID, test.state)
			if !strings.Contains(s.Message, test.message) {
				t.Errorf("message is %q, want in it %q", s.Message, test.message)
			}
			if got := r.sandboxFile(test.task.ID, "stdout"); got != test.stdout {
				t.Errorf("stdout is %q, want %q", got, test.stdout)
			}
			if got := r.sandboxFile(test.task.ID, "stderr"); got != test.stderr {
				t.Errorf("stderr is %q, want %q", got, test.stderr)
			}
		})
	}
	eventually(t, "the removal of all containers", func() bool { return r.containers(d) == 0 })
}

func TestContainerKillWithGrace(t *testing.T) {
	d := sharedDaemon(t)
	grace := 200 * time.Millisecond
	tests := []struct{ name, cmd, message string }{
		{"obedient", "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done", "Container exited with status 0"},
		{"deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done", "Container exited with status 137"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newContainerRig(t, d, Options{})
			r.launch(scheduler.TaskInfo{ID: "a", Shell: test.cmd, Kill: &grace, Container: image(scheduler.Docker{})})
			r.status("a", scheduler.TaskRunning)
			waitFor(t, filepath.Join(r.dir("a").sandbox(), "stdout"))
			r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
			r.status("a", scheduler.TaskKilling)
			if s := r.status("a", scheduler.TaskKilled); s.Message != test.message {
				t.Errorf("message is %q, want %q", s.Message, test.message)
			}
			eventually(t, "the removal of the container", func() bool { return r.containers(d) == 0 })
		})
	}
}

func TestContainerKillAtOnce(t *testing.T) {
	d := sharedDaemon(t)
	r := newContainerRig(t, d, Options{})
	grace := time.Duration(0)
	var tasks []scheduler.TaskInfo
	for n := range 8 {
		tasks = append(tasks, scheduler.TaskInfo{ID: scheduler.TaskID("a" + strconv.Itoa(n)), AgentID: "local-S0",
			Shell: "sleep 1000", Kill: &grace, Container: image(scheduler.Docker{})})
	}
	r.engine.Accept(r.offer("local-S0").ID, tasks)
	for _, task := range tasks {
		r.engine.Kill(scheduler.TaskRef{TaskID: task.ID})
	}
	ended := map[scheduler.TaskID]bool{}
	r.until(func(e scheduler.Event) bool {
		s, ok := e.(scheduler.StatusReceived)
		if ok && s.Status.State.Terminal() {
			ended[s.Status.TaskID] = true
			if s.Status.State != scheduler.TaskKilled {
				t.Errorf("got %+v", s.Status)
			}
		}
		return len(ended) == len(tasks)
	})
	eventually(t, "the removal of the containers", func() bool { return r.containers(d) == 0 })
}

func TestContainerOutOfMemory(t *testing.T) {
	d := sharedDaemon(t)
	info, err := d.api.Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !info.Info.MemoryLimit {
		t.Skip("SKIPPED: Docker cannot limit memory on this machine")
	}
	r := newContainerRig(t, d, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "dd if=/dev/zero of=/dev/null bs=256M count=1", Container: image(scheduler.Docker{}),
		Resources: scheduler.Resources{CPUs: 0.1, Mem: 32}})
	s := r.status("a", scheduler.TaskFailed)
	if s.Reason != "REASON_CONTAINER_LIMITATION_MEMORY" || !strings.HasPrefix(s.Message, "Memory limit exceeded: Requested: 32MB") {
		t.Errorf("got %+v", s)
	}
}

// Three agents of one machine each publish the same port.
func TestContainersPublishOnTheirAgent(t *testing.T) {
	d := sharedDaemon(t)
	var agents []Agent
	for n := byte(1); n <= 3; n++ {
		agents = append(agents, Agent{Address: loopback(n), Ports: scheduler.PortRange{{Begin: 4200, End: 4200}}})
	}
	r := newContainerRig(t, d, Options{Agents: agents})
	port := 4200
	for n := range agents {
		id := scheduler.TaskID("a" + strconv.Itoa(n))
		c := image(scheduler.Docker{})
		c.PortMappings = []scheduler.PortMapping{{ContainerPort: 80, HostPort: &port, Protocol: "udp,tcp"}}
		r.launch(scheduler.TaskInfo{ID: id, AgentID: scheduler.AgentID("local-S" + strconv.Itoa(n)), Container: c,
			Shell:     "while :; do echo " + string(id) + " | nc -l -p 80; done",
			Networks:  []scheduler.Network{{Mode: scheduler.NetworkBridge}},
			Resources: scheduler.Resources{Ports: scheduler.PortRange{{Begin: 4200, End: 4200}}}})
		if s := r.status(id, scheduler.TaskRunning); len(s.Addresses) > 0 {
			t.Errorf("task on the bridge has addresses %v, want its agent's", s.Addresses)
		}
		eventually(t, "an answer of "+string(id), func() bool {
			conn, err := net.Dial("tcp", netip.AddrPortFrom(agents[n].Address, 4200).String())
			if err != nil {
				return false
			}
			defer conn.Close()
			said, _ := io.ReadAll(conn)
			return string(said) == string(id)+"\n"
		})
	}
}

func TestContainerNetwork(t *testing.T) {
	d := sharedDaemon(t)
	if _, err := d.api.NetworkCreate(t.Context(), "own", client.NetworkCreateOptions{Driver: "bridge"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = d.api.NetworkRemove(context.Background(), "own", client.NetworkRemoveOptions{}) })
	r := newContainerRig(t, d, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "hostname -i; sleep 1000", Container: image(scheduler.Docker{}),
		Networks: []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: "own"}},
		HealthCheck: &scheduler.HealthCheck{Protocol: scheduler.ProtocolCommand,
			Command: &scheduler.Command{Value: "[ \"$MESOS_SANDBOX\" = /mnt/mesos/sandbox ] && touch /checked"}, MaxConsecutiveFailures: 3, IntervalSeconds: 1}})
	s := r.status("a", scheduler.TaskRunning)
	if len(s.Addresses) != 1 || s.Addresses[0].String() != waitFor(t, filepath.Join(r.dir("a").sandbox(), "stdout")) {
		t.Errorf("addresses are %v", s.Addresses)
	}
	s = r.statusThat("a", func(s scheduler.TaskStatus) bool { return s.Healthy != nil })
	if !*s.Healthy || len(s.Addresses) != 1 {
		t.Errorf("got %+v", s)
	}
	r.stop()
	r = start(t, r.engine)
	if again := r.status("a", scheduler.TaskRunning); !slices.Equal(again.Addresses, s.Addresses) {
		t.Errorf("addresses after a restart are %v, were %v", again.Addresses, s.Addresses)
	}
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilled)
}

func TestContainerFiles(t *testing.T) {
	d := sharedDaemon(t)
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "there"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newContainerRig(t, d, Options{DNS: ContainerDNS{Server: netip.MustParseAddrPort("0.0.0.0:53"), Search: []string{"marathon.mesos"}}})
	c := image(scheduler.Docker{Parameters: []scheduler.Parameter{{Key: "ulimit", Value: "nofile=77"}, {Key: "hostname", Value: "h1"}, {Key: "env", Value: "E=f"}}})
	c.Volumes = []scheduler.Volume{{ContainerPath: "/ro", HostPath: outside, Mode: "RO"}, {ContainerPath: "/rw", HostPath: outside, Mode: "RW"},
		{ContainerPath: "/data", HostPath: "data/deep", Mode: "RW"}, {ContainerPath: "inside", HostPath: "data/deep", Mode: "RW"}}
	r.launch(scheduler.TaskInfo{ID: "a", Container: c, Networks: []scheduler.Network{{Mode: scheduler.NetworkBridge}}, Shell: `
		cat /ro/there; touch /ro/x && echo writable; touch /rw/new
		echo kept > /data/file; cat "$MESOS_SANDBOX/inside/file"; echo sandboxed > $MESOS_SANDBOX/own
		cat /etc/resolv.conf > $MESOS_SANDBOX/resolv.conf; ulimit -n; hostname; echo $E`})
	r.status("a", scheduler.TaskFinished)
	if got := r.sandboxFile("a", "stdout"); got != "xkept\n77\nh1\nf\n" {
		t.Errorf("stdout is %q, stderr %q", got, r.sandboxFile("a", "stderr"))
	}
	for name, want := range map[string]string{"data/deep/file": "kept\n", "own": "sandboxed\n"} {
		if got := r.sandboxFile("a", name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if !exists(filepath.Join(outside, "new")) || exists(filepath.Join(outside, "x")) {
		t.Error("volumes are not mounted as they should")
	}
	bridge, err := d.api.NetworkInspect(t.Context(), "bridge", client.NetworkInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.sandboxFile("a", "resolv.conf"); !strings.Contains(got, "nameserver "+gatewayOf(bridge.Network).String()+"\n") || !strings.Contains(got, "search marathon.mesos\n") {
		t.Errorf("resolv.conf is %q", got)
	}
}

// Networks of the configuration are made where they are absent, and left as they are where they are not.
func TestContainerNetworksAreMade(t *testing.T) {
	d := sharedDaemon(t)
	const name = "rollcall-test-made"
	subnet := netip.MustParsePrefix("10.199.7.0/24")
	t.Cleanup(func() { _, _ = d.api.NetworkRemove(context.Background(), name, client.NetworkRemoveOptions{}) })
	var ids []string
	for _, want := range []netip.Prefix{subnet, netip.MustParsePrefix("10.199.8.0/24")} {
		r := newContainerRig(t, d, Options{Networks: map[string]netip.Prefix{name: want, "rollcall-test-impossible": netip.MustParsePrefix("0.0.0.0/32")}})
		r.offerSaying("") // an engine that offers containers has made what it can
		there, err := d.api.NetworkInspect(t.Context(), name, client.NetworkInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, there.Network.ID)
	}
	if ids[0] != ids[1] {
		t.Errorf("the network was made a second time")
	}
	r := newContainerRig(t, d, Options{})
	task := forever("a")
	task.Networks = []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: name}}
	r.launch(task)
	if s := r.status("a", scheduler.TaskRunning); len(s.Addresses) != 1 || !subnet.Contains(s.Addresses[0]) {
		t.Errorf("its addresses are %v, want one of %s", s.Addresses, subnet)
	}
	r.engine.Kill(scheduler.TaskRef{TaskID: "a"})
	r.status("a", scheduler.TaskKilled)
	eventually(t, "the removal of the container", func() bool { return r.containers(d) == 0 })
}
