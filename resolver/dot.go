package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// serveTLS accepts connections for DNS over TLS (RFC 7858) until the listener is closed. Behind the encryption they are as
// those over TCP, and count as such.
func (s *Server) serveTLS(ctx context.Context, l net.Listener, pending *sync.WaitGroup) {
	config := s.encrypted("dot")
	l = &patientListener{l, ctx, s, "connections for DNS over TLS"}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := newStream(s, tls.Server(conn, config))
		c.from.encrypted = true
		if !s.conns.add(c) {
			conn.Close()
			continue
		}
		s.handler.metrics.forwarding.tls.Inc()
		pending.Go(func() {
			defer s.conns.remove(c)
			c.serve(ctx)
		})
	}
}

// listenSecure opens the ports for encrypted DNS that are wanted.
func (s *Server) listenSecure(o Options) (err error) {
	s.encryption = o.TLS
	if o.TLSAddr.IsValid() {
		if s.tls, err = listenTLS(o.TLSAddr, "DNS over TLS"); err != nil {
			return err
		}
	}
	if o.HTTPSAddr.IsValid() {
		s.https, err = listenTLS(o.HTTPSAddr, "DNS over HTTPS")
	}
	return err
}

// encrypted is how encrypted DNS is served to those who speak one of the protocols (RFC 7301).
func (s *Server) encrypted(protocols ...string) *tls.Config {
	config := s.encryption.Clone()
	config.NextProtos = protocols
	return config
}

func listenTLS(addr netip.AddrPort, what string) (net.Listener, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listening for %s: %w: something else uses the port; stop it, or choose another one", what, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listening for %s: %w: ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, "+
			"or choose another port", what, err)
	}
	return nil, fmt.Errorf("listening for %s: %w", what, err)
}

// addrOf is where a listener is; the invalid address for none.
func addrOf(l net.Listener) netip.AddrPort {
	if l == nil {
		return netip.AddrPort{}
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// TLSAddr is where DNS over TLS is served, with the real port; the invalid address when it is not.
func (s *Server) TLSAddr() netip.AddrPort { return addrOf(s.tls) }

// HTTPSAddr is where DNS over HTTPS is served, with the real port; the invalid address when it is not.
func (s *Server) HTTPSAddr() netip.AddrPort { return addrOf(s.https) }
