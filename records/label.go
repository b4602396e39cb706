package records

import "strings"

// labelRule is how Mesos-DNS makes a label of any text.
type labelRule struct {
	limit   int    // octets
	leading string // octets that a label must not start with
}

var (
	rfc1123 = labelRule{limit: 63, leading: "-"}           // RFC 1123, section 2.1
	rfc952  = labelRule{limit: 24, leading: "-0123456789"} // RFC 952, section "ASSUMPTIONS"
)

// label makes a label of text; it is empty when the text holds no octet that may stand in one.
//
// A text over the limit is cut. Where the cut leaves dashes at the end they go, and the text after the cut fills their
// place, so that names which differ only behind a run of dashes stay different.
func (r labelRule) label(text string) string {
	s := strings.TrimLeft(strings.Map(labelRune, text), r.leading)
	kept, rest := s, ""
	if len(s) > r.limit {
		kept, rest = s[:r.limit], s[r.limit:]
	}
	trimmed := strings.TrimRight(kept, "-")
	if len(trimmed) == len(kept) {
		return trimmed
	}
	rest = strings.TrimLeft(rest, "-")
	return trimmed + rest[:min(len(rest), r.limit-len(trimmed))]
}

// labelRune maps what may stand in a label to lower case, separators to a dash, and drops the rest.
func labelRune(c rune) rune {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '-', c == '.', c == '_':
		return '-'
	}
	return -1
}

// fragment makes labels of a text whose dots separate them; empty ones are left out.
func (r labelRule) fragment(text string) string {
	var labels []string
	for piece := range strings.SplitSeq(text, ".") {
		if l := r.label(piece); l != "" {
			labels = append(labels, l)
		}
	}
	return strings.Join(labels, ".")
}
