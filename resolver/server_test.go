package resolver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// newTestServer runs a server on a free port of 127.0.0.1 until the test ends.
func newTestServer(t testing.TB, zone Zone, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Addrs: addrPorts("127.0.0.1:0"), RecursionAvailable: true, SetTruncateBit: true, Timeout: 10 * time.Second}
	for _, f := range change {
		f(&o)
	}
	s, err := New(zone, o)
	if err != nil {
		t.Fatal(err)
	}
	runTestServer(t, s)
	return s
}

// runTestServer runs a server until the test ends.
func runTestServer(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if s.Serving() == nil {
			t.Error("the server says that it serves after Run has returned")
		}
	})
}

// exchange asks a server over "udp" or "tcp".
func exchange(t testing.TB, network string, addr netip.AddrPort, m *dns.Msg) *dns.Msg {
	t.Helper()
	client := &dns.Client{Net: network, Timeout: 10 * time.Second}
	got, _, err := client.Exchange(m, addr.String())
	if err != nil {
		t.Fatalf("%s %s: %v", network, m.Question[0].Name, err)
	}
	return got
}

// needIPv6 skips a test where the machine has no IPv6.
func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("SKIPPED: there is no IPv6 here: %v", err)
	}
	l.Close()
}

func TestServer(t *testing.T) {
	needIPv6(t)
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	zone := newTestZone(t)
	s := newTestServer(t, zone, func(o *Options) {
		o.Addrs = addrPorts("127.0.0.1:0", "[::1]:0")
		o.Recursion, o.Upstreams, o.CacheSize = true, addrPorts(u.addr.String()), 10
	})
	for _, addr := range s.Addrs() {
		if addr.Port() == 0 {
			t.Fatalf("the address is %v, want the real port", addr)
		}
		for _, network := range []string{"udp", "tcp"} {
			expected{answer: []string{"one.marathon.mesos. 77 IN A 10.0.0.0"}}.check(t, zone,
				exchange(t, network, addr, newQuestion(t, "one.marathon.mesos. A")))
			expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}.check(t, zone,
				exchange(t, network, addr, newQuestion(t, "none.mesos. A")))
			wantAnswer(t, exchange(t, network, addr, newQuestion(t, "example.com. A")), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
		}
	}
	if err := s.Serving(); err != nil {
		t.Errorf("while it answers: %v", err)
	}
	if s.Addr() != s.Addrs()[0] {
		t.Error("Addr is not the first address")
	}
}

// Replies come from the address that was asked, also when the server listens on all of them.
func TestReplyComesFromTheAddressAsked(t *testing.T) {
	for _, tt := range []struct {
		listener string
		asked    []string
	}{
		{"0.0.0.0:0", []string{"127.0.0.1", "127.0.0.2", "127.77.0.1"}},
		{"[::]:0", []string{"::1", "127.0.0.1", "127.0.0.2"}},
	} {
		if tt.listener == "[::]:0" {
			needIPv6(t)
		}
		u := newFakeUpstream(t, answering(t, dns.RcodeNameError))
		s := newTestServer(t, newTestZone(t), func(o *Options) {
			o.Addrs = addrPorts(tt.listener)
			o.Recursion, o.Upstreams = true, addrPorts(u.addr.String())
		})
		for _, asked := range tt.asked {
			addr := netip.AddrPortFrom(netip.MustParseAddr(asked), s.Addr().Port())
			// The client's socket is connected: it does not receive from another address.
			exchange(t, "udp", addr, newQuestion(t, "one.marathon.mesos. A"))
			exchange(t, "udp", addr, newQuestion(t, "example.com. A"))
		}
	}
}

