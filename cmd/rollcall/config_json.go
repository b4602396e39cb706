package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// jsonKind is the kind of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonList
	jsonObject
)

// String returns the kind with its article.
func (k jsonKind) String() string {
	return [...]string{"null", "a boolean", "a number", "text", "a list", "an object"}[k]
}

// jsonValue is a parsed JSON value that keeps what a Go map would lose: the order and the repetition of keys, the
// literal of a number, and where things are in the file.
type jsonValue struct {
	kind    jsonKind
	boolean bool
	text    string // of a string its content, of a number its literal
	items   []*jsonValue
	members []jsonMember
}

// jsonMember is a key of an object with its value.
type jsonMember struct {
	key   string
	line  int // of the key, from 1
	value *jsonValue
}

// parseJSON parses the one JSON value in data. Errors name line and column.
func parseJSON(data []byte) (*jsonValue, error) {
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return nil, errors.New("line 1, column 1: the file starts with a byte order mark; save it as UTF-8 without one")
	}
	// The decoder below stops after the first value and the unmarshaller does not: it finds what follows as well.
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, locateSyntaxError(data, err)
	}
	p := jsonParser{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	p.decoder.UseNumber()
	return p.value()
}

// jsonParser builds values from the tokens of a text that is known to be valid.
type jsonParser struct {
	data    []byte
	decoder *json.Decoder
	counted int // octets before here are counted in line
	line    int
}

func (p *jsonParser) value() (*jsonValue, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, locateSyntaxError(p.data, err)
	}
	switch t := token.(type) {
	case bool:
		return &jsonValue{kind: jsonBool, boolean: t}, nil
	case json.Number:
		return &jsonValue{kind: jsonNumber, text: t.String()}, nil
	case string:
		return &jsonValue{kind: jsonString, text: t}, nil
	case json.Delim:
		if t == '{' {
			return p.object()
		}
		return p.list()
	default:
		return &jsonValue{kind: jsonNull}, nil
	}
}

func (p *jsonParser) list() (*jsonValue, error) {
	list := &jsonValue{kind: jsonList}
	for p.decoder.More() {
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, item)
	}
	_, err := p.decoder.Token() // the closing bracket
	return list, err
}

func (p *jsonParser) object() (*jsonValue, error) {
	object := &jsonValue{kind: jsonObject}
	for p.decoder.More() {
		key, err := p.decoder.Token()
		if err != nil {
			return nil, locateSyntaxError(p.data, err)
		}
		line := p.currentLine()
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // JSON has no other keys
		object.members = append(object.members, jsonMember{name, line, value})
	}
	_, err := p.decoder.Token() // the closing brace
	return object, err
}

// currentLine returns the line on which the token read last ends.
func (p *jsonParser) currentLine() int {
	end := int(p.decoder.InputOffset())
	p.line += bytes.Count(p.data[p.counted:end], []byte("\n"))
	p.counted = end
	return p.line
}

// locateSyntaxError adds line and column to an error of encoding/json, and says what to do about the usual ones.
func locateSyntaxError(data []byte, err error) error {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	at := min(max(int(syntax.Offset)-1, 0), len(data))
	message := syntax.Error()
	if message == "unexpected end of JSON input" {
		at = len(data)
	}
	before := data[:at]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("line %d, column %d: %s%s", line, column, message, syntaxHint(before, data[at:]))
}

func syntaxHint(before, rest []byte) string {
	switch {
	case len(bytes.TrimSpace(before)) == 0 && len(rest) == 0:
		return " (the file is empty)"
	case len(rest) > 0 && strings.ContainsRune("}]", rune(rest[0])) && bytes.HasSuffix(bytes.TrimSpace(before), []byte(",")):
		return " (remove the comma before it)"
	case len(rest) > 0 && strings.ContainsRune("/#", rune(rest[0])):
		return " (JSON has no comments)"
	}
	return ""
}
