package resolver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"rollcall/records"
)

// Answers from the zone cost no allocation.
func TestFastPathDoesNotAllocate(t *testing.T) {
	out := make([]byte, 0, maxUDPSize)
	questions := []string{"web.marathon.mesos. A", "WEB.marathon.mesos. AAAA", "_web._tcp.marathon.mesos. SRV",
		"one.marathon.mesos. AAAA", "none.marathon.mesos. A"}
	for _, tt := range []struct {
		change    func(*Options)
		questions []string
	}{
		{func(*Options) {}, append(slices.Clone(questions), "big.marathon.mesos. A", "_many._tcp.marathon.mesos. SRV")},
		{func(o *Options) { o.MaxAnswers, o.Order = 2, OrderFixed }, append(slices.Clone(questions), "big.marathon.mesos. A")},
		{func(o *Options) { o.Order = OrderShuffle }, questions},
		{func(o *Options) { o.OwnAgentFirst = true }, questions},
		{func(o *Options) { o.Order, o.OwnAgentFirst, o.MaxAnswers = OrderShuffle, true, 2 }, questions},
	} {
		checkNoAllocations(t, newTestHandler(t, newTestZone(t), tt.change), out, tt.questions)
	}
}

// checkNoAllocations checks that the fast path answers questions, and does not allocate.
func checkNoAllocations(t *testing.T, h *handler, out []byte, questions []string) {
	t.Helper()
	for _, question := range questions {
		for _, edns := range []bool{false, true} {
			m := newQuestion(t, question)
			if edns {
				m.SetEdns0(1232, true)
			}
			packet, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			r := newRotation()
			if h.quick(out, packet, overUDP, r) == nil {
				t.Errorf("%s is not answered by the fast path", question)
			}
			allocs := testing.AllocsPerRun(100, func() {
				r = r.next()
				if got, q := h.handle(out, packet, overUDP, r); got == nil || q != nil {
					t.Error("no reply")
				}
			})
			if allocs != 0 {
				t.Errorf("%s (EDNS %v): %v allocations", question, edns, allocs)
			}
		}
	}
}

// comparableReply is a reply in words.
func comparableReply(t failer, packet []byte) string {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		t.Fatalf("the reply %x cannot be read: %v", packet, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n%v\n", m.MsgHdr, m.Question)
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		lines := make([]string, len(section))
		for i, rr := range section {
			lines[i] = rr.String()
		}
		fmt.Fprintln(&b, strings.Join(lines, "\n"))
	}
	return b.String()
}

// failer is what testing.T and rapid.T have in common here.
type failer interface {
	Fatalf(format string, args ...any)
}

// checkPaths checks that the fast path gives up on a packet or answers it as the slow path does, within the limit.
func checkPaths(t failer, h *handler, packet []byte, from client, r rotation) {
	fast := h.quick(make([]byte, 0, 64), packet, from, r)
	if fast == nil {
		return
	}
	slow, q := h.slow(packet, from, r)
	if q != nil || slow == nil {
		t.Fatalf("%x: the fast path answers what the slow path does not", packet)
	}
	if diff := cmp.Diff(comparableReply(t, slow), comparableReply(t, fast)); diff != "" {
		t.Fatalf("%x: the paths differ (-slow +fast):\n%s", packet, diff)
	}
	if !bytes.Equal(slow, fast) {
		t.Fatalf("%x: the same in other octets:\nslow %x\nfast %x", packet, slow, fast)
	}
	if from.udp && !h.settings.Load().sizes.isLocal(from.addr) && len(fast) > maxUDPSize {
		t.Fatalf("%x: %d octets over UDP", packet, len(fast))
	}
}

// testNames are names of the test zone and others near them.
var testNames = []string{"mesos.", "web.marathon.mesos.", "one.marathon.mesos.", "v6.marathon.mesos.", "big.marathon.mesos.",
	"_web._tcp.marathon.mesos.", "_many._tcp.marathon.mesos.", "_many._udp.marathon.mesos.", "marathon.mesos.",
	"_tcp.marathon.mesos.", "node.db.deep.marathon.mesos.", "_cql._node.db.deep._tcp.marathon.mesos.", "slave.mesos.",
	"_slave._tcp.mesos.", "ns1.mesos.", "none.mesos.", "a.web.marathon.mesos.", "one.*.marathon.mesos.", "example.com.", "."}

