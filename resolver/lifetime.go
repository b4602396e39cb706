package resolver

import "github.com/miekg/dns"

// Limits on how long answers are kept, in seconds, whatever they say.
const (
	maxPositiveTTL = 24 * 60 * 60 // an address that was wrong for a day has been noticed
	maxNegativeTTL = 3 * 60 * 60  // RFC 2308, section 5: one to three hours work well

	// failureTTL is how long it is remembered that nobody had an answer: long enough that a flood of the same question
	// is one, short enough not to be noticed by those who try again (RFC 9520, section 3.2: at least one second).
	failureTTL = 5

	// staleTTL is the TTL of answers that are past their own (RFC 8767, section 4: 30 seconds are recommended).
	staleTTL = 30
	// staleRetry is how long such an answer is given without asking again, after that was in vain (the same: 30 seconds).
	staleRetry = 30
)

// lifetime is how many seconds an answer may be kept: until the first of its records expires. Only what is whole, and
// says that something is there or is not, is kept at all.
func lifetime(m *dns.Msg) uint32 {
	if m.Truncated || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return 0
	}
	ttl := uint32(maxPositiveTTL)
	negative := isNegative(m)
	if negative {
		ttl = maxNegativeTTL
	}
	bounded := false
	for _, section := range [...][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			own := rr.Header().Ttl
			soa, isSOA := rr.(*dns.SOA)
			if negative && isSOA {
				own = min(own, soa.Minttl) // RFC 2308, section 5
			}
			bounded = bounded || !negative || isSOA
			ttl = min(ttl, own)
		}
	}
	if !bounded {
		return 0 // nobody said how long: RFC 2308, section 5, for negative answers
	}
	return ttl
}

// isNegative reports whether an answer says that the name, or its records of the type asked for, do not exist; an alias
// on the way to that may be there (RFC 2308, section 2).
func isNegative(m *dns.Msg) bool {
	if m.Rcode == dns.RcodeNameError {
		return true
	}
	for _, rr := range m.Answer {
		t := rr.Header().Rrtype
		if len(m.Question) == 1 && (t == m.Question[0].Qtype || m.Question[0].Qtype == dns.TypeANY) {
			return false
		}
	}
	return true
}
