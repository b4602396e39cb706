package cli

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"refreshSeconds", "resolvers", "zoneResolvers", "port", "listener", "ttl"}
	tests := []struct{ word, want, reason string }{
		{"refreshSecond", "refreshSeconds", "a letter is missing"},
		{"refershSeconds", "refreshSeconds", "two letters are swapped"},
		{"REFRESH_SECONDS", "refreshSeconds", "case does not count"},
		{"resolver", "resolvers", "the nearest of two that are near"},
		{"prot", "port", "one swap is one edit"},
		{"tll", "ttl", "short words allow one edit"},
		{"email", "", "nothing is near"},
		{"", "", "nothing is near nothing"},
	}
	for _, tt := range tests {
		if got := Nearest(tt.word, names); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q: %s", tt.word, got, tt.want, tt.reason)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
