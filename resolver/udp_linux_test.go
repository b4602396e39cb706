package resolver

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"
)

// rawConn is the raw connection of a socket.
func rawConn(t testing.TB, conn syscall.Conn) syscall.RawConn {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// There is a socket for each processor, and the kernel spreads clients over them.
func TestClientsAreSpread(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := s.listeners[0]
	if got := len(l.more) + 1; got != processors() {
		t.Fatalf("%d sockets for %d processors", got, processors())
	}
	if len(l.more) == 0 {
		if err := l.spread(2); err != nil { // so that there is something to see
			t.Fatal(err)
		}
	}
	sockets := append(l.more, l.udp)
	const clients = 128
	for range clients {
		if _, err := dialUDP(t, s).Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for i, socket := range sockets {
		got := 0
		if err := rawConn(t, socket).Read(func(fd uintptr) bool {
			for { // what was sent on this machine is there
				if _, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_DONTWAIT); err != nil {
					return true
				}
				got++
			}
		}); err != nil {
			t.Fatal(err)
		}
		if got == 0 {
			t.Errorf("socket %d got nothing", i)
		}
		total += got
	}
	if total != clients {
		t.Errorf("%d packets, want %d", total, clients)
	}
}

// A port that another program uses is an error even when that program shares it.
func TestSharedPortIsTaken(t *testing.T) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return setOption(c, unix.SOL_SOCKET, unix.SO_REUSEPORT)
	}}
	other, err := config.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s, err := New(newTestZone(t), Options{Addrs: addrPorts(other.LocalAddr().String())})
	if err == nil {
		s.Close()
		t.Error("no error for a port of another program")
	}
}

// What the kernel tells of clients that are gone keeps no other from an answer.
func TestErrorsOfTheSocketPass(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	for _, socket := range append(s.listeners[0].more, s.listeners[0].udp) {
		if err := setOption(rawConn(t, socket), unix.IPPROTO_IP, unix.IP_RECVERR); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		gone := dialUDP(t, s)
		if _, err := gone.Write(questionPacket(t, "one.marathon.mesos. A", 1)); err != nil {
			t.Fatal(err)
		}
		gone.Close()
	}
	runTestServer(t, s)
	for i := range 20 {
		conn := dialUDP(t, s)
		if _, err := conn.Write(questionPacket(t, "one.marathon.mesos. A", i)); err != nil {
			t.Fatal(err)
		}
		if m := readUDP(t, conn); int(m.Id) != i {
			t.Errorf("%v, want the answer to %d", m, i)
		}
	}
}

// A socket on which there is nothing yet is waited for. That is no failure, and nobody is told.
func TestNothingToReadIsNoFailure(t *testing.T) {
	var log bytes.Buffer
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range 3 {
		exchange(t, "udp", s.Addr(), newQuestion(t, "one.marathon.mesos. A"))
	}
	cancel()
	if err := <-ended; err != nil || log.Len() > 0 {
		t.Errorf("%v\n%s", err, &log)
	}
}

// Where reading fails again and again, that is told once, and there is a pause between the tries.
func TestReadingThatFails(t *testing.T) {
	var log bytes.Buffer
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // and so every read fails
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.serveUDP(ctx, s.listeners[0], s.listeners[0].udp, new(sync.WaitGroup))
		}()
		time.Sleep(10 * errorPause) // which never passes where there is no pause
		cancel()
		<-ended
	})
	if n := strings.Count(log.String(), "reading DNS questions"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &log)
	}
}

// replyTo puts a reply into a batch, to a socket's address or, with nil, to where the socket is connected.
func (b *batch) replyTo(content string, to *unix.RawSockaddrInet4) {
	out := &b.out[b.replied].header
	if to != nil {
		out.Name, out.Namelen = (*byte)(unsafe.Pointer(to)), unix.SizeofSockaddrInet4
	}
	data := []byte(content)
	b.outIO[b.replied].Base = &data[0]
	b.outIO[b.replied].SetLen(len(data))
	b.replied++
}

