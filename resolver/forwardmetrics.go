package resolver

import (
	"sync/atomic"

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
//	rollcall_dns_tls_connections_total               counter: connections for DNS over TLS
//	rollcall_dns_https_requests_total                counter: questions that came over HTTPS
//	rollcall_dns_cache_stale_total                   counter: answers from the cache that were past their time
//	rollcall_dns_cache_prefetches_total              counter: answers that were renewed before their time was over
//	rollcall_dns_cache_entries                       gauge: answers in the cache, stale ones included
//	rollcall_dns_cache_bytes                         gauge: memory that they take, about
type forwardMetrics struct {
	waiting                              prometheus.Gauge
	rejected, refused, stale, prefetches prometheus.Counter
	tls, https                           prometheus.Counter
	ignored                              *prometheus.CounterVec
	current                              atomic.Pointer[forwarder] // whose servers and cache are shown; nil: none
}

func newForwardMetrics() *forwardMetrics {
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
		tls:        counter("tls_connections_total", "Connections for DNS over TLS."),
		https:      counter("https_requests_total", "DNS questions that came over HTTPS."),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_upstream_ignored_total",
			Help: "Datagrams that were no reply to what the upstream server was asked."}, []string{"upstream"}),
	}
}

func (m *forwardMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.waiting, m.rejected, m.refused, m.stale, m.prefetches, m.tls, m.https, m.ignored, forwardGauges{m}}
}

// forwardGauges tell of the servers and the cache that are in use when they are asked.
type forwardGauges struct{ metrics *forwardMetrics }

var (
	upstreamUp = prometheus.NewDesc("rollcall_dns_upstream_up",
		"1 while the upstream server answers and its questions do not come back, else 0.", []string{"upstream"}, nil)
	upstreamLatency = prometheus.NewDesc("rollcall_dns_upstream_latency_seconds",
		"How long the upstream server takes to reply, smoothed; 0: not known.", []string{"upstream"}, nil)
	cacheEntries = prometheus.NewDesc("rollcall_dns_cache_entries", "DNS answers in the cache, stale ones included.", nil, nil)
	cacheBytes   = prometheus.NewDesc("rollcall_dns_cache_bytes", "Memory that the DNS answers in the cache take, about.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g forwardGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{upstreamUp, upstreamLatency, cacheEntries, cacheBytes} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g forwardGauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	f := g.metrics.current.Load()
	if f == nil {
		return
	}
	gauge(cacheEntries, float64(f.cache.len()))
	gauge(cacheBytes, float64(f.cache.octets()))
	now := f.now()
	for _, u := range f.loops.servers {
		up, server := 1.0, u.addr.String()
		if u.isDown() || u.loops(now) {
			up = 0
		}
		gauge(upstreamUp, up, server)
		gauge(upstreamLatency, u.smoothed().Seconds(), server)
	}
}
