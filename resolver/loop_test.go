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

// Two servers that forward to each other find out, and do not go on.
func TestLoopBetweenTwo(t *testing.T) {
	var log bytes.Buffer // read when all that writes has ended
	first, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Recursion: true, Upstreams: addrPorts("192.0.2.1:53")})
	if err != nil {
		t.Fatal(err)
	}
	// The second is between the first and itself; the first gets its upstream now that there is an address.
	second, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), Recursion: true, Upstreams: []netip.AddrPort{first.Addr()},
		Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Recursion: true, Upstreams: []netip.AddrPort{second.Addr()}, Timeout: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil))}.withDefaults()
	first.handler.close()
	if first.handler, err = newHandler(newTestZone(t), o, first.Addrs()); err != nil {
		t.Fatal(err)
	}
	t.Run("", func(t *testing.T) {
		runTestServer(t, second)
		runTestServer(t, first)
		u := first.handler.settings.Load().forward.general.servers[0]
		for i := 0; !u.loops(time.Now()); i++ {
			m := newQuestion(t, "example.com. A")
			if got := exchange(t, "udp", first.Addr(), m); got.Rcode != dns.RcodeServerFailure {
				t.Errorf("%v, want SERVFAIL: nobody knows", got)
			}
		}
		// Now it is known, and said at once.
		got := first.handler.settings.Load().forward.ask(t.Context(), question{name: "example.com.", qtype: dns.TypeA})
		if got.answer != nil || got.reason.code != dns.ExtendedErrorCodeNotReady {
			t.Errorf("%+v", got)
		}
	})
	if n := strings.Count(log.String(), "sends its questions to this server"); n != 1 {
		t.Errorf("%d lines about the loop in the log, want one:\n%s", n, &log)
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
