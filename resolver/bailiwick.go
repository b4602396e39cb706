package resolver

import (
	"errors"
	"slices"

	"github.com/miekg/dns"
)

var errIrrelevant = errors.New("the answer is about something else")

// keepRelevant takes from a reply what does not belong to the question, since a server may say anything about anything:
// in the answer section what is not on the way of aliases from the question to the records asked for, in the authority
// section what is not of a zone above one of these names, in the additional section what is not an address of a host that
// the other sections name. Outside the answer nothing about names in our own zones is believed. Records for DNSSEC stay
// where the client asked for them: they prove themselves. A reply of which nothing is left does not say that there is
// nothing.
func keepRelevant(m *dns.Msg, own []string, dnssec bool) error {
	if !isAnswer(m.Rcode) || len(m.Question) != 1 {
		m.Answer, m.Ns, m.Extra = nil, nil, nil
		return nil
	}
	names, err := followAliases(m)
	if err != nil {
		return err
	}
	asked, answered := m.Question[0].Qtype, len(m.Answer) > 0
	last := names[len(names)-1]
	m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool {
		h := rr.Header()
		switch {
		case h.Class != dns.ClassINET:
			return true
		case h.Rrtype == dns.TypeDNAME:
			return !isAbove(h.Name, names)
		case h.Rrtype == dns.TypeRRSIG && (dnssec || asked == dns.TypeRRSIG || asked == dns.TypeANY):
			return !isAbove(h.Name, names)
		}
		owner := dns.CanonicalName(h.Name)
		return !slices.Contains(names, owner) || h.Rrtype != dns.TypeCNAME &&
			(h.Rrtype != asked && asked != dns.TypeANY || owner != last) // beside an alias is nothing: RFC 1034, section 3.6.2
	})
	inOrder(m.Answer, names)
	m.Ns = slices.DeleteFunc(m.Ns, func(rr dns.RR) bool {
		h := rr.Header()
		switch {
		case h.Class != dns.ClassINET || isWithin(h.Name, own):
			return true
		case h.Rrtype == dns.TypeSOA || h.Rrtype == dns.TypeNS:
			return !isAbove(h.Name, names)
		}
		return !dnssec || !provesSomething(h.Rrtype)
	})
	hosts := hostsOf(m)
	m.Extra = slices.DeleteFunc(m.Extra, func(rr dns.RR) bool {
		h := rr.Header()
		isAddress := h.Rrtype == dns.TypeA || h.Rrtype == dns.TypeAAAA || dnssec && h.Rrtype == dns.TypeRRSIG
		return h.Class != dns.ClassINET || !isAddress || isWithin(h.Name, own) || !hosts[dns.CanonicalName(h.Name)]
	})
	for _, section := range [...]*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		*section = asSets(*section)
	}
	isSOA := func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }
	if answered && len(m.Answer) == 0 && m.Rcode == dns.RcodeSuccess && !slices.ContainsFunc(m.Ns, isSOA) {
		return errIrrelevant
	}
	return nil
}

// asSets makes sets of the records of a section: each record once, and all of a set with the same TTL, the smallest
// (RFC 2181, section 5). TTLs are held to what is sensible: they have no sign, and those that would be negative with one
// are large (RFC 8767, section 4).
func asSets(section []dns.RR) []dns.RR {
	for _, rr := range section {
		rr.Header().Ttl = min(rr.Header().Ttl, maxPositiveTTL)
	}
	if len(section) < 2 {
		return section
	}
	section = dns.Dedup(section, nil)
	type key struct {
		name  string
		rtype uint16
	}
	least := make(map[key]uint32)
	for set := range 2 { // first to find it, then to set it
		for _, rr := range section {
			h := rr.Header()
			if h.Rrtype == dns.TypeRRSIG {
				continue // which has the TTL of what it signs (RFC 4034, section 3)
			}
			k := key{dns.CanonicalName(h.Name), h.Rrtype}
			if ttl, known := least[k]; set == 0 && (!known || h.Ttl < ttl) {
				least[k] = h.Ttl
			}
			h.Ttl = least[k]
		}
	}
	return section
}

// isAbove reports whether a name is one of the names or a domain that one of them lies in.
func isAbove(name string, names []string) bool {
	return slices.ContainsFunc(names, func(below string) bool { return dns.IsSubDomain(name, below) })
}

// isWithin reports whether a name is one of the domains or lies in one of them.
func isWithin(name string, domains []string) bool {
	return slices.ContainsFunc(domains, func(above string) bool { return dns.IsSubDomain(above, name) })
}

// provesSomething reports whether records of a type belong to DNSSEC.
func provesSomething(t uint16) bool {
	return t == dns.TypeRRSIG || t == dns.TypeNSEC || t == dns.TypeNSEC3 || t == dns.TypeDS
}

// hostsOf are the hosts that the records of answer and authority section name, in lower case: their addresses save a
// question. A record without target (SVCB's ".") names its owner.
func hostsOf(m *dns.Msg) map[string]bool {
	hosts := make(map[string]bool)
	for _, section := range [...][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			host := ""
			switch rr := rr.(type) {
			case *dns.NS:
				host = rr.Ns
			case *dns.MX:
				host = rr.Mx
			case *dns.SRV:
				host = rr.Target
			case *dns.NAPTR:
				host = rr.Replacement
			case *dns.SVCB:
				host = targetOf(rr)
			case *dns.HTTPS:
				host = targetOf(&rr.SVCB)
			default:
				continue
			}
			hosts[dns.CanonicalName(host)] = true
		}
	}
	return hosts
}

func targetOf(rr *dns.SVCB) string {
	if rr.Target == "." {
		return rr.Hdr.Name // RFC 9460, section 2.5.2
	}
	return rr.Target
}
