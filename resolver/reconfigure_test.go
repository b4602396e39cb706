package resolver

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// Each option that Reconfigure takes over shows in the next answer.
func TestReconfigure(t *testing.T) {
	one := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.1"))
	two := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.2"))
	base := Options{Addrs: addrPorts("127.0.0.1:0"), Recursion: true, Upstreams: []netip.AddrPort{one.addr}, CacheSize: 10,
		RecursionAvailable: true, SetTruncateBit: true}
	s := newTestServer(t, newTestZone(t), func(o *Options) { *o = base })
	addr := s.Addr()
	ask := func(network, name string) *dns.Msg {
		t.Helper()
		return exchange(t, network, addr, new(dns.Msg).SetQuestion(name, dns.TypeA))
	}
	wantAnswer(t, ask("udp", "example.com."), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.1")

	change := func(f func(*Options)) {
		t.Helper()
		o := base
		f(&o)
		if err := s.Reconfigure(o); err != nil {
			t.Fatal(err)
		}
		if s.Addr() != addr {
			t.Fatalf("the server has moved from %v to %v", addr, s.Addr())
		}
	}
	change(func(o *Options) { o.Upstreams = []netip.AddrPort{two.addr} })
	wantAnswer(t, ask("udp", "example.com."), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.2")
	change(func(o *Options) { o.ZoneUpstreams = map[string][]netip.AddrPort{"com": {two.addr}} })
	wantAnswer(t, ask("tcp", "example.com."), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.2")
	change(func(o *Options) { o.Recursion = false })
	if got := ask("udp", "example.com."); got.Rcode != dns.RcodeRefused {
		t.Errorf("forwarding is off: %v", got)
	}

	if got := ask("udp", "web.marathon.mesos."); !got.RecursionAvailable {
		t.Errorf("RA is to be set:\n%v", got)
	}
	change(func(o *Options) { o.RecursionAvailable = false })
	if got := ask("udp", "web.marathon.mesos."); got.RecursionAvailable {
		t.Errorf("RA is not to be set:\n%v", got)
	}
	if got := ask("udp", "big.marathon.mesos."); !got.Truncated {
		t.Errorf("TC is to be set:\n%v", got)
	}
	change(func(o *Options) { o.SetTruncateBit = false })
	if got := ask("udp", "big.marathon.mesos."); got.Truncated {
		t.Errorf("TC is not to be set:\n%v", got)
	}
}

// What forwarding does not depend on leaves the cache as it is.
func TestReconfigureKeepsTheCache(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.1"))
	o := Options{Addrs: addrPorts("127.0.0.1:0"), Recursion: true, Upstreams: []netip.AddrPort{u.addr}, CacheSize: 10}
	s := newTestServer(t, newTestZone(t), func(p *Options) { *p = o })
	forward := s.handler.settings.Load().forward
	o.RecursionAvailable = true
	if err := s.Reconfigure(o); err != nil {
		t.Fatal(err)
	}
	if s.handler.settings.Load().forward != forward {
		t.Error("the forwarder is another one")
	}
	o.CacheSize = 0
	if err := s.Reconfigure(o); err != nil {
		t.Fatal(err)
	}
	if s.handler.settings.Load().forward == forward {
		t.Error("the forwarder is the one with the cache")
	}
}

// A question that was given out to be forwarded is answered even when nobody forwards any more.
func TestReconfigureWhileAQuestionIsForwarded(t *testing.T) {
	h, _ := newTestForwarder(t, nil, netip.MustParseAddrPort("127.0.0.1:9"))
	packet, err := new(dns.Msg).SetQuestion("example.com.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	_, q := h.handle(nil, packet, overUDP, 0)
	if q == nil {
		t.Fatal("the question is not forwarded")
	}
	o := h.settings.Load().options
	o.Recursion = false
	if err := h.reconfigure(o, nil); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, unpack(t, h.forwarded(t.Context(), q)), dns.RcodeServerFailure)
}

func TestReconfigureErrors(t *testing.T) {
	s := newTestServer(t, newTestZone(t))
	before := s.handler.settings.Load()
	if err := s.Reconfigure(Options{CacheSize: -1}); err == nil {
		t.Error("no error")
	}
	if s.handler.settings.Load() != before {
		t.Error("the settings have changed")
	}
}
