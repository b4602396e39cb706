package resolver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// forwardMetrics are what is counted of forwarding, beside rollcall_dns_forwards_total:
//
//	rollcall_dns_forwards_waiting                    gauge: different questions that upstream servers have not answered yet
//	rollcall_dns_forwards_rejected_total             counter: questions that were not forwarded, as no server answers and
//	                                                 enough others wait
//	rollcall_dns_upstream_up{upstream}               gauge: 1 while the server answers and its questions do not come
//	                                                 back here, else 0
//	rollcall_dns_upstream_latency_seconds{upstream}  gauge: how long the server takes to reply, smoothed; 0: not known
//	rollcall_dns_upstream_ignored_total{upstream}    counter: datagrams that seemed to come from the server and were no
//	                                                 reply to what it was asked: forged, late, or damaged
//	rollcall_dns_recursion_refused_total             counter: questions for other names from networks that may not ask
//	rollcall_dns_cache_stale_total                   counter: answers from the cache that were past their time
//	rollcall_dns_cache_prefetches_total              counter: answers that were renewed before their time was over
//	rollcall_dns_cache_entries                       gauge: answers in the cache, stale ones included
//	rollcall_dns_cache_bytes                         gauge: memory that they take, about
type forwardMetrics struct {
	waiting                              prometheus.Gauge
	rejected, refused, stale, prefetches prometheus.Counter
	ignored                              *prometheus.CounterVec
	registry                             prometheus.Registerer
}

func newForwardMetrics(registry prometheus.Registerer) *forwardMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "rollcall_dns_" + name, Help: help})
	}
	return &forwardMetrics{
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollcall_dns_forwards_waiting",
			Help: "Different DNS questions that upstream servers have not answered yet."}),
		rejected: counter("forwards_rejected_total",
			"DNS questions that were not forwarded, as no upstream server answers and enough others wait."),
		refused:    counter("recursion_refused_total", "DNS questions for other names from networks that may not ask."),
		stale:      counter("cache_stale_total", "DNS answers from the cache that were past their time."),
		prefetches: counter("cache_prefetches_total", "DNS answers that were renewed before their time was over."),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_upstream_ignored_total",
			Help: "Datagrams that were no reply to what the upstream server was asked."}, []string{"upstream"}),
		registry: registry,
	}
}

func (m *forwardMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.waiting, m.rejected, m.refused, m.stale, m.prefetches, m.ignored}
}

// watchCache has a cache's size shown.
func (m *forwardMetrics) watchCache(c *cache) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_dns_cache_entries",
			Help: "DNS answers in the cache, stale ones included."}, func() float64 { return float64(c.len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_dns_cache_bytes",
			Help: "Memory that the DNS answers in the cache take, about."}, func() float64 { return float64(c.octets()) }))
}

// watch has a server's state shown.
func (m *forwardMetrics) watch(u *upstream) {
	labels := prometheus.Labels{"upstream": u.addr.String()}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_dns_upstream_up", ConstLabels: labels,
			Help: "1 while the upstream server answers and its questions do not come back, else 0."}, func() float64 {
			if u.isDown() || u.loops(time.Now()) {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_dns_upstream_latency_seconds", ConstLabels: labels,
			Help: "How long the upstream server takes to reply, smoothed; 0: not known."}, func() float64 {
			u.mu.Lock()
			defer u.mu.Unlock()
			return u.latency.Seconds()
		}))
}
