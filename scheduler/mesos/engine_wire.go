package mesos

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/scheduler"
)

// Messages of the v1 scheduler API (mesos/v1/mesos.proto) that go both ways. Names and enums are Mesos's own; members
// that are not of interest are left out of what is sent and skipped in what is read.

// v1Value is an id, or another text that Mesos wraps.
type v1Value struct {
	Value string `json:"value"`
}

func valueOf(text string) *v1Value {
	if text == "" {
		return nil
	}
	return &v1Value{text}
}

func (v *v1Value) text() string {
	if v == nil {
		return ""
	}
	return v.Value
}

// v1Labels are labels; Mesos keeps their order and allows a key twice.
type v1Labels struct {
	Labels []v1Label `json:"labels"`
}

type v1Label struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// labelsOf returns labels sorted by key, so that a task is written alike each time; nil for none.
func labelsOf(m map[string]string) *v1Labels {
	if len(m) == 0 {
		return nil
	}
	out := &v1Labels{Labels: make([]v1Label, 0, len(m))}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out.Labels = append(out.Labels, v1Label{key, m[key]})
	}
	return out
}

// v1Resource is a resource of an offer or a task. What decides whose it is, is kept as it came: a task has to name its
// resources exactly as they were offered.
type v1Resource struct {
	Name         string          `json:"name"`
	Type         string          `json:"type"` // SCALAR, RANGES or SET
	Scalar       *v1Scalar       `json:"scalar,omitempty"`
	Ranges       *v1Ranges       `json:"ranges,omitempty"`
	Set          json.RawMessage `json:"set,omitempty"`
	Allocation   *v1Allocation   `json:"allocation_info,omitempty"`
	Role         string          `json:"role,omitempty"`         // whom it is reserved for, from a Mesos before 1.4; "*" or "": nobody
	Reservation  json.RawMessage `json:"reservation,omitempty"`  // v1Reservation, with Role: who reserved it
	Reservations json.RawMessage `json:"reservations,omitempty"` // []v1Reservation
	Disk         json.RawMessage `json:"disk,omitempty"`
	Revocable    json.RawMessage `json:"revocable,omitempty"`
	Shared       json.RawMessage `json:"shared,omitempty"`
	Provider     json.RawMessage `json:"provider_id,omitempty"`
}

type v1Scalar struct {
	Value float64 `json:"value"`
}

type v1Ranges struct {
	Range []v1Range `json:"range"`
}

type v1Range struct {
	Begin v1Int `json:"begin"`
	End   v1Int `json:"end"`
}

type v1Allocation struct {
	Role string `json:"role"`
}

type v1Reservation struct {
	Role   string    `json:"role"`
	Labels *v1Labels `json:"labels,omitempty"`
}

// ports are the ports of a resource; those that are none (0, or above 65535) are left out.
func (r *v1Resource) ports() scheduler.PortRange {
	if r.Ranges == nil {
		return nil
	}
	var out scheduler.PortRange
	for _, p := range r.Ranges.Range {
		begin, end := max(p.Begin, 1), min(p.End, math.MaxUint16)
		if begin <= end {
			out = append(out, scheduler.Range{Begin: int(begin), End: int(end)})
		}
	}
	return out.Union(nil)
}

// v1Attribute is an attribute of an agent.
type v1Attribute struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"`
	Text   *v1Value  `json:"text,omitempty"`
	Scalar *v1Scalar `json:"scalar,omitempty"`
	Ranges *v1Ranges `json:"ranges,omitempty"`
	Set    *struct {
		Item []string `json:"item"`
	} `json:"set,omitempty"`
}

// text is the attribute as constraints compare it (Marathon reference, section 7).
func (a *v1Attribute) text() string {
	switch {
	case a.Text != nil:
		return a.Text.Value
	case a.Scalar != nil:
		return formatScalar(a.Scalar.Value)
	case a.Ranges != nil:
		sorted := slices.SortedFunc(slices.Values(a.Ranges.Range), func(a, b v1Range) int { return cmp.Compare(a.Begin, b.Begin) })
		parts := make([]string, len(sorted))
		for n, r := range sorted {
			parts[n] = strconv.FormatInt(int64(r.Begin), 10) + "-" + strconv.FormatInt(int64(r.End), 10)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case a.Set != nil:
		return "{" + strings.Join(slices.Sorted(slices.Values(a.Set.Item)), ",") + "}"
	}
	return ""
}

// formatScalar writes a number with up to three decimals, half to even, without zeros at the end.
func formatScalar(f float64) string {
	s := strconv.FormatFloat(math.RoundToEven(f*1000)/1000, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// v1Domain is where an agent or a master is.
type v1Domain struct {
	FaultDomain struct {
		Region struct {
			Name string `json:"name"`
		} `json:"region"`
		Zone struct {
			Name string `json:"name"`
		} `json:"zone"`
	} `json:"fault_domain"`
}

func (d *v1Domain) region() string {
	if d == nil {
		return ""
	}
	return d.FaultDomain.Region.Name
}

func (d *v1Domain) zone() string {
	if d == nil {
		return ""
	}
	return d.FaultDomain.Zone.Name
}

// v1Time is a moment or a duration. Nanoseconds do not fit a float64.
type v1Time struct {
	Nanoseconds v1Int `json:"nanoseconds"`
}

// v1Int is a 64-bit integer. Mesos writes a number; protocol buffers' own mapping to JSON, a text.
type v1Int int64

// UnmarshalJSON implements json.Unmarshaler.
func (i *v1Int) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && text != "null" {
		return &json.UnmarshalTypeError{Value: "number " + text, Type: reflect.TypeFor[int64]()}
	}
	*i = v1Int(n)
	return nil
}

func (t v1Time) duration() time.Duration { return time.Duration(t.Nanoseconds) }

func (t v1Time) moment() time.Time { return time.Unix(0, int64(t.Nanoseconds)) }
