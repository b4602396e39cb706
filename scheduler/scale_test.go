package scheduler

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// scale is a big cluster without a model of its tasks: it answers launches and kills at once.
type scale struct {
	core    *Core
	now     time.Time
	tasks   map[TaskID]AgentID
	events  []Event
	steps   int
	placed  int
	longest time.Duration // of all steps, on the processor
	wake    time.Time
}

func newScale(agents int) *scale {
	s := &scale{core: NewCore(DefaultLimits(), NewState(), [32]byte{}), now: time.Unix(1_700_000_000, 0),
		tasks: map[TaskID]AgentID{}}
	s.step(Registered{FrameworkID: "f"})
	for n, o := range offers(agents) {
		o.Zone = fmt.Sprintf("zone%d", n%5)
		s.events = append(s.events, OffersReceived{[]Offer{o}})
	}
	return s
}

// step hands a batch of events, of the size that Loop makes, to the core.
func (s *scale) step(events ...Event) {
	s.now = s.now.Add(time.Millisecond)
	begin := cpuTime(syscall.RUSAGE_THREAD)
	e := s.core.Step(s.now, events...)
	s.longest = max(s.longest, cpuTime(syscall.RUSAGE_THREAD)-begin)
	s.steps++
	s.wake = e.Wake
	for _, call := range e.Calls {
		switch call := call.(type) {
		case acceptCall:
			s.placed += len(call.tasks)
			for _, t := range call.tasks {
				s.tasks[t.ID] = t.AgentID
				s.tell(t.ID, TaskRunning)
			}
		case killCall:
			if _, runs := s.tasks[call.task.TaskID]; runs {
				s.tell(call.task.TaskID, TaskKilled)
				delete(s.tasks, call.task.TaskID)
			}
		}
	}
}

func (s *scale) tell(id TaskID, state TaskState) {
	s.events = append(s.events, StatusReceived{TaskStatus{TaskID: id, AgentID: s.tasks[id], State: state, Timestamp: s.now, Ack: "x"}})
}

// run goes on until nothing happens any more; agents make new offers whenever nothing else is left to do.
func (s *scale) run(b *testing.B, offered []Offer) (placements int) {
	before := s.placed
	for round := 0; ; round++ {
		for len(s.events) > 0 || !s.wake.IsZero() && !s.wake.After(s.now) {
			n := min(len(s.events), batchMost)
			batch := s.events[:n:n]
			s.events = s.events[n:]
			s.step(batch...)
		}
		if s.core.State().queue.len() == 0 {
			return s.placed - before
		}
		if round > 200 {
			b.Fatal("it does not come to an end")
		}
		again := make([]Offer, len(offered))
		for n, o := range offered {
			o.ID = OfferID(fmt.Sprintf("%s.%d.%d", o.ID, s.steps, round))
			again[n] = o
		}
		s.events = append(s.events, OffersReceived{again})
	}
}

// cpuTime is what this process, or this thread, has used of processors: with it, other work on the machine does not count.
func cpuTime(whose int) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(whose, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkScale is the life of 100,000 tasks of 10,000 apps on 5,000 agents: deployed, upgraded, and half of the agents
// lost at once. Half of the apps have UNIQUE, the others GROUP_BY over five zones.
func BenchmarkScale(b *testing.B) {
	const agents, apps, instances = 5000, 10_000, 10
	runtime.LockOSThread() // whose time is measured
	defer runtime.UnlockOSThread()
	for b.Loop() {
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)

		s := newScale(agents)
		definitions := func(cmd string) Update {
			var all []*App
			for n := range apps {
				all = append(all, app(PathID(fmt.Sprintf("/g%d/app%d", n%100, n)), instances, func(a *App) {
					a.Cmd = cmd
					if n%2 == 0 {
						unique(a)
					} else {
						a.Constraints = []Constraint{{"@zone", GroupBy, "5"}}
					}
				}))
			}
			return put(all...)
		}
		offered := offers(agents)
		for n := range offered {
			offered[n].Zone = fmt.Sprintf("zone%d", n%5)
		}
		phase := func(name string, want int) {
			begin, beginCPU := time.Now(), cpuTime(syscall.RUSAGE_SELF)
			placed := s.run(b, offered)
			took, tookCPU := time.Since(begin), cpuTime(syscall.RUSAGE_SELF)-beginCPU
			if placed < want {
				b.Fatalf("%s: %d placed of %d", name, placed, want)
			}
			b.ReportMetric(float64(placed)/took.Seconds(), name+"/s")
			b.ReportMetric(float64(placed)/tookCPU.Seconds(), name+"/cpu-s")
			b.ReportMetric(float64(s.longest.Milliseconds()), name+"-longest-cpu-ms")
			s.longest = 0
		}
		s.events = append([]Event{definitions("v1")}, s.events...)
		phase("deploy", apps*instances)

		s.events = nil
		runtime.GC()
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(apps*instances), "B/instance")

		s.events = append(s.events, definitions("v2"))
		phase("upgrade", apps*instances)

		lost := 0
		for n := range agents / 2 {
			s.events = append(s.events, AgentLost{offered[n].AgentID})
		}
		half := map[AgentID]bool{}
		for _, o := range offered[:agents/2] {
			half[o.AgentID] = true
		}
		for id, agent := range s.tasks {
			if half[agent] {
				lost++
				s.tell(id, TaskUnreachable)
				delete(s.tasks, id)
			}
		}
		offered = offered[agents/2:]
		phase("loss", lost)
		if n := len(s.tasks); n != apps*instances {
			b.Fatalf("%d tasks in the end", n)
		}
	}
}
