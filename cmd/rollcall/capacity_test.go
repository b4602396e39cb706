package main

import (
	"testing"

	"rollcall/scheduler"
	"rollcall/scheduler/mesos"
)

// What agents have is known as long as the master lists them, and only where it tells.
func TestCapacities(t *testing.T) {
	c, _ := newTestCluster(t)
	s := testState()
	s.Agents[0].Total = mesos.Total{CPUs: 4, Mem: 2048, Disk: 100}
	c.Reset(s)
	if got, known := c.has.Capacity("S0"); !known || got.CPUs != 4 || got.Mem != 2048 || got.Disk != 100 {
		t.Errorf("S0 has %+v, known: %v", got, known)
	}
	c.Apply(mesos.Change{Agents: []mesos.Agent{{ID: "S2", Total: mesos.Total{CPUs: 1}}}, AgentsGone: []string{"S0"}})
	for id, want := range map[scheduler.AgentID]bool{"S0": false, "S1": false, "S2": true} {
		if _, known := c.has.Capacity(id); known != want {
			t.Errorf("%s: known is %v", id, known)
		}
	}
	c.Reset(testState())
	if _, known := c.has.Capacity("S2"); known {
		t.Error("an agent that is not in the state is known")
	}
}
