package cli

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// paint colours text, or does not.
type paint bool

// paintFor colours what goes to a terminal, unless NO_COLOR is set (no-color.org) or the terminal is a dumb one.
func paintFor(w io.Writer, getenv func(string) string) paint {
	f, ok := w.(*os.File)
	if !ok || getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (p paint) in(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p paint) red(text string) string    { return p.in("31", text) }
func (p paint) green(text string) string  { return p.in("32", text) }
func (p paint) yellow(text string) string { return p.in("33", text) }
func (p paint) bold(text string) string   { return p.in("1", text) }

// Bold is what begins and what ends bold text, nothing where there are no colours.
func Bold(w io.Writer, getenv func(string) string) (begin, end string) {
	if !paintFor(w, getenv) {
		return "", ""
	}
	return "\x1b[1m", "\x1b[0m"
}
