package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode"

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

// Components have levels of their own, which change for loggers that were made before.
func TestLoggingOfComponents(t *testing.T) {
	var out bytes.Buffer
	l := newLogging(0)
	base := l.logger(&out)
	dns, engine := component(base, logResolver), component(base, logEngine).With("task", "a")
	grouped := base.WithGroup("g").With(componentKey, logResolver) // an attribute of that name, no more
	tell := func(when string) {
		for _, log := range []*slog.Logger{base, dns, engine, grouped} {
			log.Debug(when)
		}
	}
	tell("first")
	l.follow(logConfig{Format: logText, Level: "info", Components: map[string]string{logResolver: "debug"}})
	tell("second")
	l.follow(logConfig{Format: logText, Level: "debug", Components: map[string]string{logResolver: "error"}})
	tell("third")
	var got []string
	for line := range strings.Lines(out.String()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), "msg=")
		got = append(got, line)
	}
	want := []string{"second component=resolver", "third", "third component=engine task=a", "third g.component=resolver"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever a task says, a line of the log is a line, and a terminal is not told what to do.
func TestLoggingEscapes(t *testing.T) {
	for _, format := range []string{logText, logJSON} {
		var out bytes.Buffer
		l := newLogging(0)
		l.follow(logConfig{Format: format, Level: "info"})
		l.logger(&out).Info("a\nlevel=ERROR", "message", "b\r\n\x1b[31m\x00\u009b", "error", errors.New("c\x07\n"))
		text := strings.TrimSuffix(out.String(), "\n")
		if at := strings.IndexFunc(text, unicode.IsControl); at >= 0 || text == "" {
			t.Errorf("%s: %q has a control character", format, text)
		}
	}
}

// What was logged last is kept, as much of it as is promised, in whole lines.
func TestRecentLog(t *testing.T) {
	l := newLogging(0)
	log := l.logger(io.Discard)
	const lines = 20_000
	for n := range lines {
		log.Info("told", "n", n)
	}
	var out bytes.Buffer
	if _, err := l.recent.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if len(text) > recentMost || len(text) < recentMost*9/10 || !strings.HasPrefix(text, "time=") || !strings.HasSuffix(text, fmt.Sprintf(" n=%d\n", lines-1)) {
		t.Errorf("%d octets: %.100s ... %s", len(text), text, text[max(0, len(text)-100):])
	}
}
