package resolver

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// idleTimeout is how long a connection may take to bring the next whole question, and to take a reply
	// (RFC 7766, section 6.2.3: in the order of seconds).
	idleTimeout = 8 * time.Second
	// maxOutstanding is how many questions of one connection are forwarded at one time. The next ones are not read
	// before one of them is answered.
	maxOutstanding = 64
)

// serveTCP accepts connections until ctx ends.
func (s *Server) serveTCP(ctx context.Context, l *listener, pending *sync.WaitGroup) {
	for failures := 0; ; {
		conn, err := l.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if failures++; failures == 1 {
				s.log.Error("accepting DNS connections", "addr", l.addr, "err", err)
			}
			pause(ctx, errorPause)
			continue
		}
		failures = 0
		select {
		case s.conns <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		pending.Go(func() {
			defer func() { <-s.conns }()
			s.serveConn(ctx, conn)
		})
	}
}

// stream is a TCP connection. Questions are answered in the order in which they come, but those that are forwarded do
// not keep the next ones waiting (RFC 7766, section 6.2.1.1: pipelining, replies in any order).
type stream struct {
	conn net.Conn
	idle time.Duration // that the client may take for each message

	mu     sync.Mutex // for what follows
	out    *bufio.Writer
	broken bool
}

// serveConn answers the questions of a connection until the client ends it, is idle, or ctx ends.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var outstanding sync.WaitGroup
	defer outstanding.Wait() // a client that has said everything still wants the answers
	slots := make(chan struct{}, maxOutstanding)

	c := &stream{conn: conn, idle: s.idle, out: bufio.NewWriter(conn)}
	in := bufio.NewReader(conn)
	var packet, reply []byte
	for rotation := newRotation(); ; rotation = rotation.next() {
		if in.Buffered() == 0 && !c.flush() {
			return
		}
		var err error
		if packet, err = c.read(in, packet); err != nil {
			c.flush()
			return
		}
		answer, q := s.handler.handle(reply, packet, false, rotation)
		switch {
		case q != nil:
			if !c.flush() {
				return
			}
			slots <- struct{}{}
			outstanding.Go(func() {
				defer func() { <-slots }()
				if reply := s.forwarded(ctx, q); reply != nil && c.write(reply) {
					c.flush()
				}
			})
		case answer == nil:
			return // no message, or one that is a reply itself: this is no client
		case !c.write(answer):
			return
		default:
			reply = answer[:0]
		}
	}
}

// read reads a message with its length before it (RFC 1035, section 4.2.2), into a buffer that may be used again.
func (c *stream) read(in *bufio.Reader, buf []byte) ([]byte, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(in, buf[:n])
	return buf[:n], err
}

// write adds a reply to those that flush sends. It reports false when the connection is broken.
func (c *stream) write(reply []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return false
	}
	if c.out.Available() < 2+len(reply) {
		c.extend()
	}
	var length [2]byte
	binary.BigEndian.PutUint16(length[:], uint16(len(reply)))
	_, err := c.out.Write(length[:])
	if err == nil {
		_, err = c.out.Write(reply)
	}
	return c.check(err)
}

// flush sends what was written. It reports false when the connection is broken.
func (c *stream) flush() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken || c.out.Buffered() == 0 {
		return !c.broken
	}
	c.extend()
	return c.check(c.out.Flush())
}

// extend gives the client time to take what is sent next.
func (c *stream) extend() {
	c.check(c.conn.SetWriteDeadline(time.Now().Add(c.idle)))
}

// check closes the connection after an error: a reply that was written in part cannot be taken back.
func (c *stream) check(err error) bool {
	if err != nil {
		c.broken = true
		c.conn.Close()
	}
	return !c.broken
}
