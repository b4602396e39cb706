package resolver

import (
	"testing"

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
			if opt.UDPSize() != maxUDPSize || opt.Version() != 0 || opt.Do() != do || len(opt.Option) != 0 {
				t.Errorf("%s: %v, want version 0, our size, DO %v (RFC 3225), no options", question, opt, do)
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
	opt.Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
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