// An upstream that does not answer keeps nobody waiting who asks for a name in the zone; more questions than may wait
// are answered at once.
func TestSlowUpstreamDoesNotSlowTheZone(t *testing.T) {
	const waiting = 3
	asked := make(chan struct{}, 100)
	u := newFakeUpstream(t, func(*dns.Msg, bool) [][]byte {
		asked <- struct{}{}
		return nil
	})
	s := newTestServer(t, newTestZone(t), func(o *Options) {
		o.Recursion, o.Upstreams, o.MaxForwards = true, addrPorts(u.addr.String()), waiting
	})
	for _, network := range []string{"udp", "tcp"} {
		conn, err := dns.Dial(network, s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if network == "udp" {
			for i := range waiting {
				if err := conn.WriteMsg(newQuestion(t, fmt.Sprintf("n%d.example. A", i))); err != nil {
					t.Fatal(err)
				}
				<-asked
			}
		}
		if err := conn.WriteMsg(newQuestion(t, "one.marathon.mesos. A")); err != nil {
			t.Fatal(err)
		}
		if got, err := conn.ReadMsg(); err != nil || len(got.Answer) != 1 {
			t.Errorf("%s: %v, %v", network, got, err)
		}
		if err := conn.WriteMsg(newQuestion(t, "n.example. A")); err != nil {
			t.Fatal(err)
		}
		if got, err := conn.ReadMsg(); err != nil || got.Rcode != dns.RcodeServerFailure {
			t.Errorf("%s: %v, %v; want SERVFAIL, as too many wait", network, got, err)
		}
	}
}

func TestListenErrors(t *testing.T) {
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	taken := s.Addr()
	for _, tt := range []struct {
		name string
		addr netip.AddrPort
		want string
	}{
		{"taken", taken, `choose another "port"`},
		{"not ours", netip.MustParseAddrPort("203.0.113.1:0"), `choose another "listener"`},
	} {
		_, err := New(newTestZone(t), Options{Addrs: []netip.AddrPort{tt.addr}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
	}
	// UDP alone may be taken.
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, err := New(newTestZone(t), Options{Addrs: []netip.AddrPort{udp.LocalAddr().(*net.UDPAddr).AddrPort()}}); err == nil {
		t.Error("no error for a port that is taken for UDP")
	}
	if os.Geteuid() == 0 {
		return // root may bind any port
	}
	if _, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:1")}); err == nil || !strings.Contains(err.Error(), "setcap") {
		t.Errorf("error %v, want one that says how to get the right", err)
	}
}

// A server that could not open all of its ports holds none.
func TestNothingStaysOpenOnError(t *testing.T) {
	free, taken := deadAddr(t), newFakeUpstream(t, silent).addr
	if _, err := New(newTestZone(t), Options{Addrs: []netip.AddrPort{free, taken}}); err == nil {
		t.Fatal("no error for a port that is taken")
	}
	s, err := New(newTestZone(t), Options{Addrs: []netip.AddrPort{free}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestOptionErrors(t *testing.T) {
	for _, tt := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Addrs = nil }, "Addrs"},
		{func(o *Options) { o.Addrs = []netip.AddrPort{{}} }, "Addrs"},
		{func(o *Options) { o.Upstreams = addrPorts("192.0.2.1:0") }, "Upstreams"},
		{func(o *Options) { o.Upstreams = addrPorts("0.0.0.0:53") }, "Upstreams"},
		{func(o *Options) { o.ZoneUpstreams = map[string][]netip.AddrPort{"a..b": nil} }, "ZoneUpstreams"},
		{func(o *Options) { o.ZoneUpstreams = map[string][]netip.AddrPort{"": nil} }, "ZoneUpstreams"},
		{func(o *Options) { o.ZoneUpstreams = map[string][]netip.AddrPort{"a": {{}}} }, `ZoneUpstreams["a"]`},
		{func(o *Options) { o.Timeout = -1 }, "Timeout"},
		{func(o *Options) { o.CacheSize = -1 }, "CacheSize"},
		{func(o *Options) { o.MaxForwards = -1 }, "MaxForwards"},
		{func(o *Options) { o.MaxConnections = -1 }, "MaxConnections"},
	} {
		o := Options{Addrs: addrPorts("127.0.0.1:0")}
		tt.change(&o)
		if _, err := New(newTestZone(t), o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one about %s", err, tt.want)
		}
	}
}
