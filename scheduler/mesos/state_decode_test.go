package mesos

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cmpAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func decode(t *testing.T, document string) State {
	t.Helper()
	s, err := DecodeState(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDecodeState(t *testing.T) {
	got := decode(t, `{
		"flags": {"a": [1, {"b": 2}]}, "version": "1.12.0", "nothing": null, "id": "m1", "leader": "master@10.0.0.1:5050",
		"slaves": [{"id": "a-S0", "pid": "slave(1)@10.0.0.2:5051", "resources": {"cpus": 4, "mem": 2048.0, "disk": 100, "gpus": 0, "ports": "[1-2]"}},
			{"id": "a-S1", "pid": "slave(1)@[fd01::1]:5051", "resources": {"cpus": "four"}}],
		"recovered_slaves": [{"id": "a-S2"}],
		"completed_frameworks": [{"id": "f9", "completed_tasks": [{"id": "x"}]}],
		"frameworks": [{
			"tasks": [{
				"id": "web.1", "name": "web", "slave_id": "a-S0", "state": "TASK_RUNNING", "resources": {"cpus": 1, "ports": "[31000-31001, 31005-31005]"},
				"discovery": {"visibility": "FRAMEWORK", "name": "web", "ports": {"ports": [{"number": 80, "name": "http", "protocol": "tcp"}, {}]}},
				"statuses": [
					{"state": "TASK_STAGING", "timestamp": 9.0, "container_status": {"network_infos": [{"ip_address": "10.9.9.9"}]}},
					{"state": "TASK_RUNNING", "timestamp": 1.0},
					{"state": "TASK_RUNNING", "timestamp": 2.0,
					 "labels": [{"key": "Docker.NetworkSettings.IPAddress", "value": "172.17.0.2"}, {"key": "MesosContainerizer.NetworkSettings.IPAddress", "value": "172.17.0.3"}],
					 "container_status": {"network_infos": [{"ip_addresses": [{"ip_address": "10.1.0.1"}, {"ip_address": "010.1.0.1"}, {"ip_address": "fe80::1%eth0"}]}, {"ip_address": "10.1.0.2"}]}}]}],
			"completed_tasks": [{"id": "web.0", "state": "TASK_FINISHED"}], "unreachable_tasks": [{"id": "web.2"}],
			"name": "marathon", "id": "f1", "hostname": "h", "pid": "scheduler-1@10.0.0.9:4711"}, {"id": "f2", "name": "http", "hostname": "host.example"}]}`)
	want := State{
		Leader: "10.0.0.1:5050", MasterID: "m1",
		Agents:     []Agent{{"a-S0", Endpoint{"10.0.0.2", 5051}, Total{4, 2048, 100}}, {"a-S1", Endpoint{"fd01::1", 5051}, Total{}}},
		Frameworks: []Framework{{"f1", "marathon", Endpoint{"10.0.0.9", 4711}}, {"f2", "http", Endpoint{Host: "host.example"}}},
		Tasks: []Task{{
			FrameworkID: "f1", ID: "web.1", Name: "web", AgentID: "a-S0", State: TaskRunning, Ports: []int{31000, 31001, 31005},
			Addresses: Addresses{
				NetInfo: []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.2")},
				Docker:  []netip.Addr{netip.MustParseAddr("172.17.0.2")}, Mesos: []netip.Addr{netip.MustParseAddr("172.17.0.3")}},
			Discovery: &Discovery{Name: "web", Ports: []DiscoveryPort{{80, "http", "tcp"}, {}}},
		}},
		Recovered: []string{"a-S2"}, Ended: []TaskKey{{"f1", "web.0"}, {"f1", "web.2"}}, Completed: []string{"f9"},
	}
	if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each case has one item that is broken, beside an agent "ok" and a task "ok" that must be there.
func TestBrokenItems(t *testing.T) {
	tests := []struct {
		name, slaves, tasks string
		broken              string // "": none is
		agents              []string
		taskIDs             []string
	}{
		{"agent: pid null", `{"id": "S1", "pid": null}`, ``, "slaves[0]: agent S1 has no pid", []string{"S1", "ok"}, []string{"ok"}},
		{"agent: no pid", `{"id": "S1"}`, ``, "slaves[0]: agent S1 has no pid", []string{"S1", "ok"}, []string{"ok"}},
		{"agent: pid without @", `{"id": "S1", "pid": "10.0.0.1:5051"}`, ``, "slaves[0]: agent S1 has a pid that is not of the form id@host:port", []string{"S1", "ok"}, []string{"ok"}},
		{"agent: pid a number", `{"id": "S1", "pid": 5}`, ``, "slaves[0].PID: number where something else is expected", []string{"S1", "ok"}, []string{"ok"}},
		{"agent: a number", `7`, ``, "slaves[0]: number where something else is expected", []string{"ok"}, []string{"ok"}},
		{"agent: null", `null`, ``, "slaves[0]: an agent without id", []string{"ok"}, []string{"ok"}},
		{"task: ports without brackets", ``, `{"id": "t", "resources": {"ports": "31000-31001"}}`, "frameworks[0].tasks[0]: task t has ports that are not of the form [begin-end, ...]", []string{"ok"}, []string{"t", "ok"}},
		{"task: a range without dash", ``, `{"id": "t", "resources": {"ports": "[31000]"}}`, "frameworks[0].tasks[0]: task t has ports that are not of the form [begin-end, ...]", []string{"ok"}, []string{"t", "ok"}},
		{"task: endless range", ``, `{"id": "t", "resources": {"ports": "[0-4294967295]"}}`, "frameworks[0].tasks[0]: task t has ports that are not of the form [begin-end, ...]", []string{"ok"}, []string{"t", "ok"}},
		{"task: reversed range", ``, `{"id": "t", "resources": {"ports": "[5-4]"}}`, "", []string{"ok"}, []string{"t", "ok"}},
		{"task: discovery port a text", ``, `{"id": "t", "discovery": {"name": "n", "ports": {"ports": [{"number": "80"}]}}}`, "frameworks[0].tasks[0]: task t has a discovery port whose number is none", []string{"ok"}, []string{"t", "ok"}},
		{"task: statuses an object", ``, `{"id": "t", "statuses": {}}`, "frameworks[0].tasks[0].Statuses: object where something else is expected", []string{"ok"}, []string{"t", "ok"}},
		{"task: a list", ``, `[1, [2]]`, "frameworks[0].tasks[0]: array where something else is expected", []string{"ok"}, []string{"ok"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			comma := func(item string) string {
				if item == "" {
					return ""
				}
				return item + ","
			}
			got := decode(t, fmt.Sprintf(`{"leader": "m@10.0.0.1:5050", "slaves": [%s{"id": "ok", "pid": "slave(1)@10.0.0.1:5051"}],
				"frameworks": [{"name": "f", "tasks": [%s{"id": "ok", "state": "TASK_RUNNING", "slave_id": "ok"}]}]}`,
				comma(tt.slaves), comma(tt.tasks)))
			var agents, tasks []string
			for _, a := range got.Agents {
				agents = append(agents, a.ID)
			}
			for _, task := range got.Tasks {
				tasks = append(tasks, task.ID)
			}
			if !slices.Equal(agents, tt.agents) || !slices.Equal(tasks, tt.taskIDs) {
				t.Errorf("agents %v, want %v; tasks %v, want %v", agents, tt.agents, tasks, tt.taskIDs)
			}
			var broken []string
			if tt.broken != "" {
				broken = []string{tt.broken}
			}
			if diff := cmp.Diff(Broken{len(broken), broken}, got.Broken); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeStateFails(t *testing.T) {
	for _, tt := range []struct{ name, document, want string }{
		{"empty", ``, "reading the state document: EOF"},
		{"not JSON", `<html>`, "reading the state document: invalid character '<' looking for beginning of value"},
		{"not an object", `[]`, "reading the state document: it is not a JSON object"},
		{"cut", `{"leader": "m@10.0.0.1:5050", "frameworks": [{"tasks": [{"id": "a"`, "reading the state document: unexpected EOF"},
		{"cut between members", `{"leader": "m@10.0.0.1:5050"`, "reading the state document: unexpected EOF"},
		{"no leader", `{"frameworks": []}`, "the state document names no leading master"},
		{"leader null", `{"leader": null}`, "the state document names no leading master"},
		{"leader without port", `{"leader": "m@10.0.0.1"}`, "the state document names no leading master"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := DecodeState(strings.NewReader(tt.document)); err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

const sharedStates = "../../../shared/testdata/mesos"

// The states of a real cluster are read without anything being broken.
func TestRecordedStates(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedStates, "state-*", "state.json"))
	if err != nil || len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no recorded states of Mesos in ", sharedStates)
		}
		t.Skip("RECORDED STATES OF MESOS ARE NOT READ: there are none in ", sharedStates)
	}
	more, _ := filepath.Glob(filepath.Join(sharedStates, "zk", "new-leader-state-*.json"))
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := DecodeState(bytes.NewReader(data))
		if err != nil || s.Broken.Count != 0 || s.MasterID == "" || s.Recovered == nil {
			t.Errorf("%s: %v, %v", file, err, s.Broken)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add([]byte(`{"leader": "m@10.0.0.1:5050", "slaves": [{"id": "a", "pid": "s@h:1"}], "frameworks": [{"name": "f", "tasks": [{"id": "t"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := DecodeState(bytes.NewReader(data)); err == nil && s.Leader == "" {
			t.Error("a state without a leader")
		}
	})
}

// bigState gives the state document of a cluster with so many tasks on 5,000 agents, piece by piece.
func bigState(tasks int) io.Reader {
	r, w := io.Pipe()
	go func() {
		fmt.Fprint(w, `{"leader": "master@10.0.0.1:5050", "id": "m", "slaves": [`)
		for i := range 5000 {
			fmt.Fprintf(w, `{"id": "a-S%d", "pid": "slave(1)@10.%d.%d.1:5051", "hostname": "h", "attributes": {"rack": "r1"}, "resources": {"cpus": 8.0}},`, i, i/250, i%250)
		}
		fmt.Fprint(w, `{"id": "a-last", "pid": "slave(1)@10.255.0.1:5051"}], "frameworks": [{"id": "f", "name": "marathon", "tasks": [`)
		for i := range tasks {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"id": "app_%[1]d.7a6f2f3e-0000-0000-0000-%012[1]d", "name": "app-%[2]d", "framework_id": "f", "executor_id": "", "slave_id": "a-S%[3]d",
				"state": "TASK_RUNNING", "resources": {"cpus": 0.1, "mem": 128.0, "disk": 0.0, "gpus": 0.0, "ports": "[31%03[4]d-31%03[4]d]"}, "role": "*",
				"labels": [{"key": "HAPROXY_GROUP", "value": "external"}, {"key": "owner", "value": "somebody"}],
				"statuses": [{"state": "TASK_STARTING", "timestamp": 1.5}, {"state": "TASK_RUNNING", "timestamp": 2.5, "healthy": true, "container_status": {"container_id": {"value": "c"}, "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": "10.1.2.3"}]}]}}],
				"discovery": {"visibility": "FRAMEWORK", "name": "app-%[2]d", "ports": {"ports": [{"number": 80, "name": "http", "protocol": "tcp"}]}}, "container": {"type": "DOCKER", "docker": {"image": "nginx"}}}`,
				i, i%10000, i%5000, i%1000)
		}
		fmt.Fprint(w, `]}]}`)
		w.Close()
	}()
	return r
}

// The document is never held as a whole: what stays is what is made of it, and garbage is a few times that.
func TestDecodeStateMemory(t *testing.T) {
	const tasks = 10_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := DecodeState(bigState(tasks))
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(s.Tasks) != tasks {
		t.Fatalf("%d tasks", len(s.Tasks))
	}
	if kept := int64(after.HeapAlloc-before.HeapAlloc) / tasks; kept > 1200 {
		t.Errorf("%d octets are kept per task, want at most 1200", kept)
	}
	runtime.KeepAlive(s)
}

func BenchmarkDecodeState(b *testing.B) {
	const tasks = 100_000
	document, err := io.ReadAll(bigState(tasks))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeState(bytes.NewReader(document)); err != nil {
			b.Fatal(err)
		}
	}
}
