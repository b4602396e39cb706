package mesos

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// recording opens a file of the recordings of a real cluster.
func recording(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "testdata", "mesos", name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: the recordings are not there: ", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// recordedEvents reads decoded events, one a line.
func recordedEvents(t testing.TB, name string) [][]byte {
	t.Helper()
	var out [][]byte
	lines := bufio.NewScanner(recording(t, name))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		out = append(out, bytes.Clone(lines.Bytes()))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func recordedState(t testing.TB, name string) State {
	t.Helper()
	s, err := DecodeState(recording(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustDecodeEvent(t testing.TB, data []byte) event {
	t.Helper()
	e, err := decodeEvent(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in %.200s", err, data)
	}
	if e.broken.Count > 0 {
		t.Fatalf("broken: %v in %.200s", e.broken, data)
	}
	return e
}

// ledger is a Sink that keeps what it was told.
type ledger struct {
	resets     int
	state      State // of the last Reset
	agents     map[string]Agent
	frameworks map[string]Framework
	tasks      map[TaskKey]Task
}

func (l *ledger) Reset(s State) {
	l.resets++
	l.state = s
	l.agents, l.frameworks, l.tasks = map[string]Agent{}, map[string]Framework{}, map[TaskKey]Task{}
	l.Apply(Change{Agents: s.Agents, Frameworks: s.Frameworks, Tasks: s.Tasks})
}

func (l *ledger) Apply(c Change) {
	for _, key := range c.TasksGone {
		delete(l.tasks, key)
	}
	for _, id := range c.AgentsGone {
		delete(l.agents, id)
	}
	for _, id := range c.FrameworksGone {
		delete(l.frameworks, id)
	}
	for _, a := range c.Agents {
		l.agents[a.ID] = a
	}
	for _, f := range c.Frameworks {
		l.frameworks[f.ID] = f
	}
	for _, t := range c.Tasks {
		l.tasks[t.Key()] = t
	}
}

// replay is a cluster being followed through recorded events.
type replay struct {
	ledger
	view *clusterView
}

func (r *replay) step(e event) {
	if e.kind == eventSubscribed {
		r.view = newClusterView(e.snapshot, map[string]Endpoint{})
		r.Reset(r.view.initial(e.snapshot))
		return
	}
	r.Apply(r.view.apply(e))
}

// named is what names depend on: the tasks that run, with their ports in order.
type named struct {
	Agents     map[string]Agent
	Frameworks map[string]Framework
	Running    map[TaskKey]Task
}

func (l *ledger) named() named {
	n := named{Agents: maps.Clone(l.agents), Frameworks: maps.Clone(l.frameworks), Running: map[TaskKey]Task{}}
	for key, t := range l.tasks {
		if t.State == TaskRunning {
			t.Ports = slices.Sorted(slices.Values(t.Ports))
			n.Running[key] = t
		}
	}
	return n
}

func namedOf(s State) named {
	var l ledger
	l.Reset(s)
	return l.named()
}

var sameNamed = []cmp.Option{cmpopts.EquateEmpty(), cmpopts.EquateComparable(Endpoint{})}

func diffNamed(a, b named) string {
	return cmp.Diff(a, b, append(sameNamed, cmp.Comparer(func(a, b Addresses) bool {
		return slices.Equal(a.NetInfo, b.NetInfo) && slices.Equal(a.Docker, b.Docker) && slices.Equal(a.Mesos, b.Mesos)
	}))...)
}

// Where the state document was recorded while events were, the events up to then lead to that state.
func TestEventsLeadToTheRecordedStates(t *testing.T) {
	for _, c := range []struct {
		events string
		states []string // in the order in which they were recorded
		// agentGone are states in which an agent is gone of which no event tells. The events must tell enough for the
		// stream to be squared with the state soon.
		agentGone []string
	}{
		{"operator/events-session.events.jsonl", []string{
			"state-2-one-task", "state-3-several", "state-4-ended", "state-4b-agent-back", "state-4c-agent-unregistered",
			"state-5-disconnected",
		}, nil},
		{"operator/events-agents.events.jsonl", []string{"state-6-unreachable", "state-7-gone", "state-9-reserved"},
			[]string{"state-6-unreachable", "state-7-gone", "state-9-reserved"}},
	} {
		t.Run(filepath.Base(c.events), func(t *testing.T) {
			events := recordedEvents(t, c.events)
			var r replay
			r.step(mustDecodeEvent(t, events[0]))
			next := 1
			for _, name := range c.states {
				want := namedOf(recordedState(t, filepath.Join(name, "state.json")))
				var closest string
				for {
					got := r.named()
					gone := slices.Contains(c.agentGone, name)
					if gone {
						got.Agents = want.Agents
					}
					diff := diffNamed(want, got)
					if diff == "" && (!gone || r.view.incomplete) {
						break
					}
					if closest == "" || len(diff) < len(closest) {
						closest = diff
					}
					if next == len(events) {
						t.Fatalf("no prefix of the events leads to %s; the closest (-state +events):\n%s", name, closest)
					}
					r.step(mustDecodeEvent(t, events[next]))
					next++
				}
				t.Logf("%s after %d of %d events", name, next, len(events))
			}
		})
	}
}

// A subscription to a full cluster begins with what its state document says.
func TestSnapshotIsTheRecordedState(t *testing.T) {
	for _, c := range []struct{ stream, state string }{
		{"operator/late-subscribe.raw", "state-3-several"},
	} {
		_, body, ok := strings.Cut(readAll(t, recording(t, c.stream)), "\r\n\r\n")
		if !ok {
			t.Fatal("the recording has no head")
		}
		first, err := nextEvent(NewRecordReader(chunks(body), longestEvent))
		if err != nil || first.snapshot == nil || first.broken.Count > 0 {
			t.Fatalf("%v, %v", err, first.broken)
		}
		view := newClusterView(first.snapshot, nil)
		state, want := view.initial(first.snapshot), recordedState(t, filepath.Join(c.state, "state.json"))
		if diff := diffNamed(namedOf(want), namedOf(state)); diff != "" {
			t.Errorf("-state +snapshot:\n%s", diff)
		}
		less := func(a, b TaskKey) int { return strings.Compare(a.FrameworkID+a.ID, b.FrameworkID+b.ID) }
		if !slices.Equal(slices.SortedFunc(slices.Values(want.Ended), less), slices.SortedFunc(slices.Values(state.Ended), less)) {
			t.Errorf("ended: %v, want %v", state.Ended, want.Ended)
		}
		if !slices.Equal(want.Completed, state.Completed) || (want.Recovered == nil) != (state.Recovered == nil) {
			t.Errorf("completed %v, want %v; recovered %v, want %v", state.Completed, want.Completed, state.Recovered, want.Recovered)
		}
	}
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// chunks undoes the chunked coding of a recorded body, which may be cut off.
func chunks(body string) io.Reader {
	var out bytes.Buffer
	for body != "" {
		var size int
		line, rest, _ := strings.Cut(body, "\r\n")
		for _, c := range strings.ToLower(line) {
			size = size*16 + strings.IndexRune("0123456789abcdef", c)
		}
		size = min(size, len(rest))
		out.WriteString(rest[:size])
		body = strings.TrimPrefix(rest[size:], "\r\n")
	}
	return &out
}

// A thousand tasks of shared executors: the events lead to the state that was recorded when 900 of them ran.
func TestEventsOfManyTasksLeadToTheRecordedState(t *testing.T) {
	zipped, err := gzip.NewReader(recording(t, "many/operator-events.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var stream strings.Builder
	for lines := json.NewDecoder(zipped); ; {
		var segment struct{ Dir, Raw string }
		if err := lines.Decode(&segment); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if segment.Dir == "M>C" {
			stream.WriteString(segment.Raw)
		}
	}
	_, body, _ := strings.Cut(stream.String(), "\r\n\r\n")
	want := namedOf(recordedState(t, "many/state.json"))
	records := NewRecordReader(chunks(body), longestEvent)
	var r replay
	closest := "nothing"
	for {
		e, err := nextEvent(records)
		if err != nil {
			t.Fatalf("no prefix of the events leads to the state: %v; the closest (-state +events):\n%s", err, closest)
		}
		r.step(e)
		if got := r.named(); len(got.Running) == len(want.Running) {
			diff := diffNamed(want, got)
			if diff == "" {
				return
			}
			closest = diff
		}
	}
}

// The second time an event comes it changes nothing.
func TestEventsAreUpserts(t *testing.T) {
	for _, name := range []string{"operator/events-session.events.jsonl", "operator/events-agents.events.jsonl"} {
		var once, twice replay
		for _, line := range recordedEvents(t, name) {
			once.step(mustDecodeEvent(t, line))
			twice.step(mustDecodeEvent(t, line))
			twice.step(mustDecodeEvent(t, line))
			if diff := diffNamed(once.named(), twice.named()); diff != "" {
				t.Fatalf("after %.100s twice:\n%s", line, diff)
			}
		}
	}
}

// A health check that goes on failing sends the same status over and over: no name changes.
func TestRepeatedStatusChangesNothing(t *testing.T) {
	var r replay
	counts := map[string]int{}
	for _, line := range recordedEvents(t, "operator/events-session.events.jsonl") {
		e := mustDecodeEvent(t, line)
		if e.kind != eventTaskUpdated || !strings.HasPrefix(e.update.key.ID, "unhealthy.") {
			r.step(e)
			continue
		}
		if c := r.view.apply(e); !c.empty() {
			counts[e.update.state]++
			r.Apply(c)
		}
	}
	for state, n := range counts {
		if state == TaskRunning && n > 2 { // one for each of the two tasks of that name
			t.Errorf("%d changes to %s", n, state)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, seed := range []string{
		`{"type":"HEARTBEAT"}`,
		`{"type":"TASK_ADDED","task_added":{"task":{"name":"web","task_id":{"value":"t1"},"framework_id":{"value":"f1"},
			"agent_id":{"value":"a1"},"state":"TASK_RUNNING","resources":[{"name":"ports","type":"RANGES",
			"ranges":{"range":[{"begin":31000,"end":31001}]}}],"discovery":{"name":"web","ports":{"ports":[{"number":1}]}}}}}`,
		`{"type":"TASK_UPDATED","task_updated":{"framework_id":{"value":"f1"},"state":"TASK_RUNNING","status":{
			"task_id":{"value":"t1"},"state":"TASK_RUNNING","timestamp":1.5,"container_status":{"network_infos":[
			{"ip_addresses":[{"ip_address":"10.0.0.1"}]}]}}}}`,
		`{"type":"AGENT_ADDED","agent_added":{"agent":{"agent_info":{"id":{"value":"a1"}},"pid":"slave(1)@10.0.0.1:5051"}}}`,
		`{"type":"FRAMEWORK_REMOVED","framework_removed":{"framework_info":{"id":{"value":"f1"}}}}`,
		`{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[{"task_id":{"value":"t1"}},7,null]},
			"get_agents":{"agents":[],"recovered_agents":[{"id":{"value":"a2"}}]}},"heartbeat_interval_seconds":15.0}}`,
		`{"type":"SUBSCRIBED","subscribed":[]}`,
		`[]`, `{"task_added":{"task":null}}`,
	} {
		f.Add([]byte(seed))
	}
	view := newClusterView(&snapshot{}, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEvent(bytes.NewReader(data))
		if err != nil {
			return
		}
		if !json.Valid(data) && !startsWithJSON(data) {
			t.Fatal("an event in what is not JSON")
		}
		if e.snapshot != nil {
			newClusterView(e.snapshot, nil).initial(e.snapshot)
		}
		if c := view.apply(e); len(c.Tasks) > 1 || len(c.Agents) > 1 || len(c.Frameworks) > 1 {
			t.Fatalf("one event, many changes: %v", c)
		}
	})
}

// startsWithJSON reports whether data is JSON with something after it.
func startsWithJSON(data []byte) bool {
	var value json.RawMessage
	return json.NewDecoder(bytes.NewReader(data)).Decode(&value) == nil
}
