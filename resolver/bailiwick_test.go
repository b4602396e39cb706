package resolver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// section reads the records of a section, a line each.
func section(t testing.TB, lines ...string) []dns.RR {
	t.Helper()
	var out []dns.RR
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rr)
	}
	return out
}

// TestKeepRelevant marks what has to go with "! ".
func TestKeepRelevant(t *testing.T) {
	const rrsig = " 300 IN RRSIG A 8 2 300 20300101000000 20200101000000 1 example.com. AAAA"
	for _, tt := range []struct {
		name, question                string
		dnssec                        bool
		rcode                         int
		answer, authority, additional []string
	}{
		{name: "an address", question: "example.com. A",
			answer:     []string{"EXAMPLE.com. 300 IN A 192.0.2.1", "! example.net. 300 IN A 6.6.6.6", "! example.com. 300 IN TXT x", "! example.com. 300 CH A 6.6.6.6"},
			authority:  []string{"com. 300 IN NS ns.example.", "! org. 300 IN NS ns.example.", "! www.example.com. 300 IN NS ns.example.", "! example.com. 300 IN A 6.6.6.6"},
			additional: []string{"ns.example. 300 IN A 192.0.2.53", "ns.example. 300 IN AAAA ::53", "! www.example.com. 300 IN A 6.6.6.6", "! ns.example. 300 IN TXT x"}},
		{name: "aliases", question: "a.example. A",
			answer: []string{"a.example. 1 IN CNAME b.example.net.", "b.example.net. 1 IN CNAME c.example.", "c.example. 1 IN A 192.0.2.1",
				"! d.example. 1 IN CNAME e.example.", "! e.example. 1 IN A 6.6.6.6"}},
		{name: "an alias is asked for", question: "a.example. CNAME",
			answer: []string{"a.example. 1 IN CNAME b.example.", "! b.example. 1 IN A 192.0.2.1", "! b.example. 1 IN CNAME c.example."}},
		{name: "a domain's alias", question: "a.b.example. A",
			answer: []string{"b.example. 1 IN DNAME example.net.", "a.b.example. 1 IN CNAME a.example.net.", "a.example.net. 1 IN A 192.0.2.1", "! c.example. 1 IN DNAME example.net."}},
		{name: "anything", question: "a.example. ANY",
			answer: []string{"a.example. 1 IN CNAME b.example.", "a.example. 1 IN TXT x", "! b.example. 1 IN A 6.6.6.6"}},
		{name: "a service", question: "_x._tcp.example. SRV",
			answer:     []string{"_x._tcp.example. 1 IN SRV 1 2 3 host.example."},
			additional: []string{"host.example. 1 IN A 192.0.2.1", "! other.example. 1 IN A 6.6.6.6"}},
		{name: "a service without target", question: "example. HTTPS", answer: []string{`example. 1 IN HTTPS 1 . alpn="h2"`},
			additional: []string{"example. 1 IN A 192.0.2.1"}},
		{name: "denied", question: "a.example. A", rcode: dns.RcodeNameError,
			authority: []string{"example. 300 IN SOA a. b. 1 2 3 4 5", "! net. 300 IN SOA a. b. 1 2 3 4 5"}},
		{name: "denied behind an alias", question: "a.example. A", rcode: dns.RcodeNameError,
			answer:    []string{"a.example. 1 IN CNAME b.net."},
			authority: []string{"net. 300 IN SOA a. b. 1 2 3 4 5", "! org. 300 IN SOA a. b. 1 2 3 4 5"}},
		{name: "our own zone", question: "a.example. SRV",
			answer:     []string{"a.example. 1 IN SRV 1 2 3 web.marathon.mesos."},
			authority:  []string{"! mesos. 1 IN NS ns.mesos.", ". 1 IN NS ns.mesos."},
			additional: []string{"! web.marathon.mesos. 1 IN A 6.6.6.6", "! ns.mesos. 1 IN A 6.6.6.6"}},
		{name: "signed", question: "www.example.com. A", dnssec: true,
			answer:    []string{"www.example.com. 300 IN A 192.0.2.1", "www.example.com." + rrsig, "! example.net." + rrsig},
			authority: []string{"x.example.com. 300 IN NSEC y.example.com. A", "example.com." + rrsig}},
		{name: "signed, but not asked for", question: "www.example.com. A",
			answer:    []string{"www.example.com. 300 IN A 192.0.2.1", "! www.example.com." + rrsig},
			authority: []string{"! x.example.com. 300 IN NSEC y.example.com. A", "! example.com." + rrsig}},
		{name: "too long behind a domain's alias", question: "a.b.example. A", rcode: dns.RcodeYXDomain,
			answer: []string{"b.example. 1 IN DNAME example.net.", "! c.example. 1 IN DNAME example.net."}},
		{name: "two aliases", question: "a.example. A",
			answer: []string{"a.example. 1 IN CNAME b.example.", "! A.example. 1 IN CNAME c.example.", "b.example. 1 IN A 192.0.2.1", "! c.example. 1 IN A 6.6.6.6"}},
		{name: "an alias with an address of its own", question: "a.example. A",
			answer: []string{"a.example. 1 IN CNAME b.example.", "! a.example. 1 IN A 6.6.6.6", "b.example. 1 IN A 192.0.2.1"}},
		{name: "records that are said twice", question: "a.example. A",
			answer: []string{"a.example. 5 IN A 192.0.2.1", "! A.example. 5 IN A 192.0.2.1", "a.example. 5 IN A 192.0.2.2"}},
		{name: "nothing but something else, and that there is nothing", question: "a.example. A",
			answer: []string{"! b.example. 1 IN A 6.6.6.6"}, authority: []string{"example. 300 IN SOA a. b. 1 2 3 4 5"}},
		{name: "no answer at all", question: "a.example. A", rcode: dns.RcodeServerFailure,
			answer: []string{"! a.example. 1 IN A 6.6.6.6"}, authority: []string{"! example. 300 IN SOA a. b. 1 2 3 4 5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newQuestion(t, tt.question)
			m.Rcode = tt.rcode
			want := ""
			read := func(lines []string) []dns.RR {
				all, kept := []string{}, []string{}
				for _, line := range lines {
					bare, goes := strings.CutPrefix(line, "! ")
					if all = append(all, bare); !goes {
						kept = append(kept, bare)
					}
				}
				want += fmt.Sprintln(section(t, kept...))
				return section(t, all...)
			}
			m.Answer, m.Ns, m.Extra = read(tt.answer), read(tt.authority), read(tt.additional)
			if err := keepRelevant(m, []string{"mesos."}, tt.dnssec); err != nil {
				t.Fatal(err)
			}
			norm := func(s string) string { return strings.ReplaceAll(s, "<nil>", "") }
			if diff := cmp.Diff(norm(want), norm(fmt.Sprintln(m.Answer)+fmt.Sprintln(m.Ns)+fmt.Sprintln(m.Extra))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An answer that is about something else is none, and does not say that there is nothing.
func TestIrrelevantAnswer(t *testing.T) {
	for _, line := range []string{
		"other.example. 300 IN A 6.6.6.6", "a.example. 300 IN TXT x", "a.example. 300 CH A 6.6.6.6",
	} {
		liar := newFakeUpstream(t, answering(t, dns.RcodeSuccess, line))
		h, _ := newTestForwarder(t, nil, liar.addr)
		got := resolve(t, h, ednsQuestion(t, "a.example. A"), true)
		wantAnswer(t, got, dns.RcodeServerFailure)
		wantError(t, got, dns.ExtendedErrorCodeInvalidData)
		good := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "a.example. 300 IN A 192.0.2.1"))
		h, _ = newTestForwarder(t, nil, liar.addr, good.addr)
		wantAnswer(t, resolve(t, h, newQuestion(t, "a.example. A"), true), dns.RcodeSuccess, "a.example. 300 IN A 192.0.2.1")
	}
}

// All records of a set have the same TTL, the smallest (RFC 2181, section 5.2); a signature has that of what it signs.
func TestTTLsOfASet(t *testing.T) {
	const rrsig = " IN RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AAAA"
	got := asSets(section(t, "a.example. 300 IN A 192.0.2.1", "A.example. 10 IN A 192.0.2.2", "a.example. 200 IN A 192.0.2.3",
		"a.example. 100 IN AAAA ::1", "b.example. 50 IN A 192.0.2.1", "a.example. 7"+rrsig))
	var ttls []uint32
	for _, rr := range got {
		ttls = append(ttls, rr.Header().Ttl)
	}
	if diff := cmp.Diff([]uint32{10, 10, 10, 100, 50, 7}, ttls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
