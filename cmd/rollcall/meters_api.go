package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// apiMeters count the requests to the Marathon API, those that are passed on to the leader included.
type apiMeters struct {
	requests *prometheus.CounterVec   // by method and status
	answers  *prometheus.HistogramVec // by method
	active   prometheus.Gauge
}

func newAPIMeters() *apiMeters {
	return &apiMeters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_api_requests_total",
			Help: "Requests to the Marathon API that are over, by method and HTTP status."}, []string{"method", "code"}),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rollcall_api_answer_seconds", Buckets: spans,
			Help: "How long the Marathon API took to begin its answer to a request."}, []string{"method"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollcall_api_requests_active",
			Help: "Requests to the Marathon API that are being answered, event streams included."}),
	}
}

func (m *apiMeters) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.answers, m.active}
}

// over counts the requests that a handler answers.
func (m *apiMeters) over(h http.Handler) http.Handler {
	h = promhttp.InstrumentHandlerTimeToWriteHeader(m.answers, h) // the answer itself may be a stream
	h = promhttp.InstrumentHandlerCounter(m.requests, h)
	return promhttp.InstrumentHandlerInFlight(m.active, h)
}
