package mesos

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/integration/mesosmaster"
	"rollcall/scheduler"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew; look at each difference before it is committed")

func ptr[T any](v T) *T { return &v }

// checkCall fails where a master would refuse a call, or pass over a part of it.
func checkCall(t *testing.T, c v1Call) {
	t.Helper()
	if c.Type != callSubscribe {
		c.FrameworkID = valueOf("f-0000")
	}
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := mesosmaster.CheckCall(body); err != nil {
		t.Errorf("%s: %v\n%s", c.Type, err, body)
	}
}

// Masters take every call that is made (mesos/v1/scheduler/scheduler.proto, src/master/validation.cpp).
func TestCallsAreSound(t *testing.T) {
	e := NewEngine(EngineOptions{Framework: FrameworkInfo{Name: "marathon", User: "root", Roles: []string{"*", "eng/front"}, Checkpoint: true,
		Hostname: "h", Principal: "p", WebUIURL: "http://h:8080", GPUs: true}})
	ref := scheduler.TaskRef{TaskID: "t", AgentID: "S1"}
	for _, c := range []v1Call{
		subscribeCall(e.frameworkInfo("")), subscribeCall(e.frameworkInfo("f-0000")), acceptCall([]string{"O1", "O2"}, nil),
		declineCall([]string{"O1"}, time.Hour), acceptInverseCall([]string{"I1"}), {Type: callRevive}, {Type: callSuppress},
		killCall(ref), killCall(scheduler.TaskRef{TaskID: "t"}), reconcileCall(nil), reconcileCall([]scheduler.TaskRef{ref, {TaskID: "u"}}),
		acknowledgeCall(scheduler.TaskStatus{TaskID: "t", AgentID: "S1", Ack: "WyIREL3DQqidCxtw35vLmw=="}),
	} {
		checkCall(t, c)
	}
}

// Tasks are launched in the form in which Marathon launches them (Marathon reference, sections 5, 6, 14, 17 and 18).
func TestTaskInfo(t *testing.T) {
	host := []scheduler.Network{{Mode: scheduler.NetworkHost}}
	bridge := []scheduler.Network{{Mode: scheduler.NetworkBridge}}
	overlay := []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: "weave", Labels: map[string]string{"tier": "db"}}}
	mappings := []scheduler.PortMapping{
		{ContainerPort: 4200, HostPort: ptr(31001), Protocol: "tcp", Name: "http"},
		{ContainerPort: 53, HostPort: ptr(31002), Protocol: "udp,tcp"},
		{ContainerPort: 4300, Protocol: "tcp"},
	}
	docker := func(d scheduler.Docker, m []scheduler.PortMapping) *scheduler.Container {
		return &scheduler.Container{Type: scheduler.ContainerDocker, Docker: &d, PortMappings: m, Volumes: []scheduler.Volume{
			{ContainerPath: "/data", HostPath: "/var/data", Mode: "RW"}}}
	}
	for name, info := range map[string]scheduler.TaskInfo{
		"command": {
			Shell: "exec ./seed $PORT0", User: "www", Networks: host,
			Env: map[string]string{"PORT0": "31000", "HOST": "agent1", "MARATHON_APP_ID": "/ctrlpkw/db/cassandra-seed"},
			Fetch: []scheduler.Fetch{{URI: "http://example.com/a.tgz", Extract: true},
				{URI: "http://example.com/b", Executable: true, Cache: true, DestPath: "bin/b"}},
			Labels: map[string]string{"HAPROXY_0_VHOST": "example.com", "A": "b"},
			Kill:   ptr(30 * time.Second),
			Discovery: []scheduler.DiscoveryPort{
				{Number: 31000, Name: "cql", Protocol: "tcp", Labels: map[string]string{"VIP_0": "/db:9042"}},
				{Number: 31000, Name: "cql", Protocol: "udp"}},
			HealthCheck: &scheduler.HealthCheck{Protocol: scheduler.ProtocolCommand, GracePeriodSeconds: 300, IntervalSeconds: 60,
				TimeoutSeconds: 20, MaxConsecutiveFailures: 3, DelaySeconds: 15,
				Command: &scheduler.Command{Value: "nodetool status"}},
		},
		"arguments": {Args: []string{"/bin/echo", "hello", "you"}, Networks: host},
		"docker-host": {Shell: "crate -Des.http.port=$PORT0", Networks: host,
			Container: docker(scheduler.Docker{Image: "crate:0.47", Privileged: true, ForcePullImage: true,
				Parameters: []scheduler.Parameter{{Key: "hostname", Value: "a.example.com"}}}, nil),
			HealthCheck: &scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTPS, Port: ptr(31000), Path: "/up", IPProtocol: "IPv6",
				IntervalSeconds: 5, TimeoutSeconds: 2, MaxConsecutiveFailures: 1}},
		"docker-bridge": {Args: []string{"--verbose"}, Networks: bridge, Container: docker(scheduler.Docker{Image: "crate"}, mappings),
			HealthCheck: &scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTP, Port: ptr(31001), PortIndex: ptr(0), Path: "up",
				IntervalSeconds: 5, TimeoutSeconds: 2, MaxConsecutiveFailures: 1}},
		"docker-network":     {Networks: overlay, Container: docker(scheduler.Docker{Image: "crate"}, mappings)},
		"docker-entrypoint":  {Networks: host, Container: docker(scheduler.Docker{Image: "crate"}, nil)},
		"mesos-image-bridge": {Shell: "run", Networks: bridge, Container: &scheduler.Container{Type: scheduler.ContainerMesos, Docker: &scheduler.Docker{Image: "alpine"}, PortMappings: mappings}},
		"mesos-two-networks": {Shell: "run", Container: &scheduler.Container{Type: scheduler.ContainerMesos,
			PortMappings: []scheduler.PortMapping{{ContainerPort: 80, HostPort: ptr(31001), Protocol: "tcp", NetworkNames: []string{"b"}}}},
			Networks: []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: "a"}, {Mode: scheduler.NetworkContainer, Name: "b"}},
			HealthCheck: &scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosTCP, Port: ptr(80), IntervalSeconds: 5, TimeoutSeconds: 2,
				IPProtocol: "IPv4"}},
		"process-on-network": {Shell: "run", Networks: overlay},
		"terminal":           {Shell: "run", Networks: host, TTY: true},
	} {
		t.Run(name, func(t *testing.T) {
			info.ID, info.Name, info.AgentID = "db_crate.instance-1._app.1", "crate.db", "m-S0"
			resources := []v1Resource{{Name: "cpus", Type: "SCALAR", Scalar: &v1Scalar{0.5}, Allocation: &v1Allocation{"*"}}}
			got, err := json.MarshalIndent(taskInfo(&info, resources), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "taskinfo", name+".json")
			if *rewrite {
				if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkCall(t, acceptCall([]string{"O1"}, []v1TaskInfo{taskInfo(&info, resources)}))
		})
	}
}
