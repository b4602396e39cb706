package mesos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxState is the largest state document that is read, in octets. One of 100,000 tasks has some 150 million.
const maxState = 2 << 30

// errNoLeader is what a state document without a usable leader comes to: the master that gave it does not lead.
var errNoLeader = errors.New("the state document names no leading master")

// DecodeState reads a master's state document (GET /master/state) as it arrives: it holds one item of it at a time, and
// what it makes of them. An item that is not as it should be costs no more than what cannot be read of it, and is
// listed in State.Broken. The error says that the document ended too early, is not JSON, or names no leader.
func DecodeState(r io.Reader) (State, error) {
	limited := &io.LimitedReader{R: r, N: maxState}
	d := &decoder{json: json.NewDecoder(limited), interned: make(map[string]string)}
	if err := d.state(); err != nil {
		if limited.N == 0 {
			err = fmt.Errorf("it is larger than %d octets", int64(maxState))
		}
		if !errors.Is(err, errNoLeader) {
			err = fmt.Errorf("reading the state document: %w", err)
		}
		return State{}, err
	}
	return d.result, nil
}

// decoder reads one state document.
type decoder struct {
	json     *json.Decoder
	result   State
	interned map[string]string // texts that many items share
}

// ignored is any value that is not of interest.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

func (d *decoder) state() error {
	token, err := d.json.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	var leader string
	err = d.members(func(key string) error {
		switch key {
		case "leader":
			return d.value("leader", &leader)
		case "id":
			return d.value("id", &d.result.MasterID)
		case "slaves":
			return d.list("slaves", d.agent)
		case "frameworks":
			return d.list("frameworks", d.framework)
		case "recovered_slaves":
			d.result.Recovered = []string{}
			return d.list(key, func(where string) error { return d.id(where, &d.result.Recovered) })
		case "completed_frameworks":
			return d.list(key, func(where string) error { return d.id(where, &d.result.Completed) })
		default:
			return d.skip()
		}
	})
	if err != nil {
		return err
	}
	at, ok := parsePID(leader)
	if !ok || at.Host == "" {
		return errNoLeader
	}
	d.result.Leader = at.String()
	return nil
}

// members reads an object after its opening brace, calling f with each key to read the value.
func (d *decoder) members(f func(key string) error) error {
	for d.json.More() {
		token, err := d.json.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // nothing else can be a key
		if err := f(key); err != nil {
			return err
		}
	}
	_, err := d.json.Token()
	return noEOF(err)
}

// list reads an array, calling f to read each item. null is an empty one; anything else is broken.
func (d *decoder) list(where string, f func(where string) error) error {
	token, err := d.json.Token()
	if err != nil {
		return noEOF(err)
	}
	if token == nil {
		return nil
	}
	if token != json.Delim('[') {
		d.result.Broken.add(where, "not a list")
		return d.skipRest(token)
	}
	for i := 0; d.json.More(); i++ {
		if err := f(fmt.Sprintf("%s[%d]", where, i)); err != nil {
			return err
		}
	}
	_, err = d.json.Token()
	return noEOF(err)
}

// value reads a value. One of another type than wanted is broken, not an error; what fits of it is read.
func (d *decoder) value(where string, to any) error {
	err := d.json.Decode(to)
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if mistyped.Field != "" {
			where += "." + mistyped.Field
		}
		d.result.Broken.add(where, mistyped.Value+" where something else is expected")
		return nil
	}
	return noEOF(err)
}

// id reads an item of which nothing but its id is of interest.
func (d *decoder) id(where string, to *[]string) error {
	var item struct{ ID string }
	if err := d.value(where, &item); err != nil {
		return err
	}
	if item.ID != "" {
		*to = append(*to, item.ID)
	}
	return nil
}

// skip reads a value that is not of interest, one item of it at a time.
func (d *decoder) skip() error {
	token, err := d.json.Token()
	if err != nil {
		return noEOF(err)
	}
	return d.skipRest(token)
}

// skipRest skips the rest of a value of which the first token has been read.
func (d *decoder) skipRest(first json.Token) error {
	next := func(string) error { return noEOF(d.json.Decode(&ignored{})) }
	switch first {
	case json.Delim('{'):
		return d.members(next)
	case json.Delim('['):
		for d.json.More() {
			if err := next(""); err != nil {
				return err
			}
		}
		_, err := d.json.Token()
		return noEOF(err)
	}
	return nil
}

// noEOF tells the end of a document that came too early from one that is in its place.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// intern returns s, sharing its octets with all that are equal.
func (d *decoder) intern(s string) string {
	if known, ok := d.interned[s]; ok {
		return known
	}
	s = strings.Clone(s)
	d.interned[s] = s
	return s
}
