package resolver

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// Every kind of reply has an OPT record if the question had one, and only then (RFC 6891, section 6.1.1).
func TestOPTComesBack(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, question := range []string{"web.marathon.mesos. A", "_web._tcp.marathon.mesos. SRV", "web.marathon.mesos. MX",
		"none.mesos. A", "mesos. SOA", "example.com. A", "mesos. AXFR"} {
		for _, do := range []bool{false, true} {
			m := newQuestion(t, question)
			if got := reply(t, h, m, true); got.IsEdns0() != nil {
				t.Errorf("%s: an OPT record that was not asked for", question)
			}
			m.SetEdns0(1400, do)
			opt := reply(t, h, m, true).IsEdns0()
			if opt == nil {
				t.Errorf("%s: no OPT record", question)
				continue
			}
			if opt.UDPSize() != maxUDPSize || opt.Version() != 0 || opt.Do() != do {
				t.Errorf("%s: %v, want version 0, our size, DO %v (RFC 3225)", question, opt, do)
			}
			var wantOptions []dns.EDNS0
			if question == "example.com. A" { // it is not ours, and why there is no answer is said (RFC 8914, section 4.21)
				wantOptions = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNotAuthoritative}}
			}
			if diff := cmp.Diff(wantOptions, opt.Option); diff != "" {
				t.Errorf("%s: options (-want +got):\n%s", question, diff)
			}
		}
	}
}

// Unknown options and flags are ignored (RFC 6891, sections 6.1.2 and 6.1.4).
func TestUnknownEDNS(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	m := newQuestion(t, "one.marathon.mesos. A")
	m.SetEdns0(1400, false)
	opt := m.IsEdns0()
	opt.Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}, &dns.EDNS0_LOCAL{Code: 100}}
	opt.Hdr.Ttl |= 0x7FFF // Z
	got := reply(t, h, m, true)
	if got.Rcode != dns.RcodeSuccess || len(got.Answer) != 1 || len(got.IsEdns0().Option) != 0 || got.IsEdns0().Hdr.Ttl != 0 {
		t.Errorf("%v", got)
	}
}

// A version that we do not know is answered BADVERS, with the version that we do (RFC 6891, section 6.1.3).
func TestBadVersion(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, question := range []string{"web.marathon.mesos. A", "none.mesos. A", "example.com. A"} {
		m := newQuestion(t, question)
		m.SetEdns0(1232, false)
		m.IsEdns0().SetVersion(1)
		got := reply(t, h, m, true)
		if got.Rcode != dns.RcodeBadVers || len(got.Answer) != 0 || got.IsEdns0() == nil || got.IsEdns0().Version() != 0 {
			t.Errorf("%s: %v", question, got)
		}
	}
}

// A client that asks how long it may keep a connection open is told, in units of 100 ms; over UDP the option means
// nothing (RFC 7828, sections 3.1 and 3.2.1).
func TestKeepalive(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	m := newQuestion(t, "one.marathon.mesos. A")
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}}
	if got := reply(t, h, m, true).IsEdns0().Option; len(got) != 0 {
		t.Errorf("over UDP: %v", got)
	}
	overHTTPS, _ := h.handle(nil, packet(t, m), client{https: true, encrypted: true}, 0)
	if got := unpack(t, overHTTPS).IsEdns0().Option; len(got) != 0 {
		t.Errorf("over HTTPS: %v", got)
	}
	got := reply(t, h, m, false).IsEdns0().Option
	if len(got) != 1 || got[0].(*dns.EDNS0_TCP_KEEPALIVE).Timeout != uint16(idleTimeout.Milliseconds()/100) {
		t.Errorf("over TCP: %v", got)
	}
}

// Replies are padded to a multiple of 468 octets, when they are asked to be and nobody else can read them (RFC 7830;
// RFC 8467, section 4.1).
func TestPadding(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, question := range []string{"one.marathon.mesos. A", "_web._tcp.marathon.mesos. SRV", "none.mesos. A",
		"_many._tcp.marathon.mesos. SRV", "example.com. A"} {
		for _, encrypted := range []bool{false, true} {
			for _, asked := range []bool{false, true} {
				m := newQuestion(t, question)
				m.SetEdns0(1232, false)
				if asked {
					m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{Padding: make([]byte, 20)}}
				}
				packet, err := m.Pack()
				if err != nil {
					t.Fatal(err)
				}
				got, _ := h.handle(nil, packet, client{addr: overUDP.addr, encrypted: encrypted}, 0)
				padded := slices.ContainsFunc(unpack(t, got).IsEdns0().Option, func(o dns.EDNS0) bool { return o.Option() == dns.EDNS0PADDING })
				if padded != (encrypted && asked) || padded && len(got)%paddingBlock != 0 {
					t.Errorf("%s, encrypted %v, asked %v: %d octets, padding %v", question, encrypted, asked, len(got), padded)
				}
			}
		}
	}
}

// Options in the reply leave less room for records, and no more is sent than the client takes.
func TestOptionsCount(t *testing.T) {
	h := newTestHandler(t, newTestZone(t), func(o *Options) { o.ServerID = "dns-a" })
	for size := 512; size < 620; size++ {
		m := withCookie(newQuestion(t, "big.marathon.mesos. A"), "0102030405060708")
		m.IsEdns0().SetUDPSize(uint16(size))
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := h.handle(nil, packet, overUDP, 0)
		if reply := unpack(t, got); len(got) > size || len(got)+16 <= size || len(reply.IsEdns0().Option) != 2 || !reply.Truncated {
			t.Errorf("%d octets for a client that takes %d:\n%v", len(got), size, reply)
		}
	}
}
