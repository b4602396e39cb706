package resolver

import (
	"cmp"
	"fmt"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// answeringNames is a server that has these records, by the name that is asked, and no others.
func answeringNames(t *testing.T, names map[string][]string) *fakeUpstream {
	t.Helper()
	return newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		lines, known := names[dns.CanonicalName(question.Question[0].Name)]
		if !known {
			return answering(t, dns.RcodeNameError, "example. 300 IN SOA a. b. 1 2 3 4 5")(question, tcp)
		}
		return answering(t, dns.RcodeSuccess, lines...)(question, tcp)
	})
}

// What an alias leads to is asked for where the answer lacks it, with the servers that know.
func TestAliasIsFollowed(t *testing.T) {
	const alias = "a.example. 300 IN CNAME b.other."
	for _, tt := range []struct {
		name, question   string
		example, other   map[string][]string // what the servers of two zones have
		rcode            int
		want             []string
		asked            [2]int32 // of questions
		noRecursion, raw bool
	}{
		{name: "to another zone", example: map[string][]string{"a.example.": {alias}},
			other: map[string][]string{"b.other.": {"b.other. 200 IN A 192.0.2.1"}},
			want:  []string{alias, "b.other. 200 IN A 192.0.2.1"}, asked: [2]int32{1, 1}},
		{name: "and back", example: map[string][]string{"a.example.": {alias}, "c.example.": {"c.example. 100 IN A 192.0.2.1"}},
			other: map[string][]string{"b.other.": {"b.other. 200 IN CNAME c.example."}},
			want:  []string{alias, "b.other. 200 IN CNAME c.example.", "c.example. 100 IN A 192.0.2.1"}, asked: [2]int32{2, 1}},
		{name: "the answer is whole", example: map[string][]string{"a.example.": {alias, "b.other. 9 IN A 192.0.2.1"}},
			want: []string{alias, "b.other. 9 IN A 192.0.2.1"}, asked: [2]int32{1, 0}},
		{name: "it says that there is nothing", example: map[string][]string{"a.example.": {alias, "other. 300 IN SOA a. b. 1 2 3 4 5"}},
			want: []string{alias}, asked: [2]int32{1, 0}},
		{name: "of a zone that the alias does not lead to", example: map[string][]string{"a.example.": {alias, "example. 300 IN SOA a. b. 1 2 3 4 5"}},
			other: map[string][]string{"b.other.": {"b.other. 200 IN A 192.0.2.1"}},
			want:  []string{alias, "b.other. 200 IN A 192.0.2.1"}, asked: [2]int32{1, 1}},
		{name: "to a name that does not exist", example: map[string][]string{"a.example.": {alias}},
			rcode: dns.RcodeNameError, want: []string{alias}, asked: [2]int32{1, 1}},
		{name: "in a circle", example: map[string][]string{"a.example.": {alias}}, other: map[string][]string{"b.other.": {"b.other. 1 IN CNAME a.example."}},
			rcode: dns.RcodeServerFailure, asked: [2]int32{1, 1}},
		{name: "the alias is asked for", question: "a.example. CNAME", example: map[string][]string{"a.example.": {alias}},
			want: []string{alias}, asked: [2]int32{1, 0}},
		{name: "without recursion", example: map[string][]string{"a.example.": {alias}}, noRecursion: true,
			want: []string{alias}, asked: [2]int32{1, 0}},
		{name: "as it came", example: map[string][]string{"a.example.": {alias}}, raw: true,
			want: []string{alias}, asked: [2]int32{1, 0}},
		{name: "a domain's alias alone", question: "a.b.example. A", example: map[string][]string{"a.b.example.": {"b.example. 300 IN DNAME other."}},
			other: map[string][]string{"a.other.": {"a.other. 200 IN A 192.0.2.1"}},
			want:  []string{"a.b.example. 300 IN CNAME a.other.", "a.other. 200 IN A 192.0.2.1", "b.example. 300 IN DNAME other."}, asked: [2]int32{1, 1}},
		{name: "into our own zone", example: map[string][]string{"a.example.": {"a.example. 300 IN CNAME One.marathon.mesos."}},
			want: []string{"a.example. 300 IN CNAME One.marathon.mesos.", "one.marathon.mesos. 77 IN A 10.0.0.0"}, asked: [2]int32{1, 0}},
		{name: "into our own zone, of which the server says something", example: map[string][]string{"a.example.": {
			"a.example. 300 IN CNAME one.marathon.mesos.", "one.marathon.mesos. 60 IN A 6.6.6.6"}},
			want: []string{"a.example. 300 IN CNAME one.marathon.mesos.", "one.marathon.mesos. 77 IN A 10.0.0.0"}, asked: [2]int32{1, 0}},
		{name: "to a name that our own zone does not have", example: map[string][]string{"a.example.": {"a.example. 300 IN CNAME none.mesos."}},
			rcode: dns.RcodeNameError, want: []string{"a.example. 300 IN CNAME none.mesos."}, asked: [2]int32{1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			example, other := answeringNames(t, tt.example), answeringNames(t, tt.other)
			h, _ := newTestForwarder(t, func(o *Options) {
				o.ZoneUpstreams = map[string][]netip.AddrPort{"example": {example.addr}, "other": {other.addr}}
				o.CacheSize, o.TCPFallback = 10, !tt.raw
			})
			m := newQuestion(t, cmp.Or(tt.question, "a.example. A"))
			m.RecursionDesired = !tt.noRecursion
			for range 2 { // from the servers, and where it may be kept from the cache
				wantAnswer(t, resolve(t, h, m, true), tt.rcode, tt.want...)
			}
			kept := tt.rcode == dns.RcodeSuccess && tt.asked[0]+tt.asked[1] > 1
			if got := [2]int32{example.questions.Load(), other.questions.Load()}; kept && got != tt.asked {
				t.Errorf("%v questions, want %v", got, tt.asked)
			}
		})
	}
}

