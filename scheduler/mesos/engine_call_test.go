package mesos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/scheduler"
)

// Calls are as the protocol has them; those that the recordings have as well are compared with them below.
func TestCalls(t *testing.T) {
	ref := scheduler.TaskRef{TaskID: "t", AgentID: "a"}
	for _, c := range []struct {
		call v1Call
		want string
	}{
		{subscribeCall(v1FrameworkInfo{User: "root", Name: "marathon", ID: valueOf("f"), FailoverTimeout: 604800, Checkpoint: true,
			Hostname: "h", Principal: "p", WebUIURL: "http://h:8080", Capabilities: []v1Capability{{"PARTITION_AWARE"}}, Roles: []string{"*"}}),
			`{"type":"SUBSCRIBE","framework_id":{"value":"f"},"subscribe":{"framework_info":{"user":"root","name":"marathon",
			"id":{"value":"f"},"failover_timeout":604800,"checkpoint":true,"hostname":"h","principal":"p","webui_url":"http://h:8080",
			"capabilities":[{"type":"PARTITION_AWARE"}],"roles":["*"]}}}`},
		{subscribeCall(v1FrameworkInfo{User: "root", Name: "marathon", Roles: []string{"*"}, Capabilities: []v1Capability{}}),
			`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"marathon","failover_timeout":0,"checkpoint":false,
			"capabilities":[],"roles":["*"]}}}`},
		{acceptCall([]string{"O1", "O2"}, []v1TaskInfo{{Name: "n", TaskID: v1Value{"t"}, AgentID: v1Value{"a"}, Resources: []v1Resource{},
			Discovery: v1DiscoveryInfo{Visibility: "FRAMEWORK", Name: "n"}}}),
			`{"type":"ACCEPT","accept":{"offer_ids":[{"value":"O1"},{"value":"O2"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":[
			{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},"resources":[],"command":{"shell":false},
			"discovery":{"visibility":"FRAMEWORK","name":"n"}}]}}],"filters":{"refuse_seconds":0}}}`},
		{declineCall([]string{"O1"}, 2*time.Minute), `{"type":"DECLINE","decline":{"offer_ids":[{"value":"O1"}],"filters":{"refuse_seconds":120}}}`},
		{acceptInverseCall([]string{"O1"}), `{"type":"ACCEPT_INVERSE_OFFERS","accept_inverse_offers":{"inverse_offer_ids":[{"value":"O1"}],"filters":{"refuse_seconds":5}}}`},
		{killCall(ref), `{"type":"KILL","kill":{"task_id":{"value":"t"},"agent_id":{"value":"a"}}}`},
		{killCall(scheduler.TaskRef{TaskID: "t"}), `{"type":"KILL","kill":{"task_id":{"value":"t"}}}`},
		{acknowledgeCall(scheduler.TaskStatus{TaskID: "t", AgentID: "a", Ack: "we9JBbDhQv2W7pSTjJswiw=="}),
			`{"type":"ACKNOWLEDGE","acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"we9JBbDhQv2W7pSTjJswiw=="}}`},
		{reconcileCall([]scheduler.TaskRef{ref}), `{"type":"RECONCILE","reconcile":{"tasks":[{"task_id":{"value":"t"},"agent_id":{"value":"a"}}]}}`},
		{reconcileCall(nil), `{"type":"RECONCILE","reconcile":{"tasks":[]}}`},
		{v1Call{Type: callRevive}, `{"type":"REVIVE"}`},
		{v1Call{Type: callSuppress}, `{"type":"SUPPRESS"}`},
	} {
		got, err := json.Marshal(c.call)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(c.want)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(compact.String(), string(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// What real masters accepted in the recordings has, for each call that the engine makes too, the members that the
// engine gives.
func TestCallsHaveTheMembersOfRecordedOnes(t *testing.T) {
	recorded := map[string]map[string]bool{}
	for _, name := range []string{"scheduler/lifecycle.jsonl", "scheduler/rescind-inverse-failure.jsonl", "zk/scheduler-failover.jsonl", "scheduler/failover.jsonl"} {
		lines := bufio.NewScanner(recording(t, name))
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var line struct{ Dir, Raw string }
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(line.Raw, "\r\n\r\n")
			var call map[string]any
			if line.Dir != "C>M" || json.Unmarshal([]byte(body), &call) != nil {
				continue
			}
			kind, _ := call["type"].(string)
			if recorded[kind] == nil {
				recorded[kind] = map[string]bool{}
			}
			paths("", call, recorded[kind])
		}
	}
	info := taskInfo(&scheduler.TaskInfo{Name: "n", ID: "t", AgentID: "a", Shell: "sleep 1", Discovery: []scheduler.DiscoveryPort{
		{Number: 1, Name: "http", Protocol: "tcp"}}}, []v1Resource{
		{Name: "cpus", Type: "SCALAR", Scalar: &v1Scalar{1}}, {Name: "ports", Type: "RANGES", Ranges: &v1Ranges{[]v1Range{{1, 2}}}}})
	ref := scheduler.TaskRef{TaskID: "t", AgentID: "a"}
	for _, call := range []v1Call{
		subscribeCall(v1FrameworkInfo{User: "root", Name: "n", ID: valueOf("f"), Checkpoint: true, Roles: []string{"*"},
			Capabilities: []v1Capability{{"PARTITION_AWARE"}}, WebUIURL: "http://h"}),
		acceptCall([]string{"O"}, []v1TaskInfo{info}), declineCall([]string{"O"}, time.Second), acceptInverseCall([]string{"O"}),
		killCall(ref), acknowledgeCall(scheduler.TaskStatus{TaskID: "t", AgentID: "a", Ack: "x"}),
		reconcileCall([]scheduler.TaskRef{ref}), {Type: callRevive}, {Type: callSuppress},
	} {
		data, err := json.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		paths("", got, have)
		for path := range have {
			if !recorded[call.Type][path] {
				t.Errorf("%s has %s, which no recorded one has", call.Type, path)
			}
		}
	}
}

// paths collects the members of a JSON value, those of lists' items as one.
func paths(prefix string, v any, out map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			out[prefix+"."+key] = true
			paths(prefix+"."+key, member, out)
		}
	case []any:
		for _, item := range slices.All(v) {
			paths(prefix+"[]", item, out)
		}
	}
}

// Calls go out in waves whose order is theirs: what one agent is told, and what is about everything, is never overtaken.
func TestWaves(t *testing.T) {
	accept := func(agent string) v1Call {
		return acceptCall([]string{"O"}, []v1TaskInfo{{TaskID: v1Value{"t"}, AgentID: v1Value{agent}}})
	}
	kill := func(agent string) v1Call {
		return killCall(scheduler.TaskRef{TaskID: "t", AgentID: scheduler.AgentID(agent)})
	}
	revive, suppress, decline, reconcile := v1Call{Type: callRevive}, v1Call{Type: callSuppress}, declineCall([]string{"O"}, 0), reconcileCall(nil)
	for _, c := range []struct {
		name  string
		calls []v1Call
		want  string
	}{
		{"none", nil, ""},
		{"launches on different agents", []v1Call{accept("a"), accept("b"), accept("c")}, "3"},
		{"two on one agent", []v1Call{accept("a"), accept("b"), accept("a"), accept("c")}, "2 2"},
		{"a kill after the launch", []v1Call{accept("a"), kill("a"), kill("b")}, "1 2"},
		{"a kill on an agent that is not known", []v1Call{accept("a"), kill(""), accept("b")}, "1 1 1"},
		{"a question after the launches", []v1Call{accept("a"), accept("b"), reconcile, accept("c")}, "2 1 1"},
		{"offers that are given back", []v1Call{decline, accept("a"), decline, acceptCall([]string{"O"}, nil)}, "4"},
		{"what is about all offers", []v1Call{decline, revive, decline, suppress, revive}, "1 1 1 1 1"},
	} {
		var sizes []string
		var flat []v1Call
		for _, wave := range waves(c.calls) {
			sizes = append(sizes, strconv.Itoa(len(wave)))
			flat = append(flat, wave...)
		}
		if got := strings.Join(sizes, " "); got != c.want {
			t.Errorf("%s: waves of %s, want %s", c.name, got, c.want)
		}
		if diff := cmp.Diff(c.calls, flat); diff != "" {
			t.Errorf("%s: (-calls +waves):\n%s", c.name, diff)
		}
	}
}
