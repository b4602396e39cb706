package local

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollcall/scheduler"
)

// However tasks come and go, an offer and what live tasks hold are together never more than the agent has, and once
// all have ended everything is offered again.
func TestLedgerNeverOffersAnythingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := scheduler.Resources{CPUs: 4, Mem: 1000, Disk: 500}
		l := newLedger(Agent{ID: "a", Ports: scheduler.PortRange{{Begin: 10, End: 30}}}, total)
		now := time.Unix(0, 0)
		var live []scheduler.TaskID
		for step := range rapid.IntRange(1, 40).Draw(t, "steps") {
			if l.due(now) {
				l.makeOffer(scheduler.OfferID(fmt.Sprint("o", step)), nil)
			}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				l.close()
			case 1:
				l.decline(now.Add(time.Minute))
			case 2:
				port := rapid.IntRange(5, 35).Draw(t, "port")
				task := scheduler.TaskInfo{ID: scheduler.TaskID(fmt.Sprint(step)), AgentID: "a", Resources: scheduler.Resources{
					CPUs: rapid.Float64Range(0, 5).Draw(t, "cpus"), Mem: rapid.Float64Range(0, 1100).Draw(t, "mem"),
					Ports: scheduler.PortRange{{Begin: port, End: port + 2}}}}
				if l.offer != "" && l.take(task) == nil {
					live = append(live, task.ID)
				}
			case 3:
				if len(live) > 0 {
					l.release(live[0])
					live = live[1:]
				}
			}
			sum, ports := l.offered, l.offered.Ports.Len()
			for _, r := range l.held {
				sum.CPUs, sum.Mem, sum.Disk = sum.CPUs+r.CPUs, sum.Mem+r.Mem, sum.Disk+r.Disk
				ports += r.Ports.Len()
			}
			if sum.CPUs > 4+slack || sum.Mem > 1000+slack || sum.Disk > 500+slack || ports > 21 {
				t.Fatalf("offered %+v while %+v are held", l.offered, l.held)
			}
			now = now.Add(20 * time.Second)
		}
		for _, id := range live {
			l.release(id)
		}
		l.close()
		if got := l.makeOffer("last", nil).Resources; got.CPUs != 4 || got.Mem != 1000 || got.Ports.Len() != 21 {
			t.Fatalf("in the end %+v is offered", got)
		}
	})
}

func TestLedgerKeepsQuietAfterDecline(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLedger(Agent{ID: "a"}, scheduler.Resources{CPUs: 1})
	l.makeOffer("o", nil)
	if l.due(now) || !l.deadline().IsZero() {
		t.Error("a second offer is due")
	}
	l.decline(now.Add(time.Minute))
	if l.due(now) || l.due(now.Add(59*time.Second)) || !l.due(now.Add(time.Minute)) {
		t.Error("an offer is not due exactly when the refusal is over")
	}
	l.hold("t", scheduler.Resources{CPUs: 1})
	l.release("t")
	if !l.due(now) {
		t.Error("no offer is due although a task ended")
	}
}

// What changes while an offer is out is not in it: declining that offer must not keep the change from being offered.
func TestLedgerOffersWhatChangedMeanwhile(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLedger(Agent{ID: "a"}, scheduler.Resources{CPUs: 1})
	l.hold("t", scheduler.Resources{CPUs: 1})
	l.makeOffer("o", nil)
	l.release("t")
	if l.due(now) {
		t.Error("a second offer is due")
	}
	l.decline(now.Add(time.Minute))
	if !l.due(now) {
		t.Fatal("no offer is due although a task ended while the declined one was out")
	}
	if got := l.makeOffer("o2", nil).Resources.CPUs; got != 1 {
		t.Errorf("%v CPUs are offered", got)
	}
	l.decline(now.Add(time.Minute))
	if l.due(now) {
		t.Error("an offer is due although nothing changed since the declined one")
	}
}
