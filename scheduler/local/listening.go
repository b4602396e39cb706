package local

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
)

// socketTables are the files in which Linux lists sockets, each with the states (proc_pid_net(5)) in which a socket
// keeps others from its port: TCP listening (0A), UDP bound and not connected (07).
var socketTables = []struct{ file, state string }{
	{"/proc/net/tcp", "0A"}, {"/proc/net/tcp6", "0A"}, {"/proc/net/udp", "07"}, {"/proc/net/udp6", "07"},
}

// listeners reads on which addresses and ports programs of this machine listen. Tables that cannot be read (a kernel
// without IPv6 has no tcp6) count as empty.
func listeners() []netip.AddrPort {
	var all []netip.AddrPort
	for _, table := range socketTables {
		file, err := os.Open(table.file)
		if err != nil {
			continue
		}
		all = append(all, parseSockets(file, table.state)...)
		_ = file.Close()
	}
	return all
}

// parseSockets reads the local addresses of the sockets in a state; lines of another form are skipped.
func parseSockets(table io.Reader, state string) []netip.AddrPort {
	var found []netip.AddrPort
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 4 || string(fields[3]) != state {
			continue
		}
		if local, ok := parseSocketAddress(fields[1]); ok {
			found = append(found, local)
		}
	}
	return found
}

// parseSocketAddress reads "0100007F:1F90": the address as 32-bit words in the machine's byte order, the port in
// network order.
func parseSocketAddress(text []byte) (netip.AddrPort, bool) {
	host, service, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(string(service), 16, 16)
	raw, err2 := hex.DecodeString(string(host))
	if err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	address, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address.Unmap(), uint16(port)), ok
}

// takenOn lists the ports that cannot be bound on an address: those on which something listens there or on every
// address, in ascending order.
func takenOn(address netip.Addr, all []netip.AddrPort) []int {
	var ports []int
	for _, l := range all {
		if l.Addr() == address || l.Addr().IsUnspecified() {
			ports = append(ports, int(l.Port()))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
