package resolver

import (
	"slices"
	"testing"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// RFC 8906, section 8: the questions with which servers are tested for answers that they fail to give. Each has its
// section and the expectation that stands there.
func TestRFC8906(t *testing.T) {
	const soa = "mesos. SOA"
	edns := func(version uint8, flags uint16, options ...dns.EDNS0) func(*dns.Msg) {
		return func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			opt := m.IsEdns0()
			opt.SetVersion(version)
			opt.Hdr.Ttl |= uint32(flags)
			opt.Option = options
		}
	}
	unknown := &dns.EDNS0_LOCAL{Code: 100}
	for _, tt := range []struct {
		section, question string
		change            func(*dns.Msg)
		tcp               bool
		rcode             int
		answers           int
		opt               bool
	}{
		{"8.1.1 is the server configured for the zone", soa, nil, false, dns.RcodeSuccess, 1, false},
		{"8.1.2 unknown types", "mesos. TYPE1000", nil, false, dns.RcodeSuccess, 0, false},
		{"8.1.3.1 CD=1", soa, func(m *dns.Msg) { m.CheckingDisabled = true }, false, dns.RcodeSuccess, 1, false},
		{"8.1.3.1 AD=1", soa, func(m *dns.Msg) { m.AuthenticatedData = true }, false, dns.RcodeSuccess, 1, false},
		{"8.1.3.2 reserved bit", soa, func(m *dns.Msg) { m.Zero = true }, false, dns.RcodeSuccess, 1, false},
		{"8.1.3.3 RD=1", soa, func(m *dns.Msg) { m.RecursionDesired = true }, false, dns.RcodeSuccess, 1, false},
		{"8.1.3 AA, TC, RA and Z, which are for replies", soa, func(m *dns.Msg) {
			m.Authoritative, m.Truncated, m.RecursionAvailable, m.Zero = true, true, true, true
		}, false, dns.RcodeSuccess, 1, false},
		{"8.1.5 TCP", soa, nil, true, dns.RcodeSuccess, 1, false},
		{"8.2.1 minimal EDNS", soa, edns(0, 0), false, dns.RcodeSuccess, 1, true},
		{"8.2.2 EDNS version negotiation", soa, edns(1, 0), false, dns.RcodeBadVers, 0, true},
		{"8.2.3 unknown options", soa, edns(0, 0, unknown), false, dns.RcodeSuccess, 1, true},
		{"8.2.4 unknown flags", soa, edns(0, 0x40), false, dns.RcodeSuccess, 1, true},
		{"8.2.5 version negotiation with unknown flags", soa, edns(1, 0x40), false, dns.RcodeBadVers, 0, true},
		{"8.2.6 version negotiation with unknown options", soa, edns(1, 0, unknown), false, dns.RcodeBadVers, 0, true},
		{"8.2.7 truncated answers have an OPT record", "big.marathon.mesos. A", edns(0, 0), false, dns.RcodeSuccess, 74, true},
		{"8.2.8 DO=1", soa, edns(0, 1<<15), false, dns.RcodeSuccess, 1, true},
		{"8.2.9 version negotiation with DO=1", soa, edns(1, 1<<15), false, dns.RcodeBadVers, 0, true},
		{"8.2.10 several options", soa, edns(0, 0, unknown, &dns.EDNS0_NSID{Code: dns.EDNS0NSID},
			&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, Address: []byte{0, 0, 0, 0}}), false, dns.RcodeSuccess, 1, true},
	} {
		t.Run(tt.section, func(t *testing.T) {
			dns.StringToType["TYPE1000"] = 1000
			defer delete(dns.StringToType, "TYPE1000")
			m := newQuestion(t, tt.question)
			m.RecursionDesired = false
			if tt.change != nil {
				tt.change(m)
			}
			got := reply(t, newTestHandler(t, newTestZone(t)), m, !tt.tcp)
			if got.Rcode != tt.rcode || len(got.Answer) != tt.answers || !got.Response || got.Zero || got.AuthenticatedData || got.CheckingDisabled {
				t.Errorf("%v\nwant %s and %d answers", got, dns.RcodeToString[tt.rcode], tt.answers)
			}
			if aa := tt.rcode == dns.RcodeSuccess; got.Authoritative != aa || got.RecursionDesired != m.RecursionDesired {
				t.Errorf("AA %v, RD %v", got.Authoritative, got.RecursionDesired)
			}
			opt := got.IsEdns0()
			if (opt != nil) != tt.opt {
				t.Fatalf("OPT record: %v", opt)
			}
			if opt != nil && (opt.Version() != 0 || len(opt.Option) != 0 || opt.Z() != 0 || opt.Do() != m.IsEdns0().Do()) {
				t.Errorf("%v: want version 0, no options, no unknown flags, DO as it was sent", opt)
			}
		})
	}
}

