package store

import (
	"fmt"
	"testing"

	"rollcall/scheduler"
)

func BenchmarkBoltCommit(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openBolt(b, statePath(b))
			records := make([]scheduler.Record, n)
			next := 0
			for b.Loop() {
				for i := range records {
					records[i] = put(scheduler.KindInstance, numbered(next%10_000), "what an instance looks like, more or less")
					next++
				}
				commit(b, s, records...)
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkBoltOpen(b *testing.B) {
	path := statePath(b)
	s := openBolt(b, path)
	records := make([]scheduler.Record, 100_000)
	for i := range records {
		records[i] = put(scheduler.KindInstance, numbered(i), fmt.Sprintf("%500d", i))
	}
	commit(b, s, records...)
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		s = openBolt(b, path)
	}
	b.ReportMetric(float64(len(records)*b.N)/b.Elapsed().Seconds(), "records/s")
}
