package records

import (
	"cmp"
	"strings"
)

// name is a domain name in wire format (RFC 1035, section 3.1) and lower case, so that equal names are equal
// strings. Every name value is valid: labels of 1 to 63 octets, 255 octets in all, the zero octet at the end.
type name string

const (
	maxLabel = 63  // octets of a label (RFC 1035, section 2.3.4)
	maxName  = 255 // octets of a name in wire format, length octets included
)

// wireName turns dotted labels into a name: absolute, a dot at the end, every octet but the dot standing for itself.
// It reports false for what no DNS message can carry.
func wireName(dotted string) (name, bool) {
	var buf [maxName]byte
	wire, ok := appendWire(buf[:0], dotted)
	return name(wire), ok
}

// appendWire is wireName into a buffer. It does not allocate when the buffer holds maxName octets.
func appendWire(dst []byte, dotted string) ([]byte, bool) {
	for dotted != "" {
		label, rest, dot := strings.Cut(dotted, ".")
		if !dot || label == "" || len(label) > maxLabel || len(dst)+1+len(label)+1 > maxName {
			return dst, false
		}
		dst = append(dst, byte(len(label)))
		for i := range len(label) {
			dst = append(dst, lower(label[i]))
		}
		dotted = rest
	}
	return append(dst, 0), true
}

// parseName reads a name in presentation format (RFC 1035, section 5.1), in any case, with or without the dot at the
// end. It reports false for what no DNS message can carry and for broken escapes.
func parseName(text string) (name, bool) {
	var buf [maxName]byte
	wire, ok := appendParsed(buf[:0], text)
	return name(wire), ok
}

// appendParsed is parseName into a buffer. It does not allocate when the buffer holds maxName octets.
func appendParsed(dst []byte, text string) ([]byte, bool) {
	if text == "" {
		return dst, false
	}
	if text == "." {
		return append(dst, 0), true
	}
	start := len(dst) // of the label being read: its length octet
	dst = append(dst, 0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '.' {
			if dst[start] == 0 {
				return dst, false
			}
			if i == len(text)-1 {
				break
			}
			start = len(dst)
			dst = append(dst, 0)
			continue
		}
		if c == '\\' {
			var n int
			if c, n = unescape(text[i+1:]); n == 0 {
				return dst, false
			}
			i += n
		}
		if dst[start] == maxLabel || len(dst)+1 >= maxName {
			return dst, false
		}
		dst[start]++
		dst = append(dst, lower(c))
	}
	if dst[start] == 0 {
		return dst, false
	}
	return append(dst, 0), true
}

// unescape reads what follows a backslash: three decimal digits or any one octet. It returns the octet that is meant
// and how many octets of s say so, 0 when s is broken.
func unescape(s string) (octet byte, n int) {
	if s == "" {
		return 0, 0
	}
	if s[0] < '0' || s[0] > '9' {
		return s[0], 1
	}
	if len(s) < 3 {
		return 0, 0
	}
	v := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, 0
		}
		v = v*10 + int(s[i]-'0')
	}
	if v > 255 {
		return 0, 0
	}
	return byte(v), 3
}

// text is the name in presentation format, with a dot at the end.
func (n name) text() string {
	if n == "\x00" {
		return "."
	}
	var b strings.Builder
	b.Grow(len(n))
	for n[0] != 0 {
		for _, c := range []byte(n[1 : 1+n[0]]) {
			writeEscaped(&b, c)
		}
		b.WriteByte('.')
		n = n.parent()
	}
	return b.String()
}

// special are the printable octets that need a backslash; the set is the one DNS libraries and servers print.
const special = `.\"();@' `

func writeEscaped(b *strings.Builder, c byte) {
	switch {
	case strings.IndexByte(special, c) >= 0:
		b.WriteByte('\\')
		b.WriteByte(c)
	case c < ' ' || c > '~':
		b.WriteByte('\\')
		b.WriteByte('0' + c/100)
		b.WriteByte('0' + c/10%10)
		b.WriteByte('0' + c%10)
	default:
		b.WriteByte(c)
	}
}

// writePlain writes the name's text, which has to be one that isPlain.
func (n name) writePlain(b *strings.Builder) {
	for at := 0; n[at] != 0; {
		end := at + 1 + int(n[at])
		b.WriteString(string(n[at+1 : end]))
		b.WriteByte('.')
		at = end
	}
}

// end is where the name ends in a string that starts with it.
func (n name) end() int {
	at := 0
	for n[at] != 0 {
		at += 1 + int(n[at])
	}
	return at + 1
}

// parent is the name without its first label; the root has none and must not be asked.
func (n name) parent() name { return n[1+n[0]:] }

// within reports whether the name is apex or lies under it.
func (n name) within(apex name) bool {
	for len(n) > len(apex) {
		n = n.parent()
	}
	return n == apex
}

// compare orders names canonically (RFC 4034, section 6.1): by labels, the last label first.
func (n name) compare(m name) int {
	var nAt, mAt [maxName / 2]uint8
	i, j := n.labels(&nAt), m.labels(&mAt)
	for i > 0 && j > 0 {
		i, j = i-1, j-1
		a, b := nAt[i], mAt[j]
		if c := cmp.Compare(n[a+1:a+1+n[a]], m[b+1:b+1+m[b]]); c != 0 {
			return c
		}
	}
	return cmp.Compare(i, j)
}

// labels notes where each label starts and returns how many there are. 127 labels are the most a name can have.
func (n name) labels(at *[maxName / 2]uint8) int {
	count := 0
	for i := 0; n[i] != 0; i += 1 + int(n[i]) {
		at[count] = uint8(i)
		count++
	}
	return count
}

// equal compares with a name in a packet buffer without allocating.
func (n name) equal(wire []byte) bool { return string(n) == string(wire) }

// lower folds the case of ASCII letters, the only ones that DNS compares without regard to case (RFC 4343).
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isPlain reports whether dotted text is its own presentation format in lower case, so that it can be kept as it is.
func isPlain(dotted string) bool {
	for i := range len(dotted) {
		c := dotted[i]
		if c != '.' && (c <= ' ' || c > '~' || c != lower(c) || strings.IndexByte(special, c) >= 0) {
			return false
		}
	}
	return true
}
