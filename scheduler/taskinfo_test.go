package scheduler

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// launched runs an app on a cluster and returns the task it got.
func launched(t *testing.T, a *App) (*Instance, TaskInfo) {
	t.Helper()
	c := newCluster(t, 42, 1)
	c.must(put(a))
	c.settle()
	for _, task := range c.tasks {
		return c.core.State().Instance(InstanceIDOf(task.info.ID)), task.info
	}
	t.Fatal("nothing was launched")
	return nil, TaskInfo{}
}

func TestEnvironment(t *testing.T) {
	i, task := launched(t, app("/a/b", 1, func(a *App) {
		a.Labels = map[string]string{"tier-1": "front", "HAPROXY_GROUP": "external"}
		a.Env = map[string]EnvValue{"PORT_9000": {Text: "mine"}, "X": {Text: "y"}}
		a.RequirePorts = true
		a.PortDefinitions = []PortDefinition{{Port: 9000, Protocol: "tcp", Name: "web-ui"}, {Port: 9001, Protocol: "udp,tcp"}}
	}))
	want := map[string]string{
		"HOST": "host0", "MESOS_TASK_ID": string(task.ID),
		"MARATHON_APP_INDEX": "0",
		"MARATHON_APP_ID":    "/a/b", "MARATHON_APP_VERSION": i.AppVersion.String(),
		"MARATHON_APP_RESOURCE_CPUS": "0.1", "MARATHON_APP_RESOURCE_MEM": "16.0", "MARATHON_APP_RESOURCE_DISK": "0.0",
		"MARATHON_APP_RESOURCE_GPUS": "0", "MARATHON_APP_LABELS": "HAPROXY_GROUP TIER_1",
		"MARATHON_APP_LABEL_TIER_1": "front", "MARATHON_APP_LABEL_HAPROXY_GROUP": "external",
		"PORT": "9000", "PORTS": "9000,9001", "PORT0": "9000", "PORT1": "9001", "PORT_9001": "9001",
		"PORT_WEB-UI": "9000", "PORT_WEB_UI": "9000", "PORT_9000": "mine", "X": "y",
	}
	if diff := cmp.Diff(want, task.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if task.Name != "b.a" {
		t.Errorf("name %q", task.Name)
	}
	ports := []DiscoveryPort{{Number: 9000, Name: "web-ui", Protocol: "tcp"}, {Number: 9001, Protocol: "udp"}, {Number: 9001, Protocol: "tcp"}}
	if diff := cmp.Diff(ports, i.DiscoveryPorts()); diff != "" {
		t.Errorf("discovery (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(PortRange{{9000, 9001}}, task.Resources.Ports); diff != "" {
		t.Errorf("ports held (-want +got):\n%s", diff)
	}
}

// TestEnforcedRole tells tasks their role where their top-level group wants it of all its apps.
func TestEnforcedRole(t *testing.T) {
	for _, enforced := range []bool{false, true} {
		c := newCluster(t, 42, 1)
		c.must(Update{Change: func(d *Draft) error {
			d.PutGroup(&Group{ID: "/dev", EnforceRole: &enforced, Version: d.Version()})
			for _, id := range []PathID{"/dev/team/web", "/top"} {
				d.PutApp(app(id, 1, func(a *App) { a.Role = "dev" }))
			}
			return nil
		}})
		c.settle()
		for _, task := range c.tasks {
			want := enforced && task.info.Name == "web.team.dev"
			if role, told := task.info.Env["MARATHON_APP_ENFORCE_GROUP_ROLE"]; told != want || told && role != "dev" {
				t.Errorf("enforced %v: %s is told %q, %v", enforced, task.info.Name, role, told)
			}
		}
		if len(c.tasks) != 2 {
			t.Fatalf("%d tasks", len(c.tasks))
		}
	}
}

// TestExpandedEnvironment puts what a task gets into the app's own variables, where the app asks for it.
func TestExpandedEnvironment(t *testing.T) {
	const text = "http://${HOST}:${PORT0}/${MARATHON_APP_ID} ${X} ${nothing} $${HOST} $HOST"
	for expand, want := range map[bool]string{
		false: text,
		true:  "http://host0:9000//a ${X} ${nothing} ${HOST} $HOST", // its own variables are no part of it
	} {
		_, task := launched(t, app("/a", 1, func(a *App) {
			a.ExpandEnv, a.RequirePorts = expand, true
			a.PortDefinitions = []PortDefinition{{Port: 9000, Protocol: "tcp"}}
			a.Env = map[string]EnvValue{"URL": {Text: text}, "X": {Text: "${URL}"}, "HOST": {Text: "mine"}}
		}))
		if task.Env["URL"] != want || task.Env["X"] != "${URL}" || task.Env["HOST"] != "mine" {
			t.Errorf("expandEnv %v: %v", expand, task.Env)
		}
	}
}

func TestPortsOfEachNetworkMode(t *testing.T) {
	zero, fixed := 0, 9005
	mapped := func(mode NetworkMode, name string, m ...PortMapping) func(*App) {
		return func(a *App) {
			a.PortDefinitions = nil
			a.Networks = []Network{{Mode: mode, Name: name}}
			a.Container = &Container{Type: ContainerDocker, Docker: &Docker{Image: "crate"}, PortMappings: m}
		}
	}
	i, task := launched(t, app("/bridge", 1, mapped(NetworkBridge, "",
		PortMapping{ContainerPort: 4200, HostPort: &fixed, Protocol: "tcp", Name: "http"},
		PortMapping{ContainerPort: 0, HostPort: &zero, Protocol: "tcp"})))
	if i.HostPorts[0] != 9005 || i.EffectivePort(0) != 9005 || task.Env["PORT_4200"] != "9005" || task.Env["PORT_HTTP"] != "9005" {
		t.Errorf("fixed host port: %v, environment %v", i.HostPorts, task.Env)
	}
	if m := task.Container.PortMappings[1]; m.ContainerPort != i.HostPorts[1] || *m.HostPort != i.HostPorts[1] || m.ContainerPort == 0 {
		t.Errorf("container port 0 became %+v; host ports %v", m, i.HostPorts)
	}
	if d := i.DiscoveryPorts()[0]; d.Container || d.Labels["network-scope"] != "host" || d.Number != 9005 {
		t.Errorf("discovery: %+v", d)
	}

	i, task = launched(t, app("/overlay", 1, mapped(NetworkContainer, "weave",
		PortMapping{ContainerPort: 4300, Protocol: "tcp"}, PortMapping{Protocol: "tcp"})))
	if _, has := task.Env["PORT"]; !has || task.Env["PORT0"] != "4300" || task.Env["PORT_4300"] != "4300" {
		t.Errorf("environment %v", task.Env)
	}
	if made := i.EffectivePort(1); made < 1025 || task.Env["PORTS"] != task.Env["PORT1"] || task.Container.PortMappings[1].ContainerPort != made {
		t.Errorf("made up %d; environment %v", made, task.Env)
	}
	if d := i.DiscoveryPorts()[0]; !d.Container || d.Number != 4300 || d.Labels["network-name"] != "weave" {
		t.Errorf("discovery: %+v", d)
	}

	// Of a port in the container there is one for each network that it is open on.
	several := mapped(NetworkContainer, "weave", PortMapping{ContainerPort: 80, Protocol: "udp,tcp", Labels: map[string]string{"l": "v"}},
		PortMapping{ContainerPort: 81, Protocol: "tcp", NetworkNames: []string{"calico"}},
		PortMapping{ContainerPort: 82, HostPort: &fixed, Protocol: "tcp", NetworkNames: []string{"weave"}})
	i, _ = launched(t, app("/several", 1, several, func(a *App) { a.Networks = append(a.Networks, Network{Mode: NetworkContainer, Name: "calico"}) }))
	var got []string
	for _, d := range i.DiscoveryPorts() {
		got = append(got, fmt.Sprintf("%d %s %v %v", d.Number, d.Protocol, d.Container, d.Labels))
	}
	if want := []string{
		"80 udp true map[l:v network-name:weave network-scope:container]", "80 udp true map[l:v network-name:calico network-scope:container]",
		"80 tcp true map[l:v network-name:weave network-scope:container]", "80 tcp true map[l:v network-name:calico network-scope:container]",
		"81 tcp true map[network-name:calico network-scope:container]", "9005 tcp false map[network-scope:host]",
	}; !slices.Equal(got, want) {
		t.Errorf("discovery on two networks:\n%s", strings.Join(got, "\n"))
	}

	i, _ = launched(t, app("/none", 1, func(a *App) { a.PortDefinitions = []PortDefinition{} }))
	if len(i.HostPorts) != 0 || len(i.DiscoveryPorts()) != 0 {
		t.Errorf("an app without ports has %v", i.HostPorts)
	}
}

func TestProbesGoWhereTheTaskIsReached(t *testing.T) {
	zero := 0
	check := func(a *App) {
		a.HealthChecks = []HealthCheck{{Protocol: ProtocolHTTP, PortIndex: &zero, IntervalSeconds: 1, TimeoutSeconds: 2, Path: "/up"}}
	}
	i := &Instance{App: app("/a", 1, check), Address: netip.MustParseAddr("127.0.1.2"), HostPorts: []int{31007}}
	if got, ok := i.portAddress(0); !ok || got != "127.0.1.2:31007" {
		t.Errorf("host network: %s %v", got, ok)
	}
	overlay := app("/b", 1, check)
	overlay.Networks = []Network{{Mode: NetworkContainer, Name: "weave"}}
	overlay.Container = &Container{PortMappings: []PortMapping{{ContainerPort: 80, Protocol: "tcp"}}}
	i = &Instance{App: overlay, Address: netip.MustParseAddr("127.0.1.2"), HostPorts: []int{0},
		Addresses: []netip.Addr{netip.MustParseAddr("fd00::7")}}
	if got, ok := i.portAddress(0); !ok || got != "[fd00::7]:80" {
		t.Errorf("container network: %s %v", got, ok)
	}
}
