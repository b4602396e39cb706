package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"rollcall/records"
	"rollcall/scheduler/mesos"
)

// newTestCluster knows one host name, master.example.
func newTestCluster(t *testing.T) (*cluster, *records.Zone) {
	t.Helper()
	zone, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "master.example" {
			return []netip.Addr{netip.MustParseAddr("10.0.0.9")}, nil
		}
		return nil, errors.New("no such host")
	}
	return newCluster(zone, mesos.NewHosts(lookup)), zone
}

func wantAddrs(t *testing.T, zone *records.Zone, name string, want ...string) {
	t.Helper()
	got := []string{}
	if n := zone.Snapshot().LookupName(name); n != nil {
		if set := n.RRset(records.TypeA); set != nil {
			for _, a := range set.Addrs() {
				got = append(got, a.String())
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", name, got, want)
	}
}

func runningTask(id, agent string, ports ...int) mesos.Task {
	return mesos.Task{FrameworkID: "f", ID: id, Name: "web", AgentID: agent, State: mesos.TaskRunning, Ports: ports}
}

func testState() mesos.State {
	return mesos.State{
		Leader: "10.0.0.1:5050",
		Agents: []mesos.Agent{{ID: "S0", Endpoint: mesos.Endpoint{Host: "10.0.1.0", Port: 5051}},
			{ID: "S1", Endpoint: mesos.Endpoint{Host: "10.0.1.1", Port: 5051}}},
		Frameworks: []mesos.Framework{{ID: "f", Name: "marathon", Endpoint: mesos.Endpoint{Host: "unknown.example"}}},
		Tasks:      []mesos.Task{runningTask("web.1", "S0", 31000)},
	}
}

func TestClusterState(t *testing.T) {
	c, zone := newTestCluster(t)
	c.setMasters(mesos.Masters{All: []string{"10.0.0.1:5050", "master.example:5050", "unknown.example:5050"}})
	if zone.Ready() {
		t.Fatal("the zone is ready before the cluster's state is known")
	}
	c.Reset(testState())
	if !zone.Ready() {
		t.Fatal("the zone is not ready")
	}
	wantAddrs(t, zone, "web.marathon.mesos.", "10.0.1.0")
	wantAddrs(t, zone, "leader.mesos.", "10.0.0.1")
	wantAddrs(t, zone, "master1.mesos.", "10.0.0.9")
	wantAddrs(t, zone, "master2.mesos.")
	serial := zone.Snapshot().Serial()
	c.Reset(testState())
	if zone.Snapshot().Serial() != serial {
		t.Error("the same state again moved the serial")
	}

	c.setMasters(mesos.Masters{All: []string{"10.0.0.1:5050"}})
	wantAddrs(t, zone, "master1.mesos.")
	c.Apply(mesos.Change{Tasks: []mesos.Task{runningTask("web.2", "S1")}})
	wantAddrs(t, zone, "web.marathon.mesos.", "10.0.1.0", "10.0.1.1")
	c.Apply(mesos.Change{TasksGone: []mesos.TaskKey{{FrameworkID: "f", ID: "web.1"}}})
	wantAddrs(t, zone, "web.marathon.mesos.", "10.0.1.1")
	c.Apply(mesos.Change{Frameworks: []mesos.Framework{{ID: "f", Name: "other"}}, Tasks: []mesos.Task{runningTask("web.2", "S1")}})
	wantAddrs(t, zone, "web.other.mesos.", "10.0.1.1")
	wantAddrs(t, zone, "web.marathon.mesos.")
	c.Reset(mesos.State{Leader: "10.0.0.1:5050"})
	wantAddrs(t, zone, "web.other.mesos.")
}

// One framework has an id twice, and two frameworks have the same name and ids.
func TestClusterSameIDs(t *testing.T) {
	c, zone := newTestCluster(t)
	s := testState()
	s.Tasks = append(s.Tasks, runningTask("web.1", "S1", 31001))
	second := runningTask("web.1", "S1", 31002)
	second.FrameworkID = "g"
	s.Frameworks = append(s.Frameworks, mesos.Framework{ID: "g", Name: "marathon"})
	s.Tasks = append(s.Tasks, second)
	c.Reset(s)
	wantAddrs(t, zone, "web.marathon.mesos.", "10.0.1.0", "10.0.1.1")
	if n := zone.Snapshot().LookupName("_web._tcp.marathon.mesos.").RRset(records.TypeSRV).Len(); n != 3 {
		t.Errorf("%d SRV records, want 3", n)
	}
	if l := zone.Enumerate(); len(l) != 2 || len(l[0].Tasks) != 2 || len(l[1].Tasks) != 1 {
		t.Errorf("%v", l)
	}
}

// BenchmarkClusterReset is a refresh that finds nothing new, of 100,000 tasks.
func BenchmarkClusterReset(b *testing.B) {
	zone, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		b.Fatal(err)
	}
	c := newCluster(zone, mesos.NewHosts(lookUpHost))
	s := mesos.State{Leader: "10.0.0.1:5050", Frameworks: []mesos.Framework{{ID: "f", Name: "marathon"}}}
	for i := range 5000 {
		s.Agents = append(s.Agents, mesos.Agent{ID: fmt.Sprintf("a-S%d", i),
			Endpoint: mesos.Endpoint{Host: fmt.Sprintf("10.1.%d.%d", i/250, i%250+1), Port: 5051}})
	}
	for i := range 100_000 {
		t := runningTask(fmt.Sprintf("app.%d", i), fmt.Sprintf("a-S%d", i%5000), 31000+i%1000)
		t.Name = fmt.Sprintf("app-%d", i%10_000)
		s.Tasks = append(s.Tasks, t)
	}
	c.Reset(s)
	b.ReportAllocs()
	for b.Loop() {
		c.Reset(s)
	}
}
