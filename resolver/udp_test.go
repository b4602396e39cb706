package resolver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// dialUDP is a client's socket.
func dialUDP(t testing.TB, s *Server) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readUDP(t testing.TB, conn *net.UDPConn) *dns.Msg {
	t.Helper()
	buf := make([]byte, maxTCPSize)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, buf[:n])
}

// questionPacket is a question with an ID.
func questionPacket(t testing.TB, question string, id int) []byte {
	t.Helper()
	m := newQuestion(t, question)
	m.Id = uint16(id)
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// Packets of all sorts that wait for the server are answered, each by what it is, and those that are none keep nobody
// from an answer.
func TestPacketsOfAllSorts(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	conn := dialUDP(t, s)
	reply := append([]byte{0, 1, bitQR}, make([]byte, 9)...)
	tooLong := append(questionPacket(t, "one.marathon.mesos. A", 0), bytes.Repeat([]byte{63}, questionSize)...)
	tooLong[11] = 1 // as if the rest were an additional record
	rcodes := make(map[uint16]int)
	send := func(packet []byte, rcode int) {
		if rcode >= 0 {
			id := len(rcodes) + 1
			binary.BigEndian.PutUint16(packet, uint16(id))
			rcodes[uint16(id)] = rcode
		}
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 { // more than one batch, and less than the kernel keeps
		send(questionPacket(t, "one.marathon.mesos. A", 0), dns.RcodeSuccess)
		send(nil, -1)
		send(questionPacket(t, "mesos. SOA", 0), dns.RcodeSuccess)
		send(reply, -1)
		send(questionPacket(t, "none.mesos. A", 0), dns.RcodeNameError)
		send(tooLong, dns.RcodeFormatError)
		send(questionPacket(t, "example.com. A", 0), dns.RcodeRefused)
		send([]byte{1, 2, 3}, -1)
	}
	runTestServer(t, s)
	for range len(rcodes) {
		m := readUDP(t, conn)
		want, ok := rcodes[m.Id]
		if !ok || m.Rcode != want {
			t.Fatalf("want %s (asked: %v), got %v", dns.RcodeToString[want], ok, m)
		}
		delete(rcodes, m.Id)
	}
}

// When as much as may be is being worked on, plain questions are answered nevertheless, others are dropped and counted.
func TestUnusualPacketsAreDroppedWhenTooMany(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	for range maxWorkers {
		s.workers <- struct{}{}
	}
	conn := dialUDP(t, s)
	for _, packet := range [][]byte{questionPacket(t, "mesos. SOA", 1), questionPacket(t, "one.marathon.mesos. A", 2)} {
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	if m := readUDP(t, conn); m.Id != 2 {
		t.Errorf("%v, want the plain question to be answered only", m)
	}
	if got := testutil.ToFloat64(s.handler.metrics.dropped); got != 1 {
		t.Errorf("%v packets counted as dropped, want 1", got)
	}
	for range maxWorkers {
		<-s.workers
	}
	if _, err := conn.Write(questionPacket(t, "mesos. SOA", 3)); err != nil {
		t.Fatal(err)
	}
	if m := readUDP(t, conn); m.Id != 3 {
		t.Errorf("%v, want the answer to the last question", m)
	}
}

// Many clients at once: each gets its own answers, whichever socket of the server its packets come to.
func TestManyClients(t *testing.T) {
	for _, listener := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		s := newTestServer(t, newTestZone(t), func(o *Options) { o.Addrs = addrPorts(listener) })
		done := make(chan error)
		const clients, questions = 20, 100
		for client := range clients {
			conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(s.Addr().Port())})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				buf := make([]byte, maxUDPSize)
				for i := range questions {
					packet := questionPacket(t, "web.marathon.mesos. A", client*questions+i)
					if _, err := conn.Write(packet); err != nil {
						done <- err
						return
					}
					n, err := conn.Read(buf)
					if err == nil && (n < headerLen || string(buf[:2]) != string(packet[:2])) {
						err = fmt.Errorf("client %d got the answer %x to %x", client, buf[:n], packet)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range clients {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}
