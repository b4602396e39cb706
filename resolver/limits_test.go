package resolver

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// wireQuestion is a message that asks for a name in wire format.
func wireQuestion(name []byte, qtype uint16) []byte {
	packet := []byte{0x12, 0x67, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	packet = append(packet, name...)
	packet = binary.BigEndian.AppendUint16(packet, qtype)
	return binary.BigEndian.AppendUint16(packet, dns.ClassINET)
}

// labels makes labels of the lengths given, below the zone "mesos".
func labels(lengths ...int) []byte {
	var name []byte
	for _, n := range lengths {
		name = append(append(name, byte(n)), bytes.Repeat([]byte{'a'}, n)...)
	}
	return append(name, "\x05mesos\x00"...)
}

// Names as long as they may be are answered, and those that are longer are no names (RFC 1035, section 2.3.4). The
// zone takes 7 octets.
func TestNameLimits(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, tt := range []struct {
		what  string
		name  []byte
		rcode int
	}{
		{"a label of 63 octets", labels(63), dns.RcodeNameError},
		{"a label of 64 octets", labels(64), dns.RcodeFormatError},
		{"255 octets", labels(63, 63, 63, 55), dns.RcodeNameError},
		{"256 octets", labels(63, 63, 63, 56), dns.RcodeFormatError},
		{"255 octets in labels of one", labels(slices.Repeat([]int{1}, 124)...), dns.RcodeNameError},
		{"257 octets in labels of one", labels(slices.Repeat([]int{1}, 125)...), dns.RcodeFormatError},
		{"the root", []byte{0}, dns.RcodeRefused},
		{"octets of any value", []byte("\x06\x00\xff.\\@ \x05mesos\x00"), dns.RcodeNameError},
	} {
		t.Run(tt.what, func(t *testing.T) {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT} { // the fast path and the slow
				packet := wireQuestion(tt.name, qtype)
				got, q := h.handle(nil, packet, overUDP, 0)
				if q != nil || len(got) < headerLen || int(got[3]&maskRcode) != tt.rcode || len(got) > minUDPSize {
					t.Fatalf("%x", got)
				}
				if tt.rcode == dns.RcodeFormatError {
					if len(got) != headerLen {
						t.Errorf("%x is more than a header", got)
					}
					continue
				}
				if !bytes.Equal(got[headerLen:len(packet)], packet[headerLen:]) {
					t.Errorf("the question is %x, want %x", got[headerLen:len(packet)], packet[headerLen:])
				}
				if m := unpack(t, got); tt.rcode == dns.RcodeNameError && (len(m.Ns) != 1 || m.Ns[0].Header().Name != "mesos.") {
					t.Errorf("authority %v, want the SOA of the zone", m.Ns)
				}
			}
		})
	}
}

// Each letter comes back in the case in which it was asked, in the question and wherever the name is an owner (RFC
// 4343, section 4.1), from both paths.
func TestSpellingComesBack(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for _, name := range []string{"oNe.MARATHON.mesos.", "ONE.marathon.MeSoS."} {
		for _, qtype := range []string{" A", " ANY"} {
			got := reply(t, h, newQuestion(t, name+qtype), true)
			if got.Question[0].Name != name || len(got.Answer) != 1 || got.Answer[0].Header().Name != name {
				t.Errorf("%s%s:\n%v", name, qtype, got)
			}
		}
		negative := reply(t, h, newQuestion(t, name+" TXT"), true)
		if want := name[strings.LastIndexByte(name[:len(name)-1], '.')+1:]; negative.Ns[0].Header().Name != want {
			t.Errorf("%s: the SOA's owner is %s, want %s", name, negative.Ns[0].Header().Name, want)
		}
	}
}
