package resolver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxIdleSecure is how many connections to one server are kept for the next questions.
	maxIdleSecure = 8
	// secureIdle is how long a connection is kept that nobody uses: servers keep idle ones for some seconds (RFC 7766,
	// section 6.2.3), and finding out that one is gone costs a round trip.
	secureIdle = 5 * time.Second
	// questionPadding is what questions over TLS are a multiple of, in octets (RFC 8467, section 4.1).
	questionPadding = 128
)

// secureLink are the connections to a server that is asked over TLS (RFC 7858). Each carries one question at a time, and
// is used again for the next one.
type secureLink struct {
	addr   netip.AddrPort
	config *tls.Config
	dialer *dialer

	mu   sync.Mutex
	idle []idleConn // the one that was used last is at the end
}

type idleConn struct {
	*tls.Conn
	since time.Time
}

// newSecureLink asks for a certificate that is valid for a name, or for the server's address when there is none, and was
// issued by one of the authorities, nil for those of the system.
func newSecureLink(addr netip.AddrPort, name string, authorities *x509.CertPool, d *dialer) *secureLink {
	if name == "" {
		name = addr.Addr().WithZone("").String()
	}
	return &secureLink{addr: addr, dialer: d, config: &tls.Config{
		ServerName: name, RootCAs: authorities, MinVersion: tls.VersionTLS12, NextProtos: []string{"dot"},
		ClientSessionCache: tls.NewLRUClientSessionCache(maxIdleSecure),
	}}
}

// ask sends a question and waits for its reply until ctx ends. A connection that the server has closed meanwhile is
// no reason to fail: then a new one is made.
func (l *secureLink) ask(ctx context.Context, question *dns.Msg) (*dns.Msg, error) {
	if question.IsEdns0() != nil {
		padQuestion(question)
	}
	wire, err := question.Pack()
	if err != nil {
		return nil, err
	}
	for {
		conn, used, err := l.take(ctx)
		if err != nil {
			return nil, err
		}
		reply, err := l.askOn(ctx, conn, wire, question)
		switch {
		case err == nil:
			l.put(conn)
			return reply, nil
		case ctx.Err() != nil || !used || errors.Is(err, errNotTheOne):
			conn.NetConn().Close()
			return nil, err
		}
		conn.NetConn().Close()
	}
}

func (l *secureLink) askOn(ctx context.Context, conn *tls.Conn, wire []byte, question *dns.Msg) (*dns.Msg, error) {
	stop := context.AfterFunc(ctx, func() {
		conn.NetConn().SetDeadline(time.Unix(1, 0)) //nolint:errcheck // ends reads and writes at once
	})
	defer stop()
	return askTCP(conn, wire, question)
}

// take finds a connection that is idle, or makes one. used says that it may have been closed by the server.
func (l *secureLink) take(ctx context.Context) (_ *tls.Conn, used bool, _ error) {
	l.mu.Lock()
	for len(l.idle) > 0 {
		last := l.idle[len(l.idle)-1]
		l.idle = l.idle[:len(l.idle)-1]
		if time.Since(last.since) < secureIdle {
			l.mu.Unlock()
			return last.Conn, true, nil
		}
		last.NetConn().Close()
	}
	l.mu.Unlock()
	conn, err := l.dialer.dial(ctx, "tcp", l.addr.String())
	if err != nil {
		return nil, false, err
	}
	secure := tls.Client(conn, l.config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, false, err
	}
	return secure, false, nil
}

// put keeps a connection for the next question.
func (l *secureLink) put(conn *tls.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) >= maxIdleSecure {
		l.idle[0].NetConn().Close()
		l.idle = l.idle[1:]
	}
	l.idle = append(l.idle, idleConn{conn, time.Now()})
}

// close closes the connections that are idle.
func (l *secureLink) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.idle {
		conn.NetConn().Close()
	}
	l.idle = nil
}

// padQuestion fills up a question to a length that says little about what is in it.
func padQuestion(m *dns.Msg) {
	opt := m.IsEdns0()
	length := m.Len() + optionHeader
	opt.Option = append(opt.Option, &dns.EDNS0_PADDING{Padding: make([]byte, (questionPadding-length%questionPadding)%questionPadding)})
}
