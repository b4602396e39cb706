package mesos

import (
	"encoding/binary"
	"slices"
	"testing"
)

func TestParseMasterInfoJSON(t *testing.T) {
	for _, c := range []struct{ name, json, want string }{
		{"an address", `{"address":{"hostname":"m1","ip":"127.0.0.11","port":5051},"ip":1,"port":5050}`, "127.0.0.11:5051"},
		{"an IPv6 address", `{"address":{"ip":"fd00::1","port":5050}}`, "[fd00::1]:5050"},
		{"the number", `{"hostname":"m1","ip":184549503,"port":5050}`, "127.0.0.11:5050"},
		{"the number, without a port", `{"ip":16777226}`, "10.0.0.1:5050"},
		{"a host name in the address", `{"address":{"hostname":"m1","port":5051}}`, "m1:5051"},
		{"a host name", `{"hostname":"m1","port":5052}`, "m1:5052"},
		{"members that are not known", `{"id":"x","domain":{},"hostname":"m1"}`, "m1:5050"},
		{"nothing", `{}`, ""},
		{"no such port", `{"hostname":"m1","port":70000}`, ""},
		{"a text for a number", `{"ip":"10.0.0.1"}`, ""},
		{"not JSON", "\n\x03abc", ""},
		{"null", `null`, ""},
	} {
		got, err := parseMasterInfoJSON([]byte(c.json))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// protobuf puts a message together from field numbers with numbers or texts.
func protobuf(fields ...any) []byte {
	var out []byte
	for i := 0; i < len(fields); i += 2 {
		number := uint64(fields[i].(int))
		switch v := fields[i+1].(type) {
		case int:
			out = binary.AppendUvarint(out, number<<3|wireVarint)
			out = binary.AppendUvarint(out, uint64(v))
		case string:
			out = binary.AppendUvarint(out, number<<3|wireBytes)
			out = binary.AppendUvarint(out, uint64(len(v)))
			out = append(out, v...)
		}
	}
	return out
}

func TestParseMasterInfoProtobuf(t *testing.T) {
	old := protobuf(1, "20150101-000000-1", 2, 184549503, 3, 5051, 4, "master@127.0.0.11:5051", 5, "m1")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"as Mesos 0.23 writes it", old, "127.0.0.11:5051"},
		{"without a port", protobuf(1, "x", 2, 16777226), "10.0.0.1:5050"},
		{"with an address", append(slices.Clone(old), protobuf(7, string(protobuf(1, "m2", 2, "10.0.0.2", 3, 5052)))...), "10.0.0.2:5052"},
		{"with other fields", append(protobuf(6, "0.23.0", 9, 1), append([]byte{10<<3 | wireFixed32, 1, 2, 3, 4, 11<<3 | wireFixed64, 1, 2, 3, 4, 5, 6, 7, 8}, old...)...), "127.0.0.11:5051"},
		{"a host name only", protobuf(5, "m1"), "m1:5050"},
		{"nothing", nil, ""},
		{"cut short", old[:len(old)-1], ""},
		{"JSON", []byte(`{"ip":1}`), ""},
	} {
		got, err := parseMasterInfoProtobuf(c.data)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func FuzzParseMasterInfo(f *testing.F) {
	f.Add(protobuf(1, "x", 2, 184549503, 3, 5051, 7, string(protobuf(1, "m2", 2, "10.0.0.2", 3, 5052))))
	f.Add([]byte(`{"address":{"hostname":"m1","ip":"127.0.0.11","port":5051},"ip":1,"port":5050}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (string, error){parseMasterInfoJSON, parseMasterInfoProtobuf} {
			address, err := parse(data)
			if _, ok := ParseEndpoint(address); err == nil && !ok {
				t.Errorf("%q", address)
			}
		}
	})
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		masters Masters
		want    []string
	}{
		{Masters{}, nil},
		{Masters{All: []string{"a", "b"}}, []string{"a", "b"}},
		{Masters{Leader: "b", All: []string{"a", "b", "c"}}, []string{"b", "a", "c"}},
		{Masters{Leader: "d", All: []string{"a"}}, []string{"d", "a"}},
	} {
		if got := c.masters.candidates(); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v", c.masters, got)
		}
	}
}
