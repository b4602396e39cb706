package resolver

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// newStrangeServer is a server to which all clients are strangers.
func newStrangeServer(t testing.TB, limits Strangers, change ...func(*Server)) *Server {
	t.Helper()
	s, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), SetTruncateBit: true, Strangers: limits})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(s)
	}
	runTestServer(t, s)
	return s
}

// allQuestions asks for some of the names of the test zone, which has many that are alike, for others, and for all
// types that there are or may be.
func allQuestions(t testing.TB, s *Server, each func(m *dns.Msg)) {
	t.Helper()
	names := []string{"none.mesos.", "a.web.marathon.mesos.", "one.*.marathon.mesos."}
	i := 0
	for name := range s.handler.zone.Snapshot().All() {
		if i++; i%40 == 1 || len(name) < 30 {
			names = append(names, name)
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d names", len(names))
	}
	for _, name := range names {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeANY, dns.TypeSOA, dns.TypeNS, dns.TypeTXT, dns.TypeIXFR} {
			for _, edns := range []bool{false, true} {
				m := new(dns.Msg)
				m.Question = []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}
				if edns {
					m.SetEdns0(4096, true)
				}
				each(m)
			}
		}
	}
}

// A client that may be anybody gets at most one and a half octets for each of its own, whatever it asks. What is left
// out is there over TCP, and for who shows a cookie.
func TestAmplification(t *testing.T) {
	const most = 1.5
	s := newStrangeServer(t, Strangers{Amplification: most})
	conn, tcp := dialUDP(t, s), dialTCP(t, s)
	ask := func(m *dns.Msg) (sent, got int, answer *dns.Msg) {
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, maxTCPSize)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return len(packet), n, unpack(t, buf[:n])
	}
	cookie := &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}
	first := newQuestion(t, "one.marathon.mesos. A")
	first.SetEdns0(4096, false)
	first.IsEdns0().Option = []dns.EDNS0{cookie}
	_, _, answer := ask(first)
	if answer.IsEdns0() == nil || len(answer.IsEdns0().Option) == 0 {
		t.Fatalf("no cookie in %v", answer)
	}
	cookie = answer.IsEdns0().Option[0].(*dns.EDNS0_COOKIE)
	if octets, err := hex.DecodeString(cookie.Cookie); err != nil || len(octets) < 16 {
		t.Fatalf("the cookie %q", cookie.Cookie)
	}

	var in, out, whole, cut int
	allQuestions(t, s, func(m *dns.Msg) {
		sent, got, answer := ask(m)
		in, out = in+sent, out+got
		if (answer.IsEdns0() != nil) != (m.IsEdns0() != nil) {
			t.Fatalf("%v is answered with another EDNS:\n%v", m, answer)
		}
		if !answer.Truncated {
			whole++
			return
		}
		cut++
		if len(answer.Answer)+len(answer.Ns) > 0 {
			t.Errorf("%v is answered in part:\n%v", m, answer)
		}
		if m.Question[0].Qtype == dns.TypeIXFR {
			return // needs more than a question
		}
		send(t, tcp, framed(t, m))
		overTCP := readTCP(t, tcp)
		if overTCP.Truncated || len(overTCP.Answer)+len(overTCP.Ns) == 0 {
			t.Errorf("over TCP %v is answered\n%v", m, overTCP)
		}
		verified := m.Copy()
		if verified.IsEdns0() == nil {
			verified.SetEdns0(4096, true)
		}
		verified.IsEdns0().Option = []dns.EDNS0{cookie}
		if _, _, answer := ask(verified); len(answer.Answer)+len(answer.Ns) == 0 {
			t.Errorf("with a cookie %v is answered\n%v", m, answer)
		}
	})
	if ratio := float64(out) / float64(in); ratio > most {
		t.Errorf("%.2f octets for each", ratio)
	}
	if whole == 0 || cut == 0 {
		t.Errorf("%d whole answers, %d cut short: nothing was compared", whole, cut)
	}
	if got := testutil.ToFloat64(s.handler.metrics.strangersCut); int(got) != cut+1 { // and the first one
		t.Errorf("%v counted as cut short, want %d", got, cut+1)
	}
}

// Of a reply that is cut short the cookie remains, with which the client is no stranger any more, and no other option. One
// without a question has nothing that could be cut.
func TestWhatRemainsOfAReply(t *testing.T) {
	reply := newQuestion(t, "one.marathon.mesos. A")
	reply.Response, reply.Answer = true, section(t, "one.marathon.mesos. 60 IN A 10.0.0.1")
	reply.SetEdns0(1232, true)
	cookie := &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef0123456789abcdef"}
	reply.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "61"}, cookie, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNotReady}}
	for _, questions := range [][]dns.Question{reply.Question, nil} {
		reply.Question = questions
		wire := packet(t, reply)
		got := unpack(t, cutShort(wire, optOf(wire)))
		opt := got.IsEdns0()
		if !got.Truncated || len(got.Question) != len(questions) || len(got.Answer) != 0 || len(got.Extra) != 1 || !opt.Do() {
			t.Errorf("%v", got)
		}
		if len(opt.Option) != 1 || opt.Option[0].String() != cookie.Cookie {
			t.Errorf("options %v", opt.Option)
		}
	}
}

