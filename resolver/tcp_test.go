package resolver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// framed is a message as it is sent over TCP.
func framed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

func dialTCP(t testing.TB, s *Server) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func readTCP(t testing.TB, conn net.Conn) *dns.Msg {
	t.Helper()
	m, err := (&dns.Conn{Conn: conn}).ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func send(t testing.TB, conn net.Conn, octets []byte) {
	t.Helper()
	if _, err := conn.Write(octets); err != nil {
		t.Fatal(err)
	}
}

// Many questions in one segment; replies can be told apart by their ID (RFC 7766, section 6.2.1.1).
func TestPipelining(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	conn := dialTCP(t, s)
	const n = 500
	go func() {
		for i := range n {
			m := newQuestion(t, "one.marathon.mesos. A")
			m.Id = uint16(i)
			if _, err := conn.Write(framed(t, m)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	seen := make(map[uint16]bool)
	for range n {
		m := readTCP(t, conn)
		if seen[m.Id] || len(m.Answer) != 1 {
			t.Fatalf("%v", m)
		}
		seen[m.Id] = true
	}
}

// A question that is forwarded does not keep the next one waiting, and is answered when its time comes.
func TestOutOfOrder(t *testing.T) {
	release := make(chan struct{})
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		<-release
		return answering(t, dns.RcodeSuccess, question.Question[0].Name+" 300 IN A 192.0.2.7")(question, tcp)
	})
	s := newTestServer(t, newTestZone(t), func(o *Options) { o.Recursion, o.Upstreams = true, addrPorts(u.addr.String()) })
	conn := dialTCP(t, s)
	const n = 2 * maxOutstanding // more than may be outstanding: the rest waits
	ours := newQuestion(t, "one.marathon.mesos. A")
	ours.Id = 9999
	for i := range 3 {
		m := newQuestion(t, fmt.Sprintf("n%d.example. A", i))
		m.Id = uint16(i)
		send(t, conn, framed(t, m))
	}
	send(t, conn, framed(t, ours))
	if m := readTCP(t, conn); m.Id != ours.Id {
		t.Fatalf("the first reply is %v, want that of the zone", m)
	}
	close(release)
	for i := 3; i < n; i++ {
		m := newQuestion(t, fmt.Sprintf("n%d.example. A", i))
		m.Id = uint16(i)
		send(t, conn, framed(t, m))
	}
	// The client has nothing more to say, but listens.
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	seen := make(map[uint16]bool)
	for range n {
		m := readTCP(t, conn)
		if want := fmt.Sprintf("n%d.example.", m.Id); seen[m.Id] || m.Question[0].Name != want || m.Rcode != dns.RcodeSuccess {
			t.Fatalf("%v", m)
		}
		seen[m.Id] = true
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the last reply: %v, want the end", err)
	}
}

// The length and the message may come octet by octet (RFC 7766, section 8).
func TestSplitQuestion(t *testing.T) {
	conn := dialTCP(t, newTestServer(t, newTestZone(t)))
	if err := conn.SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, octet := range framed(t, newQuestion(t, "one.marathon.mesos. A")) {
			send(t, conn, []byte{octet})
		}
		if m := readTCP(t, conn); len(m.Answer) != 1 {
			t.Errorf("%v", m)
		}
	}
}

// Octets that are no question end the connection; a question that is malformed does not.
func TestConnectionEnds(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	for name, octets := range map[string][]byte{"no message": {0, 3, 1, 2, 3}, "length 0": {0, 0}, "a reply": append([]byte{0, 12, 1, 2, 0x80}, make([]byte, 9)...)} {
		conn := dialTCP(t, s)
		send(t, conn, octets)
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v, want the end", name, err)
		}
	}
	conn := dialTCP(t, s)
	send(t, conn, append([]byte{0, 12}, make([]byte, 12)...))
	if m := readTCP(t, conn); m.Rcode != dns.RcodeFormatError {
		t.Errorf("%v, want FORMERR", m)
	}
	send(t, conn, framed(t, newQuestion(t, "one.marathon.mesos. A")))
	if m := readTCP(t, conn); len(m.Answer) != 1 {
		t.Errorf("%v", m)
	}
}

// A connection on which nothing comes is closed, and so is one on which a question does not become whole.
func TestIdleTimeout(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	s.idle = 50 * time.Millisecond
	runTestServer(t, s)
	idle, slow := dialTCP(t, s), dialTCP(t, s)
	send(t, slow, []byte{0, 30, 1})
	for _, conn := range []*net.TCPConn{idle, slow} {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want the end", err)
		}
	}
}

// Connections on which nothing happens stay open, hold no buffers, and are nothing to those who ask over UDP.
func TestManyIdleConnections(t *testing.T) {
	const n = 300
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), MaxConnections: n, MaxClientConnections: n})
	if err != nil {
		t.Fatal(err)
	}
	s.idle = time.Hour
	runTestServer(t, s)
	question := framed(t, newQuestion(t, "one.marathon.mesos. A"))
	ask := func(conn net.Conn) {
		t.Helper()
		send(t, conn, question)
		if m := readTCP(t, conn); len(m.Answer) != 1 {
			t.Fatalf("%v", m)
		}
	}
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools keep goes the second time
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	var connections []net.Conn
	before := heap()
	for range n {
		conn := dialTCP(t, s)
		ask(conn)
		connections = append(connections, conn)
	}
	each := (heap() - before) / n
	for try := 0; each > streamRead/2 && try < 10; try++ { // the last ones may have a buffer yet
		each = (heap() - before) / n
	}
	if each > streamRead/2 && !raceDetector {
		t.Errorf("a connection that is idle takes %d octets", each)
	}
	udp, err := dns.Dial("udp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if err := udp.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := udp.WriteMsg(newQuestion(t, "one.marathon.mesos. A")); err != nil {
			t.Fatal(err)
		}
		if m, err := udp.ReadMsg(); err != nil || len(m.Answer) != 1 {
			t.Fatalf("%v, %v", m, err)
		}
	}
	for _, conn := range connections {
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		ask(conn)
	}
}
