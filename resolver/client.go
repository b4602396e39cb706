package resolver

import (
	"net"
	"net/netip"
)

// client is who asks, and over what. Over UDP the address may be anybody's: see query.verified.
type client struct {
	addr      netip.Addr // neither an IPv4-mapped one nor with a zone; invalid when it is not known
	udp       bool       // the client's word on sizes counts, and replies that are too long are cut
	encrypted bool       // over TLS: nobody else can read what is asked and answered
	https     bool       // its connection is HTTP's
}

// udpClient is whoever sent a datagram.
func udpClient(from netip.AddrPort) client {
	return client{addr: from.Addr().Unmap().WithZone(""), udp: true}
}

// tcpClient is who is at the other end of a connection.
func tcpClient(conn net.Conn, encrypted bool) client {
	c := client{encrypted: encrypted}
	if remote, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		c.addr = remote.AddrPort().Addr().Unmap().WithZone("")
	}
	return c
}
