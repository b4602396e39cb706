package cli

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"rollcall/cmd/rollcall/client"
)

const execText = `The command runs like the task: with its environment, in its sandbox, with its limits and user, and inside its container
if it has one. Flags after the task's id belong to the command. The exit code is the command's, or 128 plus the signal
that ended it. Ctrl-C ends the command; with a terminal, the key goes to that instead. You need the role admin.`

// exitError is the end of a command that was run inside a task: nothing is to be said of it.
type exitError int

// Error tells the code.
func (e exitError) Error() string { return fmt.Sprintf("the command exited with code %d", int(e)) }

// Silent says whether an error is one that the user has been told of already.
func Silent(err error) bool {
	_, ok := err.(exitError)
	return ok
}

func execInTask(flags *flag.FlagSet) action {
	tty := flags.String("tty", "auto", "whether the command gets a terminal: yes, no, or auto, if this command has one")
	return func(ctx context.Context, s *session, args []string) error {
		in, out := terminal(s.in), terminal(s.out)
		x := client.Exec{Command: args[1:], Stdin: s.in, Stdout: s.out, Stderr: s.err}
		switch *tty {
		case "auto":
			x.TTY = in != nil && out != nil
		case "yes", "no":
			x.TTY = *tty == "yes"
		default:
			return &usageError{fmt.Sprintf("-tty %s: yes, no or auto is needed", *tty), s.help}
		}
		if x.TTY && in != nil {
			restore, err := raw(in)
			if err != nil {
				return fmt.Errorf("preparing the terminal: %w", err)
			}
			defer restore()
		}
		if x.TTY && out != nil {
			x.Size = sizeOf(out)
			sizes, stop := resizes(out)
			defer stop()
			x.Resize = sizes
		}
		code, err := s.client.Exec(ctx, args[0], x)
		if err == nil && code != 0 {
			return exitError(code)
		}
		return err
	}
}

// terminal is the file of a stream that is a terminal, else nil.
func terminal(stream any) *os.File {
	f, ok := stream.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// raw has a terminal hand on keys as they are pressed (termios(3), cfmakeraw).
func raw(f *os.File) (restore func(), err error) {
	before, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t := *before
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &t); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, before) }, nil
}

func sizeOf(f *os.File) client.TerminalSize {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return client.TerminalSize{}
	}
	return client.TerminalSize{Rows: size.Row, Columns: size.Col}
}

// resizes tells the sizes that a terminal gets.
func resizes(f *os.File) (sizes <-chan client.TerminalSize, stop func()) {
	signals, out, over := make(chan os.Signal, 1), make(chan client.TerminalSize), make(chan struct{})
	signal.Notify(signals, unix.SIGWINCH)
	go func() {
		for {
			select {
			case <-signals:
				select {
				case out <- sizeOf(f):
				case <-over:
					return
				}
			case <-over:
				return
			}
		}
	}()
	return out, func() { signal.Stop(signals); close(over) }
}
