package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// listen opens a TCP listener. Its errors say which key or flag would help.
func listen(what, host string, port uint16, key, devFlag string) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listening for the %s: %w: something else uses the port; stop it or choose another port "+
			"(%s in the configuration, %s of rollcall dev)", what, err, key, devFlag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listening for the %s: %w: ports below 1024 need the capability CAP_NET_BIND_SERVICE; "+
			"choose another port (%s) or grant it", what, err, key)
	case err != nil:
		return nil, fmt.Errorf("listening for the %s: %w", what, err)
	}
	return l, nil
}

// reachable is the address under which a listener is reached from this machine and, where there is one, from others.
func reachable(l net.Listener) netip.AddrPort {
	at := l.Addr().(*net.TCPAddr).AddrPort()
	if at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(machineAddrs()[0], at.Port())
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// listenAddrs are the addresses that a listener on addr has: all of the machine's for the unspecified one.
func listenAddrs(addr netip.Addr) []netip.Addr {
	if addr.IsUnspecified() {
		return machineAddrs()
	}
	return []netip.Addr{addr}
}

// machineAddrs lists the machine's addresses that others may reach, or the loopback address when it has none.
func machineAddrs() []netip.Addr {
	var out []netip.Addr
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(n.IP); ok && addr.IsGlobalUnicast() {
					out = append(out, addr.Unmap())
				}
			}
		}
	}
	if out == nil {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return out
}
