package resolver

import (
	"context"
	"encoding/binary"
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

// serveTCP accepts connections until the listener is closed.
func (s *Server) serveTCP(ctx context.Context, l net.Listener, pending *sync.WaitGroup) {
	l = &patientListener{l, ctx, s, "DNS connections"}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := newStream(s, conn)
		if !s.conns.add(c) {
			conn.Close()
			continue
		}
		pending.Go(func() {
			defer s.conns.remove(c)
			c.serve(ctx)
		})
	}
}

// slowly answers the packets that are no plain questions, in the order in which they came, but those that are forwarded
// do not keep the next ones waiting (RFC 7766, section 6.2.1.1: pipelining, replies in any order). It reports false when
// the connection is to end.
func (c *stream) slowly(ctx context.Context, b *streamBuffers, packets [][]byte) bool {
	for _, packet := range packets {
		c.rotation = c.rotation.next()
		reply, q := c.server.handler.slow(packet, c.from, c.rotation)
		switch {
		case q != nil && q.transfer != nil:
			for message := range c.server.handler.transferred(q) {
				if b.out = appendMessage(b.out, message); len(b.out) > flushSize && !c.flush(b) {
					return false
				}
			}
		case q != nil:
			if !c.forward(ctx, b, q) {
				return false
			}
		case reply == nil:
			c.flush(b)
			return false // no message, or one that is a reply itself: this is no client
		default:
			if b.out = appendMessage(b.out, reply); len(b.out) > flushSize && !c.flush(b) {
				return false
			}
		}
	}
	return true
}

// forward has a question answered by the upstream servers, without waiting for them unless too many wait already.
func (c *stream) forward(ctx context.Context, b *streamBuffers, q *query) bool {
	if c.slots == nil {
		c.slots = make(chan struct{}, maxOutstanding)
	}
	select {
	case c.slots <- struct{}{}:
	default:
		if !c.flush(b) {
			return false
		}
		c.slots <- struct{}{}
	}
	c.working.Add(1)
	c.outstanding.Go(func() {
		if reply := c.server.forwarded(ctx, q); reply != nil {
			c.write(appendMessage(make([]byte, 0, 2+len(reply)), reply))
		}
		c.server.conns.used(c, time.Now())
		c.working.Add(-1)
		<-c.slots
	})
	return true
}

// appendMessage adds a message with its length before it (RFC 1035, section 4.2.2).
func appendMessage(dst, message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(message))), message...)
}
