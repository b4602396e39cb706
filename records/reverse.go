package records

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ReverseZone is the name of the zone in which the addresses of a network have their PTR records, without a dot at the
// end (RFC 1035, section 3.5; RFC 3596, section 2.5). Each label stands for 8 bits of an IPv4 address, or 4 of an IPv6
// one: networks that end within a label have no zone of their own.
func ReverseZone(network netip.Prefix) (string, error) {
	if !network.IsValid() || network != network.Masked() || network.Addr().Is4In6() {
		return "", fmt.Errorf("%v is not a network", network)
	}
	bits := 8
	if network.Addr().Is6() {
		bits = 4
	}
	if network.Bits()%bits != 0 || network.Bits() == 0 {
		return "", fmt.Errorf("the network %v has no zone: the number behind the slash has to be a multiple of %d, and not 0",
			network, bits)
	}
	whole := strings.Split(reverseName(network.Addr()), ".")
	skipped := (network.Addr().BitLen() - network.Bits()) / bits
	return strings.Join(whole[skipped:len(whole)-1], "."), nil
}

// reverseName is the name under which an address has its PTR record, with a dot at the end.
func reverseName(a netip.Addr) string {
	octets := a.AsSlice()
	var name []byte
	for i := len(octets) - 1; i >= 0; i-- {
		if a.Is4() {
			name = append(strconv.AppendUint(name, uint64(octets[i]), 10), '.')
			continue
		}
		const digits = "0123456789abcdef"
		name = append(name, digits[octets[i]&0xF], '.', digits[octets[i]>>4], '.')
	}
	if a.Is4() {
		return string(name) + "in-addr.arpa."
	}
	return string(name) + "ip6.arpa."
}

// emitPTRs gives the PTR records of addresses that lie in reverse zones.
func (n *namer) emitPTRs(addrs []netip.Addr, target string, emit func(record)) {
	if len(n.reverse) == 0 {
		return
	}
	for _, a := range addrs {
		for _, network := range n.reverse {
			if network.Contains(a) {
				emit(record{owner: reverseName(a), target: target, ptr: true})
			}
		}
	}
}
