package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// What can be wrong with an upstream server.
var (
	errSilent    = errors.New("no reply")
	errOversize  = errors.New("the reply is larger than the question allows") // RFC 1035, section 4.2.1
	errNotTheOne = errors.New("the reply is to another question, or cannot be read")

	// errAskOverTCP says that UDP will not do: somebody guesses replies, or the reply spells the name otherwise, is larger
	// than it may be, or cannot be read.
	errAskOverTCP = errors.New("replies over UDP cannot be trusted")
)

const (
	// upstreamLimit is how large a reply over UDP may be when the question has an OPT record: there are servers that
	// send more than they are told to.
	upstreamLimit = 4096
	// maxIgnored is how many datagrams may come that are not the reply, before it is asked for over TCP: somebody is
	// guessing, and is not to have more tries (RFC 5452, section 9.1).
	maxIgnored = 16
	// brokenWait is how long the reply is waited for after something that has its ID but is none: behind a forged one it
	// would follow at once. A server that sends such things sends nothing else, and is asked over TCP.
	brokenWait = 100 * time.Millisecond
)

// question is what a server is asked: a question with an ID that nobody can guess.
type question struct {
	name   string // as it was asked, or with the case of letters mixed
	qtype  uint16
	rd, cd bool
	do     bool
	mixed  bool // the case of the letters is ours, and has to come back (draft-vixie-dnsext-dns0x20)

	// asCame says that the question goes over the transport that it came over, with an OPT record if it had one, and that
	// its reply is the client's to see as it is: what these are is then part of it. Otherwise we see to a whole answer.
	asCame    bool
	tcp, edns bool
}

// message is a new message. EDNS is between neighbours (RFC 6891, section 6.1.1): the server is told what we take,
// whatever the client takes; of the client's OPT record only what it says about DNSSEC goes on. AD says that we
// understand it (RFC 6840, section 5.7).
func (q question) message(edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.Id = dns.Id()
	m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = q.rd, q.cd, true
	name := q.name
	if q.mixed {
		name = mixCase(name)
	}
	m.Question = []dns.Question{{Name: name, Qtype: q.qtype, Qclass: dns.ClassINET}}
	if edns {
		m.SetEdns0(maxUDPSize, q.do)
	}
	return m
}

// mixCase chooses the case of each letter at random. Escapes of the text form have no letters.
func mixCase(name string) string {
	b := []byte(name)
	for i, c := range b {
		if ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && rand.Uint32()&1 != 0 { // unpredictable: ChaCha8
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

// exchange asks the server until ctx ends, over UDP, and over TCP if the reply was cut short or cannot be trusted. A
// server that does not understand EDNS is asked again without (RFC 6891, section 7).
func (u *upstream) exchange(ctx context.Context, q question, now func() time.Time) (*dns.Msg, error) {
	if q.asCame {
		return u.ask(ctx, q, q.edns)
	}
	if u.speaksEDNS(now()) {
		reply, err := u.ask(ctx, q, true)
		if err != nil || !rejectsEDNS(reply) {
			return reply, err
		}
		plain, err := u.ask(ctx, q, false)
		if err != nil {
			return reply, nil
		}
		if plain.Rcode != reply.Rcode {
			u.noEDNS(now()) // it was the OPT record
		}
		return plain, nil
	}
	return u.ask(ctx, q, false)
}

// rejectsEDNS reports whether a reply may be that of a server that does not know OPT records, or not what was in this one.
// There are some that send the question's back.
func rejectsEDNS(reply *dns.Msg) bool {
	return reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented || reply.Rcode == dns.RcodeBadVers
}

// ask asks over UDP, then over TCP if need be, or over TLS. A reply that was cut short is better than none.
func (u *upstream) ask(ctx context.Context, q question, edns bool) (*dns.Msg, error) {
	message := q.message(edns)
	if u.secure != nil {
		return u.secure.ask(ctx, message)
	}
	wire, err := message.Pack()
	if err != nil {
		return nil, fmt.Errorf("writing the question: %w", err)
	}
	var short *dns.Msg
	if !q.tcp {
		short, err = u.over(ctx, "udp", func(c net.Conn) (*dns.Msg, error) { return u.askUDP(c, wire, message, q) })
		if err != nil && !errors.Is(err, errAskOverTCP) || err == nil && (!short.Truncated || q.asCame) {
			return short, err
		}
	}
	reply, err2 := u.over(ctx, "tcp", func(c net.Conn) (*dns.Msg, error) { return askTCP(c, wire, message) })
	switch {
	case err2 != nil && short != nil:
		return short, nil
	case err2 != nil && err != nil: // a server that has no TCP is there all the same
		return nil, fmt.Errorf("%w; over TCP: %v", err, err2)
	}
	return reply, err2
}

// over asks on a new connection, so that each question has a port of its own, which is hard to guess (RFC 5452,
// section 9.2).
func (u *upstream) over(ctx context.Context, network string, ask func(net.Conn) (*dns.Msg, error)) (*dns.Msg, error) {
	conn, err := u.dialer.dial(ctx, network, u.addr.String())
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
func (u *upstream) askUDP(conn net.Conn, wire []byte, question *dns.Msg, q question) (*dns.Msg, error) {
	if _, err := conn.Write(wire); err != nil && !isLack(err) { // else it is as good as lost on the way
		return nil, err
	}
	limit := minUDPSize
	if question.IsEdns0() != nil {
		limit = upstreamLimit
	}
	buf := make([]byte, limit+1)
	broken := false
	for range maxIgnored {
		n, err := conn.Read(buf)
		switch {
		case err != nil && broken && q.asCame:
			return nil, errNotTheOne
		case err != nil && broken:
			return nil, errAskOverTCP
		case err != nil:
			return nil, err
		case n > limit && binary.BigEndian.Uint16(buf) == question.Id && q.asCame:
			return nil, errOversize
		case n > limit && binary.BigEndian.Uint16(buf) == question.Id:
			return nil, errAskOverTCP
		}
		reply := replyTo(question, buf[:n])
		if reply == nil {
			u.ignored.Inc()
			if !broken && isReplyOf(question, buf[:n]) {
				broken = true
				conn.SetReadDeadline(time.Now().Add(brokenWait)) //nolint:errcheck // without, it takes longer
			}
			continue
		}
		if q.mixed && len(reply.Question) == 1 && reply.Question[0].Name != question.Question[0].Name {
			return nil, errAskOverTCP // forged, or from one of the few servers that do not copy the name as it is
		}
		return reply, nil
	}
	return nil, errAskOverTCP
}

func askTCP(conn net.Conn, wire []byte, question *dns.Msg) (*dns.Msg, error) {
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	buf, err := readFramed(conn)
	if err != nil {
		return nil, err
	}
	reply := replyTo(question, buf)
	if reply == nil {
		return nil, errNotTheOne
	}
	return reply, nil
}

// readFramed reads a message with its length before it (RFC 1035, section 4.2.2).
func readFramed(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// isGone reports whether an error says that nobody listens there, so that there is nothing to wait for.
func isGone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
