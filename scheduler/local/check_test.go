package local

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/scheduler"
)

func TestHealthCount(t *testing.T) {
	const inGrace, later = 10 * time.Second, 31 * time.Second
	type result struct {
		healthy bool
		age     time.Duration
		want    verdict
	}
	nothing, report, kill := verdict{}, verdict{report: true}, verdict{report: true, kill: true}
	tests := []struct {
		name     string
		failures int
		results  []result
	}{
		{"first success is told, the next is not", 3, []result{{true, inGrace, report}, {true, later, nothing}}},
		{"grace", 1, []result{{false, inGrace, nothing}, {false, inGrace, nothing}, {false, later, kill}}},
		{"grace ends with the first success", 1, []result{{true, inGrace, report}, {false, inGrace, kill}}},
		{"in a row", 3, []result{{false, later, report}, {false, later, report}, {false, later, kill}}},
		{"success in between", 2, []result{{false, later, report}, {true, later, report}, {false, later, report}, {false, later, kill}}},
		{"zero is the first", 0, []result{{false, later, kill}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var count healthCount
			for i, r := range test.results {
				got := count.record(r.healthy, r.age, scheduler.HealthCheck{GracePeriodSeconds: 30, MaxConsecutiveFailures: test.failures})
				if got != r.want {
					t.Errorf("result %d: got %+v, want %+v", i, got, r.want)
				}
			}
		})
	}
}

func TestCommandCheck(t *testing.T) {
	r := newRig(t, Options{})
	r.launch(scheduler.TaskInfo{ID: "a", Shell: "touch ok; sleep 1000", HealthCheck: &scheduler.HealthCheck{
		Protocol: scheduler.ProtocolCommand, Command: &scheduler.Command{Value: `[ "$PWD" = "$MESOS_SANDBOX" ] && cat ok`},
		MaxConsecutiveFailures: 2, GracePeriodSeconds: 0}})
	r.statusThat("a", func(s scheduler.TaskStatus) bool { return s.Healthy != nil && *s.Healthy })
	if err := os.Remove(filepath.Join(r.dir("a").sandbox(), "ok")); err != nil {
		t.Fatal(err)
	}
	s := r.statusThat("a", func(s scheduler.TaskStatus) bool { return s.Healthy != nil && !*s.Healthy })
	if s.State != scheduler.TaskRunning || !strings.Contains(s.Message, "exited with status 1: cat: ok: No such file") {
		t.Errorf("got %+v", s)
	}
	s = r.status("a", scheduler.TaskKilled)
	if s.Healthy == nil || *s.Healthy || !strings.Contains(s.Message, "(2 times in a row)") {
		t.Errorf("got %+v", s)
	}
}

func TestChecksOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.RequestURI() {
		case "/ok?x=1":
		case "/moved":
			http.Redirect(w, q, "/nowhere", http.StatusFound)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	port, closed := int(at.Port()), 1
	tests := []struct {
		name  string
		check scheduler.HealthCheck
		err   string // a part of it; "" for none
	}{
		{"http", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTP, Path: "/ok?x=1", Port: &port}, ""},
		{"redirect", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTP, Path: "/moved", Port: &port}, ""},
		{"unhealthy", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTP, Port: &port}, "503 Service Unavailable"},
		{"https to http", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTPS, Port: &port}, "HTTP response to HTTPS"},
		{"no port", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosHTTP}, "no port"},
		{"tcp", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosTCP, Port: &port}, ""},
		{"tcp refused", scheduler.HealthCheck{Protocol: scheduler.ProtocolMesosTCP, Port: &closed}, "refused"},
		{"command", scheduler.HealthCheck{Protocol: scheduler.ProtocolCommand, Command: &scheduler.Command{Value: "true"}}, ""},
		{"command killed", scheduler.HealthCheck{Protocol: scheduler.ProtocolCommand, Command: &scheduler.Command{Value: "kill -9 $$"}}, "terminated with signal Killed"},
		{"command hangs", scheduler.HealthCheck{Protocol: scheduler.ProtocolCommand, TimeoutSeconds: 1,
			Command: &scheduler.Command{Value: "sleep 1000 & sleep 1000"}}, "no result after 1 seconds"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := taskDir(t.TempDir())
			if err := os.Mkdir(dir.sandbox(), 0o755); err != nil {
				t.Fatal(err)
			}
			c := &checker{check: test.check, address: at.Addr(), dir: dir}
			err := c.once(t.Context())
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}
