package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// downFor is how long a server that did not answer is asked last. After that, one question tries it again: a dead
// server costs one question in this time, not each.
const downFor = 10 * time.Second

// upstream is a server that questions are forwarded to.
type upstream struct {
	addr      netip.AddrPort
	downUntil atomic.Int64 // Unix time in nanoseconds; 0: it answers
	replies   prometheus.Counter
	failures  prometheus.Counter
}

func newUpstream(addr netip.AddrPort, m *metrics) *upstream {
	return &upstream{addr: addr, replies: m.forwards.WithLabelValues(addr.String(), "reply"),
		failures: m.forwards.WithLabelValues(addr.String(), "failure")}
}

// inOrder sorts servers: first those that are believed to answer, then the others, both in their order. It is called
// once for each question, as that is what decides who tries a server again.
func inOrder(servers []*upstream, now time.Time) []*upstream {
	out := make([]*upstream, 0, len(servers))
	var down []*upstream
	for _, u := range servers {
		if u.usable(now) {
			out = append(out, u)
		} else {
			down = append(down, u)
		}
	}
	return append(out, down...)
}

// usable reports whether the server may be asked first: it answers, or it is time to try again, which this caller does.
func (u *upstream) usable(now time.Time) bool {
	until := u.downUntil.Load()
	return until == 0 || now.UnixNano() >= until && u.downUntil.CompareAndSwap(until, now.Add(downFor).UnixNano())
}

// failed notes that the server did not answer, and reports whether that is new.
func (u *upstream) failed(now time.Time) bool {
	return u.downUntil.Swap(now.Add(downFor).UnixNano()) == 0
}

// answered notes that the server answered, and reports whether that is new.
func (u *upstream) answered() bool { return u.downUntil.Swap(0) != 0 }

// errSilent says that nothing came from the server that was the reply.
var errSilent = errors.New("no reply")

// upstreamLimit is how large a reply over UDP may be when the question has an OPT record: there are servers that send
// more than they are told to.
const upstreamLimit = 4096

// errOversize says that a server does not keep to what UDP allows (RFC 1035, section 4.2.1).
var errOversize = errors.New("the reply is larger than the question allows")

// exchange asks over UDP or TCP, as the client did. A reply over UDP that was cut short is the client's to see: it asks
// again over TCP. It waits for timeout.
func (u *upstream) exchange(ctx context.Context, question *dns.Msg, udp bool, timeout time.Duration) (*dns.Msg, error) {
	wire, err := question.Pack()
	if err != nil {
		return nil, fmt.Errorf("writing the question: %w", err)
	}
	network, ask := "tcp", askTCP
	if udp {
		network, ask = "udp", askUDP
	}
	return u.over(ctx, network, timeout, func(c net.Conn) (*dns.Msg, error) { return ask(c, wire, question) })
}

// over asks on a new connection, so that each question has a port of its own, which is hard to guess (RFC 5452,
// section 9.2).
func (u *upstream) over(
	ctx context.Context, network string, timeout time.Duration, ask func(net.Conn) (*dns.Msg, error),
) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, u.addr.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // ends reads and writes at once; fails on a closed connection
	})
	defer stop()
	reply, err := ask(conn)
	if err != nil && ctx.Err() != nil {
		return nil, errSilent
	}
	return reply, err
}

// askUDP waits for the reply. The socket is connected, so that the kernel drops what others send; what does not belong
// to the question is ignored, not failed on, as anybody could have forged the sender (RFC 5452, section 9.1).
func askUDP(conn net.Conn, wire []byte, question *dns.Msg) (*dns.Msg, error) {
	if _, err := conn.Write(wire); err != nil {
		return nil, err
	}
	limit := minUDPSize
	if question.IsEdns0() != nil {
		limit = upstreamLimit
	}
	buf := make([]byte, limit+1)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if n > limit && binary.BigEndian.Uint16(buf) == question.Id {
			return nil, errOversize
		}
		if reply := replyTo(question, buf[:n]); reply != nil {
			return reply, nil
		}
	}
}

func askTCP(conn net.Conn, wire []byte, question *dns.Msg) (*dns.Msg, error) {
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	reply := replyTo(question, buf)
	if reply == nil {
		return nil, errors.New("the reply is to another question")
	}
	return reply, nil
}

// replyTo reads a packet and returns it if it is the reply to the question, else nil. A server that could not read the
// question may leave it out of its complaint. The OPT record is taken off: it was for us.
func replyTo(question *dns.Msg, packet []byte) *dns.Msg {
	m := new(dns.Msg)
	if len(packet) < headerLen || binary.BigEndian.Uint16(packet) != question.Id || packet[2]&bitQR == 0 {
		return nil
	}
	// A reply that was cut short may be cut anywhere.
	if err := m.Unpack(packet); err != nil && !m.Truncated {
		return nil
	}
	if m.Opcode != dns.OpcodeQuery {
		return nil
	}
	asked := question.Question[0]
	switch {
	case len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError && len(m.Answer) == 0:
	case len(m.Question) == 1 && strings.EqualFold(m.Question[0].Name, asked.Name) &&
		m.Question[0].Qtype == asked.Qtype && m.Question[0].Qclass == asked.Qclass:
	default:
		return nil
	}
	if opt := m.IsEdns0(); opt != nil {
		kept := make([]dns.RR, 0, len(m.Extra))
		for _, rr := range m.Extra {
			if rr != dns.RR(opt) {
				kept = append(kept, rr)
			}
		}
		m.Extra = kept
	}
	return m
}