// A reply that cannot be sent does not keep those behind it.
func TestRepliesThatCannotBeSent(t *testing.T) {
	listen := func() *net.UDPConn {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	from, to := listen(), listen()
	port := to.LocalAddr().(*net.UDPAddr).Port
	good := &unix.RawSockaddrInet4{Family: unix.AF_INET, Port: uint16(port>>8 | port<<8&0xFF00), Addr: [4]byte{127, 0, 0, 1}}
	tooLong := strings.Repeat("x", 1<<16) // EMSGSIZE, on every machine
	b := newBatch(newKernel(), 0)
	b.replyTo(tooLong, good)
	b.replyTo("1", good)
	b.replyTo(tooLong, good)
	b.replyTo(tooLong, good)
	b.replyTo("2", good)
	b.replyTo(tooLong, good)
	raw := rawConn(t, from)
	if err := raw.Control(func(fd uintptr) { b.send(fd, raw) }); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	for _, want := range []string{"1", "2"} {
		n, err := to.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v; want %q", buf[:n], err, want)
		}
	}
}

// When the kernel has no room, sending goes on where it stopped; when the socket is closed, it ends.
func TestSendingWaitsForRoom(t *testing.T) {
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixgram"}
	to, err := net.ListenUnixgram("unixgram", addr) // of which the kernel queues few packets
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := net.DialUnix("unixgram", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	raw := rawConn(t, from)
	full := func() *batch {
		b := newBatch(newKernel(), 0)
		for i := range batchSize {
			b.replyTo(string(rune('0'+i)), nil)
		}
		return b
	}
	const batches = 20
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range batches {
			b := full()
			raw.Control(func(fd uintptr) { b.send(fd, raw) }) //nolint:errcheck // what arrives tells
		}
	}()
	buf := make([]byte, 10)
	for i := range batches * batchSize {
		n, err := to.Read(buf)
		if want := string(rune('0' + i%batchSize)); err != nil || string(buf[:n]) != want {
			t.Fatalf("packet %d: %q, %v; want %q", i, buf[:n], err, want)
		}
	}
	<-sent
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range batches {
			b := full()
			if raw.Control(func(fd uintptr) { b.send(fd, raw) }) != nil {
				return
			}
		}
	}()
	if _, err := to.Read(buf); err != nil {
		t.Fatal(err)
	}
	from.Close()
	<-ended
}

// newTestBatch is a batch of plain questions that has been read.
func newTestBatch(t *testing.T, s *Server) (*batch, *udpReader) {
	t.Helper()
	r := &udpReader{server: s, conn: s.listeners[0].udp, source: s.listeners[0].source, pending: new(sync.WaitGroup)}
	b := newBatch(newKernel(), r.source.space)
	questions := []string{"web.marathon.mesos. A", "_web._tcp.marathon.mesos. SRV", "none.mesos. A", "big.marathon.mesos. A"}
	for i := range b.in {
		packet := questionPacket(t, questions[i%len(questions)], i)
		copy(b.questions[i*questionStride:], packet)
		b.in[i].length = uint32(len(packet))
		b.in[i].header.SetControllen(r.source.space)
		b.from[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: netip.MustParseAddr("2001:db8::1").As16()}
	}
	return b, r
}

// A batch of plain questions costs no allocation.
func TestBatchDoesNotAllocate(t *testing.T) {
	for _, listener := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		s, err := New(newTestZone(t), Options{Addrs: addrPorts(listener), SetTruncateBit: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		b, r := newTestBatch(t, s)
		ctx := context.Background()
		if allocs := testing.AllocsPerRun(100, func() {
			if b.answer(ctx, r, batchSize) || b.replied != batchSize {
				t.Error("not all are answered")
			}
		}); allocs != 0 {
			t.Errorf("%s: %v allocations", listener, allocs)
		}
		last := unpack(t, unsafe.Slice(b.outIO[1].Base, b.outIO[1].Len))
		if !bytes.Equal(b.questions[questionStride:questionStride+2], []byte{0, 1}) || last.Id != 1 || len(last.Answer) != 3 {
			t.Errorf("%v", last)
		}
	}
}

// Limits cost no allocation.
func TestStrangersDoNotAllocate(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Strangers: Strangers{Amplification: 1.5, ResponsesPerSecond: 10, Slip: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, r := newTestBatch(t, s)
	ctx := context.Background()
	if allocs := testing.AllocsPerRun(100, func() {
		if b.answer(ctx, r, batchSize) {
			t.Error("not all are plain")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	for name, counter := range map[string]float64{"dropped": testutil.ToFloat64(s.handler.metrics.strangersDropped),
		"slipped": testutil.ToFloat64(s.handler.metrics.strangersSlipped)} {
		if counter == 0 {
			t.Errorf("nothing was %s", name)
		}
	}
}
