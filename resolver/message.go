package resolver

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

// Sizes of messages and their parts, in octets.
const (
	headerLen   = 12 // RFC 1035, section 4.1.1
	questionLen = 4  // type and class, after the name
	optLen      = 11 // of an OPT record without options (RFC 6891, section 6.1.2)

	minUDPSize = dns.MinMsgSize // what every client can take (RFC 1035, section 2.3.4)
	// maxUDPSize passes through what networks there are without fragments (DNS flag day 2020; RFC 9715, appendix A). It
	// is also what this server says that it takes.
	maxUDPSize = 1232
	maxTCPSize = dns.MaxMsgSize
)

// query is a message that was received and understood.
type query struct {
	msg      *dns.Msg
	question Question
	opt      *dns.OPT     // nil: the client does not speak EDNS
	asked    []ednsOption // of the OPT record
	client                // who asks
	began    time.Time    // when it was read; of those that handler.slow reads
	limit    int          // octets that the reply may have
	rotation rotation     // where the answer's records start

	options   []dns.EDNS0 // of the reply
	hasCookie bool
	verified  bool          // the client has shown that it gets what is sent to its address
	padded    bool          // the reply is to be padded
	signature *signature    // nil: it has none
	transfer  *zoneTransfer // of a query that asks for one, and gets it
}

// parse understands a message. If it cannot, the second result is the reply to it; both nil: it gets none.
// A message without a question is understood when it has a cookie, which it then is about (RFC 7873, section 5.4).
func parse(packet []byte, from client, sizes sizes, rotation rotation) (*query, []byte) {
	if len(packet) < headerLen || packet[2]&bitQR != 0 {
		return nil, nil
	}
	received := readOPT(packet)
	if opcode := int(packet[2]>>3) & 0xF; opcode != dns.OpcodeQuery && opcode != dns.OpcodeNotify {
		if received != nil && received.version != 0 {
			return nil, headerOnly(packet, dns.RcodeBadVers, received) // RFC 6891, section 6.1.3: whatever is asked
		}
		return nil, headerOnly(packet, dns.RcodeNotImplemented, received)
	}
	malformed := headerOnly(packet, dns.RcodeFormatError, received)
	questions := int(binary.BigEndian.Uint16(packet[4:]))
	if questions > 1 {
		return nil, malformed
	}
	q := &query{msg: new(dns.Msg), client: from, limit: maxTCPSize, rotation: rotation}
	if received != nil {
		q.asked = received.options
	}
	if questions == 1 {
		name, ok := readName(nil, packet[headerLen:])
		if !ok || len(packet) < headerLen+len(name)+questionLen {
			return nil, malformed
		}
		q.question.Name = name
	}
	if q.msg.Unpack(received.hidden(packet)) != nil || len(q.msg.Question) != questions || !hasAllRecords(q.msg, packet) {
		return nil, malformed
	}
	for _, rr := range append(q.msg.Answer[:len(q.msg.Answer):len(q.msg.Answer)], q.msg.Ns...) {
		if t := rr.Header().Rrtype; t == dns.TypeOPT || t == dns.TypeTSIG {
			return nil, malformed // they belong into the additional section
		}
	}
	for i, rr := range q.msg.Extra {
		if tsig, ok := rr.(*dns.TSIG); ok &&
			(i < len(q.msg.Extra)-1 || tsig.Hdr.Class != dns.ClassANY || !isWhole(tsig)) {
			return nil, malformed // RFC 8945, sections 4.2 and 5.1
		}
		if opt, ok := rr.(*dns.OPT); ok {
			if q.opt != nil || opt.Hdr.Name != "." {
				return nil, malformed // RFC 6891, section 6.1.1
			}
			q.opt = opt
		}
	}
	if questions == 1 {
		q.question.Type, q.question.Class = q.msg.Question[0].Qtype, q.msg.Question[0].Qclass
	} else if !q.offersCookie() {
		return nil, malformed
	}
	if q.udp {
		q.limit = minUDPSize
		if q.opt != nil {
			q.limit = sizes.limit(from, int(q.opt.UDPSize()))
		}
	}
	return q, nil
}

