package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall/scheduler"
)

const (
	// maxDepth bounds how deep a document may be nested. Groups within groups are the only deep documents there are.
	maxDepth = 200
	// maxInteger is the largest number of Marathon's integers, which are 32 bits wide.
	maxInteger = 1<<31 - 1
)

// parseJSON reads a document into maps, slices, strings, bools and json.Numbers. Its errors are answers of status 400
// that tell the line and column.
func parseJSON(data []byte) (any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, &Error{Status: 400, Message: "Please specify data in JSON format", Details: "the body is empty"}
	}
	if at, why := tooMuch(data); why != "" {
		return nil, &Error{Status: 400, Message: "Invalid JSON", Details: why + " at " + position(data, at)}
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, &Error{Status: 400, Message: "Invalid JSON", Details: explainSyntax(data, err)}
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, &Error{Status: 400, Message: "Invalid JSON", Details: err.Error()}
	}
	return v, nil
}

// tooMuch finds the byte that opens one level, or begins one value, too many, before anything is built from the
// document.
func tooMuch(data []byte) (at int, why string) {
	depth, values, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return i, fmt.Sprintf("nested deeper than %d levels", maxDepth)
			}
			values++
		case c == '}', c == ']':
			depth--
		case c == ',':
			values++
		}
		if values > maxValues {
			return i, fmt.Sprintf("more than %d values", maxValues)
		}
	}
	return 0, ""
}

// explainSyntax says where a document stops being JSON.
func explainSyntax(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	at := int(syntax.Offset) - 1 // the offset counts the byte that was wrong
	if strings.HasPrefix(syntax.Error(), "unexpected end") {
		at = len(data)
	}
	at = min(max(at, 0), len(data))
	text := fmt.Sprintf("%s at %s", syntax, position(data, at))
	if at < len(data) && (data[at] == '}' || data[at] == ']') {
		if before := bytes.TrimRight(data[:at], " \t\r\n"); bytes.HasSuffix(before, []byte(",")) {
			text += "; the comma before it, at " + position(data, len(before)-1) + ", must go"
		}
	}
	return text
}

// position is a place as editors count: lines and characters from 1.
func position(data []byte, at int) string {
	line := bytes.Count(data[:at], []byte("\n")) + 1
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	return fmt.Sprintf("line %d, column %d", line, utf8.RuneCount(data[start:at])+1)
}

// reader collects what is wrong with a document while it is read, so that all of it can be told at once.
type reader struct {
	mistyped []scheduler.Problem // members of the wrong type or missing
	refused  []scheduler.Problem // values that break rules
	unknown  []string            // members that nothing was read from
	warnings []string            // what was read otherwise than it is written
	untold   bool                // there are problems beyond those that are told
}

// err is the answer to what was read so far, nil when nothing is wrong. Rules are told of when the types are right.
func (r *reader) err() error {
	switch {
	case len(r.mistyped) > 0:
		return mistyped(r.told(r.mistyped))
	case len(r.refused) > 0:
		return invalid(r.told(r.refused))
	}
	return nil
}

// told adds whether there are more problems.
func (r *reader) told(problems []scheduler.Problem) []scheduler.Problem {
	if !r.untold {
		return problems
	}
	return append(problems, scheduler.Problem{Path: "/", Errors: []string{"there are more problems"}})
}

func (r *reader) mistype(path string, errs ...string) {
	if len(r.mistyped) >= problemsTold {
		r.untold = true
		return
	}
	r.mistyped = append(r.mistyped, scheduler.Problem{Path: rooted(path), Errors: errs})
}

// refuse notes a broken rule; several at one path are told together.
func (r *reader) refuse(path, format string, args ...any) {
	path, text := rooted(path), fmt.Sprintf(format, args...)
	if n := len(r.refused) - 1; n >= 0 && r.refused[n].Path == path {
		if len(r.refused[n].Errors) < problemsTold {
			r.refused[n].Errors = append(r.refused[n].Errors, text)
		} else {
			r.untold = true
		}
		return
	}
	if len(r.refused) >= problemsTold {
		r.untold = true
		return
	}
	r.refused = append(r.refused, scheduler.Problem{Path: path, Errors: []string{text}})
}

func (r *reader) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

func (r *reader) unsupported(path, feature string) {
	r.refuse(path, "Feature %s is not supported.", feature)
}

func rooted(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// object is a JSON object that is being read, member by member. Readers of members leave their destination alone and
// return false when the member is absent, null or wrong.
type object struct {
	r       *reader
	path    string // "" for the document itself
	members map[string]any
	read    map[string]bool
}

// document takes v for an object at path.
func (r *reader) object(v any, path string) (*object, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		r.mistype(path, "error.expected.jsobject")
		return nil, false
	}
	return &object{r: r, path: path, members: m, read: map[string]bool{}}, true
}

func (o *object) at(name string) string { return o.path + "/" + name }

// has says whether a member is there and not null.
func (o *object) has(name string) bool { return o.members[name] != nil }

func (o *object) take(name string) (any, bool) {
	o.read[name] = true
	v := o.members[name]
	return v, v != nil
}

// ignore reads members that have no effect on input and are no mistakes either: what GET writes may be sent back.
func (o *object) ignore(names ...string) {
	for _, name := range names {
		o.read[name] = true
	}
}

// end notes the members that were not read.
func (o *object) end() {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !o.read[name] && len(o.r.unknown) < problemsTold {
			o.r.unknown = append(o.r.unknown, strings.ReplaceAll(strings.TrimPrefix(o.at(name), "/"), "/", "."))
		}
	}
}

func (o *object) missing(name string) { o.r.mistype(o.at(name), "error.path.missing") }

