package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// half sends the beginning of something that is said to be longer, and ends the connection.
func half(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		io.WriteString(w, body) //nolint:errcheck // the client sees
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body) //nolint:errcheck // the client sees
	}
}

// onStream answers a subscription with a fault, and who asks who leads with the truth.
func onStream(m *replayMaster, fault http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1" && r.Header.Get("Accept") == "application/json" && r.ContentLength == int64(len(`{"type":"SUBSCRIBE"}`)) {
			fault(w, r)
			return
		}
		host, port, _ := strings.Cut(m.address, ":")
		fmt.Fprintf(w, `{"type":"GET_MASTER","get_master":{"master_info":{"id":%q,"address":{"ip":%q,"port":%s}}}}`, m.address, host, port)
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func redirectInALoop(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "//"+r.Host+r.URL.Path)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// Whatever is wrong with a master that is polled: the last good answers stay, the log says once what it is, and metrics
// and readiness tell the age of the answers.
func TestFaultsOfAMasterThatIsPolled(t *testing.T) {
	t.Parallel()
	require(t, "dig")
	good := recorded(t, "state-2-one-task/state.json")
	m := newReplayMaster(t, "127.0.0.11")
	m.serve(good)
	d := startDNSOnly(t, config{"masters": []string{m.address}, "refreshSeconds": 1, "stateTimeoutSeconds": 1})
	survives(t, d, m, []masterFault{
		{"hangs", hang, "context deadline exceeded"},
		{"ends in the middle of the state", half(string(good[:len(good)/2])), "unexpected EOF"},
		{"sends garbage", answers(http.StatusOK, "\x00\xff<html>"), "invalid character"},
		{"sends a state without a leader", answers(http.StatusOK, "{}"), "names no leading master"},
		{"answers 500", answers(http.StatusInternalServerError, "out of order"), "500 Internal Server Error"},
		{"redirects in a loop", redirectInALoop, "redirects more than"},
	})
}

// Likewise for one that is followed by its events.
func TestFaultsOfAMasterThatIsFollowed(t *testing.T) {
	t.Parallel()
	require(t, "dig")
	const snapshot = `{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[{"name":"web","task_id":{"value":"t1"},` +
		`"framework_id":{"value":"f1"},"agent_id":{"value":"x-S1"},"state":"TASK_RUNNING"}]},"get_frameworks":{"frameworks":[` +
		`{"framework_info":{"id":{"value":"f1"},"name":"marathon"}}]},"get_agents":{"agents":[{"agent_info":{"id":{"value":"x-S1"}},` +
		`"pid":"slave(1)@10.0.0.9:5051"}],"recovered_agents":[]}},"heartbeat_interval_seconds":15.0}}`
	m := newReplayMaster(t, "127.0.0.11")
	m.play(1, snapshot)
	d := startDNSOnly(t, config{"masters": []string{m.address}, "refreshSeconds": 1})
	survives(t, d, m, []masterFault{
		{"ends in the middle of a record", onStream(m, half("5000\n"+snapshot[:200])), "reading an event: unexpected EOF"},
		{"sends garbage in a record", onStream(m, half("9\n{\"type\":]")), "invalid character"},
		{"answers 500", onStream(m, answers(http.StatusInternalServerError, "out of order")), "500 Internal Server Error"},
		{"answers 503 to everything", answers(http.StatusServiceUnavailable, ""), "503 Service Unavailable"},
		{"redirects in a loop", redirectInALoop, "redirects more than"},
		{"says nothing any more", onStream(m, func(w http.ResponseWriter, r *http.Request) {
			quiet := strings.Replace(snapshot, "15.0", "1.0", 1)
			fmt.Fprintf(w, "%d\n%s", len(quiet), quiet)
			w.(http.Flusher).Flush()
			hang(w, r)
		}), "missed its heartbeats"},
	})
}

// masterFault is something that a master does, and what is to be read of it in the log.
type masterFault struct {
	name  string
	fault http.HandlerFunc
	log   string
}

