package resolver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// streamRead is how many octets are read at once: hundreds of questions.
	streamRead = 16 << 10
	// flushSize is how many octets of replies are kept at most before they are sent.
	flushSize = 16 << 10
	// streamRound is how many questions are answered together.
	streamRound = 64
	// maxParts is how many octets of messages that have come in part are kept, of all connections together: whoever
	// begins messages and does not end them costs others nothing but that.
	maxParts = 32 << 20
	// noteUse is how long a connection may have been used without that being noted: nobody needs to know it exactly, and
	// each note is a lock.
	noteUse = 100 * time.Millisecond
)

// stream is a TCP connection. One that is idle takes little memory, as there may be many: it has buffers only while
// there is something in them.
type stream struct {
	server *Server
	conn   net.Conn
	raw    syscall.RawConn // to wait for the client without a buffer; nil: the connection cannot
	from   client
	key    netip.Addr // of the client: see clientKey

	rotation rotation
	rest     []byte    // of what was read: the beginning of a message
	noted    time.Time // when its use was noted last

	slots       chan struct{}  // one element for each question that is being forwarded
	outstanding sync.WaitGroup // of those
	working     atomic.Int32   // questions that are being answered; 0: the connection is idle

	writing sync.Mutex
	broken  bool // a reply could not be written; guarded by writing

	// Where it stands among the connections, whose lock guards this.
	older, newer *stream
	linked       bool
	since        time.Time // when it was used last, as far as note tells
}

// streamBuffers are what a connection needs while it is not idle.
type streamBuffers struct {
	in, out []byte
	round   *round
	unusual [][]byte // packets that are no plain questions
}

func newStreamBuffers() any {
	return &streamBuffers{
		in: make([]byte, 0, streamRead), out: make([]byte, 0, 2*flushSize), round: newRound(streamRound),
		unusual: make([][]byte, 0, streamRound),
	}
}

// release gives buffers back, unless they have grown too large to be kept.
func (c *stream) release(b *streamBuffers) {
	if cap(b.in) <= streamRead && cap(b.out) <= 2*flushSize {
		c.server.buffers.Put(b)
	}
}

func newStream(s *Server, conn net.Conn) *stream {
	c := &stream{server: s, conn: conn, from: tcpClient(conn, false), rotation: newRotation()}
	c.key = clientKey(c.from.addr)
	if tcp, ok := conn.(*net.TCPConn); ok {
		c.raw, _ = tcp.SyscallConn() // there is one as long as it is open
	}
	return c
}

// serve answers the questions of the connection until the client ends it, is idle, or the server closes it.
func (c *stream) serve(ctx context.Context) {
	defer c.conn.Close()
	defer c.outstanding.Wait() // a client that has said everything still wants the answers
	defer func() { c.server.parts.Add(-int64(len(c.rest))) }()
	read := c.reader()
	for {
		b, err := read()
		if err != nil {
			return
		}
		c.working.Add(1)
		goOn := c.answer(ctx, b) && c.flush(b)
		c.working.Add(-1)
		c.release(b)
		if !goOn {
			return
		}
	}
}

// reader makes the function that waits for the client. It returns what was read, behind the rest of what was read
// before.
func (c *stream) reader() func() (*streamBuffers, error) {
	var (
		b      *streamBuffers
		n      int
		failed error
	)
	buffers := func() []byte {
		b = c.server.buffers.Get().(*streamBuffers)
		b.in, b.out = append(b.in[:0], c.rest...), b.out[:0]
		if want := wholeSize(b.in); want > cap(b.in) {
			b.in = append(make([]byte, 0, want), b.in...)
		}
		return b.in[len(b.in):cap(b.in)]
	}
	attempt := func(fd uintptr) bool {
		space := buffers()
		for {
			if n, failed = c.server.kernel.read(int(fd), space); failed != unix.EINTR {
				break
			}
		}
		if failed == unix.EAGAIN {
			c.release(b)
			b = nil
			return false
		}
		if failed == nil && n == 0 {
			failed = io.EOF
		}
		return true
	}
	return func() (*streamBuffers, error) {
		var err error
		if c.raw != nil {
			err = c.raw.Read(attempt)
		} else {
			n, failed = c.conn.Read(buffers())
		}
		if err == nil {
			err = failed
		}
		if err != nil {
			if b != nil {
				c.release(b)
			}
			return nil, err
		}
		b.in = b.in[:len(b.in)+n]
		return b, nil
	}
}

