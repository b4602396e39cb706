package resolver

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestHistogram(t *testing.T) {
	times := &answerTimes{}
	times.fast.observe(5*time.Microsecond, 3)
	times.fast.observe(6*time.Microsecond, 2)
	times.forwarded.observe(time.Minute, 1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(times)
	body := get(NewMonitor(registry), "GET", "/metrics").Body.String()
	for _, want := range []string{
		`rollcall_dns_answer_seconds_bucket{path="fast",le="5e-06"} 3`,
		`rollcall_dns_answer_seconds_bucket{path="fast",le="1e-05"} 5`,
		`rollcall_dns_answer_seconds_sum{path="fast"} 2.7e-05`,
		`rollcall_dns_answer_seconds_bucket{path="forwarded",le="5"} 0`,
		`rollcall_dns_answer_seconds_count{path="forwarded"} 1`,
		`rollcall_dns_answer_seconds_count{path="slow"} 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("/metrics does not have %s:\n%s", want, linesWith(body, "answer_seconds"))
		}
	}
	if allocs := testing.AllocsPerRun(100, func() { times.fast.observe(time.Millisecond, 64) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// total is how many questions a histogram has counted.
func (h *histogram) total() (n uint64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Each question is timed where it is answered: those of the zone by sample, those of other types and those that are
// forwarded all.
func TestAnswersAreTimed(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
	for range 2 { // the second time it comes from the cache, on the fast path
		resolve(t, h, newQuestion(t, "example.com. A"), true)
	}
	resolve(t, h, newQuestion(t, "one.marathon.mesos. HINFO"), true)
	times := &h.metrics.times
	if slow, forwarded := times.slow.total(), times.forwarded.total(); slow != 1 || forwarded != 1 {
		t.Errorf("%d slow and %d forwarded, want 1 and 1", slow, forwarded)
	}
	if sum := testutil.CollectAndCount(times); sum != 3 {
		t.Errorf("%d paths are told of, want 3", sum)
	}

	s := newTestServer(t, newTestZone(t))
	conn := dialUDP(t, s)
	for i := range sampleEvery + 1 { // once the next one is answered, the one before has been counted
		if _, err := conn.Write(questionPacket(t, "web.marathon.mesos. A", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, maxUDPSize)); err != nil {
			t.Fatal(err)
		}
	}
	if fast := s.handler.metrics.times.fast.total(); fast != 1 {
		t.Errorf("%d were timed, want 1 of %d", fast, sampleEvery+1)
	}
}
