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
type forwardMetrics struct {
	waiting  prometheus.Gauge
	rejected prometheus.Counter
	ignored  *prometheus.CounterVec
	registry prometheus.Registerer
}

func newForwardMetrics(registry prometheus.Registerer) *forwardMetrics {
	return &forwardMetrics{
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollcall_dns_forwards_waiting",
			Help: "Different DNS questions that upstream servers have not answered yet."}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{Name: "rollcall_dns_forwards_rejected_total",
			Help: "DNS questions that were not forwarded, as no upstream server answers and enough others wait."}),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_dns_upstream_ignored_total",
			Help: "Datagrams that were no reply to what the upstream server was asked."}, []string{"upstream"}),
		registry: registry,
	}
}

func (m *forwardMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.waiting, m.rejected, m.ignored}
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
