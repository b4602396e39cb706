package resolver

import "net/netip"

// DefaultLocalNetworks are loopback, private (RFC 1918), unique local (RFC 4193) and link-local addresses.
func DefaultLocalNetworks() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
		"::1/128", "fc00::/7", "fe80::/10"} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// maxDatagram is what UDP over IPv4 can carry.
const maxDatagram = 65535 - 20 - 8

// sizes says how large replies over UDP may be.
type sizes struct {
	local []netip.Prefix // networks whose paths are known to pass large datagrams
}

// limit is how many octets a client may be sent that says what it can take.
func (s sizes) limit(c client, offered int) int {
	if offered <= maxUDPSize || !s.isLocal(c.addr) {
		return min(max(offered, minUDPSize), maxUDPSize)
	}
	return min(offered, maxDatagram)
}

func (s sizes) isLocal(addr netip.Addr) bool {
	for _, network := range s.local {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
