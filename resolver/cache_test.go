package resolver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestCache asks for example.com twice, with some time between, and counts the questions that go upstream.
func TestCache(t *testing.T) {
	const soa = "example.com. 900 IN SOA a. b. 1 2 3 4 120"
	for _, tt := range []struct {
		name     string
		upstream behaviour
		after    time.Duration
		asked    int32  // in all
		want     string // the record of the second reply
	}{
		{"counts down", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), 100 * time.Second, 1, "example.com. 200 IN A 192.0.2.7"},
		{"until the last second", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), 299 * time.Second, 1, "example.com. 1 IN A 192.0.2.7"},
		{"and no longer", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), 300 * time.Second, 2, "example.com. 300 IN A 192.0.2.7"},
		{"the shortest TTL counts", answering(t, dns.RcodeSuccess, "example.com. 300 IN CNAME x.", "x. 10 IN A 192.0.2.7"), 10 * time.Second, 2, ""},
		{"not with TTL 0", answering(t, dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7"), 0, 2, "example.com. 0 IN A 192.0.2.7"},
		{"a TTL above 2^31-1 is a large one", answering(t, dns.RcodeSuccess, "example.com. 2147483648 IN A 192.0.2.7"), 24*time.Hour - time.Second, 1, ""},
		{"a day at most", answering(t, dns.RcodeSuccess, "example.com. 1000000 IN A 192.0.2.7"), 24 * time.Hour, 2, ""},
		{"NXDOMAIN for the SOA minimum", answering(t, dns.RcodeNameError, soa), 119 * time.Second, 1, "example.com. 1 IN SOA a. b. 1 2 3 4 120"},
		{"NXDOMAIN no longer", answering(t, dns.RcodeNameError, soa), 120 * time.Second, 2, ""},
		{"NODATA", answering(t, dns.RcodeSuccess, soa), 119 * time.Second, 1, "example.com. 1 IN SOA a. b. 1 2 3 4 120"},
		{"NODATA for the SOA's TTL", answering(t, dns.RcodeSuccess, "example.com. 30 IN SOA a. b. 1 2 3 4 120"), 30 * time.Second, 2, ""},
		{"NODATA behind an alias", answering(t, dns.RcodeSuccess, "example.com. 300 IN CNAME x.example.com.", soa), 120 * time.Second, 2, ""},
		{"an alias to nowhere, without SOA", func(question *dns.Msg, tcp bool) [][]byte {
			if question.Question[0].Name == "x." {
				return answering(t, dns.RcodeSuccess)(question, tcp)
			}
			return answering(t, dns.RcodeSuccess, "example.com. 300 IN CNAME x.")(question, tcp)
		}, 0, 4, ""},
		{"negative for three hours at most", answering(t, dns.RcodeNameError, "example.com. 90000 IN SOA a. b. 1 2 3 4 90000"), 3 * time.Hour, 2, ""},
		{"NXDOMAIN without SOA is not kept", answering(t, dns.RcodeNameError), 0, 2, ""},
		{"NODATA without SOA is not kept", answering(t, dns.RcodeSuccess), 0, 2, ""},
		{"SERVFAIL for a few seconds", answering(t, dns.RcodeServerFailure), (failureTTL - 1) * time.Second, 1, ""},
		{"SERVFAIL no longer", answering(t, dns.RcodeServerFailure), failureTTL * time.Second, 2, ""},
		{"what is behind aliases in a circle likewise", answering(t, dns.RcodeSuccess, "example.com. 300 IN CNAME example.com."), time.Second, 1, ""},
		{"REFUSED likewise (RFC 9520, section 2.2)", answering(t, dns.RcodeRefused), (failureTTL - 1) * time.Second, 1, ""},
		{"REFUSED no longer", answering(t, dns.RcodeRefused), failureTTL * time.Second, 2, ""},
		{"NXDOMAIN behind an alias", answering(t, dns.RcodeNameError,
			"example.com. 300 IN CNAME x.", "x. 900 IN SOA a. b. 1 2 3 4 120"), 119 * time.Second, 1, ""},
		{"NXDOMAIN behind an alias for as long as the alias", answering(t, dns.RcodeNameError,
			"example.com. 100 IN CNAME x.", "x. 900 IN SOA a. b. 1 2 3 4 120"), 100 * time.Second, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newFakeUpstream(t, tt.upstream)
			h, clock := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
			first := resolve(t, h, newQuestion(t, "example.com. A"), true)
			clock.advance(tt.after)
			second := resolve(t, h, newQuestion(t, "example.com. A"), true)
			if n := u.questions.Load(); n != tt.asked {
				t.Errorf("%d questions upstream, want %d", n, tt.asked)
			}
			if first.Rcode != second.Rcode || len(first.Answer) != len(second.Answer) || len(first.Ns) != len(second.Ns) {
				t.Errorf("first\n%v, then\n%v", first, second)
			}
			if isAnswer(first.Rcode) && (!first.Authoritative || second.Authoritative != (tt.asked > 1)) {
				t.Errorf("AA %v, then %v: it is for what the server said itself", first.Authoritative, second.Authoritative)
			}
			if tt.want == "" {
				return
			}
			rr, err := dns.NewRR(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := append(second.Answer, second.Ns...); len(got) != 1 || got[0].String() != rr.String() {
				t.Errorf("got %v, want %v", got, rr)
			}
		})
	}
}

