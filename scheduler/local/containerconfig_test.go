package local

import (
	"encoding/json"
	"flag"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/network"

	"rollcall/scheduler"
)

var update = flag.Bool("update", false, "write the golden files anew")

// configTask is a task of the test with an image, on a network.
func configTask(mode scheduler.NetworkMode, change func(*scheduler.TaskInfo)) scheduler.TaskInfo {
	t := scheduler.TaskInfo{ID: "db_crate.instance-1._app.1", FrameworkID: "f", Resources: scheduler.Resources{CPUs: 0.5, Mem: 64},
		Container: image(scheduler.Docker{Image: "crate/crate:0.47.3"}), Networks: []scheduler.Network{{Mode: mode}}}
	if mode == scheduler.NetworkContainer {
		t.Networks[0].Name = "weave"
	}
	if change != nil {
		change(&t)
	}
	return t
}

// TestContainerConfig compares what Docker is asked for with testdata/container/*.json.
func TestContainerConfig(t *testing.T) {
	port, free := 4200, 31000
	dns := ContainerDNS{Server: netip.MustParseAddrPort("0.0.0.0:53"), Search: []string{"marathon.crate"}}
	tests := map[string]scheduler.TaskInfo{
		"host": configTask(scheduler.NetworkHost, func(t *scheduler.TaskInfo) {
			t.Shell, t.User = "crate -Des.zen.discovery.minimum_master_nodes=2", "crate"
			t.Env = map[string]string{"CRATE_HEAP_SIZE": "1024m", "bad=name": "x"}
			t.Container.Docker.Privileged = true
			t.Container.Volumes = []scheduler.Volume{{ContainerPath: "/tmp", HostPath: "/tmp", Mode: "RO"}, {ContainerPath: "/data", HostPath: "/data/crate", Mode: "RW"}}
		}),
		"bridge": configTask(scheduler.NetworkBridge, func(t *scheduler.TaskInfo) {
			t.Args = []string{"crate", "-v"}
			t.Container.Volumes = []scheduler.Volume{{ContainerPath: "/anonymous"}, {ContainerPath: "rel", HostPath: "data", Mode: "RW"}}
			t.Container.PortMappings = []scheduler.PortMapping{{ContainerPort: 4200, HostPort: &port, Protocol: "udp,tcp"}, {ContainerPort: 4300, HostPort: &free, Protocol: "tcp"}}
		}),
		"network": configTask(scheduler.NetworkContainer, func(t *scheduler.TaskInfo) {
			t.Container.PortMappings = []scheduler.PortMapping{{ContainerPort: 4200, Protocol: "tcp"}}
			t.Container.Docker.Parameters = parameters("network-alias=db", "dns-search=own.example")
		}),
		"parameters": configTask(scheduler.NetworkBridge, func(t *scheduler.TaskInfo) {
			t.Container.Docker.Parameters = parameters("add-host=a:10.0.0.1", "cap-add=NET_ADMIN", "cap-drop=MKNOD", "device=/dev/null:/dev/n:r",
				"dns=10.0.0.2", "dns-opt=ndots:2", "entrypoint=/e", "env=A=b=c", "group-add=7", "hostname=h", "init=true", "ipc=host",
				"label=l=m", "lxc-conf=...", "memory-swap=1g", "pid=host", "pids-limit=9", "read-only=true", "rm=true", "security-opt=no-new-privileges",
				"shm-size=64m", "sysctl=net.core.somaxconn=1024", "tmpfs=/run:size=1m", "ulimit=nofile=10:20", "ulimit=memlock=-1", "user=7:8",
				"volume=/a:/b:ro", "volume=/anonymous", "volumes-from=another-container", "workdir=/w", "network=none")
		}),
	}
	for name, task := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec{Task: task, Address: netip.MustParseAddr("127.0.1.2"), LogMaxSize: 10 << 20, Container: &containerSpec{DNS: dns}}
			got, err := containerConfig(s, "/var/lib/rollcall/local/tasks/a", map[string]netip.Addr{
				"bridge": netip.MustParseAddr("172.17.0.1"), "weave": netip.MustParseAddr("10.32.0.1")})
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.MarshalIndent(withoutZeros(t, got), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "container", name+".json")
			if *update {
				if err := os.WriteFile(golden, append(data, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(data)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func parameters(options ...string) (out []scheduler.Parameter) {
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		out = append(out, scheduler.Parameter{Key: key, Value: value})
	}
	return out
}

// withoutZeros leaves of a value's JSON what says something.
func withoutZeros(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	var prune func(m map[string]any)
	prune = func(m map[string]any) {
		maps.DeleteFunc(m, func(_ string, v any) bool {
			if inner, ok := v.(map[string]any); ok {
				empty := len(inner) == 0
				prune(inner)
				return len(inner) == 0 && !empty
			}
			return v == nil || v == "" || v == false || v == 0.0
		})
	}
	prune(all)
	delete(all["HostConfig"].(map[string]any), "ConsoleSize")
	return all
}

func TestContainerConfigRefuses(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*scheduler.TaskInfo)
	}{
		{"volume outside", "leaves the sandbox", func(t *scheduler.TaskInfo) {
			t.Container.Volumes = []scheduler.Volume{{ContainerPath: "/a", HostPath: "../..", Mode: "RW"}}
		}},
		{"colon", "no paths with a colon", func(t *scheduler.TaskInfo) {
			t.Container.Volumes = []scheduler.Volume{{ContainerPath: "/a:/etc", HostPath: "/b", Mode: "RO"}}
		}},
		{"port", "container port 0/tcp", func(t *scheduler.TaskInfo) {
			t.Container.PortMappings = []scheduler.PortMapping{{Protocol: "tcp"}}
		}},
		{"own label", "engine's own", func(t *scheduler.TaskInfo) {
			t.Container.Docker.Parameters = parameters("label=rollcall.task=another")
		}},
		{"other network", "want \"none\"", func(t *scheduler.TaskInfo) { t.Container.Docker.Parameters = parameters("network=host") }},
		{"ulimit", "name=soft", func(t *scheduler.TaskInfo) { t.Container.Docker.Parameters = parameters("ulimit=nofile") }},
		{"size", "is not a size", func(t *scheduler.TaskInfo) { t.Container.Docker.Parameters = parameters("shm-size=9999999999g") }},
		{"unknown", "not supported", func(t *scheduler.TaskInfo) { t.Container.Docker.Parameters = parameters("publish=1:1") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := spec{Task: configTask(scheduler.NetworkBridge, test.change), Container: &containerSpec{}}
			if _, err := containerConfig(s, "/d/tasks/a", nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want in it %q", err, test.want)
			}
		})
	}
}

// The API refuses what the engine does not know, by the same names.
func TestDockerParameterNames(t *testing.T) {
	if diff := cmp.Diff(scheduler.DockerParameters(), slices.Sorted(maps.Keys(dockerParameters))); diff != "" {
		t.Errorf("-scheduler +engine:\n%s", diff)
	}
	if scheduler.KnownDockerParameter("publish") || !scheduler.KnownDockerParameter("ulimit") {
		t.Error("KnownDockerParameter does not know")
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1048576": 1 << 20, "12b": 12, "3k": 3 << 10, "3kb": 3 << 10, "64m": 64 << 20, "64M": 64 << 20, "1g": 1 << 30, "2GB": 2 << 30} {
		if got, err := parseBytes(text); err != nil || got != want {
			t.Errorf("%s is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "m", "-1", "1t", "1.5g", "99999999999g"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestNameserver(t *testing.T) {
	gateway := netip.MustParseAddr("172.17.0.1")
	const host, bridge = scheduler.NetworkHost, scheduler.NetworkBridge
	tests := []struct {
		server  string
		mode    scheduler.NetworkMode
		gateway netip.Addr
		want    string // "": none
		why     string
	}{
		{"", bridge, gateway, "", ""},
		{"0.0.0.0:53", host, netip.Addr{}, "127.0.0.1", ""},
		{"0.0.0.0:53", bridge, gateway, "172.17.0.1", ""},
		{"[::]:53", bridge, gateway, "172.17.0.1", ""},
		{"0.0.0.0:53", bridge, netip.Addr{}, "", "no gateway"},
		{"10.0.0.5:53", host, netip.Addr{}, "10.0.0.5", ""},
		{"10.0.0.5:53", bridge, gateway, "10.0.0.5", ""},
		{"127.0.0.1:53", host, netip.Addr{}, "127.0.0.1", ""},
		{"127.0.0.1:53", bridge, gateway, "", "cannot reach"},
		{"0.0.0.0:8053", host, netip.Addr{}, "", "port 8053"},
	}
	for _, test := range tests {
		var dns ContainerDNS
		if test.server != "" {
			dns.Server = netip.MustParseAddrPort(test.server)
		}
		got, err := dns.nameserver(test.mode, test.gateway)
		if (err != nil) != (test.why != "") || err != nil && !strings.Contains(err.Error(), test.why) ||
			got.IsValid() != (test.want != "") || got.IsValid() && got.String() != test.want {
			t.Errorf("%s on %s: %v (%v), want %s", test.server, test.mode, got, err, test.want)
		}
	}
}

func TestContainerNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, labels := range []map[string]string{
		containerLabels("f", "/d", "a"), containerLabels("f", "/e", "a"), containerLabels("g", "/d", "a"),
		containerLabels("f", "/d", "a/b"), containerLabels("f", "/d", "a b"), containerLabels("f", "/d", scheduler.TaskID(strings.Repeat("x", 300))),
	} {
		name := containerName(labels)
		if seen[name] || len(name) > 200 || strings.ContainsAny(name, "/ ") {
			t.Errorf("name %q", name)
		}
		seen[name] = true
	}
}

func TestGatewayOf(t *testing.T) {
	subnet := network.IPAMConfig{Subnet: netip.MustParsePrefix("10.9.0.0/16")}
	given := network.IPAMConfig{Subnet: subnet.Subnet, Gateway: netip.MustParseAddr("10.9.0.254")}
	for want, configs := range map[string][]network.IPAMConfig{"10.9.0.1": {subnet}, "10.9.0.254": {given}, "invalid IP": nil} {
		if got := gatewayOf(network.Inspect{Network: network.Network{IPAM: network.IPAM{Config: configs}}}); got.String() != want {
			t.Errorf("gateway is %s, want %s", got, want)
		}
	}
}

func TestContainerOutcome(t *testing.T) {
	c := &containerRun{spec: spec{Task: scheduler.TaskInfo{Resources: scheduler.Resources{Mem: 32}}}}
	tests := []struct {
		end     containerEnd
		kill    *killRequest
		state   scheduler.TaskState
		message string
	}{
		{containerEnd{known: true}, nil, scheduler.TaskFinished, "Container exited with status 0"},
		{containerEnd{known: true, code: 137}, nil, scheduler.TaskFailed, "Container exited with status 137"},
		{containerEnd{known: true, code: 137, outOfMemory: true}, nil, scheduler.TaskFailed, "Memory limit exceeded: Requested: 32MB (Container exited with status 137)"},
		{containerEnd{known: true, code: 143}, &killRequest{}, scheduler.TaskKilled, "Container exited with status 143"},
		{containerEnd{known: true, code: 143}, &killRequest{Message: "unhealthy"}, scheduler.TaskKilled, "unhealthy"},
		{containerEnd{}, nil, scheduler.TaskFailed, "Container is gone: it was removed by somebody else"},
	}
	for _, test := range tests {
		if got := c.outcome(test.end, test.kill); got.State != test.state || got.Message != test.message {
			t.Errorf("%+v is %s %q, want %s %q", test.end, got.State, got.Message, test.state, test.message)
		}
	}
}
