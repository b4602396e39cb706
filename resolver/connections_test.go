package resolver

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// ask asks a question on a connection and wants its answer.
func ask(t *testing.T, conn net.Conn) {
	t.Helper()
	send(t, conn, framed(t, newQuestion(t, "one.marathon.mesos. A")))
	if m := readTCP(t, conn); len(m.Answer) != 1 {
		t.Errorf("%v", m)
	}
}

// wantEnd wants the server to have closed a connection.
func wantEnd(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: %d octets, %v; want it closed by the server", what, n, err)
	}
}

// When there are as many connections as there may be, a new one takes the place of the one that has been idle for
// longest.
func TestOldestIdleConnectionMakesRoom(t *testing.T) {
	s := newTestServer(t, newTestZone(t), func(o *Options) { o.MaxConnections = 3 })
	first, second, third := dialTCP(t, s), dialTCP(t, s), dialTCP(t, s)
	for _, conn := range []*net.TCPConn{first, second, third} {
		ask(t, conn)
	}
	s.conns.mu.Lock()
	oldest := s.conns.oldest // which is first
	s.conns.mu.Unlock()
	s.conns.used(oldest, time.Now())
	fourth := dialTCP(t, s)
	ask(t, fourth)
	wantEnd(t, "the one that was idle for longest", second)
	for _, conn := range []*net.TCPConn{first, third, fourth} {
		ask(t, conn)
	}
}

// A connection that waits for an answer is not idle.
func TestNoRoomWithoutIdleConnections(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		asked <- struct{}{}
		<-release
		return answering(t, dns.RcodeSuccess, question.Question[0].Name+" 300 IN A 192.0.2.7")(question, tcp)
	})
	s := newTestServer(t, newTestZone(t), func(o *Options) {
		o.Recursion, o.Upstreams, o.MaxConnections = true, addrPorts(u.addr.String()), 1
	})
	first := dialTCP(t, s)
	send(t, first, framed(t, newQuestion(t, "n.example. A")))
	<-asked
	wantEnd(t, "a second connection", dialTCP(t, s))
	close(release)
	if m := readTCP(t, first); m.Rcode != dns.RcodeSuccess {
		t.Errorf("%v", m)
	}
	if err := first.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// A client has its own limit, which keeps no other client from connecting; a connection that ends is none any more.
func TestMaxClientConnections(t *testing.T) {
	s := newTestServer(t, newTestZone(t), func(o *Options) { o.MaxClientConnections = 2 })
	first, second := dialTCP(t, s), dialTCP(t, s)
	ask(t, first)
	ask(t, second)
	wantEnd(t, "a third connection", dialTCP(t, s))
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := other.Dial("tcp4", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	ask(t, conn)
	ask(t, first)
	first.Close()
	for { // the server notices in its own time
		conn := dialTCP(t, s)
		_, err := conn.Write(framed(t, newQuestion(t, "one.marathon.mesos. A")))
		if err == nil {
			_, err = (&dns.Conn{Conn: conn}).ReadMsg()
		}
		if err == nil {
			break
		}
	}
	ask(t, second)
}

func TestConnectionsForget(t *testing.T) {
	c := newConnections(3, 3)
	var streams []*stream
	for i := range 3 {
		client, server := net.Pipe()
		defer client.Close()
		s := &stream{conn: server, key: netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 2)})}
		if !c.add(s) {
			t.Fatal("there is room")
		}
		streams = append(streams, s)
	}
	for _, i := range []int{1, 0, 0, 2} {
		c.remove(streams[i])
		c.used(streams[i], time.Now())
	}
	if c.count != 0 || len(c.clients) != 0 || c.oldest != nil || c.newest != nil {
		t.Errorf("%+v, want nothing", c)
	}
	c.makeRoom()
	c.closeAll()
	if c.add(streams[0]) {
		t.Error("a connection after the end")
	}
}

// Thousands of connections that have become too old together end a few at a time, those first that have been idle for longest.
// One whose question is being answered is not idle, however old it is.
func TestIdleConnectionsEndByAndBy(t *testing.T) {
	const n = 3 * expireShare
	c := newConnections(n, n)
	var ended []int
	var streams []*stream
	begun := time.Now()
	for i := range n {
		s := &stream{conn: &endedConn{ended: func() { ended = append(ended, i) }}, key: netip.AddrFrom4([4]byte{10})}
		if !c.add(s) {
			t.Fatal("there is room")
		}
		c.used(s, begun.Add(time.Duration(i)))
		streams = append(streams, s)
	}
	streams[1].working.Add(1)
	c.used(streams[2], begun.Add(n))
	if more := c.endIdle(begun.Add(n - 1)); !more || !slices.Equal(ended, []int{0, 3, 4, 5}) {
		t.Errorf("at first ended %v, more: %v", ended, more)
	}
	for calls := 1; c.endIdle(begun.Add(n - 1)); calls++ {
		if calls > n {
			t.Fatal("it does not come to an end")
		}
	}
	if len(ended) != n-2 || !slices.IsSorted(ended) || c.count != 2 {
		t.Errorf("%d ended and %d are left, of %d", len(ended), c.count, n)
	}
	c.endIdle(begun.Add(n))
	if !slices.Equal(ended[n-2:], []int{2}) {
		t.Errorf("in the end %v ended", ended[n-2:])
	}
}

// endedConn is a connection that tells when it is to end.
type endedConn struct {
	net.Conn
	ended func()
}

func (c *endedConn) SetReadDeadline(time.Time) error {
	c.ended()
	return nil
}

// A connection has not been idle while it waited for an answer.
func TestIdleSinceTheAnswer(t *testing.T) {
	release := make(chan struct{})
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		<-release
		return answering(t, dns.RcodeSuccess, question.Question[0].Name+" 300 IN A 192.0.2.7")(question, tcp)
	})
	s := newTestServer(t, newTestZone(t), func(o *Options) { o.Recursion, o.Upstreams = true, addrPorts(u.addr.String()) })
	conn := dialTCP(t, s)
	send(t, conn, framed(t, newQuestion(t, "n.example. A")))
	waits := func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.oldest != nil && s.conns.oldest.working.Load() > 0
	}
	for !waits() {
		runtime.Gosched()
	}
	before := time.Now()
	close(release)
	readTCP(t, conn)
	for waits() {
		runtime.Gosched()
	}
	s.conns.endIdle(before)
	ask(t, conn)
}

func TestClientKey(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1": "fe80::",
	} {
		if got := clientKey(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
