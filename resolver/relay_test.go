package resolver

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
)

// What is not known is octets, in names and in data: it is handed on as it came, from the server and from the cache
// (RFC 3597, sections 3 and 5; RFC 2181, section 11). Names in data keep their spelling, and those of types that RFC 1035
// does not have are not compressed (RFC 3597, section 4).
func TestUnknownTypes(t *testing.T) {
	for _, tt := range []struct {
		name, question, answer string
		octets                 string // that are in the reply as they are
	}{
		{"data that look like a pointer", "a.example. TYPE65280", `a.example. 300 IN TYPE65280 \# 4 c00cc00c`, "\x00\x04\xC0\x0C\xC0\x0C"},
		{"no data", "a.example. TYPE65280", `a.example. 300 IN TYPE65280 \# 0`, "\x00\x00\x01\x2C\x00\x00"},
		{"labels of any octets", `\000\255\.A.example. A`, `\000\255\.A.example. 300 IN A 192.0.2.1`, "\x04\x00\xFF.A\x07example\x00"},
		{"spelling in data", "a.example. MX", "a.example. 300 IN MX 1 Mail.Example.", "\x04Mail\x07Example\x00"},
		{"a target is not compressed", "a.example. SRV", "a.example. 300 IN SRV 1 2 3 b.a.example.", "\x00\x03\x01b\x01a\x07example\x00"},
		{"nor is a name of a type that came later", "a.example. DNAME", "a.example. 300 IN DNAME b.a.example.", "\x01b\x01a\x07example\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dns.StringToType["TYPE65280"] = 65280
			defer delete(dns.StringToType, "TYPE65280")
			u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, tt.answer))
			h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
			for range 2 {
				m := newQuestion(t, tt.question)
				got, q := h.handle(nil, packet(t, m), overUDP, 0)
				if q != nil {
					got = h.forwarded(t.Context(), q)
				}
				wantAnswer(t, unpack(t, got), dns.RcodeSuccess, tt.answer)
				if rest := got[headerLen:]; !bytes.Contains(rest, []byte(tt.octets)) {
					t.Errorf("%x, want %x in it", rest, tt.octets)
				}
			}
			if n := u.questions.Load(); n != 1 {
				t.Errorf("%d questions, want 1", n)
			}
		})
	}
}
