package resolver

import (
	"fmt"
	"math"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/miekg/dns"
)

// Limits on how long answers are kept, in seconds, whatever they say.
const (
	maxPositiveTTL = 24 * 60 * 60 // an address that was wrong for a day has been noticed
	maxNegativeTTL = 3 * 60 * 60  // RFC 2308, section 5: one to three hours work well
)

// cacheKey is what an answer depends on: the question, in lower case, and what of the client's message goes upstream.
type cacheKey struct {
	name         string
	qtype, class uint16
	flags        [5]bool // RD, CD, DO; UDP and EDNS where questions go on as they came
}

// do reports whether the client wants records for DNSSEC (RFC 3225).
func (q *query) do() bool { return q.opt != nil && q.opt.Do() }

func (f *forwarder) key(q *query) cacheKey {
	asked := q.msg.Question[0]
	return cacheKey{
		name: string(q.question.Name), qtype: asked.Qtype, class: asked.Qclass,
		flags: [5]bool{q.msg.RecursionDesired, q.msg.CheckingDisabled, q.do(),
			f.asCame && q.udp, f.asCame && q.opt != nil},
	}
}

// String is the key as text: different keys have different texts.
func (k cacheKey) String() string {
	return fmt.Sprintf("%q %d %d %v", k.name, k.qtype, k.class, k.flags)
}

// cache keeps answers of upstream servers, the least recently used ones go first.
type cache struct {
	entries *lru.Cache[cacheKey, cacheEntry]
}

// cacheEntry is an answer as it came. Its message is shared and not changed.
type cacheEntry struct {
	answer         *dns.Msg
	stored, expiry time.Time
}

// newCache returns nil for a cache without room.
func newCache(size int) (*cache, error) {
	if size == 0 {
		return nil, nil
	}
	entries, err := lru.New[cacheKey, cacheEntry](size)
	if err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	return &cache{entries: entries}, nil
}

// put keeps an answer, if it may be kept at all.
func (c *cache) put(key cacheKey, answer *dns.Msg, now time.Time) {
	if seconds := lifetime(answer); seconds > 0 {
		c.entries.Add(key, cacheEntry{answer: answer, stored: now, expiry: now.Add(time.Duration(seconds) * time.Second)})
	}
}

// get returns a copy of an answer, for a question that spells the name as given, with TTLs counted down by its age.
// nil: there is none.
func (c *cache) get(key cacheKey, name string, now time.Time) *dns.Msg {
	entry, ok := c.entries.Get(key)
	if !ok {
		return nil
	}
	if !now.Before(entry.expiry) {
		c.entries.Remove(key)
		return nil
	}
	m := respelled(entry.answer, name)
	m.Authoritative = false // RFC 1034, section 6.2.1
	left := uint32(entry.expiry.Sub(now) / time.Second)
	age := uint32(now.Sub(entry.stored) / time.Second)
	negative := isNegative(m)
	for _, section := range [...][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			h := rr.Header()
			h.Ttl -= min(h.Ttl, age)
			if negative && h.Rrtype == dns.TypeSOA {
				h.Ttl = min(h.Ttl, left) // RFC 2308, section 5
			}
		}
	}
	return m
}

// respelled copies an answer and gives the records of the name that was asked the spelling of this question.
func respelled(answer *dns.Msg, name string) *dns.Msg {
	m := answer.Copy()
	for _, section := range [...][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if h := rr.Header(); strings.EqualFold(h.Name, name) {
				h.Name = name
			}
		}
	}
	return m
}

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
			if own > math.MaxInt32 {
				own = 0 // RFC 2181, section 8
			}
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
