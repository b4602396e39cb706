package scheduler

import (
	"errors"
	"io"
)

// Exec is a command that somebody wants to run inside a task, beside what the task itself runs.
type Exec struct {
	Command []string // the program, looked for in the task's PATH, and its arguments
	TTY     bool     // it gets a terminal, and Stderr stays empty
	Size    TerminalSize
	Resize  <-chan TerminalSize // later sizes of the terminal; nil: there are none

	Stdin          io.Reader // to its end; with a terminal the end is told as Ctrl-D
	Stdout, Stderr io.Writer
}

// TerminalSize is the size of a terminal in characters; zero: not known.
type TerminalSize struct{ Rows, Columns uint16 }

// ErrNotRunning says that a task does not run (yet, or any more), so that nothing can be run inside it.
var ErrNotRunning = errors.New("the task does not run")
