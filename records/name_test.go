package records

import (
	"slices"
	"strings"
	"testing"
)

func TestWireName(t *testing.T) {
	label63 := strings.Repeat("x", 63)
	// Three labels of 63 octets and one of 61 make 255 octets with their lengths and the root.
	full := label63 + "." + label63 + "." + label63 + "." + strings.Repeat("y", 61) + "."
	tests := []struct {
		dotted string
		want   name
		ok     bool
	}{
		{"mesos.", "\x05mesos\x00", true},
		{"Web.Mesos.", "\x03web\x05mesos\x00", true},
		{`a\b @ü.mesos.`, "\x07a\\b @\xc3\xbc\x05mesos\x00", true},
		{"", "\x00", true},
		{".", "", false},
		{"mesos", "", false},
		{"a..mesos.", "", false},
		{".mesos.", "", false},
		{label63 + ".", name("\x3f" + label63 + "\x00"), true},
		{label63 + "x.", "", false},
		{"a" + full, "", false},
	}
	for _, tt := range tests {
		got, ok := wireName(tt.dotted)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("wireName(%q) = %q, %v; want %q, %v", tt.dotted, got, ok, tt.want, tt.ok)
		}
	}
	if n, ok := wireName(full); !ok || len(n) != 255 {
		t.Errorf("a name of 255 octets: %d octets, %v", len(n), ok)
	}
	if n, ok := wireName("y" + full); ok {
		t.Errorf("a name of 256 octets is taken: %q", n)
	}
}

// RFC 1035, section 5.1.
func TestPresentationFormat(t *testing.T) {
	tests := []struct {
		text string
		want string // the text of what is read; "" for a broken name
	}{
		{".", "."},
		{"mesos", "mesos."},
		{"MESOS.", "mesos."},
		{`a\.b.mesos.`, `a\.b.mesos.`},
		{`space\032name.mesos`, `space\ name.mesos.`},
		{`space name.mesos`, `space\ name.mesos.`},
		{`\A\066c.mesos`, "abc.mesos."},
		{`\195\188.mesos.`, `\195\188.mesos.`},
		{"ü.mesos.", `\195\188.mesos.`},
		{`x\255.mesos`, `x\255.mesos.`},
		{"", ""},
		{"..", ""},
		{"a..b", ""},
		{".a", ""},
		{`a\`, ""},
		{`a\25`, ""},
		{`a\2x5`, ""},
		{`a\256.mesos`, ""},
		{strings.Repeat("x", 64), ""},
		{strings.Repeat("a.", 127), strings.Repeat("a.", 127)},
		{strings.Repeat("a.", 128), ""},
		{strings.Repeat("a.", 126) + "bb", ""},
	}
	for _, tt := range tests {
		n, ok := parseName(tt.text)
		if ok != (tt.want != "") || ok && n.text() != tt.want {
			t.Errorf("parseName(%q) = %q, %v; want %q", tt.text, n, ok, tt.want)
		}
	}
}

// The example of RFC 4034, section 6.1, but for its names that differ in case only.
func TestCanonicalOrder(t *testing.T) {
	want := []string{
		"example.", "a.example.", "yljkjljk.a.example.", "z.a.example.", "zabc.a.example.", "z.example.",
		`\001.z.example.`, "*.z.example.", `\200.z.example.`,
	}
	var names []name
	for _, text := range want {
		n, ok := parseName(text)
		if !ok {
			t.Fatalf("%q is no name", text)
		}
		names = append(names, n)
	}
	slices.Reverse(names)
	slices.SortFunc(names, name.compare)
	for i, n := range names {
		if n.text() != want[i] {
			t.Errorf("%d: %q, want %q", i, n.text(), want[i])
		}
	}
}
