package resolver

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// cacheQuestions are questions that have answers of every kind in the cache of newCachedHandler.
var cacheQuestions = []string{"example.com. A", "www.example.com. A", "alias.example.com. A", "none.example.com. A", "example.com. MX",
	"large.example.com. TXT", "fails.example.com. A", ". NS", "absent.example.com. A"}

// newCachedHandler has answers in its cache, and a server that never answers. Its time is at some distance from when
// they were kept.
func newCachedHandler(t testing.TB, after time.Duration) (*handler, *clock) {
	t.Helper()
	var large []string
	for i := range 100 {
		large = append(large, fmt.Sprintf("large.example.com. 300 IN TXT %d-%s", i, strings.Repeat("x", 30)))
	}
	const soa = "example.com. 900 IN SOA a. b. 1 2 3 4 300"
	answers := map[string]behaviour{
		"example.com.":        answering(t, dns.RcodeSuccess, soa),
		"www.example.com.":    answering(t, dns.RcodeSuccess, "www.example.com. 300 IN A 192.0.2.7", "www.example.com. 100 IN A 192.0.2.8"),
		"alias.example.com.":  answering(t, dns.RcodeSuccess, "alias.example.com. 300 IN CNAME www.example.com.", "www.example.com. 200 IN A 192.0.2.7"),
		"none.example.com.":   answering(t, dns.RcodeNameError, soa),
		"large.example.com.":  answering(t, dns.RcodeSuccess, large...),
		"fails.example.com.":  answering(t, dns.RcodeServerFailure),
		".":                   answering(t, dns.RcodeSuccess, ". 300 IN NS a.example.", ". 300 IN NS b.example."),
		"absent.example.com.": answering(t, dns.RcodeSuccess, "absent.example.com. 0 IN A 192.0.2.7"),
	}
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		packets := answers[dns.CanonicalName(question.Question[0].Name)](question, tcp)
		packets[0][3] |= bitAD
		if len(packets[0]) > 1232 && !tcp {
			m := new(dns.Msg).SetReply(question)
			m.Truncated = true
			return [][]byte{packed(m)}
		}
		return packets
	})
	h, clock := newTestForwarder(t, func(o *Options) { o.CacheSize, o.MaxStale = 100, time.Hour }, u.addr)
	for _, question := range cacheQuestions {
		for _, do := range []bool{false, true} {
			m := newQuestion(t, question)
			m.SetEdns0(1232, do)
			resolve(t, h, m, false)
		}
	}
	clock.advance(after)
	return h, clock
}

// checkCachePaths checks that the path for plain questions gives up on a packet or answers it as the slow path does.
func checkCachePaths(t failer, h *handler, packet []byte, from client) {
	buf := make([]byte, 0, maxName)
	p, ok := h.readPlain(packet, buf, from)
	if !ok {
		return
	}
	fast := h.settings.Load().forward.fast(make([]byte, 0, 64), packet, &p)
	if fast == nil {
		return
	}
	slow, q := h.slow(packet, from, 0)
	if q != nil || slow == nil {
		t.Fatalf("%x: the fast path answers what the slow path does not", packet)
	}
	// Names that end as the question does point to it, and so share its spelling.
	if diff := cmp.Diff(strings.ToLower(comparableReply(t, slow)), strings.ToLower(comparableReply(t, fast))); diff != "" {
		t.Fatalf("%x: the paths differ (-slow +fast):\n%s", packet, diff)
	}
	if end := skipName(packet, headerLen) + questionLen; !bytes.Equal(fast[headerLen:end], packet[headerLen:end]) {
		t.Fatalf("%x: the question does not come back as it was asked", packet)
	}
	if from.udp && len(fast) > h.settings.Load().sizes.limit(from, maxTCPSize) {
		t.Fatalf("%x: %d octets over UDP", packet, len(fast))
	}
}

func TestCachePathsAgree(t *testing.T) {
	var handlers []*handler
	for _, after := range []time.Duration{0, time.Second, 99 * time.Second, 100 * time.Second, 20 * time.Minute} {
		h, c := newCachedHandler(t, after)
		for _, shard := range h.settings.Load().forward.cache.shards {
			for _, k := range shard.answers.Values() {
				k.retryAt.Store(c.Now().Add(time.Minute).Unix())
			}
		}
		handlers = append(handlers, h)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(cacheQuestions).Draw(t, "question")
		name, qtype, _ := strings.Cut(text, " ")
		spelled := []byte(name)
		for i, c := range spelled {
			if 'a' <= c && c <= 'z' && rapid.Bool().Draw(t, "upper") {
				spelled[i] = c - 'a' + 'A'
			}
		}
		m := new(dns.Msg)
		m.Id = rapid.Uint16().Draw(t, "id")
		m.RecursionDesired, m.CheckingDisabled = rapid.Bool().Draw(t, "rd"), rapid.Bool().Draw(t, "cd")
		m.AuthenticatedData = rapid.Bool().Draw(t, "ad")
		m.Question = []dns.Question{{Name: string(spelled), Qtype: dns.StringToType[qtype], Qclass: dns.ClassINET}}
		if rapid.Bool().Draw(t, "edns") {
			m.SetEdns0(uint16(rapid.IntRange(0, 9000).Draw(t, "size")), rapid.Bool().Draw(t, "do"))
		}
		packet, err := m.Pack()
		if err != nil {
			t.Fatalf("%v", err)
		}
		checkCachePaths(t, rapid.SampledFrom(handlers).Draw(t, "handler"), packet, testClient(rapid.Bool().Draw(t, "udp")))
	})
}

