package mesos

import (
	"maps"
	"strings"
	"testing"
)

// Of a task's labels those that are meant for rollcall are kept, from the state and from events alike.
func TestLabels(t *testing.T) {
	want := map[string]string{"rollcall.dns.ttl": "5"}
	const labels = `[{"key":"HAPROXY_GROUP","value":"external"},{"key":"rollcall.dns.ttl","value":"5"}]`
	state, err := DecodeState(strings.NewReader(`{"leader":"master@10.0.0.9:5050","frameworks":[{"id":"f","tasks":[{"id":"a","labels":` + labels + `},{"id":"b"}]}]}`))
	if err != nil || len(state.Tasks) != 2 {
		t.Fatalf("%v, %v", state, err)
	}
	if !maps.Equal(state.Tasks[0].Labels, want) || state.Tasks[1].Labels != nil {
		t.Errorf("of the state: %v", state.Tasks)
	}
	e, err := decodeEvent(strings.NewReader(`{"type":"TASK_ADDED","task_added":{"task":{"task_id":{"value":"a"},"labels":{"labels":` + labels + `}}}}`))
	if err != nil || e.task == nil || !maps.Equal(e.task.Labels, want) {
		t.Errorf("of an event: %v, %v", e, err)
	}
}
