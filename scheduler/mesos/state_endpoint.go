package mesos

import (
	"net"
	"net/netip"
	"strconv"
)

// ParseEndpoint reads "host:port". It reports false for anything else.
func ParseEndpoint(text string) (Endpoint, bool) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return Endpoint{}, false
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return Endpoint{}, false
	}
	return Endpoint{Host: host, Port: int(port)}, true
}

// String returns "host:port".
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// sameHost reports whether two hosts are written alike, or are the same address.
func sameHost(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return errX == nil && errY == nil && x.Unmap() == y.Unmap()
}
