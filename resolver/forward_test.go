package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newTestForwarder is a handler that forwards to the servers, with a time of its own.
func newTestForwarder(t testing.TB, change func(*Options), servers ...netip.AddrPort) (*handler, *clock) {
	t.Helper()
	h := newTestHandler(t, newTestZone(t), func(o *Options) {
		o.Recursion, o.Upstreams, o.TCPFallback, o.RecursionFrom = true, servers, true, everywhere()
		o.Timeout = 10 * time.Second // longer than any test waits
		if change != nil {
			change(o)
		}
	})
	c := newClock()
	if f := h.settings.Load().forward; f != nil {
		f.now = c.Now
		f.patience = func(*upstream) time.Duration { return time.Hour } // one server after the other
	}
	return h, c
}

// everywhere are all addresses there are.
func everywhere() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

// shortTimeout is for tests that wait for it.
func shortTimeout(o *Options) { o.Timeout = 50 * time.Millisecond }

// resolve has a message answered, by whoever has to.
func resolve(t testing.TB, h *handler, m *dns.Msg, udp bool) *dns.Msg {
	t.Helper()
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	got, q := h.handle(nil, packet, testClient(udp), 0)
	if q != nil {
		got = h.forwarded(context.Background(), q)
	}
	return unpack(t, got)
}

func wantAnswer(t *testing.T, got *dns.Msg, rcode int, lines ...string) {
	t.Helper()
	if lines == nil {
		lines = []string{}
	}
	for i, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = rr.String()
	}
	if diff := cmp.Diff(lines, sortedLines(got.Answer)); diff != "" || got.Rcode != rcode {
		t.Errorf("rcode %s, want %s; answer (-want +got):\n%s", dns.RcodeToString[got.Rcode], dns.RcodeToString[rcode], diff)
	}
}

func TestForward(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	h, _ := newTestForwarder(t, nil, u.addr)
	m := newQuestion(t, "Example.COM. A")
	got := resolve(t, h, m, true)
	wantAnswer(t, got, dns.RcodeSuccess, "Example.COM. 300 IN A 192.0.2.7")
	if got.Id != m.Id || got.Question[0] != m.Question[0] || !got.RecursionAvailable || got.IsEdns0() != nil {
		t.Errorf("%v, want the question's ID and spelling, RA, no OPT record", got)
	}
	// Our own zone is not forwarded.
	reply(t, h, newQuestion(t, "none.mesos. A"), true)
	reply(t, h, newQuestion(t, "mesos. DS"), true)
	if n := u.questions.Load(); n != 1 {
		t.Errorf("%d questions came upstream, want 1", n)
	}
}

// RD and CD come back as they were sent, whoever has the answer: a server, the cache, or nobody (RFC 4035, section 3.2.2),
// also where nobody is asked.
func TestFlagsOfForwardedReplies(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	answered, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
	failed, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, deadAddr(t))
	off, _ := newTestForwarder(t, func(o *Options) { o.Recursion = false })
	forOthers, _ := newTestForwarder(t, func(o *Options) { o.RecursionFrom = []netip.Prefix{} }, u.addr)
	for bits := range 4 {
		m := newQuestion(t, "example.com. A")
		m.RecursionDesired, m.CheckingDisabled = bits&1 != 0, bits&2 != 0
		for _, h := range []*handler{answered, answered, failed, failed, off, forOthers} {
			got := resolve(t, h, m, true)
			if got.RecursionDesired != m.RecursionDesired || got.CheckingDisabled != m.CheckingDisabled ||
				got.RecursionAvailable != (got.Rcode != dns.RcodeRefused) {
				t.Errorf("%v\nto a question with RD %v, CD %v", got, m.RecursionDesired, m.CheckingDisabled)
			}
		}
	}
}

// A reply that is larger than the client takes is cut for it, but whole for the next one.
func TestForwardedReplyIsCutToSize(t *testing.T) {
	lines := make([]string, 60)
	for i := range lines {
		lines[i] = fmt.Sprintf("example.com. 300 IN A 192.0.2.%d", i)
	}
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, lines...))
	h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
	small, large := newQuestion(t, "example.com. A"), newQuestion(t, "example.com. A")
	small.SetEdns0(minUDPSize, false)
	large.SetEdns0(maxUDPSize, false)
	got := resolve(t, h, small, true)
	if !got.Truncated || len(got.Answer) == 0 || len(got.Answer) >= 60 {
		t.Errorf("%d answers, TC %v; want some of 60 and TC", len(got.Answer), got.Truncated)
	}
	if got = resolve(t, h, large, true); got.Truncated || len(got.Answer) != 60 {
		t.Errorf("%d answers, TC %v; want all 60", len(got.Answer), got.Truncated)
	}
	if n := u.questions.Load(); n != 1 {
		t.Errorf("%d questions upstream, want 1", n)
	}
}