func TestPathsAgree(t *testing.T) {
	zone := newTestZone(t)
	handlers := []*handler{
		newTestHandler(t, zone),
		newTestHandler(t, zone, func(o *Options) { o.SetTruncateBit, o.RecursionAvailable = false, false }),
		newTestHandler(t, unready{zone}),
		newTestHandler(t, zone, func(o *Options) { o.MaxAnswers, o.Order = 7, OrderFixed }),
		newTestHandler(t, zone, func(o *Options) { o.MaxAnswers, o.OwnAgentFirst = 40, true }),
		newTestHandler(t, zone, func(o *Options) { o.Order = OrderShuffle }),
		newTestHandler(t, zone, func(o *Options) { o.Order, o.OwnAgentFirst, o.MaxAnswers = OrderShuffle, true, 2 }),
	}
	rapid.Check(t, func(t *rapid.T) {
		name := []byte(rapid.SampledFrom(testNames).Draw(t, "name"))
		for i, c := range name {
			if 'a' <= c && c <= 'z' && rapid.Bool().Draw(t, "upper") {
				name[i] = c - 'a' + 'A'
			}
		}
		m := new(dns.Msg)
		m.Id = rapid.Uint16().Draw(t, "id")
		m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = rapid.Bool().Draw(t, "rd"), rapid.Bool().Draw(t, "cd"), rapid.Bool().Draw(t, "ad")
		qtype := rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypePTR, dns.TypeSOA, dns.TypeNS, dns.TypeMX, dns.TypeANY}).Draw(t, "type")
		m.Question = []dns.Question{{Name: string(name), Qtype: qtype, Qclass: dns.ClassINET}}
		if rapid.Bool().Draw(t, "edns") {
			m.SetEdns0(uint16(rapid.IntRange(0, 9000).Draw(t, "size")), rapid.Bool().Draw(t, "do"))
		}
		packet, err := m.Pack()
		if err != nil {
			t.Fatalf("%v", err)
		}
		h := rapid.SampledFrom(handlers).Draw(t, "handler")
		from := clientAt(rapid.SampledFrom([]string{"10.0.0.1", "10.1.0.200", "192.0.2.99", "2001:db8::1"}).Draw(t, "client"),
			rapid.Bool().Draw(t, "udp"))
		checkPaths(t, h, packet, from, rotation(rapid.Uint32().Draw(t, "rotation")))
	})
}

// Every size that can cut an answer, and every record that can be the first.
func TestPathsAgreeOnEverySize(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, question := range []string{"_web._tcp.marathon.mesos. SRV", "_many._tcp.marathon.mesos. SRV", "big.marathon.mesos. A"} {
		for octets := 512; octets <= maxUDPSize; octets += 3 {
			m := newQuestion(t, question)
			m.SetEdns0(uint16(octets), false)
			packet, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			checkPaths(t, h, packet, overUDP, rotation(uint32(octets)*goldenRatio))
		}
	}
}

// The names of the SOA record are as short as they can be, whatever they are and whatever is asked for.
func TestSOAIsCompressed(t *testing.T) {
	for _, tt := range []struct {
		domain, mname, rname string
		octets               int // of an answer to none.DOMAIN
	}{
		{"mesos", "ns1.mesos.", "root.ns1.mesos.", 73},
		{"mesos", "mesos.", "mesos.", 64},
		{"mesos", ".", ".", 62},
		{"mesos", "a.b.mesos.", "b.mesos.", 68},
		{"mesos", "b.mesos.", "a.b.mesos.", 68},
		{"mesos", "a.mesos.", "b.mesos.", 68},
		{"mesos", "ns.example.org.", "root.ns.example.org.", 83},
		{"mesos", "ns.example.org.", "root.other.org.", 89},
		{"dc1.example.org", "ns.example.org.", "root.example.org.", 82},
		{"dc1.example.org", "ns.org.", "root.ns.dc1.example.org.", 85},
		{"dc1.example.org", "org.", "root.org.", 79},
	} {
		o := records.DefaultOptions(tt.domain)
		o.SOA.MName, o.SOA.RName = tt.mname, tt.rname
		zone, err := records.New(o)
		if err != nil {
			t.Fatal(err)
		}
		h := newTestHandler(t, zone)
		for _, name := range []string{"none.", "NONE.", "", "ns1.", "x.ns1.", "Root.ns1.", "b.", "c.b.", "a.b.", "z.a.b.", "ns.", "root.ns.", `x\003ns1.`, "x\\001b.", "deep.root.ns1."} {
			for _, domain := range []string{tt.domain + ".", strings.ToUpper(tt.domain) + "."} {
				m := newQuestion(t, name+domain+" SRV")
				fast := h.quick(nil, packet(t, m), overUDP, 0)
				if fast == nil {
					t.Fatalf("%v is not answered by the fast path", m)
				}
				checkPaths(t, h, packet(t, m), overUDP, 0)
				if got := unpack(t, fast).Ns[0].(*dns.SOA); !strings.EqualFold(got.Ns, tt.mname) || !strings.EqualFold(got.Mbox, tt.rname) {
					t.Errorf("%s: %v", name, got)
				}
				if name == "none." && len(fast) != tt.octets {
					t.Errorf("%+v: %d octets", tt, len(fast))
				}
			}
		}
	}
}

