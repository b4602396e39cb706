package resolver

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// tsig is a TSIG record of a key "k." that is not known, in hexadecimal.
func tsig(class string) string {
	data := "0b686d61632d73686132353600" + "000000000000" + "012c" + "0004" + "00000000" + "1267" + "0000" + "0000"
	return "016b00" + "00fa" + class + "00000000" + fmt.Sprintf("%04x", len(data)/2) + data
}

// TestOddMessages has messages as hexadecimal octets. web is the name of a question, ok the rest of it.
func TestOddMessages(t *testing.T) {
	const (
		web   = "03776562086d61726174686f6e056d65736f7300"
		in    = "00010001"
		opt   = "0000290200000000000000"
		id    = "1267"
		one   = "0001000000000000"
		plain = id + "0100" + one + web + in
	)
	h := newTestHandler(t, newTestZone(t))
	for _, tt := range []struct {
		name, packet string
		want         int // rcode; -1: no reply
	}{
		{"empty", "", -1},
		{"no whole header", plain[:22], -1},
		{"a reply", id + "8100" + one + web + in, -1},
		{"as it should be", plain, dns.RcodeSuccess},
		{"octets behind it", plain + "00ff", dns.RcodeSuccess},
		{"header only", id + "01000000000000000000", dns.RcodeFormatError},
		{"no question", id + "0100" + "0000000000000000", dns.RcodeFormatError},
		{"two questions", id + "0100" + "0002000000000000" + web + in + web + in, dns.RcodeFormatError},
		{"a question that is not there", id + "0100" + one, dns.RcodeFormatError},
		{"a name that is cut", plain[:40], dns.RcodeFormatError},
		{"no type", id + "0100" + one + web, dns.RcodeFormatError},
		{"no class", id + "0100" + one + web + "0001", dns.RcodeFormatError},
		{"a class that is cut", plain[:len(plain)-2], dns.RcodeFormatError},
		{"a pointer for a name", id + "0100" + one + "c00c" + in, dns.RcodeFormatError},
		{"a label type that does not exist", id + "0100" + one + "4377656200" + in, dns.RcodeFormatError},
		{"a name that is too long", id + "0100" + one + strings.Repeat("3f"+strings.Repeat("61", 63), 4) + "00" + in, dns.RcodeFormatError},
		{"TC", id + "0300" + one + web + in, dns.RcodeSuccess},
		{"an OPT record that is not there", id + "0100" + "0001000000000001" + web + in, dns.RcodeFormatError},
		{"an OPT record that is cut", id + "0100" + "0001000000000001" + web + in + opt[:20], dns.RcodeFormatError},
		{"an OPT record", id + "0100" + "0001000000000001" + web + in + opt, dns.RcodeSuccess},
		{"two OPT records", id + "0100" + "0001000000000002" + web + in + opt + opt, dns.RcodeFormatError},
		{"an OPT record with a name", id + "0100" + "0001000000000001" + web + in + "0161" + opt, dns.RcodeFormatError},
		{"an option longer than its record", id + "0100" + "0001000000000001" + web + in + "00002902000000000000050003000900", dns.RcodeFormatError},
		{"an OPT record among the answers", id + "0100" + "0001000100000000" + web + in + opt, dns.RcodeFormatError},
		{"an OPT record in the authority section", id + "0100" + "0001000000010000" + web + in + opt, dns.RcodeFormatError},
		{"an OPT record before another", id + "0100" + "0001000000000002" + web + in + opt + "c00c000100010000003c00040a000001", dns.RcodeSuccess},
		{"a TSIG record of class IN", id + "0100" + "0001000000000001" + web + in + tsig("0001"), dns.RcodeFormatError},
		{"a TSIG record of class ANY, with a key that is not known", id + "0100" + "0001000000000001" + web + in + tsig("00ff"), dns.RcodeNotAuth},
		{"a TSIG record without data", id + "0100" + "0001000000000001" + web + in + "00" + "00fa00ff" + "00000000" + "0000", dns.RcodeFormatError},
		{"a TSIG record that is cut", id + "0100" + "0001000000000001" + web + in + "016b00" + "00fa00ff" + "00000000" + "000d" +
			"0b686d61632d73686132353600", dns.RcodeFormatError},
		{"a TSIG record whose other data are missing", id + "0100" + "0001000000000001" + web + in + "016b00" + "00fa00ff" + "00000000" + "001d" +
			"0b686d61632d73686132353600" + "000000000000" + "012c" + "0000" + "1267" + "0000" + "0006", dns.RcodeFormatError},
		{"a TSIG record with a MAC of one octet, of a key that is not known", id + "0100" + "0001000000000001" + web + in + "016b00" + "00fa00ff" +
			"00000000" + "001e" + "0b686d61632d73686132353600" + "000000000000" + "012c" + "000100" + "1267" + "0000" + "0000", dns.RcodeNotAuth},
		{"a TSIG record among the answers", id + "0100" + "0001000100000000" + web + in + tsig("00ff"), dns.RcodeFormatError},
		{"a TSIG record before another", id + "0100" + "0001000000000002" + web + in + tsig("00ff") + opt, dns.RcodeFormatError},
		{"an answer in the question", id + "0100" + "0001000100000000" + web + in + "c00c000100010000003c00040a000001", dns.RcodeSuccess},
		{"opcode IQUERY", id + "0900" + one + web + in, dns.RcodeNotImplemented},
		{"opcode STATUS", id + "1100" + one + web + in, dns.RcodeNotImplemented},
		{"opcode NOTIFY, of what is no zone", id + "2100" + one + web + "00060001", dns.RcodeNotAuth},
		{"opcode NOTIFY, of another type than SOA", id + "2100" + one + web + in, dns.RcodeFormatError},
		{"opcode UPDATE", id + "2900" + one + web + in, dns.RcodeNotImplemented},
		{"opcode 15 and nothing else", id + "7900" + "0000000000000000", dns.RcodeNotImplemented},
		{"all flags that mean nothing here", id + "07ff" + one + web + in, dns.RcodeSuccess},
	} {
		t.Run(tt.name, func(t *testing.T) {
			packet, err := hex.DecodeString(tt.packet)
			if err != nil {
				t.Fatal(err)
			}
			got, q := h.handle(nil, packet, overUDP, 0)
			if q != nil {
				t.Fatal("it is to be forwarded")
			}
			if tt.want < 0 {
				if got != nil {
					t.Fatalf("got the reply %x, want none", got)
				}
				return
			}
			m := unpack(t, got)
			if m.Rcode != tt.want || !m.Response || !bytes.Equal(got[:2], packet[:2]) || m.Opcode != int(packet[2]>>3&0xF) {
				t.Errorf("%v, want rcode %d", m, tt.want)
			}
			if tt.want == dns.RcodeSuccess && len(m.Answer) != 3 {
				t.Errorf("%d answers, want 3", len(m.Answer))
			}
		})
	}
}