func TestFailover(t *testing.T) {
	good := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
	t.Run("nobody listens at the first", func(t *testing.T) {
		u := newFakeUpstream(t, good)
		h, _ := newTestForwarder(t, nil, deadAddr(t), u.addr)
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
	})
	for _, rcode := range []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNotImplemented, dns.RcodeFormatError, dns.RcodeNotAuth} {
		t.Run("the first says "+dns.RcodeToString[rcode], func(t *testing.T) {
			first, second := newFakeUpstream(t, answering(t, rcode)), newFakeUpstream(t, good)
			h, _ := newTestForwarder(t, nil, first.addr, second.addr)
			wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
			h, _ = newTestForwarder(t, nil, first.addr)
			wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), rcode)
		})
	}
	t.Run("NXDOMAIN is an answer", func(t *testing.T) {
		first, second := newFakeUpstream(t, answering(t, dns.RcodeNameError)), newFakeUpstream(t, good)
		h, _ := newTestForwarder(t, nil, first.addr, second.addr)
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeNameError)
	})
	t.Run("all fail", func(t *testing.T) {
		h, _ := newTestForwarder(t, shortTimeout, deadAddr(t), newFakeUpstream(t, silent).addr)
		m := newQuestion(t, "example.com. A")
		m.SetEdns0(1232, false)
		got := resolve(t, h, m, true)
		wantAnswer(t, got, dns.RcodeServerFailure)
		if !got.RecursionAvailable || got.IsEdns0() == nil || got.Authoritative {
			t.Errorf("%v, want RA and an OPT record", got)
		}
	})
}

// A server that does no recursion says whom else to ask, which is no answer to who wants one: another server is asked.
func TestReferral(t *testing.T) {
	referral := func(question *dns.Msg, _ bool) [][]byte {
		m := new(dns.Msg).SetReply(question)
		m.Ns = section(t, "com. 300 IN NS a.gtld.example.")
		m.Extra = section(t, "a.gtld.example. 300 IN A 192.0.2.53")
		return [][]byte{packed(m)}
	}
	good := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
	first, second := newFakeUpstream(t, referral), newFakeUpstream(t, good)
	h, _ := newTestForwarder(t, nil, first.addr, second.addr)
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
	// Who does not ask for recursion wants to know that.
	m := newQuestion(t, "example.com. A")
	m.RecursionDesired = false
	if got := resolve(t, h, m, true); len(got.Answer) != 0 || len(got.Ns) != 1 || len(got.Extra) != 1 {
		t.Errorf("without RD: %v, want the referral", got)
	}
	// Nobody else is there: it is better than nothing, but not kept, and a stale answer is better.
	var lame atomic.Bool
	only := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		if lame.Load() {
			return referral(question, tcp)
		}
		return good(question, tcp)
	})
	h, clock := newTestForwarder(t, func(o *Options) { o.CacheSize, o.MaxStale = 10, time.Hour }, only.addr)
	resolve(t, h, newQuestion(t, "example.com. A"), true)
	lame.Store(true)
	clock.advance(301 * time.Second)
	got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
	wantAnswer(t, got, dns.RcodeSuccess, "example.com. 30 IN A 192.0.2.7")
	wantError(t, got, dns.ExtendedErrorCodeStaleAnswer)
	before := only.questions.Load()
	for range 2 {
		got := resolve(t, h, ednsQuestion(t, "www.example.com. A"), true)
		wantError(t, got, dns.ExtendedErrorCodeNetworkError)
		if len(got.Ns) != 1 {
			t.Errorf("%v, want the referral", got)
		}
	}
	if n := only.questions.Load() - before; n != 2 {
		t.Errorf("%d questions upstream, want 2", n)
	}
}

