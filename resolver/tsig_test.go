package resolver

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func now() uint64 { return uint64(time.Now().Unix()) }

// Signed questions have signed answers, over UDP too, and within the size that the client takes (RFC 8945).
func TestSignedAnswers(t *testing.T) {
	s := newTestServer(t, newTestZone(t), func(o *Options) {
		for _, algorithm := range KeyAlgorithms() {
			o.Transfer.Keys = append(o.Transfer.Keys, Key{Name: algorithm + ".Key", Algorithm: algorithm, Secret: testKey.Secret})
		}
	})
	for _, algorithm := range KeyAlgorithms() {
		name := algorithm + ".key."
		for _, network := range []string{"udp", "tcp"} {
			for _, question := range []string{"mesos. SOA", "big.marathon.mesos. A", "none.mesos. A", "example.com. A"} {
				m := newQuestion(t, question)
				m.SetEdns0(1000, false)
				m.SetTsig(name, algorithm+".", fudge, int64(now()))
				client := &dns.Client{Net: network, UDPSize: 1000, TsigSecret: map[string]string{name: testKey.secret()}}
				got, _, err := client.Exchange(m, s.Addr().String())
				if err != nil || got.IsTsig() == nil || got.IsEdns0() == nil {
					t.Errorf("%s, %s, %s: %v\n%v", algorithm, network, question, err, got)
				}
			}
		}
	}
}

// What is wrong with a signature is said in the TSIG record; the answer is signed where the key is good (RFC 8945,
// section 5.2).
func TestBadSignatures(t *testing.T) {
	s := newTestServer(t, newTestZone(t), func(o *Options) { o.Transfer.Keys = []Key{testKey} })
	wrong := Key{Name: testKey.Name, Algorithm: testKey.Algorithm, Secret: []byte("wrong")}
	unknown := Key{Name: "unknown.", Algorithm: testKey.Algorithm, Secret: testKey.Secret}
	for _, tt := range []struct {
		name   string
		key    Key
		signed uint64
		want   uint16
	}{
		{"good", testKey, now(), 0},
		{"another secret", wrong, now(), dns.RcodeBadSig},
		{"another name", unknown, now(), dns.RcodeBadKey},
		{"an hour ago", testKey, now() - 3600, dns.RcodeBadTime},
		{"in an hour", testKey, now() + 3600, dns.RcodeBadTime},
	} {
		m := newQuestion(t, "mesos. SOA")
		m.SetTsig(tt.key.Name, tt.key.Algorithm+".", fudge, int64(tt.signed))
		got := rawExchange(t, s, m, &tt.key)
		tsig := got.IsTsig()
		if tsig == nil || tsig.Error != tt.want || (got.Rcode == dns.RcodeNotAuth) != (tt.want != 0) {
			t.Errorf("%s: %v", tt.name, got)
			continue
		}
		if signed := tsig.MACSize > 0; signed != (tt.want == 0 || tt.want == dns.RcodeBadTime) {
			t.Errorf("%s: signed %v", tt.name, signed)
		}
		if tt.want == dns.RcodeBadTime && (tsig.OtherLen != 6 || tsig.TimeSigned != tt.signed) {
			t.Errorf("%s: %v, want our time in the other data", tt.name, tsig)
		}
	}
	// A TSIG record is the last one, and the only one.
	m := newQuestion(t, "mesos. SOA")
	m.SetTsig(testKey.Name, testKey.Algorithm+".", fudge, int64(now()))
	m.Extra = append(m.Extra, m.Extra[0])
	if got := rawExchange(t, s, m, &testKey); got.Rcode != dns.RcodeFormatError {
		t.Errorf("two TSIG records: %v", got)
	}
}

// A MAC may be cut to half of it, and to 10 octets, but not less, and nobody makes one that is longer. One that is cut is
// not enough here, which whoever has the key is told as such (RFC 8945, sections 5.2.2.1 and 5.2.4).
func TestTruncatedSignatures(t *testing.T) {
	for _, algorithm := range KeyAlgorithms() {
		key := Key{Name: "key.", Algorithm: algorithm, Secret: testKey.Secret}
		whole := key.macSize()
		h := newTestHandler(t, newTestZone(t), func(o *Options) { o.Transfer.Keys = []Key{key} })
		for _, tt := range []struct {
			octets  int
			forged  bool
			ago     uint64
			rcode   int
			problem uint16
		}{
			{whole, false, 0, dns.RcodeSuccess, 0},
			{whole - 1, false, 0, dns.RcodeNotAuth, dns.RcodeBadTrunc},
			{max(minMAC, whole/2), false, 0, dns.RcodeNotAuth, dns.RcodeBadTrunc},
			{max(minMAC, whole/2), false, 3600, dns.RcodeNotAuth, dns.RcodeBadTime}, // before the size is looked at
			{max(minMAC, whole/2), true, 0, dns.RcodeNotAuth, dns.RcodeBadSig},
			{max(minMAC, whole/2) - 1, false, 0, dns.RcodeFormatError, 0},
			{0, false, 0, dns.RcodeFormatError, 0},
			{whole + 1, false, 0, dns.RcodeFormatError, 0},
		} {
			m := newQuestion(t, "mesos. SOA")
			m.SetTsig(key.Name, algorithm+".", fudge, int64(now()-tt.ago))
			tsig := m.IsTsig()
			_, mac, err := dns.TsigGenerate(m, key.secret(), "", false)
			if err != nil {
				t.Fatal(err)
			}
			mac = (mac + "00")[:2*tt.octets]
			if tt.forged {
				mac = strings.Repeat("00", tt.octets)
			}
			tsig.MAC, tsig.MACSize = mac, uint16(tt.octets)
			m.Extra = []dns.RR{tsig}
			got := reply(t, h, m, true)
			problem := uint16(0)
			if said := got.IsTsig(); said != nil {
				problem = said.Error
			}
			if got.Rcode != tt.rcode || problem != tt.problem {
				t.Errorf("%s, %d octets of %d, forged %v, signed %d s ago: %v", algorithm, tt.octets, whole, tt.forged, tt.ago, got)
			}
		}
	}
}

// A question that was forwarded has another ID than the one that was signed; the answer is to the one that it came with
// (RFC 8945, section 4.2).
func TestSignatureOfAnotherID(t *testing.T) {
	h := newTestHandler(t, newTestZone(t), func(o *Options) { o.Transfer.Keys = []Key{testKey} })
	m := newQuestion(t, "mesos. SOA")
	m.SetTsig(testKey.Name, testKey.Algorithm+".", fudge, int64(now()))
	packet, mac, err := dns.TsigGenerate(m, testKey.secret(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	packet[0] ^= 0xFF
	wire, _ := h.handle(nil, append([]byte(nil), packet...), overUDP, 0)
	got := unpack(t, wire)
	if wire[0] != packet[0] || wire[1] != packet[1] || got.Rcode != dns.RcodeSuccess || got.IsTsig() == nil || got.IsTsig().OrigId != m.Id {
		t.Errorf("%v", got)
	}
	if err := dns.TsigVerify(wire, testKey.secret(), mac, false); err != nil {
		t.Errorf("the signature: %v", err)
	}
}
