package api

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"rollcall/scheduler"
)

// Executor runs commands inside tasks.
type Executor interface {
	// Exec runs a command inside a task, until it or ctx ends, and returns its exit code. Errors wrap fs.ErrNotExist
	// for a task that is not there and scheduler.ErrNotRunning for one that does not run. It may be called from any
	// goroutine.
	Exec(ctx context.Context, task scheduler.TaskRef, x scheduler.Exec) (code int, err error)
}

// ExecProtocol is what a connection is upgraded to by POST /rollcall/tasks/{task}/exec: frames in both directions, each
// of a letter, the length of what follows in four bytes, the highest first, and so many bytes.
//
// From the client: 'i' input; 'e' its end; 'r' the terminal's rows and columns, each in two bytes. From the server: 'o'
// output, 'x' error output, and last 'c' the exit code in decimal, or 'f' why there is none. A client that closes the
// connection has the command killed.
const ExecProtocol = "rollcall-exec"

const (
	frameInput, frameInputEnd, frameResize                         = 'i', 'e', 'r'
	frameOutput, frameErrorOutput, frameExitCode, frameFailed byte = 'o', 'x', 'c', 'f'

	frameMost     = 1 << 20 // bytes of a frame
	execBodyMost  = 1 << 20
	execWriteMost = time.Minute // until a client that does not read is given up
)

// execRequest is what is to be run.
type execRequest struct {
	Command []string `json:"command"`
	TTY     bool     `json:"tty"`
	Rows    uint16   `json:"rows,omitempty"`
	Columns uint16   `json:"columns,omitempty"`
}

// exec answers POST /rollcall/tasks/{id}/exec. Whoever runs a command in a task has its secrets and may do what its
// user may do, so that it takes an administrator.
func (a *API) exec(id scheduler.TaskID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := require(r, roleAdmin, appOf(id)); err != nil {
			return err
		}
		if a.o.Policy.NoExec {
			return &Error{Status: http.StatusForbidden, Message: "Running commands inside tasks is not allowed here (scheduler.taskPolicy.exec)"}
		}
		if a.o.Executor == nil {
			return &Error{Status: http.StatusNotImplemented, Message: "Commands cannot be run inside tasks through this rollcall: " +
				"its engine does not run them on this machine"}
		}
		if !strings.EqualFold(r.Header.Get("Upgrade"), ExecProtocol) {
			return &Error{Status: http.StatusUpgradeRequired, Message: "This wants 'Connection: Upgrade' and 'Upgrade: " + ExecProtocol + "', over HTTP/1.1"}
		}
		var wanted execRequest
		decoder := json.NewDecoder(io.LimitReader(r.Body, execBodyMost))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&wanted); err != nil {
			return badRequest("The body has to be {\"command\": [...], \"tty\": false}: " + err.Error())
		}
		if len(wanted.Command) == 0 || wanted.Command[0] == "" {
			return badRequest("'command' has to name a program")
		}
		i := a.state().Instance(scheduler.InstanceIDOf(id))
		if i == nil || i.TaskID() != id {
			return notFound("Task '" + string(id) + "' does not exist")
		}
		if i.Condition != scheduler.Running {
			return conflict("Task '" + string(id) + "' does not run: it is " + string(i.Condition))
		}
		a.o.Logger.Info("a command is run inside a task", "task", id, "command", wanted.Command[0], "user", userOf(r).Name, "client", clientIP(r))
		return a.upgraded(w, r, a.taskRef(id), wanted)
	}
}

// upgraded runs a command over the request's connection.
func (a *API) upgraded(w http.ResponseWriter, r *http.Request, task scheduler.TaskRef, wanted execRequest) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return &clientGone{err}
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("taking over the connection: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return &clientGone{err}
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+ExecProtocol+"\r\n\r\n"); err != nil {
		return &clientGone{err}
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	out := &frames{w: conn, before: func() error { return conn.SetWriteDeadline(time.Now().Add(execWriteMost)) }, broken: cancel}
	stdin, input := io.Pipe()
	defer stdin.Close()
	sizes := make(chan scheduler.TerminalSize, 1)
	go func() { cancel(readFrames(buffered.Reader, input, sizes)) }()
	code, err := a.o.Executor.Exec(ctx, task, scheduler.Exec{Command: wanted.Command, TTY: wanted.TTY,
		Size: scheduler.TerminalSize{Rows: wanted.Rows, Columns: wanted.Columns}, Resize: sizes,
		Stdin: stdin, Stdout: out.of(frameOutput), Stderr: out.of(frameErrorOutput)})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, scheduler.ErrNotRunning):
		err = out.write(frameFailed, []byte("the task does not run any more"))
	case err != nil && ctx.Err() == nil:
		a.o.Logger.Warn("a command inside a task failed", "task", task.TaskID, "error", err)
		err = out.write(frameFailed, []byte(err.Error()))
	case err == nil:
		err = out.write(frameExitCode, fmt.Append(nil, code))
	}
	if err != nil {
		a.o.Logger.Debug("the client of a command inside a task is gone", "task", task.TaskID, "error", err)
	}
	return nil
}

// errClientGone is why a command is killed whose client has closed the connection.
var errClientGone = errors.New("the client is gone")

// readFrames passes on what the client sends until it is gone, and returns why that is.
func readFrames(from *bufio.Reader, input *io.PipeWriter, sizes chan scheduler.TerminalSize) error {
	defer input.Close()
	for {
		var head [5]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return errors.Join(errClientGone, err)
		}
		length := binary.BigEndian.Uint32(head[1:])
		if length > frameMost {
			return fmt.Errorf("a frame of %d bytes: more than %d are not taken", length, frameMost)
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(from, data); err != nil {
			return errors.Join(errClientGone, err)
		}
		switch head[0] {
		case frameInput:
			_, _ = input.Write(data) // the command may have ended, or closed its input
		case frameInputEnd:
			_ = input.Close()
		case frameResize:
			if len(data) != 4 {
				return errors.New("a frame with a size that is not four bytes long")
			}
			select {
			case <-sizes: // nobody has looked at the one before
			default:
			}
			sizes <- scheduler.TerminalSize{Rows: binary.BigEndian.Uint16(data), Columns: binary.BigEndian.Uint16(data[2:])}
		default:
			return fmt.Errorf("a frame of the unknown kind %q", head[0])
		}
	}
}

// frames writes frames. It may be used by several goroutines.
type frames struct {
	mu     sync.Mutex
	w      io.Writer
	before func() error      // each write
	broken func(cause error) // the client cannot be written to
}

func (f *frames) write(kind byte, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.before()
	if err == nil {
		frame := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(data)))
		_, err = f.w.Write(append(frame, data...))
	}
	if err != nil {
		f.broken(errors.Join(errClientGone, err))
	}
	return err
}

// of is a writer whose writes become frames of a kind.
func (f *frames) of(kind byte) io.Writer {
	return writerFunc(func(data []byte) (int, error) {
		for rest := data; len(rest) > 0; {
			part := rest[:min(len(rest), frameMost)]
			if err := f.write(kind, part); err != nil {
				return len(data) - len(rest), err
			}
			rest = rest[len(part):]
		}
		return len(data), nil
	})
}

type writerFunc func([]byte) (int, error)

// Write calls the function.
func (f writerFunc) Write(data []byte) (int, error) { return f(data) }
