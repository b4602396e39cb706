package resolver

import "github.com/miekg/dns"

// allows reports whether a client may ask for names outside the zones: a server that does that for everybody helps those
// who want large answers sent to somebody else (RFC 5358).
func (f *forwarder) allows(c client) bool {
	for _, network := range f.allowed {
		if network.Contains(c.addr) {
			return true
		}
	}
	return false
}

// notAllowed is what others are told.
var notAllowed = extendedError{code: dns.ExtendedErrorCodeProhibited, text: "names outside our zones are for known networks only"}