// Opcodes that do not exist or are not offered get NOTIMP, a header with the opcode, none of the flags, and nothing else
// (RFC 8906, section 8.1.4), but an OPT record if they have one (RFC 6891, section 6.1.1).
func TestOpcodes(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for opcode := 1; opcode < 16; opcode++ {
		if opcode == dns.OpcodeNotify {
			continue // see notify_test.go
		}
		m := newQuestion(t, "mesos. SOA")
		m.Opcode = opcode
		m.Authoritative, m.Truncated, m.RecursionDesired, m.RecursionAvailable = true, true, true, true
		m.Zero, m.AuthenticatedData, m.CheckingDisabled = true, true, true
		want := dns.MsgHdr{Id: m.Id, Response: true, Opcode: opcode, Rcode: dns.RcodeNotImplemented}
		for _, udp := range []bool{true, false} {
			got := reply(t, h, m, udp)
			if got.MsgHdr != want || len(got.Question)+len(got.Answer)+len(got.Ns)+len(got.Extra) != 0 {
				t.Errorf("opcode %d:\n%v", opcode, got)
			}
		}
		m.SetEdns0(1232, true)
		if got := reply(t, h, m, true); got.MsgHdr != want || len(got.Extra) != 1 || !got.IsEdns0().Do() {
			t.Errorf("opcode %d with EDNS:\n%v", opcode, got)
		}
		m.IsEdns0().SetVersion(1)
		want.Rcode = dns.RcodeBadVers
		if got := reply(t, h, m, true); got.MsgHdr != want || len(got.Extra) != 1 || got.IsEdns0().Version() != 0 || !got.IsEdns0().Do() {
			t.Errorf("opcode %d with a version of EDNS that is not known:\n%v", opcode, got)
		}
	}
	if got := testutil.ToFloat64(h.metrics.queries[slices.Index(queryTypes[:], dns.TypeNone)][slices.Index(queryRcodes[:], dns.RcodeBadVers)]); got != 14 {
		t.Errorf("%v replies counted as BADVERS, want 14", got)
	}
}

// Types that ask for something else than records are told so, whatever the name; those that are only not known are not
// (RFC 8906, section 3.1.2; RFC 6895, section 3.1).
func TestMetaTypes(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	for qtype, rcode := range map[uint16]int{
		dns.TypeOPT: dns.RcodeFormatError, dns.TypeTSIG: dns.RcodeFormatError,
		dns.TypeTKEY: dns.RcodeNotImplemented, dns.TypeMAILB: dns.RcodeNotImplemented, dns.TypeMAILA: dns.RcodeNotImplemented,
		dns.TypeIXFR: dns.RcodeRefused, dns.TypeAXFR: dns.RcodeRefused,
	} {
		for _, name := range []string{"one.marathon.mesos.", "none.mesos.", "example.com."} {
			m := newQuestion(t, name+" A")
			m.Question[0].Qtype = qtype
			for _, udp := range []bool{true, false} {
				if got := reply(t, h, m, udp); got.Rcode != rcode || len(got.Answer)+len(got.Ns) != 0 || len(got.Question) != 1 {
					t.Errorf("type %d:\n%v", qtype, got)
				}
			}
		}
	}
	for _, qtype := range []uint16{0, 3, 10, 12, 15, 16, 43, 46, 48, 65, 127, 128, 248, 256, 257, 32768, 65534, 65535} {
		m := newQuestion(t, "one.marathon.mesos. A")
		m.Question[0].Qtype = qtype
		got := reply(t, h, m, true)
		if got.Rcode != dns.RcodeSuccess || len(got.Answer) != 0 || len(got.Ns) != 1 || !got.Authoritative {
			t.Errorf("type %d, which one may have but this name has not: %v, want no data", qtype, got)
		}
	}
}
