package resolver

import (
	"encoding/binary"
	"reflect"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// replyTo reads a packet and returns it if it is the reply to the question, else nil. A server that could not read the
// question may leave it out of its complaint.
func replyTo(question *dns.Msg, packet []byte) *dns.Msg {
	m := new(dns.Msg)
	if !isReplyOf(question, packet) {
		return nil
	}
	received := readOPT(packet)
	// A reply that was cut short may be cut anywhere.
	if err := m.Unpack(received.hidden(packet)); err != nil && !m.Truncated {
		return nil
	}
	received.explain(m)
	if m.Opcode != dns.OpcodeQuery || !m.Truncated && !hasAllRecords(m, packet) || hasHollowRecord(m) {
		return nil
	}
	asked := question.Question[0]
	switch {
	case len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError && len(m.Answer) == 0:
	case len(m.Question) == 1 && strings.EqualFold(m.Question[0].Name, asked.Name) &&
		m.Question[0].Qtype == asked.Qtype && m.Question[0].Qclass == asked.Qclass:
	default:
		return nil
	}
	return m
}

// isReplyOf reports whether a packet is a reply that has the ID of a question.
func isReplyOf(question *dns.Msg, packet []byte) bool {
	return len(packet) >= headerLen && binary.BigEndian.Uint16(packet) == question.Id && packet[2]&bitQR != 0
}

// explain gives a message that was read without its options the extended errors among them.
func (o *receivedOPT) explain(m *dns.Msg) {
	opt := m.IsEdns0()
	if o == nil || opt == nil {
		return
	}
	opt.Option = nil
	for _, option := range o.options {
		if option.code == dns.EDNS0EDE && len(option.data) >= 2 {
			opt.Option = append(opt.Option, &dns.EDNS0_EDE{
				InfoCode: binary.BigEndian.Uint16(option.data), ExtraText: string(option.data[2:]),
			})
		}
	}
}

// explanation is what a server says of why it has no answer, in its own words if it has some (RFC 8914).
func explanation(server string, m *dns.Msg) extendedError {
	said := server + " answers " + dns.RcodeToString[m.Rcode]
	if opt := m.IsEdns0(); opt != nil {
		for _, option := range opt.Option {
			if e, ok := option.(*dns.EDNS0_EDE); ok && e.InfoCode != dns.ExtendedErrorCodeOther {
				return extendedError{e.InfoCode, strings.TrimSuffix(said+": "+strings.ToValidUTF8(e.ExtraText, "?"), ": ")}
			}
		}
	}
	return extendedError{dns.ExtendedErrorCodeNetworkError, said}
}

// hasHollowRecord reports whether a record of a message ends before a name or an address that belongs to its data. The
// library takes it for an empty one, and writes a record that nobody can read.
func hasHollowRecord(m *dns.Msg) bool {
	for _, section := range [...][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if isHollow(reflect.ValueOf(rr).Elem()) {
				return true
			}
		}
	}
	return false
}

// isHollow looks for an empty name or address among the fields of a record, which the library marks.
func isHollow(record reflect.Value) bool {
	for i := range record.NumField() {
		field, kind := record.Field(i), record.Type().Field(i)
		tag := kind.Tag.Get("dns")
		if (tag == "domain-name" || tag == "cdomain-name") && field.Kind() == reflect.String && field.Len() == 0 ||
			(tag == "a" || tag == "aaaa") && field.Kind() == reflect.Slice && field.Len() == 0 ||
			kind.Anonymous && field.Kind() == reflect.Struct && isHollow(field) {
			return true
		}
	}
	return false
}

// withoutOPT takes the OPT record off a reply: it was for us.
func withoutOPT(m *dns.Msg) *dns.Msg {
	kept := make([]dns.RR, 0, len(m.Extra))
	for _, rr := range m.Extra {
		if rr.Header().Rrtype != dns.TypeOPT {
			kept = append(kept, rr)
		}
	}
	m.Extra = kept
	return m
}

// isAnswer reports whether an rcode says something about the name. Others speak of the server, or of what it makes of the
// question, which another server may see otherwise.
func isAnswer(rcode int) bool {
	return rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError || rcode == dns.RcodeYXDomain // of DNAME: RFC 6672, section 2.2
}

// isReferral reports whether a reply says who knows the answer instead of giving it (RFC 1034, section 4.3.1), as servers
// do that do no recursion. That there is no such record would come with an SOA record, or with nothing.
func isReferral(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeSuccess && !m.Authoritative && len(m.Answer) == 0 &&
		slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeNS }) &&
		!slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
}
