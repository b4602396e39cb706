package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestLastLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		last string
		all  bool
	}{
		{"a\nb\nc\n", 2, "b\nc\n", true},
		{"a\nb\nc", 1, "c", true},
		{"a\nb\n", 2, "a\nb\n", false},
		{"a\nb\n", 9, "a\nb\n", false},
		{"\n\n\n", 1, "\n", true},
		{"", 1, "", false},
	} {
		if last, all := lastLines(tt.text, tt.n); last != tt.last || all != tt.all {
			t.Errorf("the last %d of %q are %q, %v; want %q, %v", tt.n, tt.text, last, all, tt.last, tt.all)
		}
	}
}

// However a text is cut into parts, what is printed of it is the whole, and each byte that is no UTF-8 one U+FFFD.
func TestWholeRunes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := string(rapid.SliceOfN(rapid.SampledFrom([]byte("aé日𝄞\xff\xc3\xe6\ufffd")), 0, 40).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		length := rapid.Int64Range(1, 20).Draw(t, "length")
		var got strings.Builder
		end := int64(len(raw))
		read := func(offset, length int64) (string, error) { return mend(raw[offset : offset+length]), nil }
		for at := int64(0); at < end; {
			data, n, err := wholeRunes(read, at, end, length)
			if err != nil || n < 1 {
				t.Fatal(n, err)
			}
			got.WriteString(data)
			at += n
		}
		if got.String() != mend(raw) {
			t.Errorf("%q has become %q, want %q", raw, got.String(), mend(raw))
		}
	})
}

// mend is what encoding/json makes of a text.
func mend(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteRune(r) // a byte that is no UTF-8 is ranged over as one U+FFFD
	}
	return b.String()
}

func TestMend(t *testing.T) {
	if got := mend("é\xe6\x97"); got != "é"+strings.Repeat(string(utf8.RuneError), 2) {
		t.Errorf("%q", got)
	}
}