// hasAllRecords reports whether a message has as many records as its header promises. The library is content with fewer.
func hasAllRecords(m *dns.Msg, packet []byte) bool {
	return len(m.Answer) == int(binary.BigEndian.Uint16(packet[6:])) && len(m.Ns) == int(binary.BigEndian.Uint16(packet[8:])) &&
		len(m.Extra) == int(binary.BigEndian.Uint16(packet[10:]))
}

// isWhole reports whether a TSIG record has all of its data. The library is content with less.
func isWhole(t *dns.TSIG) bool {
	return int(t.Hdr.Rdlength) == dns.Len(t)-dns.Len(&t.Hdr) && len(t.MAC) == 2*int(t.MACSize) && len(t.OtherData) == 2*int(t.OtherLen)
}

// offersCookie reports whether there is a COOKIE option.
func (q *query) offersCookie() bool {
	return slices.ContainsFunc(q.asked, func(o ednsOption) bool { return o.code == dns.EDNS0COOKIE })
}

// headerOnly is a reply that is nothing but a header, and an OPT record if the message had one that could be read
// (RFC 6891, section 6.1.1). RD means something in queries only (RFC 8906, section 8.1.4).
func headerOnly(packet []byte, rcode int, opt *receivedOPT) []byte {
	reply := make([]byte, headerLen, headerLen+optLen)
	copy(reply, packet[:2])
	reply[2] = bitQR | packet[2]&maskOpcode
	if reply[2]&maskOpcode == dns.OpcodeQuery<<3 {
		reply[2] |= packet[2] & bitRD
	}
	reply[3] = byte(rcode & maskRcode)
	if opt != nil {
		reply[headerLen-1] = 1
		reply = appendOPT(reply, opt.dnssec)
		reply[extendedRcodeAt] = byte(rcode >> 4)
	}
	return reply
}

// extendedRcodeAt is where the upper bits of the rcode stand in an OPT record that follows the header
// (RFC 6891, section 6.1.3).
const extendedRcodeAt = headerLen + 5

// headerRcode is the rcode of a reply that headerOnly made.
func headerRcode(reply []byte) int {
	rcode := int(reply[3] & maskRcode)
	if len(reply) > extendedRcodeAt {
		rcode |= int(reply[extendedRcodeAt]) << 4
	}
	return rcode
}

// reply is an empty reply with the question as it was asked. CD is clear, as it has to be in an authoritative one: there
// was nothing to be checked (RFC 4035, section 3.1.6). The OPT record is added by pack.
func (q *query) reply(rcode int) *dns.Msg {
	m := new(dns.Msg).SetReply(q.msg)
	m.Rcode = rcode
	m.CheckingDisabled = false
	m.Compress = true
	return m
}

// relayed is reply for names that others know the answer to: CD comes back as it was sent (RFC 4035, section 3.2.2).
func (q *query) relayed(rcode int) *dns.Msg {
	m := q.reply(rcode)
	m.CheckingDisabled = q.msg.CheckingDisabled
	return m
}

// pack makes the reply's wire format.
func (q *query) pack(reply *dns.Msg) ([]byte, error) {
	wire, _, err := q.packAfter(reply, "", true)
	return wire, err
}

// packAfter is pack for one of several messages that are the reply together. mac is that of the message before, which
// its signature covers, and the one of this message. There is an OPT record if the question had one, and a TSIG record
// likewise (RFC 6891, section 7; RFC 8945, section 5.3).
func (q *query) packAfter(reply *dns.Msg, before string, first bool) (wire []byte, mac string, err error) {
	if q.opt != nil && first {
		opt := q.optRecord()
		reply.Extra = append(reply.Extra, opt)
		if q.padded {
			q.pad(reply, opt)
		}
	}
	if q.signature != nil {
		return q.signature.sign(reply, before)
	}
	wire, err = reply.Pack()
	return wire, "", err
}

