package scheduler

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestNetProber(t *testing.T) {
	serve := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
		case "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/early":
			w.WriteHeader(http.StatusProcessing)
		case "/slow":
			<-r.Context().Done()
		}
	}
	plain := httptest.NewServer(http.HandlerFunc(serve))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(serve))
	defer secure.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()

	for _, c := range []struct {
		name    string
		probe   Probe
		outcome ProbeOutcome
		cause   string
	}{
		{"200", Probe{Protocol: ProtocolHTTP, Path: "/ok"}, ProbeSucceeded, ""},
		{"a redirect is healthy and not followed", Probe{Protocol: ProtocolHTTP, Path: "/moved"}, ProbeSucceeded, ""},
		{"500", Probe{Protocol: ProtocolHTTP, Path: "/broken"}, ProbeFailed, "500"},
		{"1xx ignored", Probe{Protocol: ProtocolHTTP, Path: "/early", Ignore1xx: true}, ProbeIgnored, ""},
		{"time-out", Probe{Protocol: ProtocolHTTP, Path: "/slow", Timeout: 20 * time.Millisecond}, ProbeFailed, "no answer within 20ms"},
		{"refused", Probe{Protocol: ProtocolHTTP, Path: "/", Address: closed}, ProbeFailed, "refused"},
		{"HTTPS with a certificate of nobody's", Probe{Protocol: ProtocolHTTPS, Path: "/ok", Address: secure.Listener.Addr().String()}, ProbeSucceeded, ""},
		{"TCP", Probe{Protocol: ProtocolTCP}, ProbeSucceeded, ""},
		{"TCP refused", Probe{Protocol: ProtocolTCP, Address: closed}, ProbeFailed, "refused"},
		{"readiness by code", Probe{Protocol: ProtocolHTTP, Path: "/broken", Readiness: true, ReadyOn: []int{500}}, ProbeSucceeded, ""},
		{"not ready", Probe{Protocol: ProtocolHTTP, Path: "/ok", Readiness: true, ReadyOn: []int{204}}, ProbeFailed, "200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.probe.Address == "" {
				c.probe.Address = plain.Listener.Addr().String()
			}
			if c.probe.Timeout == 0 {
				c.probe.Timeout = time.Minute
			}
			got := NewNetProber().Probe(t.Context(), c.probe)
			if got.Outcome != c.outcome || !strings.Contains(got.Cause, c.cause) || (c.cause == "") != (got.Cause == "") {
				t.Errorf("outcome %v, cause %q", got.Outcome, got.Cause)
			}
			if c.probe.Readiness && (got.Reply == nil || got.Reply.Status == 0) {
				t.Errorf("no reply kept: %+v", got.Reply)
			}
		})
	}
}
