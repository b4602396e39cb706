package mesosmaster

import (
	"encoding/json"
	"reflect"
	"testing"
)

// What is written here without encoding/json reads as what encoding/json writes.
func TestWrittenJSON(t *testing.T) {
	for name, v := range map[string]any{
		"empty":   object{},
		"lists":   object{"none": []object{}, "one": []object{{}}, "two": []object{{"a": 1}, {"b": int64(1) << 60}}},
		"texts":   object{"plain": "a b~", `quo"ted\`: "tab\t, line\n, ü, \x7f, \xff, <&>", "": ""},
		"numbers": object{"n": -3, "f": 0.25, "t": 1796020612.123456, "u": uint32(184549503), "p": uint16(5050)},
		"others":  object{"yes": true, "no": false, "nil": nil, "roles": []string{"*", "a"}, "attributes": map[string]string{"rack": "1"}},
		"raw":     object{"labels": json.RawMessage(`{"labels":[{"key":"a"}]}`), "statuses": []json.RawMessage{[]byte(`{"state":"TASK_RUNNING"}`), []byte(`{}`)}},
		"resources": []resource{
			{Name: "cpus", Type: "SCALAR", Scalar: &scalar{0.1}, Allocation: &allocation{"*"}},
			{Name: "disk", Type: "SCALAR", Scalar: &scalar{1e21}, Role: "r"},
			{Name: "mem", Type: "SCALAR", Scalar: &scalar{0}, Reservations: json.RawMessage(`[{"type":"STATIC","role":"r"}]`)},
			{Name: "ports", Type: "RANGES", Ranges: &ranges{[]span{{31000, 31004}, {31006, 32000}}}},
			{Name: "none", Type: "RANGES", Ranges: &ranges{[]span{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := appendJSON(nil, v); !reflect.DeepEqual(read(t, got), read(t, want)) {
				t.Errorf("%s, not %s", got, want)
			}
		})
	}
	if got := string(framed(object{"type": "HEARTBEAT"})); got != "20\n"+`{"type":"HEARTBEAT"}` {
		t.Errorf("framed: %q", got)
	}
}

func read(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}
