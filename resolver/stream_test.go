package resolver

import (
	"context"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// streamQuestions are questions of which some are plain.
var streamQuestions = []string{"web.marathon.mesos. A", "_web._tcp.marathon.mesos. SRV", "none.mesos. A", "big.marathon.mesos. A",
	"mesos. SOA", "one.*.marathon.mesos. A", "example.com. A", "mesos. ANY", "_many._tcp.marathon.mesos. SRV"}

// However the octets of a client are cut, every question gets its answer, over any kind of connection.
func TestStreamsAreCutAnywhere(t *testing.T) {
	zone := newTestZone(t)
	s := newTestServer(t, zone)
	overTCP := func() net.Conn { return dialTCP(t, s) }
	overPipe := func() net.Conn {
		client, server := net.Pipe() // cannot be waited for without a buffer, like TLS
		go newStream(s, server).serve(context.Background())
		return client
	}
	for name, dial := range map[string]func() net.Conn{"TCP": overTCP, "pipe": overPipe} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				conn := dial()
				defer conn.Close()
				questions := rapid.SliceOfN(rapid.SampledFrom(streamQuestions), 1, 200).Draw(r, "questions")
				var octets []byte
				for i, q := range questions {
					m := newQuestion(t, q)
					m.Id = uint16(i)
					octets = append(octets, framed(t, m)...)
				}
				go func(cuts []int) {
					slices.Sort(cuts)
					at := 0
					for _, cut := range append(cuts, len(octets)) {
						if _, err := conn.Write(octets[at:cut]); err != nil {
							return // reading fails as well
						}
						at = cut
					}
				}(rapid.SliceOfN(rapid.IntRange(0, len(octets)), 0, 10).Draw(r, "cuts"))
				seen := make([]bool, len(questions))
				for range questions {
					m, err := (&dns.Conn{Conn: conn}).ReadMsg()
					if err != nil {
						r.Fatal(err)
					}
					if int(m.Id) >= len(seen) || seen[m.Id] {
						r.Fatalf("nobody asked for %v", m)
					}
					seen[m.Id] = true
					if got := m.Question[0].Name + " " + dns.TypeToString[m.Question[0].Qtype]; got != questions[m.Id] {
						r.Fatalf("an answer to %q, want one to %q", got, questions[m.Id])
					}
					if want := reply(t, s.handler, newQuestion(t, questions[m.Id]), false); len(want.Answer) != len(m.Answer) || want.Rcode != m.Rcode {
						r.Fatalf("got %v\nwant %v", m, want)
					}
				}
			})
		})
	}
}

// There is an end to what is kept of messages that have not come whole; what was kept is given back.
func TestPartsOfMessagesAreLimited(t *testing.T) {
	s := newTestServer(t, newTestZone(t), func(o *Options) { o.MaxClientConnections = 1000 })
	long := append([]byte{0xFF, 0xFF}, make([]byte, 1<<16-2)...) // one octet is missing
	var conns []net.Conn
	for range maxParts/len(long) + 1 {
		conn := dialTCP(t, s)
		send(t, conn, long)
		conns = append(conns, conn)
	}
	if kept := s.parts.Load(); kept > maxParts+1<<16 {
		t.Errorf("%d octets are kept", kept)
	}
	waitFor(t, func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.count < len(conns)
	})
	ask(t, dialTCP(t, s))
	for _, conn := range conns {
		conn.Close()
	}
	waitFor(t, func() bool { return s.parts.Load() == 0 })
}

// discardConn takes whatever is written.
type discardConn struct {
	net.Conn
	written int
}

func (c *discardConn) Write(p []byte) (int, error)    { c.written += len(p); return len(p), nil }
func (*discardConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (*discardConn) SetReadDeadline(time.Time) error  { return nil }
func (*discardConn) SetWriteDeadline(time.Time) error { return nil }
func (*discardConn) Close() error                     { return nil }
func (*discardConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// Plain questions that come together cost no allocation.
func TestStreamDoesNotAllocate(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	conn := &discardConn{}
	c := newStream(s, conn)
	b := newStreamBuffers().(*streamBuffers)
	for i := range 200 {
		b.in = append(b.in, framed(t, newQuestion(t, streamQuestions[i%3]))...)
	}
	ctx := context.Background()
	if allocs := testing.AllocsPerRun(100, func() {
		if !c.answer(ctx, b) || !c.flush(b) {
			t.Error("the connection ends")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if conn.written < 101*200*headerLen {
		t.Errorf("%d octets of replies", conn.written)
	}
}

// A connection that ends gives its buffers back, whoever ends it: short ones are no more expensive than long ones.
func TestEndedStreamsGiveBuffersBack(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	made := 0
	s.buffers.New = func() any { made++; return newStreamBuffers() }
	const connections = 200
	question := framed(t, newQuestion(t, "web.marathon.mesos. A"))
	for range connections {
		client, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := s.listeners[0].tcp.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write(question); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { newStream(s, conn).serve(context.Background()); close(done) }()
		if _, err := (&dns.Conn{Conn: client}).ReadMsg(); err != nil {
			t.Fatal(err)
		}
		client.Close()
		<-done
	}
	if made > connections/10 && !raceDetector { // which has a pool lose some
		t.Errorf("%d connections, one after the other, took %d buffers", connections, made)
	}
}
