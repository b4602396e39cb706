package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// listener are the sockets of one address: UDP and TCP on the same port.
type listener struct {
	addr   netip.AddrPort
	udp    *net.UDPConn
	more   []*net.UDPConn // other sockets of the same address and port: see spread
	tcp    net.Listener
	source sourceControl
}

// freePortTries is how often a port is looked for that is free for both UDP and TCP.
const freePortTries = 16

// udpBuffer is how many octets of questions and of replies the kernel is asked to keep for a socket. It gives less where
// its limit is lower (net.core.rmem_max, wmem_max).
const udpBuffer = 4 << 20

// listen opens the sockets of an address.
func listen(addr netip.AddrPort) (*listener, error) {
	l, err := openListener(addr)
	for try := 1; addr.Port() == 0 && try < freePortTries && errors.Is(err, syscall.EADDRINUSE); try++ {
		l, err = openListener(addr) // the port that TCP got is taken for UDP
	}
	if err == nil {
		return l, nil
	}
	err = fmt.Errorf("listening for DNS: %w", err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: something else uses the port, on port 53 often systemd-resolved or dnsmasq; stop it, "+
			"or choose another \"port\" or another \"listener\" address", err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return nil, fmt.Errorf("%w: ports below 1024 need the capability CAP_NET_BIND_SERVICE (setcap "+
			"cap_net_bind_service=+ep on the program, or AmbientCapabilities in its systemd unit); grant it, or choose "+
			"another \"port\"", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: this machine does not have the address; choose another \"listener\"", err)
	}
	return nil, err
}

func openListener(addr netip.AddrPort) (*listener, error) {
	families := [...]string{"tcp", "udp"}
	if addr.Addr().Is4() {
		families = [...]string{"tcp4", "udp4"}
	}
	// Whoever is silent is gone before anybody would ask whether he is still there.
	config := net.ListenConfig{KeepAlive: -1}
	tcp, err := config.Listen(context.Background(), families[0], addr.String())
	if err != nil {
		return nil, err
	}
	l := &listener{tcp: tcp}
	l.addr = netip.AddrPortFrom(addr.Addr(), tcp.Addr().(*net.TCPAddr).AddrPort().Port())
	if l.udp, err = net.ListenUDP(families[1], net.UDPAddrFromAddrPort(l.addr)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if l.source, err = prepareUDP(l.udp, addr.Addr()); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// prepareUDP sets the options of a socket that listens on an address.
func prepareUDP(conn *net.UDPConn, addr netip.Addr) (sourceControl, error) {
	conn.SetReadBuffer(udpBuffer)  //nolint:errcheck // it works with less
	conn.SetWriteBuffer(udpBuffer) //nolint:errcheck // likewise
	return newSourceControl(conn, addr)
}

// spread opens more UDP sockets, so that there are n of them, where the kernel can spread clients over several.
func (l *listener) spread(n int) error {
	for range n - 1 {
		conn, err := joinUDP(l.udp)
		if conn == nil || err != nil {
			return err
		}
		l.more = append(l.more, conn)
		if _, err := prepareUDP(conn, l.addr.Addr()); err != nil {
			return err
		}
	}
	return nil
}

// close closes the sockets. It may be called again.
func (l *listener) close() error {
	errs := []error{l.tcp.Close()}
	if l.udp != nil {
		errs = append(errs, l.udp.Close())
	}
	for _, conn := range l.more {
		errs = append(errs, conn.Close())
	}
	err := errors.Join(errs...)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
