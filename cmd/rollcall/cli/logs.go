package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"rollcall/cmd/rollcall/client"
)

const logsText = `Without -n it prints everything; with -n it looks at the last MiB only. Bytes that are not UTF-8 are replaced. It
works with rollcall only, not with Marathon.`

// logFlags say what of a task's output to print.
type logFlags struct {
	follow, stderr bool
	tail           int
}

func (l *logFlags) define(flags *flag.FlagSet) {
	flags.BoolVar(&l.follow, "follow", false, "keep printing what is written from now on")
	flags.BoolVar(&l.stderr, "stderr", false, "print the standard error, not the standard output")
	flags.IntVar(&l.tail, "n", 0, "print the last `N` lines only")
}

func (l *logFlags) file() string {
	if l.stderr {
		return "stderr"
	}
	return "stdout"
}

func logsOfTask(flags *flag.FlagSet) action {
	var l logFlags
	l.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		return stopped(ctx, s.printLog(ctx, l, args[0], s.out))
	}
}

func logsOfApp(flags *flag.FlagSet) action {
	var l logFlags
	l.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		app, err := s.client.App(ctx, args[0])
		if err != nil {
			return err
		}
		var ids []string
		for _, t := range app.Tasks {
			ids = append(ids, t.ID)
		}
		switch {
		case len(ids) == 0 && app.Failure != nil:
			fmt.Fprintf(s.err, "%s has no task; this is what the last failed task, %s, wrote\n", app.ID, app.Failure.TaskID)
			ids = []string{app.Failure.TaskID}
		case len(ids) == 0:
			return fmt.Errorf("%s has no task", app.ID)
		}
		return stopped(ctx, s.printLogs(ctx, l, ids))
	}
}

// stopped makes the end that somebody asked for no error.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// printLogs prints the logs of several tasks, one after the other, or all at once if they are followed. Each line says
// whose it is if there are several.
func (s *session) printLogs(ctx context.Context, l logFlags, ids []string) error {
	var mu sync.Mutex
	errs := make([]error, len(ids))
	var group sync.WaitGroup
	for n, id := range ids {
		w := s.out
		if len(ids) > 1 {
			prefixed := &prefixWriter{mu: &mu, w: s.out, prefix: id + ": "}
			defer prefixed.end()
			w = prefixed
		}
		if !l.follow {
			errs[n] = s.printLog(ctx, l, id, w)
			continue
		}
		group.Go(func() { errs[n] = s.printLog(ctx, l, id, w) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// How much of a file is asked for at a time, in bytes. The API gives a MiB at most.
const (
	logPart   = 64 << 10
	tailLeast = 16 << 10
	partMost  = 1 << 20
)

// printLog copies a task's output.
func (s *session) printLog(ctx context.Context, l logFlags, task string, w io.Writer) error {
	end, err := s.client.FileEnd(ctx, task, l.file())
	if err != nil {
		return err
	}
	at := int64(0)
	if l.tail > 0 {
		last, err := s.tail(ctx, task, l, end)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, last); err != nil {
			return err
		}
		at = end
	}
	for {
		if end < at { // the file was begun anew
			at = 0
		}
		if at, err = s.copyLog(ctx, task, l.file(), at, end, w); err != nil || !l.follow {
			return err
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
		if end, err = s.client.FileEnd(ctx, task, l.file()); client.IsNotFound(err) {
			return nil // the task is over and its sandbox was removed
		} else if err != nil {
			return err
		}
	}
}

// copyLog prints a file from one offset to another, and returns where it came to.
func (s *session) copyLog(ctx context.Context, task, file string, at, end int64, w io.Writer) (int64, error) {
	read := func(offset, length int64) (string, error) { return s.client.FilePart(ctx, task, file, offset, length) }
	for at < end {
		data, length, err := wholeRunes(read, at, end, logPart)
		if err != nil {
			return at, err
		}
		at += length
		if _, err := io.WriteString(w, data); err != nil {
			return at, err
		}
	}
	return at, nil
}

// wholeRunes reads about length bytes of what lies between two offsets, and tells how many it were. The part does not
// end within a letter, as the bytes of a half one come as U+FFFD each: as long as it ends in that, more is read.
func wholeRunes(read func(offset, length int64) (string, error), at, end, length int64) (string, int64, error) {
	for more := int64(1); ; more *= 2 {
		length = min(length, end-at, partMost)
		data, err := read(at, length)
		if err != nil || at+length == end || length == partMost || !strings.HasSuffix(data, string(utf8.RuneError)) {
			return data, length, err
		}
		length += more
	}
}

// tail returns the last lines of a file that has an end, by reading more and more of it.
func (s *session) tail(ctx context.Context, task string, l logFlags, end int64) (string, error) {
	for window := int64(tailLeast); ; window *= 4 {
		start := max(0, end-window)
		data, err := s.client.FilePart(ctx, task, l.file(), start, end-start)
		if err != nil {
			return "", err
		}
		if last, all := lastLines(data, l.tail); all || start == 0 || window >= partMost {
			return last, nil
		}
	}
}

// lastLines cuts a text to its last n lines; all says whether it has more than those.
func lastLines(text string, n int) (last string, all bool) {
	at := len(strings.TrimSuffix(text, "\n"))
	for range n {
		if at = strings.LastIndexByte(text[:at], '\n'); at < 0 {
			return text, false
		}
	}
	return text[at+1:], true
}

// prefixWriter puts a text before each line. Lines of several of them do not mix.
type prefixWriter struct {
	mu     *sync.Mutex
	w      io.Writer
	prefix string
	rest   string // of a line that is not whole yet
}

// Write prints the lines that have become whole.
func (p *prefixWriter) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest += string(data)
	for {
		line, rest, whole := strings.Cut(p.rest, "\n")
		if !whole {
			return len(data), nil
		}
		if _, err := io.WriteString(p.w, p.prefix+line+"\n"); err != nil {
			return 0, err
		}
		p.rest = rest
	}
}

// end prints the last line, if it is not whole.
func (p *prefixWriter) end() {
	if p.rest != "" {
		p.Write([]byte("\n")) //nolint:errcheck // whoever cannot print this could not print the line before either
	}
}
