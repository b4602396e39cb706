package resolver

import "bytes"

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

// readName reads the name at the start of a question: its wire format in lower case, appended to dst. It reports false
// for what is not a whole name. A compression pointer is none either: nothing precedes the question that it could
// point to.
func readName(dst, b []byte) ([]byte, bool) {
	start := len(dst)
	for {
		at := len(dst) - start
		if at >= len(b) {
			return dst, false
		}
		length := int(b[at])
		if length == 0 {
			return append(dst, 0), true
		}
		end := at + 1 + length
		if length > maxLabel || end+1 > maxName || end > len(b) {
			return dst, false
		}
		dst = append(dst, b[at])
		for _, c := range b[at+1 : end] {
			dst = append(dst, lower(c))
		}
	}
}

// lower folds the case of ASCII letters, the only ones that DNS compares without regard to case (RFC 4343).
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
