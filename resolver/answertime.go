package resolver

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// answerTimes are how long questions took that were answered:
//
//	rollcall_dns_answer_seconds{path}  histogram: "fast": those by UDP that were answered at once, of the zone or the
//	                                   cache, from when the packets were read until the replies were sent; one batch in
//	                                   sampleEvery is timed. "slow": those that needed a closer look, until the reply was
//	                                   ready. "forwarded": those that waited for an upstream server, likewise.
type answerTimes struct{ fast, slow, forwarded histogram }

// sampleEvery is how many batches there are for one that is timed: reading the clock twice for each would be a tenth of
// what a question costs besides the kernel's work.
const sampleEvery = 16

// answerBounds are the upper bounds of the buckets: from a single answer in memory to upstream servers that are given up.
var answerBounds = [...]time.Duration{
	5 * time.Microsecond, 10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond,
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// histogram counts durations. Any goroutine may use it; it neither locks nor allocates.
type histogram struct {
	counts [len(answerBounds) + 1]atomic.Uint64 // by bucket; the last one is for what is longer
	sum    atomic.Int64                         // nanoseconds
}

// observe counts n answers that took as long as d each.
func (h *histogram) observe(d time.Duration, n int) {
	i := 0
	for i < len(answerBounds) && d > answerBounds[i] {
		i++
	}
	h.counts[i].Add(uint64(n))
	h.sum.Add(int64(d) * int64(n))
}

var answerSeconds = prometheus.NewDesc("rollcall_dns_answer_seconds",
	"How long DNS questions took until they were answered, by the path they went; of the fast one a sample.", []string{"path"}, nil)

// Describe implements prometheus.Collector.
func (t *answerTimes) Describe(out chan<- *prometheus.Desc) { out <- answerSeconds }

// Collect implements prometheus.Collector.
func (t *answerTimes) Collect(out chan<- prometheus.Metric) {
	for path, h := range map[string]*histogram{"fast": &t.fast, "slow": &t.slow, "forwarded": &t.forwarded} {
		count, buckets := uint64(0), make(map[float64]uint64, len(answerBounds))
		for i := range h.counts {
			count += h.counts[i].Load()
			if i < len(answerBounds) {
				buckets[answerBounds[i].Seconds()] = count
			}
		}
		out <- prometheus.MustNewConstHistogram(answerSeconds, count, time.Duration(h.sum.Load()).Seconds(), buckets, path)
	}
}
