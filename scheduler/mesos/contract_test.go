package mesos

import (
	"testing"
	"time"

	"rollcall/integration/mesosmaster"
	"rollcall/scheduler"
	"rollcall/scheduler/enginetest"
)

// The contract, with a stand-in for a Mesos cluster whose tasks are processes.
func TestContract(t *testing.T) {
	enginetest.Test(t, func(t *testing.T) enginetest.Subject {
		c := mesosmaster.NewCluster(mesosmaster.Options{Processes: true, Dir: t.TempDir(), Retry: 100 * time.Millisecond,
			Allocation: 10 * time.Millisecond})
		t.Cleanup(c.Close)
		m, err := c.StartMaster("127.0.0.11")
		if err != nil {
			t.Fatal(err)
		}
		c.Elect(m)
		c.AddAgent(mesosmaster.AgentOptions{IP: "127.0.0.1"})
		c.AddAgent(mesosmaster.AgentOptions{IP: "127.0.0.2"})
		return enginetest.Subject{Open: func(*testing.T) scheduler.Engine {
			e := NewEngine(EngineOptions{Client: NewClient(ClientOptions{}), Framework: FrameworkInfo{Name: "test", User: "root", Roles: []string{"*"}}})
			e.SetMasters(Masters{Leader: m.Address()})
			return e
		}}
	})
}
