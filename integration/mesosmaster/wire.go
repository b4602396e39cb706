package mesosmaster

import (
	"encoding/json"
	"slices"
	"strconv"
)

// object is a JSON object as it goes over the wire.
type object = map[string]any

func value(text string) object { return object{"value": text} }

// framed is an event as RecordIO frames it.
func framed(event object) []byte {
	const room = 20 // of which the length and its newline take the end: a state of 100,000 tasks is not copied for them
	data := appendJSON(make([]byte, room, 1024), event)
	length := strconv.Itoa(len(data)-room) + "\n"
	begin := room - len(length)
	copy(data[begin:], length)
	return data[begin:]
}

// appendJSON appends a value as JSON. Most of what a master sends is objects of strings, for which encoding/json, which
// sorts their members, takes ten times as long: so long that a benchmark of what reads them would measure little else.
func appendJSON(to []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		to = append(to, '{')
		for key, member := range v {
			to = append(appendText(to, key), ':')
			to = append(appendJSON(to, member), ',')
		}
		return closed(to, '}')
	case []object:
		return appendList(to, v)
	case []json.RawMessage:
		return appendList(to, v)
	case []resource:
		return appendList(to, v)
	case json.RawMessage:
		return append(to, v...)
	case resource:
		return v.appendJSON(to)
	case string:
		return appendText(to, v)
	case bool:
		return strconv.AppendBool(to, v)
	case int:
		return strconv.AppendInt(to, int64(v), 10)
	case int64:
		return strconv.AppendInt(to, v, 10)
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(to, data...)
}

func appendList[T any](to []byte, items []T) []byte {
	to = append(to, '[')
	for _, item := range items {
		if cap(to)-len(to) < 4096 {
			to = slices.Grow(to, cap(to)+4096) // append would copy a large state again for each quarter that it grows
		}
		to = append(appendJSON(to, item), ',')
	}
	return closed(to, ']')
}

// closed ends an object or a list, of which each item has been ended with a comma.
func closed(to []byte, with byte) []byte {
	if to[len(to)-1] == ',' {
		to = to[:len(to)-1]
	}
	return append(to, with)
}

func appendText(to []byte, text string) []byte {
	for n := range len(text) {
		if c := text[n]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			data, err := json.Marshal(text)
			if err != nil {
				panic(err) // there is no such string
			}
			return append(to, data...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}

func (r resource) appendJSON(to []byte) []byte {
	to = appendText(append(to, `{"name":`...), r.Name)
	to = appendText(append(to, `,"type":`...), r.Type)
	if r.Scalar != nil {
		to = strconv.AppendFloat(append(to, `,"scalar":{"value":`...), r.Scalar.Value, 'f', -1, 64)
		to = append(to, '}')
	}
	if r.Ranges != nil {
		to = append(to, `,"ranges":{"range":[`...)
		for _, s := range r.Ranges.Range {
			to = strconv.AppendInt(append(to, `{"begin":`...), int64(s.Begin), 10)
			to = strconv.AppendInt(append(to, `,"end":`...), int64(s.End), 10)
			to = append(to, '}', ',')
		}
		to = append(closed(to, ']'), '}')
	}
	if r.Role != "" {
		to = appendText(append(to, `,"role":`...), r.Role)
	}
	if len(r.Reservations) > 0 {
		to = append(append(to, `,"reservations":`...), r.Reservations...)
	}
	if r.Allocation != nil {
		to = appendText(append(to, `,"allocation_info":{"role":`...), r.Allocation.Role)
		to = append(to, '}')
	}
	return append(to, '}')
}
