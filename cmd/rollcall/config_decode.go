package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// node is a JSON value with its place in the file and where to tell what is wrong with it.
type node struct {
	value  *jsonValue
	path   string // e.g. "scheduler.local.agents[1]"; "" for the whole file
	report *report
}

// field is a key that an object may have.
type field struct {
	name string

	// set takes the value. It returns "" when it has dealt with it, which includes reporting problems of its own;
	// otherwise what is allowed, as it ends the sentence "... is not".
	set func(node) (allowed string)

	nullable bool   // null goes to set; otherwise null leaves the default
	secret   bool   // the value must not be shown
	once     bool   // refused when given twice, even where other keys are not
	useless  string // why the key does nothing, if that is so
}

// readStrict reads an object whose keys are written exactly as in fields, each at most once.
func (n node) readStrict(fields []field) {
	if n.value.kind != jsonObject {
		n.refuse("an object")
		return
	}
	lines := make(map[string]int)
	for _, m := range n.value.members {
		child := n.member(m)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.key })
		if i < 0 {
			n.report.problem(child.path, "unknown key%s", suggestion(m.key, fields))
			continue
		}
		if first, again := lines[m.key]; again {
			child.refuseSecond(first, m.line)
			continue
		}
		lines[m.key] = m.line
		child.take(fields[i])
	}
}

// readLenient reads an object as Go's encoding/json does, and thereby Mesos-DNS: keys are matched without regard to
// case, of repeated keys the last counts (but each has to have the right type), unknown keys are ignored. It warns
// of what is ignored. It returns which of the fields were there and not null.
func (n node) readLenient(fields []field) map[string]bool {
	given := make(map[string]bool)
	if n.value.kind != jsonObject {
		n.refuse("an object")
		return given
	}
	lines := make(map[string]int)
	for _, m := range n.value.members {
		i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, m.key) })
		if i < 0 {
			child := n.member(m)
			if why, ok := mesosDNSIgnores[strings.ToLower(m.key)]; ok {
				n.report.warning(child.path, "does nothing: %s", why)
			} else {
				n.report.warning(child.path, "unknown key, ignored%s", suggestion(m.key, fields))
			}
			continue
		}
		f := fields[i]
		child := n.member(jsonMember{key: f.name, value: m.value})
		if first, again := lines[f.name]; again {
			if f.once {
				child.refuseSecond(first, m.line)
				continue
			}
			n.report.warning(child.path, "given twice, %s; the last one counts", onLines(first, m.line))
		} else if f.useless != "" {
			n.report.warning(child.path, "does nothing: %s", f.useless)
		}
		lines[f.name] = m.line
		child.take(f)
		given[f.name] = given[f.name] || m.value.kind != jsonNull
	}
	return given
}

func (n node) take(f field) {
	if n.value.kind == jsonNull && !f.nullable {
		return
	}
	allowed := f.set(n)
	switch {
	case allowed == "":
	case f.secret:
		n.report.problem(n.path, "the value is not %s", allowed)
	default:
		n.refuse(allowed)
	}
}

// refuse reports that n is not what is allowed, and how to write it when only the quotes or brackets are wrong.
func (n node) refuse(allowed string) {
	hint := ""
	if v := n.value; v.kind == jsonString {
		_, isNumber := number(v.text)
		switch {
		case strings.HasPrefix(allowed, "a list"):
			hint = "; write it in brackets, [" + quoteBrief(v.text) + "]"
		case strings.HasPrefix(allowed, "text"):
		case isNumber, v.text == "true", v.text == "false":
			hint = "; write it without quotes"
		}
	}
	n.report.problem(n.path, "%s is not %s%s", n.value.brief(), allowed, hint)
}

func (n node) refuseSecond(first, second int) {
	n.report.problem(n.path, "given twice, %s; keep one of them", onLines(first, second))
}

func onLines(first, second int) string {
	if first == second {
		return fmt.Sprintf("both on line %d", first)
	}
	return fmt.Sprintf("on lines %d and %d", first, second)
}

// member returns the node of a member of n.
func (n node) member(m jsonMember) node {
	return node{m.value, joinPath(n.path, m.key), n.report}
}

// items returns the nodes of the items of n; none when it is no list.
func (n node) items() []node {
	items := make([]node, len(n.value.items))
	for i, v := range n.value.items {
		items[i] = node{v, fmt.Sprintf("%s[%d]", n.path, i), n.report}
	}
	return items
}

