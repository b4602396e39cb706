package scheduler

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// offers makes an offer of each of n agents.
func offers(n int) []Offer {
	out := make([]Offer, n)
	for i := range out {
		out[i] = Offer{ID: OfferID(fmt.Sprintf("o%d", i)), AgentID: AgentID(fmt.Sprintf("S%05d", i)),
			Hostname: fmt.Sprintf("host%05d", i), Address: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}),
			Resources: Resources{CPUs: 64, Mem: 65536, Disk: 65536, Ports: PortRange{{1025, 32000}}}}
	}
	return out
}

// unlimited lets a step do all that is to be done.
func unlimited() Limits {
	l := DefaultLimits()
	l.Launches, l.Looks, l.Changes = 1_000_000, 1_000_000_000, 1_000_000
	return l
}

// BenchmarkPlace launches 10,000 instances of 100 apps on 500 agents, half of the apps with UNIQUE.
func BenchmarkPlace(b *testing.B) {
	for b.Loop() {
		c := NewCore(unlimited(), NewState(), [32]byte{})
		now := time.Unix(1_700_000_000, 0)
		c.Step(now, Registered{FrameworkID: "f"})
		var apps []*App
		for n := range 100 {
			a := app(PathID(fmt.Sprintf("/g%d/app%d", n%10, n)), 100)
			if n%2 == 0 {
				unique(a)
			}
			apps = append(apps, a)
		}
		c.Step(now, put(apps...))
		if launched := launchesOf(c.Step(now, OffersReceived{offers(500)})); launched != 10_000 {
			b.Fatalf("%d launched", launched)
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "placements/s")
}

// BenchmarkStatus is one health-changing status update among few and among many instances: the cost must not differ.
func BenchmarkStatus(b *testing.B) {
	for _, apps := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("instances=%d", 10*apps), func(b *testing.B) {
			c := NewCore(unlimited(), NewState(), [32]byte{})
			now := time.Unix(1_700_000_000, 0)
			c.Step(now, Registered{FrameworkID: "f"})
			var all []*App
			for n := range apps {
				all = append(all, app(PathID(fmt.Sprintf("/g%d/app%d", n%100, n)), 10))
			}
			c.Step(now, put(all...))
			if launched := launchesOf(c.Step(now, OffersReceived{offers(max(1, apps/10))})); launched != 10*apps {
				b.Fatalf("%d launched", launched)
			}
			var tasks []TaskRef
			for i := range c.State().AllInstances() {
				tasks = append(tasks, TaskRef{i.TaskID(), i.AgentID})
			}
			states := []TaskState{TaskStaging, TaskStarting}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				ref := tasks[(n*7919)%len(tasks)]
				c.Step(now, StatusReceived{TaskStatus{TaskID: ref.TaskID, AgentID: ref.AgentID, Timestamp: now,
					State: states[n/len(tasks)%2]}})
				n++
			}
		})
	}
}

// BenchmarkUpdate is the step of one request that makes 10,000 apps, changes them before they have tasks, and changes
// them while each has ten.
func BenchmarkUpdate(b *testing.B) {
	all := func(cmd string) Update {
		var apps []*App
		for n := range 10_000 {
			apps = append(apps, app(PathID(fmt.Sprintf("/g%d/app%d", n%100, n)), 10, func(a *App) { a.Cmd = cmd }))
		}
		u := put(apps...)
		u.Force = true
		return u
	}
	for _, what := range []string{"make", "change", "upgrade"} {
		b.Run(what, func(b *testing.B) {
			now := time.Unix(1_700_000_000, 0)
			c := NewCore(unlimited(), NewState(), [32]byte{})
			c.Step(now, Registered{FrameworkID: "f"})
			if what != "make" {
				c.Step(now, all("v1"))
			}
			if what == "upgrade" {
				c.Step(now, OffersReceived{offers(2000)})
				var running []Event
				for i := range c.State().AllInstances() {
					running = append(running, StatusReceived{TaskStatus{TaskID: i.TaskID(), AgentID: i.AgentID, State: TaskRunning, Timestamp: now}})
				}
				c.Step(now, running...)
				if n := len(slices.Collect(c.State().Deployments())); n != 0 {
					b.Fatalf("%d deployments", n)
				}
			}
			c.limits = DefaultLimits()
			before, used := c.State(), time.Duration(0)
			runtime.LockOSThread() // whose time is measured
			defer runtime.UnlockOSThread()
			for b.Loop() {
				b.StopTimer()
				c.Restore(before)
				update := all("v2")
				runtime.GC()
				b.StartTimer()
				begin := cpuTime(syscall.RUSAGE_THREAD)
				if r := c.Step(now.Add(time.Second), update).Replies[0]; r.Err != nil {
					b.Fatal(r.Err)
				}
				used += cpuTime(syscall.RUSAGE_THREAD) - begin
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}
