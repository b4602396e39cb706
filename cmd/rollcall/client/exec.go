package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// execProtocol is what the API upgrades a connection to: frames of a letter, a length in four bytes and so many bytes.
const execProtocol = "rollcall-exec"

// Exec is a command to be run inside a task.
type Exec struct {
	Command []string
	TTY     bool
	Size    TerminalSize        // of the terminal
	Resize  <-chan TerminalSize // later sizes; nil: there are none

	Stdin          io.Reader
	Stdout, Stderr io.Writer // Stderr stays empty with a terminal
}

// TerminalSize is the size of a terminal in characters.
type TerminalSize struct{ Rows, Columns uint16 }

// Exec runs a command inside a task and returns its exit code. The command is killed when ctx ends. It may still be
// waiting for input when Exec returns.
func (c *Client) Exec(ctx context.Context, task string, x Exec) (code int, err error) {
	conn, err := c.upgrade(ctx, "/rollcall/tasks/"+task+"/exec", map[string]any{
		"command": x.Command, "tty": x.TTY, "rows": x.Size.Rows, "columns": x.Size.Columns})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	send := sender{w: conn}
	go send.input(x.Stdin)
	over := make(chan struct{})
	defer close(over)
	go func() {
		for {
			select {
			case size := <-x.Resize:
				send.frame('r', binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, size.Rows), size.Columns))
			case <-over:
				return
			}
		}
	}()
	code, err = receive(bufio.NewReader(conn), x)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return code, err
}

// receive passes on what a command writes, until its exit code comes.
func receive(from *bufio.Reader, x Exec) (int, error) {
	for {
		var head [5]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return 0, fmt.Errorf("the connection to the server broke: %w", err)
		}
		data := io.LimitReader(from, int64(binary.BigEndian.Uint32(head[1:])))
		var err error
		switch head[0] {
		case 'o':
			_, err = io.Copy(x.Stdout, data)
		case 'x':
			_, err = io.Copy(x.Stderr, data)
		case 'c', 'f':
			text, err := io.ReadAll(data)
			if err != nil {
				return 0, fmt.Errorf("the connection to the server broke: %w", err)
			}
			if head[0] == 'f' {
				return 0, errors.New(string(text))
			}
			return strconv.Atoi(string(text))
		default:
			return 0, fmt.Errorf("the server sends a frame of the unknown kind %q", head[0])
		}
		if err != nil {
			return 0, err
		}
	}
}

// sender writes frames. It may be used by several goroutines; that nothing can be written shows where it is read.
type sender struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sender) frame(kind byte, data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.w.Write(append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(data))), data...))
	return err == nil
}

func (s *sender) input(from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !s.frame('i', buffer[:n]) {
			return
		}
		if err != nil {
			s.frame('e', nil)
			return
		}
	}
}

// upgrade sends a request whose connection is to be used for more than the answer. Only HTTP/1.1 can do that.
func (c *Client) upgrade(ctx context.Context, path string, body any) (io.ReadWriteCloser, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	transport := c.http.Transport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	var unreachable []error
	for _, server := range c.servers {
		target := *server
		target.Path += path
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(sent))
		if err != nil {
			return nil, fmt.Errorf("making the request: %w", err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Connection", "Upgrade")
		request.Header.Set("Upgrade", execProtocol)
		c.identify(request)
		response, err := (&http.Client{Transport: transport}).Do(request)
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && ctx.Err() == nil {
			unreachable = append(unreachable, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if conn, ok := response.Body.(io.ReadWriteCloser); ok && response.StatusCode == http.StatusSwitchingProtocols {
			return conn, nil
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
		if err != nil {
			return nil, fmt.Errorf("reading the answer of %s: %w", server, err)
		}
		return nil, refusal(response.StatusCode, answer)
	}
	return nil, noAnswer(unreachable)
}
