package resolver

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// newTestRegistry is a registry that has the metrics of a server.
func newTestRegistry(t testing.TB) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewRegistry()
	newTestHandler(t, newTestZone(t), func(o *Options) { o.Registry = r })
	return r
}

func TestMetrics(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	registry := prometheus.NewRegistry()
	dead := deadAddr(t)
	h, _ := newTestForwarder(t, func(o *Options) { o.Registry, o.CacheSize = registry, 10 }, dead, u.addr)
	for question, times := range map[string]int{"one.marathon.mesos. A": 3, "none.mesos. A": 2, "one.marathon.mesos. HINFO": 1, "example.com. A": 2} {
		for range times {
			resolve(t, h, newQuestion(t, question), true)
		}
	}
	if got, _ := h.handle(nil, make([]byte, 12), overUDP, 0); got == nil {
		t.Error("no reply to a header only")
	}
	bad := newQuestion(t, "one.marathon.mesos. A")
	bad.SetEdns0(1232, false)
	bad.IsEdns0().SetVersion(1)
	reply(t, h, bad, true)

	body := get(NewMonitor(registry), "GET", "/metrics").Body.String()
	for _, want := range []string{
		`rollcall_dns_queries_total{rcode="NOERROR",type="A"} 5`,
		`rollcall_dns_queries_total{rcode="NXDOMAIN",type="A"} 2`,
		`rollcall_dns_queries_total{rcode="NOERROR",type="other"} 1`,
		`rollcall_dns_queries_total{rcode="FORMERR",type="none"} 1`,
		`rollcall_dns_queries_total{rcode="BADVERS",type="A"} 1`,
		`rollcall_dns_forwards_total{result="reply",upstream="` + u.addr.String() + `"} 1`,
		`rollcall_dns_forwards_total{result="failure",upstream="` + dead.String() + `"} 1`,
		`rollcall_dns_cache_hits_total 1`,
		`rollcall_dns_cache_misses_total 1`,
		`rollcall_dns_zone_ready 1`,
		`rollcall_dns_zone_tasks 806`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("/metrics does not have %s:\n%s", want, linesWith(body, strings.Split(want, "{")[0]))
		}
	}
}

func linesWith(text, part string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// Names follow Prometheus's conventions, and each is documented where the metrics are defined.
func TestMetricNames(t *testing.T) {
	registry := newTestRegistry(t)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var source []byte
	for _, file := range []string{"metrics.go", "forwardmetrics.go", "answertime.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	body := get(NewMonitor(registry), "GET", "/metrics").Body.String()
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(body, -1) {
		if !regexp.MustCompile(`(?m)^//\t` + m[1] + `[{ ]`).Match(source) {
			t.Errorf("%s is not documented", m[1])
		}
	}
}