// Without limits, and in local networks with them, answers are whole.
func TestNoLimitsForLocalNetworks(t *testing.T) {
	local, err := New(newTestZone(t), Options{Addrs: addrPorts("127.0.0.1:0"), LocalNetworks: DefaultLocalNetworks(),
		Strangers: Strangers{Amplification: 1, ResponsesPerSecond: 1}})
	if err != nil {
		t.Fatal(err)
	}
	local.strangers.interval = time.Hour
	runTestServer(t, local)
	for _, s := range []*Server{local, newStrangeServer(t, Strangers{})} {
		for range 3 {
			for _, question := range []string{"web.marathon.mesos. A", "none.mesos. A", "mesos. NS"} {
				m := exchange(t, "udp", s.Addr(), newQuestion(t, question))
				if m.Truncated || len(m.Answer)+len(m.Ns) == 0 {
					t.Errorf("%s: %v", question, m)
				}
			}
		}
	}
}

// Beyond the rate one answer of so many says that there is more over TCP, and the others are dropped; plain and unusual
// questions count alike.
func TestResponsesAreLimited(t *testing.T) {
	for _, tt := range []struct{ slip, slipped int }{{0, 0}, {1, 59}, {3, 19}} {
		// Such an interval leaves one answer for now.
		s := newStrangeServer(t, Strangers{ResponsesPerSecond: 1, Slip: tt.slip}, func(s *Server) { s.strangers.interval = time.Hour })
		conn := dialUDP(t, s)
		for i := range 60 {
			question := []string{"one.marathon.mesos. A", "mesos. SOA", "none.mesos. A"}[i%3]
			if _, err := conn.Write(questionPacket(t, question, i)); err != nil {
				t.Fatal(err)
			}
		}
		whole := 0
		for range tt.slipped + 1 {
			m := readUDP(t, conn)
			if !m.Truncated {
				whole++
			} else if len(m.Question) != 1 || len(m.Answer)+len(m.Ns)+len(m.Extra) > 0 {
				t.Errorf("beyond the rate: %v", m)
			}
		}
		if whole != 1 {
			t.Errorf("slip %d: %d whole answers, want 1", tt.slip, whole)
		}
		// All have been looked at when those that were dropped are counted.
		dropped := func() int { return int(testutil.ToFloat64(s.handler.metrics.strangersDropped)) }
		waitFor(t, func() bool { return dropped() >= 59-tt.slipped })
		if got := int(testutil.ToFloat64(s.handler.metrics.strangersSlipped)); got != tt.slipped || dropped() != 59-tt.slipped {
			t.Errorf("slip %d: %d slipped, %d dropped", tt.slip, got, dropped())
		}
		// A connection is no stranger.
		expectTCP := dialTCP(t, s)
		ask(t, expectTCP)
		ask(t, expectTCP)
	}
}

// waitFor waits until something is so that other goroutines bring about.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatal("it never happened")
		}
	}
}

// A network gets as many answers as it may: on average those of the rate, at once at most those of a second, and again
// after a pause.
func TestRate(t *testing.T) {
	const rate = 100
	metrics, err := newMetrics(newTestZone(t), Options{}.withDefaults().Registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		addr, same, other string
	}{
		{"192.0.2.1", "192.0.2.255", "192.0.3.1"},
		{"2001:db8:0:1::1", "2001:db8:0:1f::", "2001:db8:0:1000::1"},
	} {
		var s *strangers
		addr, other := netip.MustParseAddr(tt.addr), netip.MustParseAddr(tt.other)
		for s == nil || s.place(addr) == s.place(other) {
			s = newStrangers(Strangers{ResponsesPerSecond: rate}, metrics)
		}
		if s.place(addr) != s.place(netip.MustParseAddr(tt.same)) {
			t.Errorf("%s and %s count apart", tt.addr, tt.same)
		}
		count := func(from, to, step time.Duration) (n int) {
			for now := from; now < to; now += step {
				if s.inTime(addr, now) {
					n++
				}
			}
			return n
		}
		if n := count(0, time.Millisecond, time.Microsecond); n != rate {
			t.Errorf("%s: %d answers at once, want %d", tt.addr, n, rate)
		}
		if !s.inTime(other, 0) {
			t.Errorf("%s has no answer left because of %s", tt.other, tt.addr)
		}
		if n := count(time.Millisecond, 10*time.Second, time.Millisecond); n < 9.9*rate || n > 10*rate {
			t.Errorf("%s: %d answers in ten seconds, want %d", tt.addr, n, 10*rate)
		}
		if n := count(20*time.Second, 20*time.Second+time.Millisecond, time.Microsecond); n != rate {
			t.Errorf("%s: %d answers at once after a pause, want %d", tt.addr, n, rate)
		}
	}
}
