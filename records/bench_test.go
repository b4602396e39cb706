package records

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func benchmarkUpdateOne(b *testing.B, tasks int) {
	z := newTestZone(b)
	z.Update("s", crowd(tasks))
	ports := [2][]int{{32000}, {32001}}
	task := crowdTask(tasks / 2)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		task.Ports = ports[i%2]
		z.Update("s", Update{Tasks: []Task{task}})
	}
}

func BenchmarkUpdateOneOf10(b *testing.B)   { benchmarkUpdateOne(b, 10) }
func BenchmarkUpdateOneOf100k(b *testing.B) { benchmarkUpdateOne(b, 100_000) }

// BenchmarkUpdateAll100k gives a zone everything at once, and says how many octets of memory it then takes, all answers
// included, as sets are kept in the form that they are answered in.
func BenchmarkUpdateAll100k(b *testing.B) {
	all := crowd(100_000)
	var before, after runtime.MemStats
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		z := newTestZone(b)
		z.Update("s", all)
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(z.Snapshot().Stats().Records), "B/record")
		b.ReportMetric(float64(z.Snapshot().Stats().Records), "records")
		b.StartTimer()
	}
}

// A record takes about 150 octets of memory with everything that belongs to it. Twice that would be a mistake.
func TestMemoryOfARecord(t *testing.T) {
	all := crowd(5000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	z := newTestZone(t)
	z.Update("s", all)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int(after.HeapAlloc-before.HeapAlloc) / z.Snapshot().Stats().Records; n > 300 {
		t.Errorf("a record takes %d octets", n)
	}
	runtime.KeepAlive(all)
}

// BenchmarkResetAll100k gives it everything again, unchanged, as a source that polls does.
func BenchmarkResetAll100k(b *testing.B) {
	z := newTestZone(b)
	z.Update("s", crowd(100_000))
	again := crowd(100_000)
	again.Reset = true
	b.ReportAllocs()
	for b.Loop() {
		z.Update("s", again)
	}
}

func BenchmarkLookup(b *testing.B) {
	z := newTestZone(b)
	z.Update("s", crowd(100_000))
	s := z.Snapshot()
	for _, bench := range []struct{ name, owner string }{
		{"A", "web.app500.prod.marathon.mesos."},
		{"SRV", "_web-app500-prod._tcp.marathon.mesos."},
		{"NXDOMAIN", "web.app500.test.marathon.mesos."},
	} {
		wire, _ := wireName(bench.owner)
		b.Run(bench.name, func(b *testing.B) {
			packet := []byte(wire)
			b.ReportAllocs()
			for b.Loop() {
				s.Lookup(packet)
			}
		})
	}
}

// BenchmarkLookupAll is many look-ups all over a large zone, at once and one after the other.
func BenchmarkLookupAll(b *testing.B) {
	z := newTestZone(b)
	z.Update("s", crowd(100_000))
	s := z.Snapshot()
	var wires [][]byte
	for i := range 10_000 {
		wire, _ := wireName(fmt.Sprintf("web.app%d.prod.marathon.mesos.", i*7919%10_000))
		wires = append(wires, []byte(wire))
	}
	nodes := make([]*Node, len(wires))
	b.Run("at once", func(b *testing.B) {
		for b.Loop() {
			s.LookupAll(wires, nodes)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(wires)), "ns/name")
	})
	b.Run("one by one", func(b *testing.B) {
		for b.Loop() {
			for i, w := range wires {
				nodes[i] = s.Lookup(w)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(wires)), "ns/name")
	})
}

func TestLookupDoesNotAllocate(t *testing.T) {
	z := newTestZone(t)
	z.Update("s", crowd(1000))
	wire, _ := wireName("web.app50.prod.marathon.mesos.")
	packet, text := []byte(wire), strings.ToUpper(wire.text())
	packets, nodes := [][]byte{packet, []byte("\x04none\x00")}, make([]*Node, 2)
	allocs := testing.AllocsPerRun(100, func() {
		if z.Snapshot().Lookup(packet).RRset(TypeA) == nil || z.Snapshot().LookupName(text) == nil || !z.Ready() {
			t.Fatal("not found")
		}
		if z.Snapshot().LookupAll(packets, nodes); nodes[0] == nil || nodes[1] != nil {
			t.Fatal("not found, or found what is not there")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
