package resolver

import (
	"bytes"
	"strings"
	"testing"
)

// Each octet at each place of eight, with neighbours that a carry would change.
func TestToLower(t *testing.T) {
	for _, rest := range []byte{0, 'A', 'Z', 'z', 0x7F, 0x80, 0xFF} {
		for c := range 256 {
			for at := range 19 {
				got := bytes.Repeat([]byte{rest}, 19)
				got[at] = byte(c)
				want := make([]byte, len(got))
				for i, c := range got {
					if want[i] = c; 'A' <= c && c <= 'Z' {
						want[i] = c | 0x20
					}
				}
				if toLower(got); !bytes.Equal(got, want) {
					t.Fatalf("octet %d at %d among %d: %v, want %v", c, at, rest, got, want)
				}
			}
		}
	}
}

func TestReadName(t *testing.T) {
	label := "\x3f" + strings.Repeat("A", 63)
	long := label + label + label
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"\x00", "\x00", true},
		{"\x03WeB\x05mEsOs\x00rest", "\x03web\x05mesos\x00", true},
		{"\x01\xc1\x00", "\x01\xc1\x00", true},
		{long + "\x3d" + strings.Repeat("A", 61) + "\x00", strings.ToLower(long) + "\x3d" + strings.Repeat("a", 61) + "\x00", true},
		{long + "\x3e" + strings.Repeat("A", 62) + "\x00", "", false}, // 256 octets
		{"\x40" + strings.Repeat("A", 64) + "\x00", "", false},
		{"\xc0\x0c", "", false},
		{"", "", false},
		{"\x03web", "", false},
		{"\x03we", "", false},
	} {
		got, ok := readName([]byte("x"), []byte(tt.in))
		if ok != tt.ok || ok && string(got) != "x"+tt.want {
			t.Errorf("%q: %q, %v; want %q, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}
