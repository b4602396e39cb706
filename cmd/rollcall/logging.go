package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"unicode/utf8"
)

// logging decides what the log looks like. That can change while the program runs, for all loggers at once.
type logging struct {
	level      slog.LevelVar             // of what belongs to no component
	components map[string]*slog.LevelVar // never changed itself
	json       atomic.Bool
	verbose    bool // everything is told, whatever the configuration says
	recent     recentLog
}

// newLogging begins with the defaults. With a verbosity above 0 everything is told.
func newLogging(verbosity int) *logging {
	l := &logging{verbose: verbosity > 0, components: map[string]*slog.LevelVar{}}
	for _, name := range logComponents() {
		l.components[name] = new(slog.LevelVar)
	}
	l.follow(defaultLog())
	return l
}

// follow makes the log what a configuration says.
func (l *logging) follow(c logConfig) {
	l.level.Set(l.levelFor(c.Level))
	for name, level := range l.components {
		level.Set(l.levelFor(c.levelOf(name)))
	}
	l.json.Store(c.Format == logJSON)
}

func (l *logging) levelFor(text string) slog.Level {
	level := slog.LevelDebug
	if !l.verbose && level.UnmarshalText([]byte(text)) != nil {
		level = slog.LevelInfo
	}
	return level
}

// logger returns a logger that writes to w, and keeps what it wrote last.
func (l *logging) logger(w io.Writer) *slog.Logger {
	w = io.MultiWriter(&l.recent, w)
	o := &slog.HandlerOptions{Level: slog.LevelDebug} // Enabled decides
	return slog.New(&switchHandler{logging: l, level: &l.level, asText: slog.NewTextHandler(w, o), asJSON: slog.NewJSONHandler(escaping{w}, o)})
}

// escaping writes JSON with those control characters escaped that JSON lets through: DEL and U+0080 to U+009F, which
// some terminals obey.
type escaping struct{ w io.Writer }

func (e escaping) Write(line []byte) (int, error) {
	if bytes.ContainsFunc(line, isLateControl) {
		var out []byte
		for _, r := range string(line) {
			if isLateControl(r) {
				out = fmt.Appendf(out, `\u%04x`, r)
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
		_, err := e.w.Write(out)
		return len(line), err
	}
	return e.w.Write(line)
}

func isLateControl(r rune) bool { return r >= 0x7f && r <= 0x9f }

// componentKey is the attribute that names the component that a logger is of.
const componentKey = "component"

// component is a logger of a part of the program, which has a level of its own.
func component(log *slog.Logger, name string) *slog.Logger { return log.With(componentKey, name) }

// switchHandler writes one of two forms. Both are kept, as loggers that were made of it know it only.
type switchHandler struct {
	logging        *logging
	level          *slog.LevelVar
	grouped        bool // attributes that follow are not the logger's own
	asText, asJSON slog.Handler
}

var _ slog.Handler = (*switchHandler)(nil)

// Enabled implements slog.Handler.
func (h *switchHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle implements slog.Handler.
func (h *switchHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.logging.json.Load() {
		return h.asJSON.Handle(ctx, r)
	}
	return h.asText.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *switchHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.asText, n.asJSON = h.asText.WithAttrs(attrs), h.asJSON.WithAttrs(attrs)
	for _, a := range attrs {
		if level := h.logging.components[a.Value.String()]; a.Key == componentKey && !h.grouped && level != nil {
			n.level = level
		}
	}
	return &n
}

// WithGroup implements slog.Handler.
func (h *switchHandler) WithGroup(name string) slog.Handler {
	n := *h
	n.grouped = true
	n.asText, n.asJSON = h.asText.WithGroup(name), h.asJSON.WithGroup(name)
	return &n
}
