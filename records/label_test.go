package records

import (
	"strings"
	"testing"
)

func TestLabel(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct{ text, rfc1123, rfc952 string }{
		{"", "", ""},
		{"web", "web", "web"},
		{"Web_App", "web-app", "web-app"},
		{"dots.in.name", "dots-in-name", "dots-in-name"},
		{"--both--", "both", "both"},
		{"a--b", "a--b", "a--b"},
		{"space name", "spacename", "spacename"},
		{"slash/name", "slashname", "slashname"},
		{"ünïcode", "ncode", "ncode"},
		{"日本語", "", ""},
		{"9-8-7", "9-8-7", ""},
		{"123numeric", "123numeric", "numeric"},
		{"._-mixed-_.", "mixed", "mixed"},
		{"\xff\xfe", "", ""},
		{x(24), x(24), x(24)},
		{x(25), x(25), x(24)},
		{x(64), x(63), x(24)},
		// What follows the cut takes the place of the dashes before it.
		{"hello" + strings.Repeat("-", 58) + "f", "hellof", "hellof"},
		{x(60) + "---zzzzz", x(60) + "zzz", x(24)},
		{x(62) + "-" + "zz", x(62) + "z", x(24)},
		{x(62) + "-" + "-z", x(62) + "z", x(24)},
		{x(20) + strings.Repeat("-", 43) + "ab-cd", x(20) + "ab-cd", x(20) + "ab-c"},
		{x(20) + "----a---------", x(20) + "----a", x(20) + "a---"},
	}
	for _, tt := range tests {
		if got := rfc1123.label(tt.text); got != tt.rfc1123 {
			t.Errorf("RFC 1123: label(%q) = %q, want %q", tt.text, got, tt.rfc1123)
		}
		if got := rfc952.label(tt.text); got != tt.rfc952 {
			t.Errorf("RFC 952: label(%q) = %q, want %q", tt.text, got, tt.rfc952)
		}
	}
}

func TestFragment(t *testing.T) {
	tests := []struct{ text, rfc1123, rfc952 string }{
		{"marathon", "marathon", "marathon"},
		{"marathon.prod", "marathon.prod", "marathon.prod"},
		{"..a..b.", "a.b", "a.b"},
		{"-.-", "", ""},
		{"Chronos with a space AND MIXED CASE-2.0.1", "chronoswithaspaceandmixedcase-2.0.1", "chronoswithaspaceandmixe"},
	}
	for _, tt := range tests {
		if got := rfc1123.fragment(tt.text); got != tt.rfc1123 {
			t.Errorf("RFC 1123: fragment(%q) = %q, want %q", tt.text, got, tt.rfc1123)
		}
		if got := rfc952.fragment(tt.text); got != tt.rfc952 {
			t.Errorf("RFC 952: fragment(%q) = %q, want %q", tt.text, got, tt.rfc952)
		}
	}
}
