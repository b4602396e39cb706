package resolver

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is something that has to be so before answers may be relied on. Ready returns nil when it is, else an error
// that says what is missing; it may be called from any goroutine and must not block.
type Check struct {
	Name  string
	Ready func() error
	// Detail says what else is of interest, passing or not, "" for nothing; it may be nil. It must not block either.
	Detail func() string
}

// ZoneReady checks that all sources of the zone's names have spoken.
func ZoneReady(zone Zone) Check {
	return Check{Name: "zone", Ready: func() error {
		if !zone.Ready() {
			return errors.New("not all sources of names have been heard; names that are missing are answered SERVFAIL")
		}
		return nil
	}}
}

// NewMonitor serves what those who watch the program ask for:
//
//	/healthz   200: the program runs
//	/readyz    200 when all checks pass, else 503; the JSON body says which do not, and why
//	/metrics   the registry, in Prometheus's text format
func NewMonitor(registry *prometheus.Registry, checks ...Check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok\n") //nolint:errcheck // the client is gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeReadiness(w, checks) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// readiness is the body of /readyz and /v1/ready.
type readiness struct {
	Ready   bool              `json:"ready"`
	Reasons map[string]string `json:"reasons,omitempty"` // by check: why it does not pass
	Details map[string]string `json:"details,omitempty"` // by check: what else is of interest
}

func writeReadiness(w http.ResponseWriter, checks []Check) {
	out := readiness{Ready: true, Reasons: map[string]string{}, Details: map[string]string{}}
	for _, c := range checks {
		if err := c.Ready(); err != nil {
			out.Ready = false
			out.Reasons[c.Name] = err.Error()
		}
		if c.Detail == nil {
			continue
		}
		if detail := c.Detail(); detail != "" {
			out.Details[c.Name] = detail
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !out.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(out) //nolint:errcheck // the client is gone
}