// room is how many octets of the reply are left for records.
func (q *query) room() int {
	return q.limit - headerLen - len(q.question.Name) - questionLen - q.optLen()
}

// overflows reports whether a reply, to which pack has yet to add the OPT record, is too long.
func (q *query) overflows(reply *dns.Msg) bool { return reply.Len()+q.optLen() > q.limit }

// optLen is how many octets the records take that packAfter adds.
func (q *query) optLen() int {
	octets := 0
	if q.opt != nil {
		octets += dns.Len(q.optRecord())
	}
	if q.signature != nil {
		octets += q.signature.len()
	}
	return octets
}

// answer makes the message of an answer from the zone. Of records that do not all fit it has as many as do, and TC when
// truncateBit is set; additional records are the first to go, and not missed (RFC 2181, section 9). A reply that has no
// room for a single record says TC in any case: without, it would say that there are none.
func (q *query) answer(a Answer, s selector, truncateBit bool) *dns.Msg {
	m := q.reply(dns.RcodeSuccess)
	m.Authoritative = q.question.Class == dns.ClassINET // of all classes nobody can tell (RFC 1035, section 6.2)
	owner := q.msg.Question[0].Name
	switch a.Result {
	case NameError, NoData:
		if a.Result == NameError {
			m.Rcode = dns.RcodeNameError
		}
		apex, _ := dns.PrevLabel(owner, dns.CountLabel(a.apex.Name))
		soa := resourceRecord(owner[apex:], a.SOA, 0).(*dns.SOA) // as it was spelled, to be pointed to
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)               // RFC 2308, section 3
		soa.Ns, soa.Mbox = spelledAs(soa.Ns, owner), spelledAs(soa.Mbox, owner)
		m.Ns = []dns.RR{soa}
	case Success:
		room := q.room()
		chosen, cut := s.choose(nil, a.snapshot, a.Set, q.client, q.rotation, room)
		for _, i := range chosen {
			m.Answer = append(m.Answer, resourceRecord(owner, a.Set, int(i)))
			room -= recordSize(a.Set, int(i))
		}
		if cut {
			m.Truncated = truncateBit || len(chosen) == 0
			return m
		}
		for name, set := range a.Additional(chosen) {
			if room -= len(set.Wire()); room < 0 {
				break
			}
			for i := range set.Len() {
				m.Extra = append(m.Extra, resourceRecord(name, set, i))
			}
		}
	}
	// Names that lie too far into the message cannot be pointed to, and authority was not counted.
	if q.overflows(m) {
		m.Extra = nil
	}
	if q.overflows(m) {
		m.Ns = nil
	}
	return m
}

// spelledAs is a name with the end that it has in common with the owner spelled as there, so that it can point to it. The
// library compresses only what is equal in case as well.
func spelledAs(name, owner string) string {
	common := dns.CompareDomainName(name, owner)
	if common == 0 {
		return name
	}
	at, _ := dns.PrevLabel(name, common)
	end, _ := dns.PrevLabel(owner, common)
	return name[:at] + owner[end:]
}

// resourceRecord is the i-th record of a set.
func resourceRecord(owner string, set *records.RRset, i int) dns.RR {
	at, wire := set.At(i), set.Wire()
	data := []byte(wire[at+records.HeaderLen : records.RecordEnd(wire, at)])
	header := dns.RR_Header{Name: owner, Rrtype: set.Type, Class: dns.ClassINET, Ttl: set.TTL(), Rdlength: uint16(len(data))}
	rr, _, _ := dns.UnpackRRWithHeader(header, data, 0) // cannot fail: sets have what they have in wire format
	return rr
}
