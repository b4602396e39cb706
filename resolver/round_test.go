package resolver

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// Questions that are looked up together get the answers that each gets alone.
func TestRoundsAnswerAlike(t *testing.T) {
	const most = 100 // more than are looked up at once
	h := newTestHandler(t, newTestZone(t))
	r := newRound(most)
	rapid.Check(t, func(t *rapid.T) {
		r.reset()
		var alone [][]byte
		for range rapid.IntRange(0, most).Draw(t, "packets") {
			m := new(dns.Msg)
			m.Id = rapid.Uint16().Draw(t, "id")
			m.Question = []dns.Question{{Name: rapid.SampledFrom(testNames).Draw(t, "name"), Qclass: dns.ClassINET,
				Qtype: rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeMX}).Draw(t, "type")}}
			m.Response = rapid.IntRange(0, 9).Draw(t, "a reply") == 0
			packet, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			if want := h.quick(nil, packet, overUDP, 0); r.add(h, packet, overUDP) {
				alone = append(alone, want)
			} else if want != nil {
				t.Fatalf("%x is not taken", packet)
			}
		}
		v := h.view()
		r.lookup(v.snapshot)
		for i := range r.questions {
			got := h.quickly(nil, r.packets[i], &r.questions[i], v, r.nodes[i], 0)
			if !bytes.Equal(got, alone[i]) {
				t.Fatalf("%x is answered %x among others, %x alone", r.packets[i], got, alone[i])
			}
		}
	})
}
