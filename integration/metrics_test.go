package integration

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are metrics that a rollcall with an engine of its own does not tell of, and when one does.
var elsewhere = map[string]string{
	"rollcall_dns_transfers_total":          "after the first zone transfer",
	"rollcall_dns_forwards_total":           "after the first question that was forwarded",
	"rollcall_dns_upstream_up":              "where questions are forwarded",
	"rollcall_dns_upstream_latency_seconds": "where questions are forwarded",
	"rollcall_dns_upstream_ignored_total":   "after the first datagram that was ignored",
	"rollcall_dns_cache_entries":            "where questions are forwarded",
	"rollcall_dns_cache_bytes":              "where questions are forwarded",
	"rollcall_mesos_state_age_seconds":      "where a Mesos cluster is followed",
	"rollcall_mesos_state_up":               "where a Mesos cluster is followed",
	"rollcall_mesos_state_broken_items":     "where a Mesos cluster is followed",
	"rollcall_mesos_request_seconds":        "where a Mesos cluster is followed",
	"rollcall_peers_leader_changes_total":   "where the state is shared",
	"rollcall_peers_leader_known":           "where the state is shared",
	"rollcall_peers_lease_seconds":          "where the state is shared",
	"rollcall_peers_leading":                "where the state is shared",
	"rollcall_peers_following":              "where the state is shared",
	"rollcall_peers_heard_age_seconds":      "where the state is shared",
	"rollcall_peers_state_refused":          "where the state is shared",
}

// documentedMetrics are the names and types that docs/metrics.md lists.
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	rows := regexp.MustCompile("(?m)^\\| `(rollcall_[a-z_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(document(t, "metrics.md"), -1)
	out := map[string]string{}
	for _, row := range rows {
		out[row[1]] = row[2]
	}
	return out
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// docs/metrics.md lists what a running rollcall tells, with its types, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	d := start(t, newConfig(t.TempDir()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "a", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16}`)
	d.eventually("the app runs", func() bool { return len(d.tasks("a")) == 1 })
	scrape := string(d.must(http.StatusOK, http.MethodGet, "/metrics", ""))
	documented, live := documentedMetrics(t), map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (rollcall_\S+) (\S+)$`).FindAllStringSubmatch(scrape, -1) {
		live[m[1]] = true
		if documented[m[1]] != m[2] {
			t.Errorf("docs/metrics.md says that %s is %q; add or correct: | `%s` | %s | labels | meaning |", m[1], documented[m[1]], m[1], m[2])
		}
	}
	for name := range documented {
		if !live[name] && elsewhere[name] == "" {
			t.Errorf("docs/metrics.md lists %s, which rollcall does not tell", name)
		}
	}
	require(t, "promtool")
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(scrape)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

var (
	metricName      = regexp.MustCompile(`rollcall_[a-z_]+`)
	histogramSeries = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// dashboardQueries are the expressions of docs/rollcall-dashboard.json, with a value for its variable.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(document(t, "rollcall-dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			out = append(out, strings.ReplaceAll(target.Expr, "$instance", ".*"))
		}
	}
	if len(out) < 10 {
		t.Fatalf("the dashboard has only %d expressions", len(out))
	}
	return out
}

// Alerts and dashboard ask for metrics that exist, every alert is explained, and each fires when it should.
func TestAlerts(t *testing.T) {
	require(t, "promtool")
	rules := document(t, "rollcall.rules.yml")
	documented := documentedMetrics(t)
	for _, name := range metricName.FindAllString(rules+strings.Join(dashboardQueries(t), "\n"), -1) {
		if documented[name] == "" && documented[histogramSeries.ReplaceAllString(name, "")] != "histogram" {
			t.Errorf("docs/metrics.md has no %s", name)
		}
	}
	dir := t.TempDir()
	tests := filepath.Join(dir, "alerts.yml")
	run(t, "cp", filepath.Join(moduleRoot(t), "docs", "rollcall.rules.yml"), filepath.Join("testdata", "alerts.yml"), dir)
	run(t, "promtool", "test", "rules", tests)
	tested, err := os.ReadFile(tests)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(string(tested), "alertname: "+m[1]+"\n") {
			t.Errorf("no test has %s fire", m[1])
		}
		if !strings.Contains(document(t, "operations.md"), "| `"+m[1]+"` |") {
			t.Errorf("docs/operations.md does not say what %s means", m[1])
		}
	}
}

// A real Prometheus scrapes rollcall, and can evaluate every alert and every panel of the dashboard.
func TestPrometheus(t *testing.T) {
	require(t, "prometheus")
	d := start(t, newConfig(t.TempDir()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "a", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "instances": 2}`)
	dir := t.TempDir()
	run(t, "cp", filepath.Join(moduleRoot(t), "docs", "rollcall.rules.yml"), dir)
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rollcall.rules.yml]\nscrape_configs:\n" +
		"  - {job_name: rollcall, static_configs: [{targets: [\"" + strings.TrimPrefix(d.http, "http://") + "\"]}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "promtool", "check", "config", filepath.Join(dir, "prometheus.yml"))
	at := "127.0.0.1:" + freePort(t)
	p := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill() //nolint:errcheck // it may have ended
		p.Wait()         //nolint:errcheck // it was killed
	})
	ask := func(path string, into any) bool {
		response, err := http.Get("http://" + at + path)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return err == nil && response.StatusCode == http.StatusOK && json.Unmarshal(body, into) == nil
	}
	query := func(expr string) (result []json.RawMessage, ok bool) {
		var answer struct {
			Data struct{ Result []json.RawMessage }
		}
		ok = ask("/api/v1/query?query="+url.QueryEscape(expr), &answer)
		return answer.Data.Result, ok
	}
	d.eventually("Prometheus has scraped rollcall", func() bool {
		result, ok := query(`rollcall_scheduler_instances{condition="Running"} == 2`)
		return ok && len(result) == 1
	})
	for _, expr := range dashboardQueries(t) {
		result, ok := query(expr)
		missing := slices.ContainsFunc(slices.Collect(maps.Keys(elsewhere)), func(name string) bool { return strings.Contains(expr, name) })
		if !ok || len(result) == 0 && !missing && !strings.Contains(expr, "rate(") {
			t.Errorf("Prometheus answers %s with %s, ok: %v", expr, result, ok)
		}
	}
	healthy := map[string]bool{}
	d.eventually("every alert has been evaluated", func() bool {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError, State string }
				}
			}
		}
		if !ask("/api/v1/rules", &answer) {
			return false
		}
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.LastError != "" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				atStart := []string{"RollcallInstancesWaiting", "RollcallNotReady", "RollcallDockerDown"}
				if r.State != "inactive" && !slices.Contains(atStart, r.Name) {
					t.Errorf("%s is %s, though all is well", r.Name, r.State)
				}
				healthy[r.Name] = healthy[r.Name] || r.Health == "ok"
			}
		}
		for _, ok := range healthy {
			if !ok {
				return false
			}
		}
		return len(healthy) == strings.Count(document(t, "rollcall.rules.yml"), "alert: ")
	})
}
