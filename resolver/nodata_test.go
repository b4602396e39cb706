package resolver

import (
	"testing"

	"github.com/miekg/dns"
)

// negativeQuestions are questions in the zone without records, and what they are answered.
var negativeQuestions = []struct {
	question string
	want     expected
}{
	// The name has other records: NODATA (RFC 2308, section 2.2).
	{"one.marathon.mesos. AAAA", expected{authority: []string{"SOA"}}},
	{"one.marathon.mesos. TXT", expected{authority: []string{"SOA"}}},
	{"v6.marathon.mesos. A", expected{authority: []string{"SOA"}}},
	{"_web._tcp.marathon.mesos. A", expected{authority: []string{"SOA"}}},
	{"web.marathon.mesos. CNAME", expected{authority: []string{"SOA"}}},
	{"web.marathon.mesos. SRV", expected{authority: []string{"SOA"}}},
	{"web.marathon.mesos. SOA", expected{authority: []string{"SOA"}}},
	{"web.marathon.mesos. NS", expected{authority: []string{"SOA"}}},
	{"web.marathon.mesos. TYPE65280", expected{authority: []string{"SOA"}}},
	{"mesos. A", expected{authority: []string{"SOA"}}},
	// There is no delegation above or below: DS is ours to answer.
	{"mesos. DS", expected{authority: []string{"SOA"}}},
	{"web.marathon.mesos. DS", expected{authority: []string{"SOA"}}},
	// Names are below it: an empty non-terminal exists (RFC 8020, section 2).
	{"_tcp.marathon.mesos. A", expected{authority: []string{"SOA"}}},
	{"_tcp.marathon.mesos. ANY", expected{authority: []string{"SOA"}}},
	{"db.deep.marathon.mesos. SRV", expected{authority: []string{"SOA"}}},
	{"MARATHON.Mesos. A", expected{authority: []string{"SOA"}}},
	// Nothing there: NXDOMAIN (RFC 2308, section 2.1), whatever the type.
	{"none.marathon.mesos. A", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{"none.marathon.mesos. SRV", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{"none.marathon.mesos. SOA", expected{rcode: dns.RcodeSuccess, authority: []string{"SOA"}}},
	{"none.marathon.mesos. DS", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{"none.marathon.mesos. ANY", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{"a.web.marathon.mesos. A", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{"none.*.mesos. A", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{"*.mesos. A", expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{`we\.b.marathon.mesos. A`, expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{`web.marathon\.mesos.mesos. A`, expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
	{`\000\255.mesos. A`, expected{rcode: dns.RcodeNameError, authority: []string{"SOA"}}},
}

func TestNegative(t *testing.T) {
	dns.StringToType["TYPE65280"] = 65280
	defer delete(dns.StringToType, "TYPE65280")
	zone := newTestZone(t)
	h := newTestHandler(t, zone)
	for _, tt := range negativeQuestions {
		t.Run(tt.question, func(t *testing.T) {
			got := reply(t, h, newQuestion(t, tt.question), true)
			tt.want.check(t, zone, got)
			if !got.Authoritative {
				t.Error("AA is not set")
			}
		})
	}
}

// While sources have yet to speak, what is there is answered, and what is not is not denied.
func TestNotReady(t *testing.T) {
	zone := unready{newTestZone(t)}
	h := newTestHandler(t, zone)
	for _, tt := range []struct {
		question string
		rcode    int
	}{
		{"one.marathon.mesos. A", dns.RcodeSuccess},
		{"one.marathon.mesos. AAAA", dns.RcodeSuccess}, // or clients would drop the A record as well
		{"mesos. SOA", dns.RcodeSuccess},
		{"mesos. A", dns.RcodeSuccess},
		{"none.marathon.mesos. A", dns.RcodeServerFailure},
		{"none.marathon.mesos. SRV", dns.RcodeServerFailure},
		{"none.mesos. ANY", dns.RcodeServerFailure},
		{"_tcp.marathon.mesos. A", dns.RcodeServerFailure},
		{"example.com. A", dns.RcodeRefused},
	} {
		got := reply(t, h, ednsQuestion(t, tt.question), true)
		if got.Rcode != tt.rcode {
			t.Errorf("%s: %s, want %s", tt.question, dns.RcodeToString[got.Rcode], dns.RcodeToString[tt.rcode])
		}
		if got.Rcode == dns.RcodeServerFailure {
			wantError(t, got, dns.ExtendedErrorCodeNotReady)
		}
		if got.Rcode == dns.RcodeServerFailure && (got.Authoritative || len(got.Ns) > 0) {
			t.Errorf("%s: SERVFAIL with authority:\n%v", tt.question, got)
		}
	}
}
