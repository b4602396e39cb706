package local

import (
	"testing"
	"time"

	"rollcall/scheduler"
	"rollcall/scheduler/enginetest"
)

func TestContract(t *testing.T) {
	enginetest.Test(t, func(t *testing.T) enginetest.Subject {
		o := Options{Dir: testDir(t), Docker: DockerOff, Agents: []Agent{
			{Address: loopback(1), Ports: scheduler.PortRange{{Begin: 21000, End: 21010}}, CPUs: 2, Mem: 1024},
			{Address: loopback(2), Ports: scheduler.PortRange{{Begin: 21000, End: 21010}}, CPUs: 2, Mem: 1024}}}
		t.Cleanup(func() { clearTasks(o.Dir) })
		return enginetest.Subject{FrameworkID: framework, Open: func(t *testing.T) scheduler.Engine {
			engine, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			engine.statusRetry = 100 * time.Millisecond
			return engine
		}}
	})
}
