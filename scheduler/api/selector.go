package api

import (
	"fmt"
	"slices"
	"strings"
)

// selector is a label selector: terms that must all hold (Marathon reference 4.1).
type selector []term

// term asks something of one label. A label that is not there fulfils none.
type term struct {
	label  string
	negate bool
	values []string // nil: any value will do
}

func (s selector) matches(labels map[string]string) bool {
	for _, t := range s {
		value, ok := labels[t.label]
		if !ok || t.values != nil && slices.Contains(t.values, value) == t.negate {
			return false
		}
	}
	return true
}

// parseSelector reads terms separated by commas: "key", "key==v", "key!=v", "key in (a,b)", "key notin (a,b)".
func parseSelector(text string) (selector, error) {
	p := &selectorParser{text: text}
	var out selector
	for {
		t, err := p.term()
		if err != nil {
			return nil, fmt.Errorf("invalid label selector '%s': %w at character %d", text, err, p.at+1)
		}
		if out = append(out, t); len(out) > maxTerms {
			return nil, fmt.Errorf("invalid label selector: it has more than %d terms", maxTerms)
		}
		if p.space(); p.at == len(p.text) {
			return out, nil
		}
		if !p.skip(",") {
			return nil, fmt.Errorf("invalid label selector '%s': expected ',' or an operator at character %d", text, p.at+1)
		}
	}
}

type selectorParser struct {
	text string
	at   int
}

func (p *selectorParser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *selectorParser) skip(s string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

// word reads letters, digits, '-', '_', '.' and whatever follows a backslash; "" when there is none.
func (p *selectorParser) word() string {
	p.space()
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteByte(p.text[p.at])
		case c == '-', c == '_', c == '.', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		default:
			return b.String()
		}
		p.at++
	}
	return b.String()
}

func (p *selectorParser) term() (term, error) {
	t := term{label: p.word()}
	if t.label == "" {
		return t, fmt.Errorf("expected a label")
	}
	switch {
	case p.skip("=="):
		return p.single(t)
	case p.skip("!="):
		t.negate = true
		return p.single(t)
	}
	before := p.at
	switch p.word() {
	case "":
		return t, nil
	case "in":
		return p.set(t)
	case "notin":
		t.negate = true
		return p.set(t)
	}
	p.at = before
	return t, fmt.Errorf("expected ==, !=, in or notin")
}

func (p *selectorParser) single(t term) (term, error) {
	value := p.word()
	if value == "" {
		return t, fmt.Errorf("expected a value")
	}
	t.values = []string{value}
	return t, nil
}

func (p *selectorParser) set(t term) (term, error) {
	if !p.skip("(") {
		return t, fmt.Errorf("expected '('")
	}
	t.values = []string{}
	for {
		value := p.word()
		if value == "" {
			return t, fmt.Errorf("expected a value")
		}
		t.values = append(t.values, value)
		if p.skip(")") {
			return t, nil
		}
		if !p.skip(",") {
			return t, fmt.Errorf("expected ',' or ')'")
		}
	}
}
