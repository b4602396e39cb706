package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorded reads a file of the recordings of a real Mesos cluster.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "shared", "testdata", "mesos", name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: the recordings are not there: ", err)
	}
	return data
}

// replayMaster is a Mesos master that gives recorded answers.
type replayMaster struct {
	*httptest.Server
	address string

	mu      sync.Mutex
	more    *sync.Cond // there are more events
	state   []byte     // of /master/state; nil: 404
	summary []byte     // of /master/state-summary
	events  []string   // of the operator API; nil: 404
	asked   int        // for the state, or whatever else while there is a fault
	fault   http.HandlerFunc
}

// newReplayMaster serves on an address of this machine.
func newReplayMaster(t *testing.T, ip string) *replayMaster {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	m := &replayMaster{address: listener.Addr().String(), summary: []byte(`{"frameworks":[]}`)}
	m.more = sync.NewCond(&m.mu)
	m.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: m}}
	m.Start()
	t.Cleanup(m.stop)
	return m
}

// stop ends the master as a kill does.
func (m *replayMaster) stop() {
	m.Listener.Close()
	m.CloseClientConnections()
	m.play(0)
	m.Close()
}

// serve changes the state. The recorded leader becomes this master.
func (m *replayMaster) serve(state []byte) {
	var leader struct{ Leader string }
	if err := json.Unmarshal(state, &leader); err != nil || leader.Leader == "" {
		panic(fmt.Sprintf("the recorded state has no leader: %v", err))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = bytes.ReplaceAll(state, []byte(leader.Leader), []byte("master@"+m.address))
}

// play sends events to those who have subscribed.
func (m *replayMaster) play(upTo int, events ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(events) > 0 {
		m.events = slices.Clone(events[:upTo])
	}
	m.more.Broadcast()
}

// spoil has all questions answered by a fault from now on, streams that there are ended first; nil mends it.
func (m *replayMaster) spoil(fault http.HandlerFunc) {
	m.mu.Lock()
	m.fault = fault
	m.mu.Unlock()
	m.CloseClientConnections()
	m.play(0)
}

// questions counts those for the state.
func (m *replayMaster) questions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func (m *replayMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	if fault := m.fault; fault != nil {
		m.asked++
		m.mu.Unlock()
		fault(w, r)
		return
	}
	defer m.mu.Unlock()
	switch {
	case r.URL.Path == "/master/state" && m.state != nil:
		m.asked++
		w.Write(m.state) //nolint:errcheck // the client sees
	case r.URL.Path == "/master/state-summary":
		w.Write(m.summary) //nolint:errcheck // likewise
	case r.URL.Path != "/api/v1" || m.events == nil:
		http.NotFound(w, r)
	case bytes.Contains(body, []byte("GET_MASTER")):
		host, port, _ := net.SplitHostPort(m.address)
		fmt.Fprintf(w, `{"type":"GET_MASTER","get_master":{"master_info":{"id":%q,"address":{"ip":%q,"port":%s}}}}`,
			m.address, host, port)
	case bytes.Contains(body, []byte("SUBSCRIBE")):
		for sent := 0; r.Context().Err() == nil; {
			for ; sent < len(m.events); sent++ {
				fmt.Fprintf(w, "%d\n%s", len(m.events[sent]), m.events[sent])
			}
			w.(http.Flusher).Flush()
			m.more.Wait()
		}
	}
}

// startDNSOnly runs rollcall as a Mesos-DNS.
func startDNSOnly(t *testing.T, c config) *daemon {
	t.Helper()
	all := config{
		"domain": "mesos", "listener": "127.0.0.1", "port": 0, "httplistener": "127.0.0.1", "httpport": 0, "externalon": false,
	}
	for key, value := range c {
		all[key] = value
	}
	d := &daemon{t: t, dir: t.TempDir()}
	d.write(all)
	t.Cleanup(d.cleanUp)
	d.run()
	return d
}

// zoneRecords are all records of rollcall, sorted, but for those of masters and of the server itself.
func (d *daemon) zoneRecords() []string {
	d.t.Helper()
	response, err := http.Get(d.http + "/v1/axfr")
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	var zone struct {
		Records map[string]map[string][]string
	}
	if err := json.NewDecoder(response.Body).Decode(&zone); err != nil {
		d.t.Fatal(err)
	}
	var out []string
	for kind, names := range zone.Records {
		for name, values := range names {
			if strings.Contains(name, "leader.") || strings.HasPrefix(name, "master") || strings.HasPrefix(name, "ns1.") {
				continue
			}
			for _, value := range values {
				out = append(out, name+" "+kind+" "+value)
			}
		}
	}
	slices.Sort(out)
	return out
}

// A rollcall that follows events has the records of one that polls the state, wherever a state was recorded.
func TestMesosEventsGiveTheRecordsOfTheState(t *testing.T) {
	var events []string
	lines := bufio.NewScanner(bytes.NewReader(recorded(t, "operator/events-session.events.jsonl")))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		events = append(events, lines.Text())
	}
	stages := []struct {
		state  string
		events int // how many came before it
	}{
		{"state-2-one-task", 6}, {"state-3-several", 103}, {"state-4-ended", 124}, {"state-4c-agent-unregistered", 139},
	}
	streams, polls := newReplayMaster(t, "127.0.0.11"), newReplayMaster(t, "127.0.0.11")
	streams.play(1, events...)
	polls.serve(recorded(t, "state-2-one-task/state.json"))
	follower := startDNSOnly(t, config{"masters": []string{streams.address}})
	poller := startDNSOnly(t, config{"masters": []string{polls.address}, "refreshSeconds": 1})
	for _, stage := range stages {
		polls.serve(recorded(t, stage.state+"/state.json"))
		// The poll after the next one began when the state was served.
		asked := polls.questions()
		poller.eventually("the state is polled", func() bool { return polls.questions() >= asked+2 })
		want := poller.zoneRecords()
		streams.play(stage.events, events...)
		var got []string
		follower.eventually("the events give the records of "+stage.state, func() bool {
			got = follower.zoneRecords()
			return slices.Equal(got, want)
		})
		if len(got) == 0 {
			t.Errorf("%s: no records", stage.state)
		}
	}
	if n := streams.questions(); n != 0 {
		t.Errorf("the state was polled %d times beside the events", n)
	}
}