// joinPath appends a key to a path: with a dot, or quoted in brackets when the key would make the path ambiguous.
func joinPath(path, key string) string {
	plain := key != "" && len(key) <= maxShown && strings.IndexFunc(key, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
	}) < 0
	switch {
	case !plain && path == "":
		return quoteBrief(key)
	case !plain:
		return path + "[" + quoteBrief(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// maxShown is the number of characters of a value that a message shows.
const maxShown = 60

func quoteBrief(s string) string {
	if runes := []rune(s); len(runes) > maxShown {
		return strconv.Quote(string(runes[:maxShown])) + "..."
	}
	return strconv.Quote(s)
}

// brief returns the value for a message: text in quotes, numbers as they are written, lists and objects by kind.
func (v *jsonValue) brief() string {
	switch v.kind {
	case jsonString:
		return quoteBrief(v.text)
	case jsonNumber:
		if len(v.text) > maxShown {
			return v.text[:maxShown] + "..."
		}
		return v.text
	case jsonBool:
		return strconv.FormatBool(v.boolean)
	default:
		return v.kind.String()
	}
}

func wholeNumberText(lo, hi int64) string {
	return fmt.Sprintf("a whole number from %d to %d", lo, hi)
}

// wholeNumber takes a number from lo to hi that is written without fraction and exponent.
func wholeNumber[T int | int32 | int64 | uint16 | uint32](dst *T, lo, hi int64) func(node) string {
	return func(n node) string {
		v, err := strconv.ParseInt(n.value.text, 10, 64)
		if n.value.kind != jsonNumber || err != nil || v < lo || v > hi {
			return wholeNumberText(lo, hi)
		}
		*dst = T(v)
		return ""
	}
}

// anyWholeNumber takes a number of which the range is checked later; allowed describes what will be asked of it.
func anyWholeNumber(dst *int, allowed string) func(node) string {
	set := wholeNumber(dst, math.MinInt, math.MaxInt)
	return func(n node) string {
		if set(n) != "" {
			return allowed
		}
		return ""
	}
}

// mebibytes takes a whole number of MiB as octets.
func mebibytes(dst *int64, lo, hi int64) func(node) string {
	return func(n node) string {
		var count int64
		if allowed := wholeNumber(&count, lo, hi)(n); allowed != "" {
			return allowed + " (MiB)"
		}
		*dst = count * mebibyte
		return ""
	}
}

func number(text string) (float64, bool) {
	if !json.Valid([]byte(text)) {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// amount takes a number of at least 0.
func amount(dst *float64) func(node) string {
	return func(n node) string {
		v, ok := number(n.value.text)
		if n.value.kind != jsonNumber || !ok || v < 0 || v > 1e12 {
			return "a number from 0 to 1e12"
		}
		*dst = v
		return ""
	}
}

func boolean(dst *bool) func(node) string {
	return func(n node) string {
		if n.value.kind != jsonBool {
			return "true or false"
		}
		*dst = n.value.boolean
		return ""
	}
}

func text[T ~string](dst *T) func(node) string {
	return func(n node) string {
		if n.value.kind != jsonString {
			return "text"
		}
		*dst = T(n.value.text)
		return ""
	}
}

// textThat takes text that check finds nothing wrong with; allowed describes it.
func textThat[T ~string](dst *T, allowed string, check func(string) bool) func(node) string {
	return func(n node) string {
		if n.value.kind != jsonString || !check(n.value.text) {
			return allowed
		}
		*dst = T(n.value.text)
		return ""
	}
}

// oneOf takes one of the words.
func oneOf(dst *string, words ...string) func(node) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	allowed := strings.Join(quoted, " or ")
	return textThat(dst, allowed, func(s string) bool { return slices.Contains(words, s) })
}

// texts takes a list of texts; null empties it.
func texts(dst *[]string) func(node) string {
	return func(n node) string {
		switch n.value.kind {
		case jsonNull:
			*dst = nil
		case jsonList:
			*dst = make([]string, len(n.value.items))
			for i, item := range n.items() {
				if item.value.kind != jsonString {
					item.refuse("text")
				}
				(*dst)[i] = item.value.text
			}
		default:
			return "a list of texts"
		}
		return ""
	}
}

// duration takes text as Go writes durations, e.g. "1h30m".
func duration(dst *time.Duration, lo time.Duration) func(node) string {
	return func(n node) string {
		v, err := time.ParseDuration(n.value.text)
		if n.value.kind != jsonString || err != nil || v < lo {
			return fmt.Sprintf("text with a duration of at least %g s, such as \"90s\", \"15m\" or \"168h\"", lo.Seconds())
		}
		*dst = v
		return ""
	}
}
