package resolver

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
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
	s.conns.used(s.conns.oldest) // which is first
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
		c.used(streams[i])
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
