package resolver

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// withOptions is a question with an OPT record whose options are written as given: code, length and data in hexadecimal.
func withOptions(t *testing.T, question, options string) []byte {
	t.Helper()
	packet, err := newQuestion(t, question).Pack()
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(options)
	if err != nil {
		t.Fatal(err)
	}
	packet[11] = 1
	packet = append(packet, 0, 0, byte(dns.TypeOPT), 0x04, 0xD0, 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint16(packet, uint16(len(data))), data...)
}

// Options that are not known, or of no use to this server, change nothing, whatever is in them (RFC 6891, section 6.1.2).
// Those that it knows have to be as their RFCs say. codes are those of the reply's options.
func TestOptions(t *testing.T) {
	h := newTestHandler(t, newTestZone(t), func(o *Options) { o.ServerID = "dns-a" })
	for _, tt := range []struct {
		name, question, options string
		tcp                     bool
		rcode                   int
		codes                   []uint16
	}{
		{"none", "mesos. SOA", "", false, dns.RcodeSuccess, nil},
		{"not known", "mesos. SOA", "00640000", false, dns.RcodeSuccess, nil},
		{"not known, with data", "mesos. SOA", "00640003616263", false, dns.RcodeSuccess, nil},
		{"code 0", "mesos. SOA", "00000000", false, dns.RcodeSuccess, nil},
		{"code 65535", "mesos. SOA", "ffff000178", false, dns.RcodeSuccess, nil},
		{"LLQ that is cut", "mesos. SOA", "000100020001", false, dns.RcodeSuccess, nil},
		{"UL that is cut", "mesos. SOA", "0002000100", false, dns.RcodeSuccess, nil},
		{"client subnet", "mesos. SOA", "0008000400010000", false, dns.RcodeSuccess, nil},
		{"client subnet of 24 bits", "mesos. SOA", "00080007000118000a0102", false, dns.RcodeSuccess, nil},
		{"client subnet that is cut", "mesos. SOA", "0008000100", false, dns.RcodeSuccess, nil},
		{"client subnet of no family", "mesos. SOA", "00080007000918000a0102", false, dns.RcodeSuccess, nil},
		{"client subnet that is too long", "mesos. SOA", "00080008000118000a010203", false, dns.RcodeSuccess, nil},
		{"extended error", "mesos. SOA", "000f0001ff", false, dns.RcodeSuccess, nil},
		{"NSID", "mesos. SOA", "00030000", false, dns.RcodeSuccess, []uint16{dns.EDNS0NSID}},
		{"NSID with data", "mesos. SOA", "00030003616263", false, dns.RcodeSuccess, []uint16{dns.EDNS0NSID}},
		{"keepalive over UDP", "mesos. SOA", "000b0000", false, dns.RcodeSuccess, nil},
		{"keepalive over TCP", "mesos. SOA", "000b0000", true, dns.RcodeSuccess, []uint16{dns.EDNS0TCPKEEPALIVE}},
		{"keepalive of one octet", "mesos. SOA", "000b000100", true, dns.RcodeSuccess, []uint16{dns.EDNS0TCPKEEPALIVE}},
		{"padding that nobody hides behind", "mesos. SOA", "000c000400000000", true, dns.RcodeSuccess, nil},
		{"cookie", "mesos. SOA", "000a00080102030405060708", false, dns.RcodeSuccess, []uint16{dns.EDNS0COOKIE}},
		{"cookie of 7 octets", "mesos. SOA", "000a000701020304050607", false, dns.RcodeFormatError, nil},
		{"cookie of 9 octets", "mesos. SOA", "000a0009010203040506070809", false, dns.RcodeFormatError, nil},
		{"no cookie", "mesos. SOA", "000a0000", false, dns.RcodeFormatError, nil},
		{"EXPIRE and SOA", "mesos. SOA", "00090000", false, dns.RcodeSuccess, []uint16{dns.EDNS0EXPIRE}},
		{"EXPIRE and SOA of a name below", "web.marathon.mesos. SOA", "00090000", false, dns.RcodeSuccess, []uint16{dns.EDNS0EXPIRE}},
		{"EXPIRE and A", "web.marathon.mesos. A", "00090000", false, dns.RcodeSuccess, nil},
		{"EXPIRE of one octet", "mesos. SOA", "0009000100", false, dns.RcodeSuccess, nil},
		{"ZONEVERSION", "web.marathon.mesos. A", "00130000", false, dns.RcodeSuccess, []uint16{dns.EDNS0ZONEVERSION}},
		{"ZONEVERSION of a negative answer", "none.mesos. A", "00130000", false, dns.RcodeNameError, []uint16{dns.EDNS0ZONEVERSION}},
		{"ZONEVERSION of a name that is not ours", "example.com. A", "00130000", false, dns.RcodeRefused, []uint16{dns.EDNS0EDE}},
		{"ZONEVERSION with data", "mesos. SOA", "0013000100", false, dns.RcodeSuccess, nil},
		{"several", "mesos. SOA", "000300000008000400010000" + "00090000" + "000a00080102030405060708", false, dns.RcodeSuccess,
			[]uint16{dns.EDNS0NSID, dns.EDNS0COOKIE, dns.EDNS0EXPIRE}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from := overUDP
			from.udp = !tt.tcp
			wire, pending := h.handle(nil, withOptions(t, tt.question, tt.options), from, 0)
			if pending != nil {
				t.Fatal("it is to be forwarded")
			}
			got := unpack(t, wire)
			if got.IsEdns0() == nil {
				t.Fatalf("no OPT record:\n%v", got)
			}
			var codes []uint16
			for _, o := range got.IsEdns0().Option {
				codes = append(codes, o.Option())
			}
			if got.Rcode != tt.rcode || !slices.Equal(codes, tt.codes) {
				t.Errorf("%v\nwant %s and options %v, got %v", got, dns.RcodeToString[tt.rcode], tt.codes, codes)
			}
		})
	}
}