func FuzzFastPath(f *testing.F) {
	zone := newTestZone(f)
	handlers := []*handler{
		newTestHandler(f, zone),
		newTestHandler(f, zone, func(o *Options) { o.Order = OrderShuffle }),
		newTestHandler(f, zone, func(o *Options) { o.OwnAgentFirst, o.MaxAnswers = true, 3 }),
		newTestHandler(f, zone, func(o *Options) { o.SetTruncateBit, o.Order = false, OrderFixed }),
	}
	for _, name := range testNames {
		for _, qtype := range []string{" A", " SRV", " TXT"} {
			m := newQuestion(f, name+qtype)
			packet, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packet, true, uint32(0))
			m.SetEdns0(1232, true)
			if packet, err = m.Pack(); err != nil {
				f.Fatal(err)
			}
			f.Add(packet, false, uint32(1<<31))
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte, udp bool, r uint32) {
		for _, h := range handlers {
			checkPaths(t, h, packet, testClient(udp), rotation(r))
		}
	})
}

// oddQuestions have options, signatures and opcodes of all kinds.
func oddQuestions(t testing.TB) []*dns.Msg {
	t.Helper()
	options := newQuestion(t, "web.marathon.mesos. A")
	options.SetEdns0(1232, true)
	options.IsEdns0().Option = []dns.EDNS0{
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708090a0b0c0d0e0f101112131415161718"},
		&dns.EDNS0_PADDING{Padding: make([]byte, 8)}, &dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE},
		&dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, Address: net.IPv4zero},
	}
	chaos := newQuestion(t, "version.bind. TXT")
	chaos.Question[0].Qclass = dns.ClassCHAOS
	signed := new(dns.Msg).SetAxfr("mesos.")
	signed.SetTsig(testKey.Name, testKey.Algorithm+".", fudge, int64(now()))
	signed.IsTsig().MACSize, signed.IsTsig().MAC = 32, strings.Repeat("00", 32)
	return []*dns.Msg{options, chaos, signed, new(dns.Msg).SetNotify("mesos."), new(dns.Msg).SetAxfr("mesos."),
		new(dns.Msg).SetIxfr("mesos.", 1, "ns1.mesos.", "root.mesos."), new(dns.Msg).SetUpdate("mesos.")}
}

// FuzzPacket: whatever comes, nothing panics, every reply can be read, fits, and belongs to its question.
func FuzzPacket(f *testing.F) {
	h := newTestHandler(f, newTestZone(f), func(o *Options) {
		o.Recursion, o.Upstreams, o.CacheSize = true, addrPorts("192.0.2.1:53"), 10
		o.ServerVersion, o.ServerID, o.Cookies = "1", "a", CookiesRequired
		o.Transfer = Transfer{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Keys: []Key{testKey}}
	})
	for _, m := range oddQuestions(f) {
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet, true)
		f.Add(packet, false)
	}
	for _, name := range testNames {
		packet, err := newQuestion(f, name+" ANY").Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet, true)
		f.Add(packet[:len(packet)/2], false)
	}
	f.Fuzz(func(t *testing.T, packet []byte, udp bool) {
		got, q := h.handle(make([]byte, 0, maxUDPSize), packet, testClient(udp), 0)
		if q != nil {
			if got != nil {
				t.Fatal("a reply and a query")
			}
			if q.transfer != nil {
				for message := range h.transferred(q) {
					unpack(t, message)
				}
				return
			}
			got = h.overloaded(q)
		}
		if got == nil {
			return
		}
		m := unpack(t, got)
		if !m.Response || m.Id != binary.BigEndian.Uint16(packet) {
			t.Fatalf("%v is no reply to %x", m, packet)
		}
		if udp && len(got) > maxUDPSize {
			t.Fatalf("%d octets over UDP", len(got))
		}
		if m.Truncated && len(m.Answer) == 0 {
			t.Fatalf("%x: truncated and empty:\n%v", packet, m)
		}
	})
}
