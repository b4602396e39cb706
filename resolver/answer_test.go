package resolver

import (
	"testing"

	"github.com/miekg/dns"
)

func TestAnswer(t *testing.T) {
	zone := newTestZone(t)
	h := newTestHandler(t, zone)
	tests := []struct {
		question string
		want     expected
	}{
		{"web.marathon.mesos. A", expected{answer: []string{
			"web.marathon.mesos. 77 IN A 10.0.0.0", "web.marathon.mesos. 77 IN A 10.0.0.1", "web.marathon.mesos. 77 IN A 10.0.0.2"}}},
		{"web.marathon.mesos. AAAA", expected{answer: []string{"web.marathon.mesos. 77 IN AAAA fd00::1"}}},
		{"v6.marathon.mesos. AAAA", expected{answer: []string{"v6.marathon.mesos. 77 IN AAAA fd00::6"}}},
		// The spelling of the question comes back (RFC 4343, section 4).
		{"WeB.marathon.MESOS. AAAA", expected{answer: []string{"WeB.marathon.MESOS. 77 IN AAAA fd00::1"}}},
		{"node.db.deep.marathon.mesos. A", expected{answer: []string{"node.db.deep.marathon.mesos. 77 IN A 10.0.0.0"}}},
		// The apex.
		{"mesos. SOA", expected{answer: []string{"SOA"}}},
		{"mesos. NS", expected{answer: []string{"mesos. 77 IN NS ns1.mesos."}, additional: []string{"ns1.mesos. 77 IN A 10.9.9.9"}}},
		{"ns1.mesos. A", expected{answer: []string{"ns1.mesos. 77 IN A 10.9.9.9"}}},
		// ANY: one RRset, the smallest (RFC 8482, section 4.1).
		{"web.marathon.mesos. ANY", expected{answer: []string{"web.marathon.mesos. 77 IN AAAA fd00::1"}}},
		// As Mesos-DNS, which takes ".*" for nothing.
		{"one.*.marathon.mesos. A", expected{answer: []string{"one.*.marathon.mesos. 77 IN A 10.0.0.0"}}},
		// Transfers are not offered, and OPT is no type of data.
		{"mesos. AXFR", expected{rcode: dns.RcodeRefused}},
		{"mesos. IXFR", expected{rcode: dns.RcodeRefused}},
		{"mesos. OPT", expected{rcode: dns.RcodeFormatError}},
		// Outside the zone, without recursion.
		{"example.com. A", expected{rcode: dns.RcodeRefused}},
		{". NS", expected{rcode: dns.RcodeRefused}},
		{"notmesos. A", expected{rcode: dns.RcodeRefused}},
		{"mesos.example. A", expected{rcode: dns.RcodeRefused}},
	}
	for _, tt := range tests {
		t.Run(tt.question, func(t *testing.T) {
			got := reply(t, h, newQuestion(t, tt.question), true)
			tt.want.check(t, zone, got)
			if aa := tt.want.rcode == dns.RcodeSuccess; got.Authoritative != aa {
				t.Errorf("AA is %v, want %v", got.Authoritative, aa)
			}
		})
	}
}

// Addresses of SRV targets are in the additional section, once each (RFC 2782).
func TestAnswerSRV(t *testing.T) {
	zone := newTestZone(t)
	h := newTestHandler(t, zone)
	got := reply(t, h, newQuestion(t, "_cql._node.db.deep._tcp.marathon.mesos. SRV"), true)
	if len(got.Answer) != 1 {
		t.Fatalf("answer %v, want one record", got.Answer)
	}
	target := got.Answer[0].(*dns.SRV).Target
	expected{
		answer:     []string{"_cql._node.db.deep._tcp.marathon.mesos. 77 IN SRV 0 1 9042 " + target},
		additional: []string{target + " 77 IN A 10.0.0.0"},
	}.check(t, zone, got)

	got = reply(t, h, newQuestion(t, "_web._tcp.marathon.mesos. SRV"), false)
	if len(got.Answer) != 3 || len(got.Extra) != 4 {
		t.Errorf("%d answers and %d additional records, want 3 and 4 (one target has two addresses):\n%v", len(got.Answer), len(got.Extra), got)
	}
	// Each task is a target of its own. The last ones are too far into the message to be pointed to.
	got = reply(t, h, newQuestion(t, "_many._tcp.marathon.mesos. SRV"), false)
	targets := make(map[string]bool)
	for _, rr := range got.Answer {
		targets[rr.(*dns.SRV).Target] = true
	}
	if len(got.Answer) != 500 || len(targets) != 500 || len(got.Extra) < 500 {
		t.Errorf("%d answers, %d targets, %d additional records; want 500, 500 and more than 500", len(got.Answer), len(targets), len(got.Extra))
	}
	seen := make(map[string]bool)
	for _, rr := range got.Extra {
		if seen[rr.String()] || !targets[rr.Header().Name] {
			t.Errorf("%v is there twice, or is no target", rr)
		}
		seen[rr.String()] = true
	}
}

// RA is an option; RD comes back as it was sent. AD and Z are clear, and so is CD (RFC 4035, section 3.1.6).
func TestHeader(t *testing.T) {
	for _, available := range []bool{true, false} {
		h := newTestHandler(t, newTestZone(t), func(o *Options) { o.RecursionAvailable = available })
		for _, question := range []string{"web.marathon.mesos. A", "web.marathon.mesos. TXT", "none.mesos. A", "mesos. SOA"} {
			for bits := range 8 {
				m := newQuestion(t, question)
				m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = bits&1 != 0, bits&2 != 0, bits&4 != 0
				got := reply(t, h, m, true)
				want := dns.MsgHdr{Id: m.Id, Response: true, Authoritative: true, RecursionAvailable: available,
					RecursionDesired: m.RecursionDesired, Rcode: got.Rcode}
				if got.MsgHdr != want {
					t.Errorf("%s: header\n%v, want\n%v", question, &got.MsgHdr, &want)
				}
			}
		}
	}
}

func TestClass(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, class := range []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, 0} {
		for _, name := range []string{"version.bind.", "web.marathon.mesos."} {
			m := newQuestion(t, name+" TXT")
			m.Question[0].Qclass = class
			if got := reply(t, h, m, true); got.Rcode != dns.RcodeRefused || len(got.Answer) != 0 {
				t.Errorf("class %d: %v, want REFUSED", class, got)
			}
		}
	}
	// Of all classes there is what IN has, but whether that is all nobody can say; upstream servers are not asked.
	for question, want := range map[string]expected{
		"one.marathon.mesos. A":  {answer: []string{"one.marathon.mesos. 77 IN A 10.0.0.0"}},
		"mesos. SOA":             {answer: []string{"SOA"}},
		"one.marathon.mesos. MX": {authority: []string{"SOA"}},
		"none.mesos. A":          {rcode: dns.RcodeNameError, authority: []string{"SOA"}},
		"mesos. AXFR":            {rcode: dns.RcodeRefused},
		"example.com. A":         {rcode: dns.RcodeRefused},
	} {
		m := newQuestion(t, question)
		m.Question[0].Qclass = dns.ClassANY
		got := reply(t, newTestHandler(t, h.zone, func(o *Options) {
			o.Recursion, o.Upstreams, o.RecursionFrom = true, addrPorts("192.0.2.1:53"), everywhere()
		}), m, true)
		want.check(t, h.zone, got)
		if got.Authoritative || got.Question[0] != m.Question[0] {
			t.Errorf("%v, want no AA and the class as asked", got)
		}
	}
}
