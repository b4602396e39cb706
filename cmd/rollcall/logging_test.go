package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Form and level change for loggers that were made before, too.
func TestLoggingFollows(t *testing.T) {
	var out bytes.Buffer
	l := newLogging(0)
	base := l.logger(&out)
	derived := base.With("part", "dns").WithGroup("g")
	tell := func() {
		derived.Debug("d", "n", 1)
		derived.Info("i", "n", 1)
		base.Error("e")
	}
	tell()
	l.follow(logConfig{Format: logJSON, Level: "debug"})
	tell()
	l.follow(logConfig{Format: logText, Level: "error"})
	tell()
	var got []string
	for line := range strings.Lines(out.String()) {
		if _, rest, ok := strings.Cut(line, " level="); ok {
			line = "level=" + rest
		} else if _, rest, ok := strings.Cut(line, `,"level":`); ok {
			line = rest
		}
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		"level=INFO msg=i part=dns g.n=1", "level=ERROR msg=e",
		`"DEBUG","msg":"d","part":"dns","g":{"n":1}}`, `"INFO","msg":"i","part":"dns","g":{"n":1}}`, `"ERROR","msg":"e"}`,
		"level=ERROR msg=e",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// -v tells everything, whatever the configuration says.
func TestLoggingVerbose(t *testing.T) {
	l := newLogging(1)
	l.follow(logConfig{Format: logText, Level: "error"})
	if !l.logger(&bytes.Buffer{}).Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debugging is off")
	}
}
