package resolver

import (
	"bytes"
	"encoding/binary"
)

const (
	maxLabel = 63  // octets of a label (RFC 1035, section 2.3.4)
	maxName  = 255 // octets of a name in wire format
)

// within reports whether a name is the apex or lies below it. Both are in wire format and lower case.
func within(name, apex []byte) bool {
	for len(name) > len(apex) {
		name = name[1+name[0]:]
	}
	return bytes.Equal(name, apex)
}

// firstName is the name in wire format with which octets begin.
func firstName(wire string) string {
	at := 0
	for wire[at] != 0 {
		at += 1 + int(wire[at])
	}
	return wire[:at+1]
}

// isLabel reports whether a label of a name in wire format starts at a place.
func isLabel[T string | []byte](name T, place int) bool {
	at := 0
	for at < place {
		at += 1 + int(name[at])
	}
	return at == place
}

// readName reads the name at the start of a question: its wire format in lower case, appended to dst. It reports false
// for what is not a whole name. A compression pointer is none either: nothing precedes the question that it could
// point to.
func readName(dst, b []byte) ([]byte, bool) {
	end := 0
	for {
		if end >= len(b) {
			return dst, false
		}
		length := int(b[end])
		if length == 0 {
			break
		}
		if end += 1 + length; length > maxLabel || end >= maxName {
			return dst, false
		}
	}
	start := len(dst)
	dst = append(dst, b[:end+1]...)
	toLower(dst[start:])
	return dst, true
}

// toLower folds the case of ASCII letters, the only ones that DNS compares without regard to case (RFC 4343), eight octets
// at a time. In a name in wire format lengths are left as they are: at most 63, they are below all letters.
func toLower(b []byte) {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		low := x &^ high // so that sums do not carry over to the next octet
		fromA, afterZ := low+(0x80-'A')*ones, low+(0x80-'Z'-1)*ones
		binary.LittleEndian.PutUint64(b, x|(fromA&^afterZ&^x&high)>>2)
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}