func survives(t *testing.T, d *daemon, m *replayMaster, faults []masterFault) {
	t.Helper()
	const name = "web.marathon.mesos"
	d.eventually("the task is known", func() bool { return len(d.addresses(name)) == 1 })
	missing := watchName(d, name)
	up := func() string { return d.metric("rollcall_mesos_state_up") }
	for _, f := range faults {
		d.eventually("all is well before the master "+f.name, func() bool { return up() == "1" })
		logged := len(d.output())
		asked := m.questions()
		m.spoil(f.fault)
		d.eventually("the master "+f.name, func() bool {
			return m.questions() >= asked+2 && strings.Contains(d.output()[logged:], f.log)
		})
		warnings := linesWith(strings.Join(linesWith(d.output()[logged:], "level=WARN"), ""), f.log)
		if len(warnings) != 1 || !strings.Contains(warnings[0], m.address) || len(warnings[0]) > 1000 {
			t.Errorf("the master %s: it is to be warned of once, with its address, in brief: %q", f.name, warnings)
		}
		if age := d.metric("rollcall_mesos_state_age_seconds"); age == "" {
			t.Errorf("the master %s: there is no age", f.name)
		}
		status, body := httpGet(t, d.http+"/readyz")
		var ready struct{ Details map[string]string }
		if err := json.Unmarshal(body, &ready); err != nil || status != http.StatusOK ||
			!regexp.MustCompile(`^state of \d+s ago`).MatchString(ready.Details["mesos"]) {
			t.Errorf("the master %s: /readyz is %d %s (%v)", f.name, status, body, err)
		}
		m.spoil(nil)
	}
	d.eventually("all is well in the end", func() bool { return up() == "1" })
	if n := missing(); n != 0 {
		t.Errorf("%s was missing from %d answers", name, n)
	}
}

// metric is the value of a metric without labels, "" when it is not there.
func (d *daemon) metric(name string) string {
	d.t.Helper()
	_, body := httpGet(d.t, d.http+"/metrics")
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// A state with 10,000 broken tasks costs those tasks, and one line of the log.
func TestTenThousandBrokenTasks(t *testing.T) {
	t.Parallel()
	require(t, "dig")
	m := newReplayMaster(t, "127.0.0.11")
	m.serve(recorded(t, "state-2-one-task/state.json"))
	d := startDNSOnly(t, config{"masters": []string{m.address}, "refreshSeconds": 1})
	const name = "web.marathon.mesos"
	d.eventually("the task is known", func() bool { return len(d.addresses(name)) == 1 })

	var state map[string]any
	if err := json.Unmarshal(recorded(t, "state-2-one-task/state.json"), &state); err != nil {
		t.Fatal(err)
	}
	framework := state["frameworks"].([]any)[0].(map[string]any)
	for i := range 10_000 {
		framework["tasks"] = append(framework["tasks"].([]any), map[string]any{"id": i, "name": []int{i}, "slave_id": nil,
			"state": "TASK_RUNNING", "resources": "none"})
	}
	spoiled, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	logged := len(d.output())
	m.serve(spoiled)
	d.eventually("the broken tasks are counted", func() bool { return d.metric("rollcall_mesos_state_broken_items") == "10000" })
	asked := m.questions()
	d.eventually("it is asked for again", func() bool { return m.questions() >= asked+2 })
	warnings := linesWith(d.output()[logged:], "level=WARN")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "frameworks[0].tasks[1]") || len(warnings[0]) > 1000 {
		t.Errorf("one line is to say what and where: %q", warnings)
	}
	if got := d.addresses(name); len(got) != 1 {
		t.Errorf("%s is at %v", name, got)
	}
	m.serve(recorded(t, "state-2-one-task/state.json"))
	d.eventually("it is whole again", func() bool { return d.metric("rollcall_mesos_state_broken_items") == "0" })
}
