package resolver

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
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
		o.Recursion, o.Upstreams = true, servers
		o.Timeout = 10 * time.Second // longer than any test waits
		if change != nil {
			change(o)
		}
	})
	c := newClock()
	h.settings.Load().forward.now = c.Now
	return h, c
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
	got, q := h.handle(nil, packet, udp, 0)
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

// Of the client's message RD, CD, AD and DO go on; the ID, the port and the size of replies are ours.
func TestForwardedQuestion(t *testing.T) {
	questions := make(chan *dns.Msg, 1)
	u := newFakeUpstream(t, func(m *dns.Msg, tcp bool) [][]byte {
		questions <- m
		return answering(t, dns.RcodeSuccess)(m, tcp)
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	for bits := range 32 {
		m := newQuestion(t, "example.com. A")
		m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = bits&1 != 0, bits&2 != 0, bits&4 != 0
		edns, do := bits&8 != 0, bits&8 != 0 && bits&16 != 0
		if edns {
			m.SetEdns0(600, do)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
		}
		got := resolve(t, h, m, true)
		sent := <-questions
		if sent.RecursionDesired != m.RecursionDesired || sent.CheckingDisabled != m.CheckingDisabled ||
			sent.AuthenticatedData != m.AuthenticatedData || sent.Question[0] != m.Question[0] {
			t.Errorf("sent\n%v for\n%v", sent, m)
		}
		opt := sent.IsEdns0()
		if (opt != nil) != edns || edns && (opt.Do() != do || opt.UDPSize() != maxUDPSize || len(opt.Option) != 0) {
			t.Errorf("sent %v for %v", opt, m.IsEdns0())
		}
		if opt := got.IsEdns0(); (opt != nil) != edns || edns && (opt.Do() != do || opt.UDPSize() != maxUDPSize) {
			t.Errorf("replied with %v to %v", opt, m.IsEdns0())
		}
	}
}

func TestForwardUsesAPortForEachQuestion(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess))
	h, _ := newTestForwarder(t, nil, u.addr)
	ports := make(map[uint16]bool)
	const n = 20
	for i := range n {
		resolve(t, h, newQuestion(t, fmt.Sprintf("n%d.example. A", i)), true)
		ports[<-u.ports] = true
	}
	if len(ports) < n/2 {
		t.Errorf("%d questions came from %d ports", n, len(ports))
	}
}

// What is no reply to the question is ignored, and the reply that comes after it counts.
func TestLyingUpstream(t *testing.T) {
	lie := func(change func(*dns.Msg)) behaviour {
		return func(question *dns.Msg, tcp bool) [][]byte {
			wrong := new(dns.Msg).SetReply(question)
			wrong.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
				A: []byte{6, 6, 6, 6}}}
			wrong.Question = append([]dns.Question(nil), wrong.Question...)
			change(wrong)
			return append([][]byte{packed(wrong)}, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)...)
		}
	}
	for name, b := range map[string]behaviour{
		"wrong id":          lie(func(m *dns.Msg) { m.Id++ }),
		"another name":      lie(func(m *dns.Msg) { m.Question[0].Name = "example.net." }),
		"another type":      lie(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }),
		"another class":     lie(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"a question":        lie(func(m *dns.Msg) { m.Response = false }),
		"no question in it": lie(func(m *dns.Msg) { m.Question = nil }),
		"two questions":     lie(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
		"another opcode":    lie(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
		"garbage": func(question *dns.Msg, tcp bool) [][]byte {
			good := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
			return [][]byte{{}, {1}, make([]byte, 600), good[0][:len(good[0])-3], good[0]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newFakeUpstream(t, b)
			h, _ := newTestForwarder(t, nil, u.addr)
			got := resolve(t, h, newQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
		})
	}
}

func TestTruncatedUpstream(t *testing.T) {
	whole := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7", "example.com. 300 IN A 192.0.2.8")
	cut := func(question *dns.Msg, tcp bool) [][]byte {
		if tcp {
			return whole(question, tcp)
		}
		m := new(dns.Msg).SetReply(question)
		m.Truncated = true
		return [][]byte{packed(m)}
	}
	t.Run("the client asks again over TCP", func(t *testing.T) {
		u := newFakeUpstream(t, cut)
		h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
		for range 2 { // it is not kept
			got := resolve(t, h, newQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeSuccess)
			if !got.Truncated {
				t.Errorf("%v, want what there is, with TC", got)
			}
		}
		if u.overTCP.Load() != 0 || u.questions.Load() != 2 {
			t.Errorf("%d questions, %d over TCP; want 2 and 0", u.questions.Load(), u.overTCP.Load())
		}
		got := resolve(t, h, newQuestion(t, "example.com. A"), false)
		wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7", "example.com. 300 IN A 192.0.2.8")
		if got.Truncated || u.overTCP.Load() != 1 {
			t.Errorf("TC %v after %d questions over TCP", got.Truncated, u.overTCP.Load())
		}
	})
	t.Run("TC can be switched off", func(t *testing.T) {
		u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			if tcp {
				return nil
			}
			return cut(question, tcp)
		})
		h, _ := newTestForwarder(t, func(o *Options) { o.SetTruncateBit = false }, u.addr)
		if got := resolve(t, h, newQuestion(t, "example.com. A"), true); got.Truncated {
			t.Errorf("%v, want no TC", got)
		}
	})
}