// Answers from the cache cost no allocation, stale ones and failures neither.
func TestCachePathDoesNotAllocate(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 20 * time.Minute} {
		h, c := newCachedHandler(t, after)
		out := make([]byte, 0, maxUDPSize)
		for _, question := range cacheQuestions[:5] {
			for _, edns := range []bool{false, true} {
				m := newQuestion(t, strings.ToUpper(question))
				if edns {
					m.SetEdns0(1232, false)
				}
				p := packet(t, m)
				if k := h.settings.Load().forward.cache.lookup(h.settings.Load().forward.key(parsed(t, h, p)), c.Now()); k == nil {
					t.Fatalf("%s is not in the cache", question)
				} else {
					k.retryAt.Store(c.Now().Add(time.Minute).Unix())
				}
				allocs := testing.AllocsPerRun(100, func() {
					if got, q := h.handle(out, p, overUDP, 0); got == nil || q != nil {
						t.Error("no reply")
					}
				})
				if allocs != 0 {
					t.Errorf("%s (EDNS %v) after %v: %v allocations", question, edns, after, allocs)
				}
			}
		}
	}
}

func parsed(t testing.TB, h *handler, packet []byte) *query {
	t.Helper()
	q, _ := parse(packet, overUDP, h.settings.Load().sizes, 0)
	if q == nil {
		t.Fatalf("%x is no question", packet)
	}
	return q
}

// FuzzCachePath: whatever comes, the two paths to the cache agree.
func FuzzCachePath(f *testing.F) {
	h, _ := newCachedHandler(f, time.Second)
	for _, question := range cacheQuestions {
		for _, edns := range []bool{false, true} {
			m := newQuestion(f, question)
			if edns {
				m.SetEdns0(1232, true)
			}
			f.Add(packet(f, m), edns)
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte, udp bool) {
		checkCachePaths(t, h, packet, testClient(udp))
	})
}

// FuzzUpstreamReply: whatever a server sends, it is no reply, or what is kept of it can be sent and read, has no record
// that it should not have, and its TTLs go down.
func FuzzUpstreamReply(f *testing.F) {
	question := newQuestion(f, "www.example.com. A")
	for _, b := range []behaviour{
		answering(f, dns.RcodeSuccess, "www.example.com. 300 IN A 192.0.2.7"),
		answering(f, dns.RcodeSuccess, "www.example.com. 300 IN CNAME a.example.", "a.example. 5 IN A 192.0.2.7"),
		answering(f, dns.RcodeNameError, "example.com. 900 IN SOA a. b. 1 2 3 4 300"),
		answering(f, dns.RcodeServerFailure),
	} {
		f.Add(b(question, false)[0])
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := replyTo(question, data)
		if m == nil || m.Rcode > maskRcode {
			return
		}
		m = withoutOPT(m)
		if keepRelevant(m, []string{"mesos."}, false) != nil {
			return
		}
		key := appendKey(nil, []byte("\x03www\x07example\x03com\x00"), dns.TypeA, keyRD)
		k, err := newKept(key, "www.example.com.", dns.TypeA, m, extendedError{}, now)
		if err != nil {
			return
		}
		p := &plain{name: key[:len(key)-keyTail], qtype: dns.TypeA, edns: true, limit: maxTCPSize - optLen}
		reply := k.reply(nil, packet(t, question), p, k.ttl/2, nil)
		if reply == nil {
			return
		}
		got := unpack(t, reply)
		if got.Id != question.Id || got.Question[0] != question.Question[0] || !got.Response {
			t.Fatalf("%v", got)
		}
		for _, rr := range got.Answer {
			if h := rr.Header(); k.ttl > 0 && h.Ttl > maxPositiveTTL-k.ttl/2 {
				t.Fatalf("the TTL of %v is too long after %d seconds", rr, k.ttl/2)
			}
		}
		for _, rr := range got.Extra {
			if dns.IsSubDomain("mesos.", rr.Header().Name) {
				t.Fatalf("%v is about our zone", rr)
			}
		}
	})
}
