package resolver

import (
	"testing"

	"github.com/miekg/dns"
)

// What the server tells of itself, and only when it is to (RFC 4892).
func TestChaos(t *testing.T) {
	silent := newTestHandler(t, newTestZone(t))
	telling := newTestHandler(t, newTestZone(t), func(o *Options) { o.ServerVersion, o.ServerID = "rollcall 1", "dns-a" })
	for _, tt := range []struct {
		question string
		want     string // "": REFUSED
	}{
		{"version.bind. TXT", "rollcall 1"},
		{"Version.BIND. TXT", "rollcall 1"},
		{"version.server. TXT", "rollcall 1"},
		{"version.bind. ANY", "rollcall 1"},
		{"hostname.bind. TXT", "dns-a"},
		{"id.server. TXT", "dns-a"},
		{"authors.bind. TXT", ""},
		{"one.marathon.mesos. A", ""},
		{". NS", ""},
	} {
		for _, h := range []*handler{silent, telling} {
			m := newQuestion(t, tt.question)
			m.Question[0].Qclass = dns.ClassCHAOS
			got := reply(t, h, m, true)
			if h == silent || tt.want == "" {
				if got.Rcode != dns.RcodeRefused || len(got.Answer) != 0 {
					t.Errorf("%s: %v, want REFUSED", tt.question, got)
				}
				continue
			}
			if got.Rcode != dns.RcodeSuccess || len(got.Answer) != 1 {
				t.Errorf("%s: %v", tt.question, got)
				continue
			}
			txt, ok := got.Answer[0].(*dns.TXT)
			if !ok || txt.Txt[0] != tt.want || txt.Hdr.Name != m.Question[0].Name || txt.Hdr.Class != dns.ClassCHAOS || txt.Hdr.Ttl != 0 {
				t.Errorf("%s: %v, want the text %q, not to be kept", tt.question, got.Answer[0], tt.want)
			}
		}
	}
	// The name is known, the type is not.
	m := newQuestion(t, "version.bind. A")
	m.Question[0].Qclass = dns.ClassCHAOS
	if got := reply(t, telling, m, true); got.Rcode != dns.RcodeSuccess || len(got.Answer) != 0 {
		t.Errorf("A: %v, want no data", got)
	}
	// In class IN these are names like any other.
	if got := reply(t, telling, newQuestion(t, "version.bind. TXT"), true); got.Rcode != dns.RcodeRefused {
		t.Errorf("class IN: %v, want REFUSED", got)
	}
}

// NSID is for whoever asks for it, where there is one (RFC 5001).
func TestNSID(t *testing.T) {
	for _, id := range []string{"", "dns-a"} {
		h := newTestHandler(t, newTestZone(t), func(o *Options) { o.ServerID = id })
		m := newQuestion(t, "one.marathon.mesos. A")
		m.SetEdns0(1232, false)
		if got := reply(t, h, m, true).IsEdns0().Option; len(got) != 0 {
			t.Errorf("%v, though nobody asked", got)
		}
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
		options := reply(t, h, m, true).IsEdns0().Option
		if id == "" {
			if len(options) != 0 {
				t.Errorf("%v without an id", options)
			}
			continue
		}
		if len(options) != 1 || options[0].(*dns.EDNS0_NSID).Nsid != "646e732d61" {
			t.Errorf("%v, want the id in hexadecimal", options)
		}
	}
}
