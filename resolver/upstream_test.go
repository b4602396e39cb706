package resolver

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

func addrPorts(texts ...string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, text := range texts {
		out = append(out, netip.MustParseAddrPort(text))
	}
	return out
}

// fakeUpstream is a server that does what a test says, over UDP and TCP.
type fakeUpstream struct {
	addr      netip.AddrPort
	questions atomic.Int32 // that came over UDP
	overTCP   atomic.Int32
	probes    atomic.Int32 // whether questions come back
	lostFirst atomic.Bool  // the first probe gets no reply
	ports     chan uint16  // from which questions came over UDP, as far as there is room
}

// behaviour gets a question and says what to send: any number of packets, in this order.
type behaviour func(question *dns.Msg, tcp bool) [][]byte

// newFakeUpstream serves until the test ends.
func newFakeUpstream(t testing.TB, b behaviour) *fakeUpstream {
	t.Helper()
	l, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	u := &fakeUpstream{addr: l.addr, ports: make(chan uint16, 100)}
	done := make(chan struct{}, 2)
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
		<-done
		<-done
	})
	go func() {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 4096)
		for {
			n, from, err := l.udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			m := new(dns.Msg)
			if err := m.Unpack(buf[:n]); err != nil {
				t.Errorf("a question that cannot be read came upstream: %v", err)
				continue
			}
			if len(m.Question) == 1 && strings.HasSuffix(m.Question[0].Name, loopZone) {
				if u.probes.Add(1) == 1 && u.lostFirst.Load() {
					continue
				}
				l.udp.WriteToUDPAddrPort(packed(new(dns.Msg).SetRcode(m, dns.RcodeNameError)), from) //nolint:errcheck
				continue
			}
			u.questions.Add(1)
			select {
			case u.ports <- from.Port():
			default:
			}
			for _, packet := range b(m, false) {
				l.udp.WriteToUDPAddrPort(packet, from) //nolint:errcheck // the asker may be gone
			}
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			conn, err := l.tcp.Accept()
			if err != nil {
				return
			}
			u.overTCP.Add(1)
			answerOne(conn, b)
		}
	}()
	return u
}

// answerOne answers one question on a TCP connection.
func answerOne(conn net.Conn, b behaviour) {
	defer conn.Close()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	packet := make([]byte, binary.BigEndian.Uint16(length[:]))
	m := new(dns.Msg)
	if _, err := io.ReadFull(conn, packet); err != nil || m.Unpack(packet) != nil {
		return
	}
	for _, packet := range b(m, true) {
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)) //nolint:errcheck
	}
}

// answering makes a behaviour that answers with an rcode and records for the answer section; lines of SOA records go to
// the authority section.
func answering(t testing.TB, rcode int, lines ...string) behaviour {
	t.Helper()
	rrs := make([]dns.RR, len(lines))
	for i, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		rrs[i] = rr
	}
	return func(question *dns.Msg, _ bool) [][]byte {
		m := new(dns.Msg).SetRcode(question, rcode)
		m.RecursionAvailable = true
		m.Authoritative = true
		for _, rr := range rrs {
			if rr.Header().Rrtype == dns.TypeSOA {
				m.Ns = append(m.Ns, rr)
			} else {
				m.Answer = append(m.Answer, rr)
			}
		}
		if opt := question.IsEdns0(); opt != nil {
			m.SetEdns0(4096, opt.Do())
		}
		return [][]byte{packed(m)}
	}
}

func packed(m *dns.Msg) []byte {
	m.Compress = true
	packet, err := m.Pack()
	if err != nil {
		panic(err) // the test made it
	}
	return packet
}

// silent never answers.
func silent(*dns.Msg, bool) [][]byte { return nil }

// deadAddr is an address where nobody listens.
func deadAddr(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	return l.addr
}