// Aliases that lead nowhere are no answer, nor are so many that nobody would follow them.
func TestAliasLoops(t *testing.T) {
	chain := func(n int) []string {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf("n%d.example. 300 IN CNAME n%d.example.", i, i+1))
		}
		return lines
	}
	for _, tt := range []struct {
		name   string
		answer []string
		rcode  int
	}{
		{"to itself", []string{"n0.example. 300 IN CNAME N0.example."}, dns.RcodeServerFailure},
		{"in a circle", []string{"n0.example. 300 IN CNAME n1.example.", "n1.example. 300 IN CNAME n2.example.", "n2.example. 300 IN CNAME n1.example."}, dns.RcodeServerFailure},
		{"as many as are followed", append(chain(maxAliases), fmt.Sprintf("n%d.example. 300 IN A 192.0.2.1", maxAliases)), dns.RcodeSuccess},
		{"more than that", chain(maxAliases + 1), dns.RcodeServerFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, tt.answer...))
			h, _ := newTestForwarder(t, nil, u.addr)
			if got := resolve(t, h, newQuestion(t, "n0.example. A"), true); got.Rcode != tt.rcode {
				t.Errorf("%v", got)
			}
		})
	}
}

// Whatever order a server gives them in, aliases stand before what they lead to: there are clients that read an answer only
// once, as glibc does.
func TestOrderOfAliases(t *testing.T) {
	want := section(t, "a.example. 1 IN CNAME b.c.example.", "c.example. 1 IN DNAME d.example.", "b.c.example. 1 IN CNAME b.d.example.",
		"b.d.example. 1 IN A 192.0.2.1", "b.d.example. 1 IN A 192.0.2.2")
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {3, 4, 2, 1, 0}, {3, 2, 4, 0, 1}, {1, 0, 3, 4}} { // the last without the alias that comes of DNAME
		m := newQuestion(t, "a.example. A")
		for _, i := range order {
			m.Answer = append(m.Answer, dns.Copy(want[i]))
		}
		if err := keepRelevant(m, nil, false); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(m.Answer); got != fmt.Sprint(want) {
			t.Errorf("order %v: %v", order, got)
		}
	}
}