// EDNS is between neighbours: what an upstream server says about ours is nothing for the client.
func TestReplyThatCannotBeRelayed(t *testing.T) {
	u := newFakeUpstream(t, func(question *dns.Msg, _ bool) [][]byte {
		m := new(dns.Msg).SetRcode(question, dns.RcodeBadCookie)
		m.SetEdns0(1232, false)
		return [][]byte{packed(m)}
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	m := newQuestion(t, "example.com. A")
	wantAnswer(t, resolve(t, h, m, true), dns.RcodeServerFailure)
	m.SetEdns0(1232, false)
	wantAnswer(t, resolve(t, h, m, true), dns.RcodeServerFailure)
	// Nor can one whose records the library does not write.
	m.CheckingDisabled = true
	bad := section(t, "example.com. 300 IN A 192.0.2.7")
	bad[0].Header().Name = strings.Repeat("x", maxLabel+1) + "."
	q := parsed(t, h, packet(t, m))
	got := unpack(t, h.finish(q, h.relay(q, &dns.Msg{Answer: bad}, extendedError{})))
	if wantAnswer(t, got, dns.RcodeServerFailure); !got.CheckingDisabled {
		t.Errorf("%v\nwant CD, as in the question", got)
	}
}

func TestZoneUpstreams(t *testing.T) {
	says := func(addr string) *fakeUpstream {
		return newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			return answering(t, dns.RcodeSuccess, question.Question[0].Name+" 300 IN A "+addr)(question, tcp)
		})
	}
	general, weave, deep := says("192.0.2.1"), says("192.0.2.2"), says("192.0.2.3")
	h, _ := newTestForwarder(t, func(o *Options) {
		o.ZoneUpstreams = map[string][]netip.AddrPort{"weave": {weave.addr}, "deep.Weave.": {deep.addr}, "mesos": {general.addr}}
	}, general.addr)
	for question, want := range map[string]string{
		"example.com. A": "192.0.2.1", "weave. A": "192.0.2.2", "a.WEAVE. A": "192.0.2.2", "a.b.deep.weave. A": "192.0.2.3",
		"notweave. A": "192.0.2.1", "weave.example. A": "192.0.2.1", `a\.weave. A`: "192.0.2.1",
	} {
		m := newQuestion(t, question)
		wantAnswer(t, resolve(t, h, m, true), dns.RcodeSuccess, m.Question[0].Name+" 300 IN A "+want)
	}
	expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}.check(t, h.zone, reply(t, h, newQuestion(t, "x.mesos. A"), true))
}

// However many ask the same at one time, one question goes upstream.
func TestOneFlightPerQuestion(t *testing.T) {
	const askers = 1000
	arrived, release := make(chan struct{}), make(chan struct{})
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		arrived <- struct{}{}
		<-release
		return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
	})
	h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
	var waiting sync.WaitGroup
	ask := func(name string) {
		waiting.Go(func() {
			wantAnswer(t, resolve(t, h, newQuestion(t, name+" A"), true), dns.RcodeSuccess, name+" 300 IN A 192.0.2.7")
		})
	}
	ask("example.com.")
	<-arrived
	for i := range askers {
		ask([]string{"example.com.", "EXAMPLE.com."}[i%2])
	}
	close(release) // those that come too late for the flight find its answer in the cache
	waiting.Wait()
	if n := u.questions.Load(); n != 1 {
		t.Errorf("%d questions upstream, want 1", n)
	}
}

func TestNeverForwardsToItself(t *testing.T) {
	self := addrPorts("127.0.0.1:5300", "0.0.0.0:5301")
	for _, tt := range []struct {
		server string
		self   bool
	}{
		{"127.0.0.1:5300", true}, {"[::ffff:127.0.0.1]:5300", true}, {"127.0.0.2:5300", false}, {"127.0.0.1:53", false},
		{"127.0.0.1:5301", true}, {"127.8.9.1:5301", true}, {"203.0.113.1:5301", false}, {"[::1]:5301", false},
	} {
		o := Options{Recursion: true, Upstreams: addrPorts(tt.server)}.withDefaults()
		h, err := newHandler(newTestZone(t), o, self, nil)
		if err != nil {
			t.Fatal(err)
		}
		if (h.settings.Load().forward == nil) != tt.self {
			t.Errorf("%s: forwards to it %v, want %v", tt.server, h.settings.Load().forward != nil, !tt.self)
		}
	}
}
