package resolver

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// SystemUpstreams reads the name servers of a resolv.conf file (resolv.conf(5)), in its order, without those that are
// own, the addresses on which the caller listens itself. Lines that it does not understand are passed over, as the
// C library does. The error says that the file cannot be read.
func SystemUpstreams(path string, own []netip.AddrPort) ([]netip.AddrPort, error) {
	const port = 53 // the file cannot name another
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the system's name servers: %w", err)
	}
	defer file.Close()
	var out []netip.AddrPort
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err != nil {
			continue
		}
		if addr.IsUnspecified() {
			addr = loopbackOf(addr) // that is what it means there
		}
		server := netip.AddrPortFrom(addr, port)
		if !isSelf(server, own) && !slices.Contains(out, server) {
			out = append(out, server)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the system's name servers from %s: %w", path, err)
	}
	return out, nil
}

func loopbackOf(unspecified netip.Addr) netip.Addr {
	if unspecified.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// isSelf reports whether a question sent to server would arrive at one of our own addresses, of which an unspecified
// one stands for all of this machine's.
func isSelf(server netip.AddrPort, own []netip.AddrPort) bool {
	addr := server.Addr().Unmap()
	for _, o := range own {
		if o.Port() != server.Port() {
			continue
		}
		at := o.Addr().Unmap()
		if at == addr.WithZone("") || at == addr {
			return true
		}
		if at.IsUnspecified() && (at.Is6() || addr.Is4()) && isLocal(addr) {
			return true
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine's.
func isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == addr.WithZone("")
	})
}