// wholeSize is how many octets the first message has, with its length before it; 0: that has not come yet.
func wholeSize(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	return 2 + int(binary.BigEndian.Uint16(in))
}

// answer answers all questions that have come whole, and keeps the rest. It reports false when the connection is to end.
// Replies that have not been sent yet are in b.out.
func (c *stream) answer(ctx context.Context, b *streamBuffers) bool {
	in := b.in
	asked := false
	for {
		b.round.reset()
		b.unusual = b.unusual[:0]
		for len(b.round.questions)+len(b.unusual) < streamRound {
			size := wholeSize(in)
			if size == 0 || size > len(in) {
				break
			}
			if packet := in[2:size]; !b.round.add(c.server.handler, packet, c.from) {
				b.unusual = append(b.unusual, packet)
			}
			in = in[size:]
		}
		if len(b.round.questions)+len(b.unusual) == 0 {
			break
		}
		asked = true
		if !c.quickly(b) || !c.slowly(ctx, b, b.unusual) {
			return false
		}
	}
	if asked {
		c.note()
	}
	return c.keep(in)
}

// keep keeps the beginning of a message until the rest comes, or reports that there is no room.
func (c *stream) keep(rest []byte) bool {
	added := int64(len(rest) - len(c.rest))
	if c.server.parts.Add(added) > maxParts && added > 0 {
		c.server.parts.Add(-added)
		return false
	}
	c.rest = append(c.rest[:0], rest...)
	if len(rest) == 0 {
		c.rest = nil
	}
	return true
}

// quickly answers the plain questions of the round. Those that turn out not to be become unusual.
func (c *stream) quickly(b *streamBuffers) bool {
	h := c.server.handler
	view := h.view()
	b.round.lookup(view.snapshot)
	defer b.round.tally.add(h.metrics)
	for i := range b.round.questions {
		if len(b.out) > flushSize && !c.flush(b) {
			return false
		}
		c.rotation = c.rotation.next()
		at := len(b.out) + 2
		reply := h.quickly(b.out[at:at], b.round.packets[i], &b.round.questions[i], view, b.round.nodes[i], c.rotation)
		if reply != nil {
			b.round.tally.answered(b.round.questions[i].qtype, int(reply[3]&maskRcode))
		}
		switch {
		case reply == nil:
			b.unusual = append(b.unusual, b.round.packets[i])
		case at+len(reply) <= cap(b.out): // it is where it should be
			binary.BigEndian.PutUint16(b.out[len(b.out):at], uint16(len(reply)))
			b.out = b.out[:at+len(reply)]
		default:
			b.out = appendMessage(b.out, reply)
		}
	}
	return true
}

// note notes that the connection was used, which gives the client time for the next question.
func (c *stream) note() {
	if now := time.Now(); now.Sub(c.noted) >= min(noteUse, c.server.idle/8) {
		c.noted = now
		c.server.conns.used(c, now)
	}
}

// end has the goroutine of the connection close it as soon as it waits for the client. What has been asked is answered.
func (c *stream) end() {
	c.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // it is closed already
}

// flush sends what is in b.out. It reports false when the connection is broken.
func (c *stream) flush(b *streamBuffers) bool {
	ok := c.write(b.out)
	b.out = b.out[:0]
	return ok
}

// write sends messages. It reports false when the connection is broken: a reply that was written in part cannot be taken
// back.
func (c *stream) write(messages []byte) bool {
	if len(messages) == 0 {
		return true
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.broken {
		return false
	}
	err := c.conn.SetWriteDeadline(time.Now().Add(c.server.idle))
	if err == nil {
		_, err = c.conn.Write(messages)
	}
	if err != nil {
		c.broken = true
		c.conn.Close()
	}
	return err == nil
}
