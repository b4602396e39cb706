package main

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
)

// logging decides what the log looks like. That can change while the program runs, for all loggers at once.
type logging struct {
	level   slog.LevelVar
	json    atomic.Bool
	verbose bool // everything is told, whatever the configuration says
}

// newLogging begins with the defaults. With a verbosity above 0 everything is told.
func newLogging(verbosity int) *logging {
	l := &logging{verbose: verbosity > 0}
	l.follow(defaultLog())
	return l
}

// follow makes the log what a configuration says.
func (l *logging) follow(c logConfig) {
	level := slog.LevelDebug
	if !l.verbose && level.UnmarshalText([]byte(c.Level)) != nil {
		level = slog.LevelInfo
	}
	l.level.Set(level)
	l.json.Store(c.Format == logJSON)
}

// logger returns a logger that writes to w.
func (l *logging) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: &l.level}
	return slog.New(&switchHandler{json: &l.json, asText: slog.NewTextHandler(w, o), asJSON: slog.NewJSONHandler(w, o)})
}

// switchHandler writes one of two forms. Both are kept, as loggers that were made of it know it only.
type switchHandler struct {
	json           *atomic.Bool
	asText, asJSON slog.Handler
}

var _ slog.Handler = (*switchHandler)(nil)

func (h *switchHandler) current() slog.Handler {
	if h.json.Load() {
		return h.asJSON
	}
	return h.asText
}

// Enabled implements slog.Handler.
func (h *switchHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.asText.Enabled(ctx, level) // both have the same level
}

// Handle implements slog.Handler.
func (h *switchHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.current().Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *switchHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &switchHandler{h.json, h.asText.WithAttrs(attrs), h.asJSON.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *switchHandler) WithGroup(name string) slog.Handler {
	return &switchHandler{h.json, h.asText.WithGroup(name), h.asJSON.WithGroup(name)}
}