func (o *object) text(name string, dst *string) bool {
	v, ok := o.take(name)
	if !ok {
		return false
	}
	s, ok := o.r.text(v, o.at(name))
	if ok {
		*dst = s
	}
	return ok
}

// needText reads a text that has to be there.
func (o *object) needText(name string, dst *string) {
	if !o.text(name, dst) && !o.has(name) {
		o.missing(name)
	}
}

func (r *reader) text(v any, path string) (string, bool) {
	s, ok := v.(string)
	if !ok {
		r.mistype(path, "error.expected.jsstring")
	}
	return s, ok
}

// word reads a text that must be one of a few.
func (o *object) word(name string, dst *string, allowed ...string) bool {
	var s string
	if !o.text(name, &s) {
		return false
	}
	if !slices.Contains(allowed, s) {
		o.r.mistype(o.at(name), "error.unknown.enum.literal", "must be one of "+strings.Join(allowed, ", "))
		return false
	}
	*dst = s
	return true
}

func (o *object) boolean(name string, dst *bool) bool {
	v, ok := o.take(name)
	if !ok {
		return false
	}
	switch v {
	case true, "true":
		*dst = true
	case false, "false":
		*dst = false
	default:
		o.r.mistype(o.at(name), "error.expected.jsboolean")
		return false
	}
	return true
}

// decimal is what a text must look like to be taken for a number.
var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// number reads a number of at least least, also one written as a text.
func (o *object) number(name string, dst *float64, least float64) bool {
	v, ok := o.take(name)
	if !ok {
		return false
	}
	f, ok := o.r.number(v, o.at(name))
	if ok && f < least {
		o.r.mistype(o.at(name), "error.min", fmt.Sprintf("must be at least %v", least))
		return false
	}
	if ok {
		*dst = f
	}
	return ok
}

func (r *reader) number(v any, path string) (float64, bool) {
	var literal string
	switch v := v.(type) {
	case json.Number:
		literal = v.String()
	case string:
		literal = strings.TrimSpace(v)
	}
	if !decimal.MatchString(literal) {
		r.mistype(path, "error.expected.jsnumber")
		return 0, false
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		r.mistype(path, "error.max", "is too large a number")
		return 0, false
	}
	return f, true
}

// integer reads a whole number from least to most, also one written as a text or with a fraction of zero.
func (o *object) integer(name string, dst *int, least, most int) bool {
	v, ok := o.take(name)
	if !ok {
		return false
	}
	n, ok := o.r.integer(v, o.at(name), least, most)
	if ok {
		*dst = n
	}
	return ok
}

func (r *reader) integer(v any, path string, least, most int) (int, bool) {
	f, ok := r.number(v, path)
	switch {
	case !ok:
	case f != float64(int64(f)) && f > -maxInteger && f < maxInteger:
		r.mistype(path, "error.expected.int", "must be a whole number")
	case f < float64(least):
		r.mistype(path, "error.min", fmt.Sprintf("must be at least %d", least))
	case f > float64(most):
		r.mistype(path, "error.max", fmt.Sprintf("must be at most %d", most))
	default:
		return int(f), true
	}
	return 0, false
}

// optional reads a whole number that has no default.
func (o *object) optional(name string, dst **int, least, most int) bool {
	var n int
	ok := o.integer(name, &n, least, most)
	if ok {
		*dst = &n
	}
	return ok
}

// element is an element of an array, or a member's value where members have no fixed names.
type element struct {
	value any
	path  string
}

// elements reads an array; an empty one is there, too.
func (o *object) elements(name string) ([]element, bool) {
	v, ok := o.take(name)
	if !ok {
		return nil, false
	}
	return o.r.elements(v, o.at(name))
}

func (r *reader) elements(v any, path string) ([]element, bool) {
	array, ok := v.([]any)
	if !ok {
		r.mistype(path, "error.expected.jsarray")
		return nil, false
	}
	out := make([]element, len(array))
	for i, v := range array {
		out[i] = element{v, fmt.Sprintf("%s(%d)", path, i)}
	}
	return out, true
}

// objects reads an array of objects.
func (o *object) objects(name string) ([]*object, bool) {
	elements, ok := o.elements(name)
	if !ok {
		return nil, false
	}
	out := make([]*object, 0, len(elements))
	for _, e := range elements {
		if o, ok := o.r.object(e.value, e.path); ok {
			out = append(out, o)
		}
	}
	return out, true
}

// texts reads an array of texts.
func (o *object) texts(name string, dst *[]string) bool {
	elements, ok := o.elements(name)
	if !ok {
		return false
	}
	out := make([]string, 0, len(elements))
	for _, e := range elements {
		if s, ok := o.r.text(e.value, e.path); ok {
			out = append(out, s)
		}
	}
	*dst = out
	return true
}

// object reads a member that is an object; the caller ends it.
func (o *object) object(name string) (*object, bool) {
	v, ok := o.take(name)
	if !ok {
		return nil, false
	}
	return o.r.object(v, o.at(name))
}

// textMap reads an object whose members are texts; members that are null are left out.
func (o *object) textMap(name string, dst *map[string]string) bool {
	m, ok := o.object(name)
	if !ok {
		return false
	}
	out := make(map[string]string, len(m.members))
	for _, key := range slices.Sorted(maps.Keys(m.members)) {
		var s string
		if m.text(key, &s) {
			out[key] = s
		}
	}
	*dst = out
	return true
}

// raw keeps a member that is an object as it is.
func (o *object) raw(name string, dst *json.RawMessage) bool {
	m, ok := o.object(name)
	if !ok {
		return false
	}
	data, err := json.Marshal(m.members)
	if err != nil {
		o.r.mistype(o.at(name), err.Error())
		return false
	}
	*dst = data
	return true
}
