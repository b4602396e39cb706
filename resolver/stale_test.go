package resolver

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// extendedErrors are the codes of the extended errors of a message.
func extendedErrors(m *dns.Msg) []uint16 {
	var out []uint16
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				out = append(out, e.InfoCode)
			}
		}
	}
	return out
}

func wantError(t *testing.T, m *dns.Msg, codes ...uint16) {
	t.Helper()
	got := extendedErrors(m)
	if len(got) != len(codes) || len(codes) > 0 && got[0] != codes[0] {
		t.Errorf("extended errors %v, want %v:\n%v", got, codes, m)
	}
}

// ednsQuestion is a question by a client that speaks EDNS.
func ednsQuestion(t testing.TB, text string) *dns.Msg {
	m := newQuestion(t, text)
	m.SetEdns0(1232, false)
	return m
}

// When nobody answers, a stale answer is better than none (RFC 8767); it says what it is, and is not asked for anew with
// every question.
func TestServeStale(t *testing.T) {
	const soa = "example.com. 300 IN SOA a. b. 1 2 3 4 300"
	for _, tt := range []struct {
		name       string
		first      behaviour
		then       behaviour
		maxStale   time.Duration
		after      time.Duration
		rcode      int
		answer     []string
		code       uint16
		afterwards int32 // questions upstream when it is asked for once more, the one that finds out included
	}{
		{"silence", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), silent, time.Hour, 301 * time.Second,
			dns.RcodeSuccess, []string{"example.com. 30 IN A 192.0.2.7"}, dns.ExtendedErrorCodeStaleAnswer, 1},
		{"SERVFAIL", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), answering(t, dns.RcodeServerFailure), time.Hour, time.Hour,
			dns.RcodeSuccess, []string{"example.com. 30 IN A 192.0.2.7"}, dns.ExtendedErrorCodeStaleAnswer, 1},
		{"a name that was not there", answering(t, dns.RcodeNameError, soa), silent, time.Hour, 301 * time.Second,
			dns.RcodeNameError, nil, dns.ExtendedErrorCodeStaleNXDOMAINAnswer, 1},
		{"too old", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), silent, time.Hour, 300*time.Second + time.Hour,
			dns.RcodeServerFailure, nil, dns.ExtendedErrorCodeNoReachableAuthority, 1},
		{"not wanted", answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"), silent, 0, 301 * time.Second,
			dns.RcodeServerFailure, nil, dns.ExtendedErrorCodeNoReachableAuthority, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var later atomic.Bool
			u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
				if later.Load() {
					return tt.then(question, tcp)
				}
				return tt.first(question, tcp)
			})
			h, clock := newTestForwarder(t, func(o *Options) { o.CacheSize, o.MaxStale = 10, tt.maxStale }, u.addr)
			wantError(t, resolve(t, h, ednsQuestion(t, "example.com. A"), true))
			h.background.Wait()                                       // whatever the first question had done besides
			h.settings.Load().forward.timeout = 50 * time.Millisecond // from now on that is waited for
			later.Store(true)
			clock.advance(tt.after)
			before := u.questions.Load()
			for range 2 {
				got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
				wantAnswer(t, got, tt.rcode, tt.answer...)
				wantError(t, got, tt.code)
				wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), tt.rcode, tt.answer...)
			}
			if n := u.questions.Load() - before; n != tt.afterwards {
				t.Errorf("%d questions upstream, want %d", n, tt.afterwards)
			}
			clock.advance(staleRetry * time.Second)
			resolve(t, h, ednsQuestion(t, "example.com. A"), true)
			if n := u.questions.Load() - before; n != tt.afterwards+1 {
				t.Errorf("after a while %d questions upstream, want one more", n)
			}
		})
	}
}

// Who has a stale answer does not wait for ever for a newer one, which comes all the same.
func TestStaleWhileAsking(t *testing.T) {
	release := make(chan struct{})
	var later atomic.Bool
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		if later.Load() {
			<-release
			return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.8")(question, tcp)
		}
		return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
	})
	h, clock := newTestForwarder(t, func(o *Options) { o.CacheSize, o.MaxStale = 10, time.Hour }, u.addr)
	h.settings.Load().forward.staleWait = time.Millisecond
	resolve(t, h, newQuestion(t, "example.com. A"), true)
	later.Store(true)
	clock.advance(301 * time.Second)
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 30 IN A 192.0.2.7")
	close(release)
	h.settings.Load().forward.background.Wait()
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.8")
}

