package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/cmd/rollcall/client"
)

// session is one command while it runs.
type session struct {
	client      *client.Client
	in          io.Reader
	out, err    io.Writer
	json        bool
	help        string // the command that tells how to use this one
	interval    time.Duration
	paint, note paint // of out and of err
}

func newSession(env Environment, c *client.Client, json bool, help string) *session {
	return &session{client: c, in: env.Stdin, out: env.Stdout, err: env.Stderr, json: json, help: help,
		interval: env.Interval, paint: paintFor(env.Stdout, env.Getenv), note: paintFor(env.Stderr, env.Getenv)}
}

// ask gets JSON. It prints that itself if that is what is wanted; then done is true.
func (s *session) ask(ctx context.Context, path string, query url.Values, into any) (done bool, err error) {
	var raw json.RawMessage
	if err := s.client.Get(ctx, path, query, &raw); err != nil {
		return false, err
	}
	if s.json {
		return true, s.printJSON(raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("GET %s is answered with what is not the JSON of this API: %w", path, err)
	}
	return false, nil
}

// printJSON prints a value, indented.
func (s *session) printJSON(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err = s.out.Write(b.Bytes())
	return err
}

// table prints rows below a head, in columns.
func (s *session) table(head []string, rows [][]string) error {
	all := append([][]string{head}, rows...)
	widths := make([]int, len(head))
	for _, row := range all {
		for n, cell := range row {
			widths[n] = max(widths[n], width(cell))
		}
	}
	var b strings.Builder
	for _, row := range all {
		line := ""
		for n, cell := range row {
			line += cell + strings.Repeat(" ", widths[n]-width(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(s.out, b.String())
	return err
}

// width is how many letters of a text are seen: colours are not.
func width(text string) int { return utf8.RuneCountInString(colours.ReplaceAllString(text, "")) }

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lines prints texts, one on each line.
func (s *session) lines(texts []string) error {
	for _, text := range texts {
		if _, err := fmt.Fprintln(s.out, text); err != nil {
			return err
		}
	}
	return nil
}

// pause waits until it is time to look again; the error is that of ctx.
func (s *session) pause(ctx context.Context) error {
	select {
	case <-time.After(s.interval):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
