package resolver

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Two servers that forward to each other find out, and do not go on. One of them is enough: it sends nothing round any
// more, so that the other need not notice.
func TestLoopBetweenTwo(t *testing.T) {
	var log bytes.Buffer // read when all that writes has ended
	logger := slog.New(slog.NewTextHandler(&log, nil))
	first, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Recursion: true, Upstreams: addrPorts("192.0.2.1:53")})
	if err != nil {
		t.Fatal(err)
	}
	// The second is between the first and itself; the first gets its upstream now that there is an address.
	second, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Recursion: true, Upstreams: []netip.AddrPort{first.Addr()},
		Timeout: 100 * time.Millisecond, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Recursion: true, Upstreams: []netip.AddrPort{second.Addr()}, Timeout: 100 * time.Millisecond, Logger: logger}.withDefaults()
	first.handler.close()
	if first.handler, err = newHandler(newTestZone(t), o, first.Addrs(), nil); err != nil {
		t.Fatal(err)
	}
	t.Run("", func(t *testing.T) {
		runTestServer(t, second)
		runTestServer(t, first)
		// finder is the server that knows, nil as long as none does.
		finder := func() *Server {
			for _, s := range []*Server{first, second} {
				if s.handler.settings.Load().forward.general.servers[0].loops(time.Now()) {
					return s
				}
			}
			return nil
		}
		for i := 0; finder() == nil; i++ {
			if i == 300 { // half a minute, if no probe gets through
				t.Fatal("the loop is not found")
			}
			m := newQuestion(t, "example.com. A")
			if got := exchange(t, "udp", first.Addr(), m); got.Rcode != dns.RcodeServerFailure {
				t.Errorf("%v, want SERVFAIL: nobody knows", got)
			}
		}
		// Now it is known, and said at once.
		got := finder().handler.settings.Load().forward.ask(t.Context(), question{name: "example.com.", qtype: dns.TypeA})
		if got.answer != nil || got.reason.code != dns.ExtendedErrorCodeNotReady {
			t.Errorf("%+v", got)
		}
	})
	for _, s := range []*Server{first, second} {
		text := "sends its questions to this server; not forwarding to it\" upstream=" + s.Addr().String()
		if n := strings.Count(log.String(), text); n > 1 {
			t.Errorf("%d lines about the loop over %s in the log, want one:\n%s", n, s.Addr(), &log)
		}
	}
	if !strings.Contains(log.String(), "sends its questions to this server") {
		t.Errorf("the loop is not in the log:\n%s", &log)
	}
}

// A probe that gets no reply says nothing, and is followed by another one; a reply holds for a while.
func TestLostLoopProbe(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7"))
	u.lostFirst.Store(true)
	h, clock := newTestForwarder(t, func(o *Options) { o.Timeout = 200 * time.Millisecond }, u.addr)
	for i, step := range []struct {
		after time.Duration
		want  int32 // probes so far
	}{{0, 1}, {probeAgainAfter - 1, 1}, {1, 2}, {loopFor - 1, 2}, {1, 3}} {
		clock.advance(step.after)
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 0 IN A 192.0.2.7")
		h.settings.Load().forward.background.Wait()
		if got := u.probes.Load(); got != step.want {
			t.Errorf("step %d: %d probes, want %d", i, got, step.want)
		}
	}
}

// Only our own probes count, only for the server that they were sent to, and not for ever.
func TestLoopProbes(t *testing.T) {
	now := newClock().Now()
	g := testUpstreams(t, now, 0, 0)
	p, other := newLoopProbes(), newLoopProbes()
	for _, u := range g.servers {
		p.add(u)
		other.add(u)
	}
	log := slog.New(slog.DiscardHandler)
	second := p.name(g.servers[1])
	for _, name := range []string{"example.com.", other.name(g.servers[0]), p.instance + loopZone, p.instance + "-7-x" + loopZone,
		p.instance + "--1-x" + loopZone, p.instance + "-x-x" + loopZone, "a." + second} {
		if p.cameBack(name, now, log) {
			t.Errorf("%s is taken for a probe", name)
		}
	}
	if second == p.name(g.servers[1]) {
		t.Error("the same name again, which a cache may have")
	}
	if !p.cameBack(strings.ToUpper(second), now, log) {
		t.Error("the probe is not known")
	}
	for after, want := range map[time.Duration]int{0: 1, loopFor: 2} {
		if got := g.order(now.Add(after)); len(got) != want || got[0] != g.servers[0] {
			t.Errorf("after %v the servers are %v, want %d", after, ports(got), want)
		}
	}
}