// An answer that is asked for when its time is almost over is renewed, once, and nobody waits for that.
func TestPrefetch(t *testing.T) {
	for _, on := range []bool{true, false} {
		u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
		h, clock := newTestForwarder(t, func(o *Options) { o.CacheSize, o.Prefetch = 10, on }, u.addr)
		resolve(t, h, newQuestion(t, "Example.com. A"), true)
		for _, tt := range []struct {
			after time.Duration
			ttl   string
			asked int32
		}{{269 * time.Second, "31", 1}, {time.Second, "30", 2}, {29 * time.Second, "271", 2}} {
			clock.advance(tt.after)
			if !on && tt.ttl == "271" {
				tt.ttl = "1"
			}
			for range 3 {
				got := resolve(t, h, newQuestion(t, "example.com. A"), true)
				if on && tt.asked == 2 && tt.ttl == "30" && got.Answer[0].Header().Ttl == 300 {
					continue // the new one is there already
				}
				wantAnswer(t, got, dns.RcodeSuccess, "example.com. "+tt.ttl+" IN A 192.0.2.7")
			}
			h.settings.Load().forward.background.Wait()
			want := tt.asked
			if !on {
				want = 1
			}
			if n := u.questions.Load(); n != want {
				t.Errorf("prefetch %v: %d questions upstream, want %d", on, n, want)
			}
		}
	}
}

// Failures say why (RFC 8914), and also those that are remembered.
func TestExtendedErrors(t *testing.T) {
	for _, tt := range []struct {
		name     string
		upstream behaviour
		code     uint16
	}{
		{"nobody answers", silent, dns.ExtendedErrorCodeNoReachableAuthority},
		{"refused", answering(t, dns.RcodeRefused), dns.ExtendedErrorCodeNetworkError},
		{"failed", answering(t, dns.RcodeServerFailure), dns.ExtendedErrorCodeNetworkError},
		{"nonsense", answering(t, dns.RcodeSuccess, "example.com. 300 IN CNAME example.com."), dns.ExtendedErrorCodeInvalidData},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newFakeUpstream(t, tt.upstream)
			h, _ := newTestForwarder(t, func(o *Options) {
				if o.CacheSize = 10; tt.code == dns.ExtendedErrorCodeNoReachableAuthority {
					shortTimeout(o) // not for the others: their reply may take longer on a busy machine
				}
			}, u.addr)
			for range 2 {
				wantError(t, resolve(t, h, ednsQuestion(t, "example.com. A"), true), tt.code)
				wantError(t, resolve(t, h, newQuestion(t, "example.com. A"), true))
			}
		})
	}
	h, _ := newTestForwarder(t, nil, deadAddr(t))
	_, q := h.handle(nil, packet(t, ednsQuestion(t, "example.com. A")), overUDP, 0)
	wantError(t, unpack(t, h.overloaded(q)), dns.ExtendedErrorCodeNotReady)
}

func packet(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	out, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Names outside the zone are for known networks only, also those in the cache; the zone is for everybody.
func TestRecursionFrom(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	for _, tt := range []struct {
		networks []string // nil: the default
		addr     string
		allowed  bool
	}{
		{nil, "127.0.0.1", true}, {nil, "10.1.2.3", true}, {nil, "172.31.0.1", true}, {nil, "192.168.1.1", true},
		{nil, "169.254.1.1", true}, {nil, "::1", true}, {nil, "fd00::1", true}, {nil, "fe80::1", true},
		{nil, "192.0.2.1", false}, {nil, "100.64.0.1", false}, {nil, "172.32.0.1", false}, {nil, "2001:db8::1", false},
		{nil, "", false},
		{[]string{"192.0.2.0/24"}, "192.0.2.1", true}, {[]string{"192.0.2.0/24"}, "127.0.0.1", false}, {[]string{}, "127.0.0.1", false},
	} {
		h, _ := newTestForwarder(t, func(o *Options) {
			o.CacheSize, o.RecursionFrom = 10, nil
			if tt.networks != nil {
				o.RecursionFrom = []netip.Prefix{}
			}
			for _, n := range tt.networks {
				o.RecursionFrom = append(o.RecursionFrom, netip.MustParsePrefix(n))
			}
		}, u.addr)
		// Somebody who may has asked before.
		allowed := h.settings.Load().forward.allowed
		h.settings.Load().forward.allowed = everywhere()
		resolve(t, h, newQuestion(t, "example.com. A"), true)
		h.settings.Load().forward.allowed = allowed
		from := client{udp: true}
		if tt.addr != "" {
			from.addr = netip.MustParseAddr(tt.addr)
		}
		for _, edns := range []bool{false, true} {
			m := newQuestion(t, "example.com. A")
			if edns {
				m.SetEdns0(1232, false)
				m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}} // not plain
			}
			got, q := h.handle(nil, packet(t, m), from, 0)
			if q != nil {
				t.Fatal("it is forwarded")
			}
			reply := unpack(t, got)
			switch {
			case tt.allowed:
				wantAnswer(t, reply, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
			case edns:
				wantError(t, reply, dns.ExtendedErrorCodeProhibited)
				fallthrough
			default:
				wantAnswer(t, reply, dns.RcodeRefused)
			}
		}
		own, _ := h.handle(nil, packet(t, newQuestion(t, "one.marathon.mesos. A")), from, 0)
		wantAnswer(t, unpack(t, own), dns.RcodeSuccess, "one.marathon.mesos. 77 IN A 10.0.0.0")
	}
}