// Answers are kept apart by what they depend on, and by nothing else.
func TestCacheKey(t *testing.T) {
	variants := []func(*dns.Msg){
		func(*dns.Msg) {},
		func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		func(m *dns.Msg) { m.Question[0].Name = "example.net." },
		func(m *dns.Msg) { m.RecursionDesired = false },
		func(m *dns.Msg) { m.CheckingDisabled = true },
		func(m *dns.Msg) { m.SetEdns0(1232, true) },
	}
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		q := question.Question[0]
		line := fmt.Sprintf("%s 300 IN %s", q.Name, map[uint16]string{dns.TypeA: "A 192.0.2.1", dns.TypeAAAA: "AAAA ::1"}[q.Qtype])
		return answering(t, dns.RcodeSuccess, line)(question, tcp)
	})
	h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 100 }, u.addr)
	for range 2 {
		for _, change := range variants {
			m := newQuestion(t, "example.com. A")
			change(m)
			resolve(t, h, m, true)
		}
	}
	same := newQuestion(t, "eXample.com. A")
	same.Id++
	same.AuthenticatedData = true
	same.SetEdns0(1232, false)
	wantAnswer(t, resolve(t, h, same, false), dns.RcodeSuccess, "eXample.com. 300 IN A 192.0.2.1")
	if n := u.questions.Load(); n != int32(len(variants)) {
		t.Errorf("%d questions upstream, want %d", n, len(variants))
	}
}

// testKept is an answer for a name, of a size.
func testKept(t testing.TB, name string, records int) *kept {
	t.Helper()
	m := newQuestion(t, name+" TXT")
	for i := range records {
		m.Answer = append(m.Answer, section(t, fmt.Sprintf("%s 300 IN TXT %d-%s", name, i, strings.Repeat("x", 200)))...)
	}
	wire := make([]byte, maxName)
	n, err := dns.PackDomainName(name, wire, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKept(appendKey(nil, wire[:n], dns.TypeTXT, 0), name, dns.TypeTXT, m, extendedError{}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A cache keeps as many answers as it was made for, the last ones, and fewer when they are large.
func TestCacheIsBounded(t *testing.T) {
	for _, tt := range []struct{ size, records, atLeast, atMost int }{{3, 1, 3, 3}, {4000, 1, 3000, 4000 + cacheShards}, {100, 100, 1, 12}} {
		c, err := newCache(tt.size, 0)
		if err != nil {
			t.Fatal(err)
		}
		var last *kept
		for i := range tt.size * 2 {
			last = testKept(t, fmt.Sprintf("n%d.example.", i), tt.records)
			c.put(last)
			c.put(last) // the same again is not counted twice
		}
		if n := c.len(); n < tt.atLeast || n > tt.atMost {
			t.Errorf("of %d, with %d records each, %d are kept; want %d to %d", tt.size, tt.records, n, tt.atLeast, tt.atMost)
		}
		if want := int64(c.len()) * last.size(); c.octets() > want || c.octets() < want*9/10 {
			t.Errorf("%d octets are counted, want about %d", c.octets(), want)
		}
		if c.lookup(last.key, last.stored) != last {
			t.Error("the last answer is not kept")
		}
	}
}