// A server that sends more than a question without EDNS allows is not believed; one that was told of EDNS may.
func TestOversizeReply(t *testing.T) {
	lines := make([]string, 60)
	for i := range lines {
		lines[i] = fmt.Sprintf("example.com. 300 IN A 192.0.2.%d", i)
	}
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, lines...))
	h, _ := newTestForwarder(t, nil, u.addr)
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeServerFailure)
	wide := newQuestion(t, "example.com. A")
	wide.SetEdns0(maxUDPSize, false)
	for _, udp := range []bool{true, false} {
		if got := resolve(t, h, wide, udp); got.Truncated || len(got.Answer) != 60 {
			t.Errorf("UDP %v: %d answers, TC %v; want all 60", udp, len(got.Answer), got.Truncated)
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
	for _, rcode := range []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNotImplemented} {
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

// A server that was silent costs its timeout once, and again only after a while; but when all are, all are asked.
func TestSilentServerIsAskedLast(t *testing.T) {
	first, second := newFakeUpstream(t, silent), newFakeUpstream(t, answering(t, dns.RcodeSuccess))
	var log bytes.Buffer // written to by this goroutine only
	h, clock := newTestForwarder(t, func(o *Options) {
		shortTimeout(o)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}, first.addr, second.addr)
	ask := func(n int) {
		for i := range n {
			if got := resolve(t, h, newQuestion(t, fmt.Sprintf("n%d.example. A", i)), true); got.Rcode != dns.RcodeSuccess {
				t.Fatalf("%v", got)
			}
		}
	}
	ask(5)
	if n := first.questions.Load(); n != 1 {
		t.Errorf("the silent server was asked %d times, want once", n)
	}
	clock.advance(downFor)
	ask(5)
	if n := first.questions.Load(); n != 2 {
		t.Errorf("after a while the silent server was asked %d times in all, want twice", n)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in the log, want one:\n%s", n, &log)
	}

	h, _ = newTestForwarder(t, shortTimeout, first.addr)
	for range 2 {
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeServerFailure)
	}
	if n := first.questions.Load(); n != 4 {
		t.Errorf("the only server was asked %d times in all, want 4", n)
	}
}

// A server that answers again is asked in its turn again.
func TestServerAnswersAgain(t *testing.T) {
	var awake atomic.Bool
	first := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		if !awake.Load() {
			return nil
		}
		return answering(t, dns.RcodeSuccess)(question, tcp)
	})
	second := newFakeUpstream(t, answering(t, dns.RcodeSuccess))
	h, clock := newTestForwarder(t, shortTimeout, first.addr, second.addr)
	resolve(t, h, newQuestion(t, "example.com. A"), true)
	awake.Store(true)
	h.settings.Load().forward.timeout = 10 * time.Second
	resolve(t, h, newQuestion(t, "example.com. A"), true)
	if n := second.questions.Load(); n != 2 {
		t.Errorf("the second server was asked %d times, want twice", n)
	}
	clock.advance(downFor)
	for range 3 {
		resolve(t, h, newQuestion(t, "example.com. A"), true)
	}
	if n := first.questions.Load(); n != 4 {
		t.Errorf("the first server was asked %d times, want once in vain and three times again", n)
	}
}

// What cannot be said to the client is SERVFAIL: here a response code that needs EDNS, which it does not speak.
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
	wantAnswer(t, resolve(t, h, m, true), dns.RcodeBadCookie)
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
	const askers = 8
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
		h, err := newHandler(newTestZone(t), o, self)
		if err != nil {
			t.Fatal(err)
		}
		if (h.settings.Load().forward == nil) != tt.self {
			t.Errorf("%s: forwards to it %v, want %v", tt.server, h.settings.Load().forward != nil, !tt.self)
		}
	}
}
