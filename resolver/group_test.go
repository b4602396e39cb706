package resolver

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// testUpstreams are servers with these latencies; 0: not known, below: down. Their ports tell them apart.
func testUpstreams(t *testing.T, now time.Time, latencies ...time.Duration) *group {
	t.Helper()
	h := newTestHandler(t, newTestZone(t))
	g := new(group)
	for i, latency := range latencies {
		u := newUpstream(addrPorts(fmt.Sprintf("192.0.2.1:%d", i+1))[0], h.metrics)
		switch {
		case latency < 0:
			u.unansweredFor(time.Second, true, now)
		case latency > 0:
			u.answered(latency)
		}
		g.servers = append(g.servers, u)
	}
	return g
}

func ports(servers []*upstream) []int {
	out := []int{}
	for _, u := range servers {
		out = append(out, int(u.addr.Port()))
	}
	return out
}

func TestOrderOfServers(t *testing.T) {
	const ms = time.Millisecond
	now := newClock().Now()
	for _, tt := range []struct {
		name      string
		latencies []time.Duration
		want      []int
	}{
		{"as listed while nothing is known", []time.Duration{0, 0, 0}, []int{1, 2, 3}},
		{"the fastest first", []time.Duration{200 * ms, 30 * ms, 90 * ms}, []int{2, 3, 1}},
		{"as listed when about as fast", []time.Duration{9 * ms, ms, 5 * ms}, []int{1, 2, 3}},
		{"known before unknown", []time.Duration{0, 500 * ms}, []int{2, 1}},
		{"those that do not answer last", []time.Duration{-1, 500 * ms, 0, -1}, []int{2, 3, 1, 4}},
	} {
		if diff := cmp.Diff(tt.want, ports(testUpstreams(t, now, tt.latencies...).order(now))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A server that became slow loses its place, and gets it back when it is fast again.
func TestLatencyFollows(t *testing.T) {
	now := newClock().Now()
	g := testUpstreams(t, now, time.Millisecond, 20*time.Millisecond)
	first := g.servers[0]
	for _, took := range []time.Duration{300 * time.Millisecond, time.Millisecond} {
		for range 50 {
			first.answered(took)
		}
		if got, want := g.order(now)[0] == first, took == time.Millisecond; got != want {
			t.Errorf("after replies in %v it comes first %v, want %v", took, got, want)
		}
	}
}

// Servers that are not the best get a question now and then, each in its turn, and those that are down after a while.
func TestExplore(t *testing.T) {
	clock := newClock()
	g := testUpstreams(t, clock.Now(), time.Millisecond, time.Second, time.Second, -1)
	tried := func() []int {
		var out []*upstream
		for range 4 * exploreEvery {
			clock.advance(time.Millisecond)
			if u := g.explore(g.order(clock.Now()), clock.Now()); u != nil {
				u.asked(clock.Now())
				out = append(out, u)
			}
		}
		return ports(out)
	}
	if diff := cmp.Diff([]int{2, 3, 2, 3}, tried()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	clock.advance(downFor)
	if diff := cmp.Diff([]int{4, 2, 3, 2}, tried()); diff != "" {
		t.Errorf("after a while (-want +got):\n%s", diff)
	}
}

// A server that leaves questions without a reply is asked last, and tried again beside another after a while, which no
// client waits for; but when all are silent, all are asked.
func TestSilentServerIsAskedLast(t *testing.T) {
	var awake atomic.Bool
	first := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		if !awake.Load() {
			return nil
		}
		return answering(t, dns.RcodeSuccess)(question, tcp)
	})
	second := newFakeUpstream(t, answering(t, dns.RcodeSuccess))
	var log bytes.Buffer
	h, clock := newTestForwarder(t, func(o *Options) {
		o.Timeout = 500 * time.Millisecond // the other one has to answer within that on a busy machine too
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}, first.addr, second.addr)
	ask := func(n int) {
		t.Helper()
		for i := range n {
			if got := resolve(t, h, newQuestion(t, fmt.Sprintf("n%d.example. A", i)), true); got.Rcode != dns.RcodeSuccess {
				t.Fatalf("%v", got)
			}
		}
		h.settings.Load().forward.background.Wait()
	}
	want := func(n int32) {
		t.Helper()
		if got := first.questions.Load(); got != n {
			t.Errorf("the silent server was asked %d times in all, want %d", got, n)
		}
	}
	ask(5)
	want(1) // the other one is known to answer
	ask(exploreEvery)
	want(downAfter)
	clock.advance(downFor)
	ask(5)
	want(downAfter + 1)
	awake.Store(true)
	clock.advance(downFor)
	ask(1)
	want(downAfter + 2)
	h.background.Wait() // whatever was being tried out
	h.settings.Load().forward.timeout = 10 * time.Second
	before := second.questions.Load()
	ask(5)
	if n := first.questions.Load() + second.questions.Load() - before - downAfter - 2; n != 5 {
		t.Errorf("%d questions upstream for 5", n)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "answers again") {
		t.Errorf("%d lines in the log, want that it went and came:\n%s", n, &log)
	}
}

// A server that takes its time does not hold up a question: the next one is asked as well, and the first reply counts.
func TestImpatience(t *testing.T) {
	stuck := newFakeUpstream(t, silent)
	good := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7"))
	h, _ := newTestForwarder(t, nil, stuck.addr, good.addr)
	h.settings.Load().forward.now = time.Now
	h.settings.Load().forward.patience = func(u *upstream) time.Duration {
		if u.addr == stuck.addr {
			return time.Millisecond
		}
		return time.Hour
	}
	for range 10 {
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7")
	}
	if n := stuck.questions.Load(); n > 1 {
		t.Errorf("the server that never replies was asked %d times, want it to be asked last", n)
	}
}

// A packet that gets lost is sent again, with another ID from another port.
func TestLostPacket(t *testing.T) {
	var ids []uint16
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		if ids = append(ids, question.Id); len(ids) == 1 {
			return nil
		}
		return answering(t, dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7")(question, tcp)
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	h.settings.Load().forward.patience = func(*upstream) time.Duration { return time.Millisecond }
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7")
	first, second := <-u.ports, <-u.ports
	if len(ids) != 2 || ids[0] == ids[1] || first == second {
		t.Errorf("IDs %v, ports %d and %d", ids, first, second)
	}
}

// A server that is silent is asked a question twice at most (RFC 9520, section 3.1).
func TestSilentServerIsAskedTwice(t *testing.T) {
	u := newFakeUpstream(t, func(*dns.Msg, bool) [][]byte { return nil })
	h, _ := newTestForwarder(t, shortTimeout, u.addr)
	h.settings.Load().forward.patience = func(*upstream) time.Duration { return time.Millisecond }
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeServerFailure)
	if n := u.questions.Load(); n > 2 {
		t.Errorf("it was asked %d times", n)
	}
}

// When no server answers, a few questions wait to find out whether one does again; the others are answered at once.
func TestAllServersDown(t *testing.T) {
	asked := make(chan struct{}, 100)
	u := newFakeUpstream(t, func(*dns.Msg, bool) [][]byte {
		asked <- struct{}{}
		return nil
	})
	h, clock := newTestForwarder(t, nil, u.addr)
	h.settings.Load().forward.general.servers[0].unansweredFor(time.Second, true, clock.Now())
	for i := range maxTrials {
		packet, err := newQuestion(t, fmt.Sprintf("n%d.example. A", i)).Pack()
		if err != nil {
			t.Fatal(err)
		}
		_, q := h.handle(nil, packet, overUDP, 0)
		go h.settings.Load().forward.resolve(t.Context(), q)
		<-asked
	}
	got := h.settings.Load().forward.ask(t.Context(), question{name: "example.com.", qtype: dns.TypeA})
	if got.answer != nil || got.reason.code != dns.ExtendedErrorCodeNoReachableAuthority {
		t.Errorf("%+v", got)
	}
	if len(asked) != 0 {
		t.Error("it was forwarded")
	}
}

// Servers of one zone that do not answer leave room for questions to those of others.
func TestGroupsLeaveRoom(t *testing.T) {
	asked := make(chan struct{}, 100)
	stuck := newFakeUpstream(t, func(*dns.Msg, bool) [][]byte {
		asked <- struct{}{}
		return nil
	})
	good := newFakeUpstream(t, answering(t, dns.RcodeSuccess))
	h, _ := newTestForwarder(t, func(o *Options) {
		o.MaxForwards, o.ZoneUpstreams = 6, map[string][]netip.AddrPort{"stuck": {stuck.addr}}
	}, good.addr)
	for i := range 3 {
		_, q := h.handle(nil, packet(t, newQuestion(t, fmt.Sprintf("n%d.stuck. A", i))), overUDP, 0)
		go h.settings.Load().forward.resolve(t.Context(), q)
		<-asked
	}
	if got := h.settings.Load().forward.ask(t.Context(), question{name: "n.stuck.", qtype: dns.TypeA}); !got.rejected {
		t.Errorf("%+v, want it to be rejected: half of the questions that may wait do so for these servers", got)
	}
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess)
}
