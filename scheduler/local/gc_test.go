package local

import (
	"slices"
	"testing"
	"time"
)

func TestSurplus(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	ago := func(dir taskDir, age time.Duration, size int64) leftover { return leftover{dir, now.Add(-age), size} }
	all := []leftover{ago("old", 3*time.Hour, 10), ago("new", time.Minute, 10), ago("mid", time.Hour, 30)}
	tests := []struct {
		name    string
		maxAge  time.Duration
		maxSize int64
		want    []taskDir
	}{
		{"no limits", 0, 0, nil},
		{"age", 2 * time.Hour, 0, []taskDir{"old"}},
		{"size", 0, 40, []taskDir{"old"}},
		{"the oldest goes although it would fit", 0, 20, []taskDir{"mid", "old"}},
		{"both", 2 * time.Hour, 15, []taskDir{"mid", "old"}},
		{"nothing fits", 0, 1, []taskDir{"new", "mid", "old"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := surplus(all, now, test.maxAge, test.maxSize); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