// The version is the serial of the zone that the answer is from, and EXPIRE what its SOA record says (RFC 9660, section 2;
// RFC 7314, section 3.2).
func TestVersionAndExpiry(t *testing.T) {
	z := newTestZone(t)
	h := newTestHandler(t, z)
	wire, _ := h.handle(nil, withOptions(t, "mesos. SOA", "0013000000090000"), overUDP, 0)
	got := unpack(t, wire)
	soa := got.Answer[0].(*dns.SOA)
	for _, o := range got.IsEdns0().Option {
		switch o := o.(type) {
		case *dns.EDNS0_ZONEVERSION:
			if o.LabelCount != 1 || o.Type != 0 || o.Version != string(binary.BigEndian.AppendUint32(nil, soa.Serial)) {
				t.Errorf("%+v, want version %d of a zone of one label", o, soa.Serial)
			}
		case *dns.EDNS0_EXPIRE:
			if o.Expire != soa.Expire {
				t.Errorf("%+v, want %d", o, soa.Expire)
			}
		default:
			t.Errorf("the option %v", o)
		}
	}
	if len(got.IsEdns0().Option) != 2 {
		t.Errorf("%v", got)
	}
}

// A message that cannot be used still has its OPT record answered, where that one could be read (RFC 6891, section 6.1.1).
func TestBadMessagesWithOPT(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	good := withOptions(t, "mesos. SOA", "00640000")
	noQuestion := append(append(slices.Clone(good[:4]), 0, 0, 0, 0, 0, 0, 0, 1), good[headerLen+len("\x05mesos\x00")+questionLen:]...)
	beyond := slices.Clone(good)
	beyond[len(beyond)-1] = 7 // the option ends behind its record
	for name, tt := range map[string]struct {
		packet []byte
		opt    bool
	}{"no question": {noQuestion, true}, "an option that is cut": {beyond, false}, "cut": {good[:len(good)-1], false}} {
		wire, _ := h.handle(nil, tt.packet, overUDP, 0)
		if got := unpack(t, wire); got.Rcode != dns.RcodeFormatError || (got.IsEdns0() != nil) != tt.opt {
			t.Errorf("%s: want FORMERR, with an OPT record %v:\n%v", name, tt.opt, got)
		}
	}
}
