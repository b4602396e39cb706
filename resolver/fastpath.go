package resolver

// The fast path answers the plain questions for names in the zone. It may not allocate, lock, or wait.
//
//   - It takes a question only when the whole packet is of one known form: opcode QUERY, one question of class IN, here of
//     type A, AAAA, PTR or SRV, no other records but an OPT of version 0 without options, and nothing after that. It gives
//     up on everything else, at any point, by returning nil: dst is then garbage, and the slow path answers.
//   - It answers what the slow path would answer: the same records in each section, flags and truncation.
//     FuzzFastPath compares the two, octet by octet.
//   - A reply is the header and question as they came, followed by records as their sets keep them (records.RRset.Wire),
//     in which only the owners' compression pointers are changed, and the OPT record. The spelling of the question comes
//     back as it was asked, and owners point to it.
//   - Which records of a set are answered, and in which order, is for the selector to say (selection.go). Where that is
//     all of them, or a run, they are copied as they are; an order of another kind is made place by place (appendChosen).
//   - limit counts the OPT record from the beginning, so that it always fits.

import (
	"bytes"
	"encoding/binary"

	"github.com/miekg/dns"

	"rollcall/records"
)

// The bits of the header's third and fourth octet (RFC 1035, section 4.1.1; RFC 4035, section 3.2).
const (
	bitQR      = 0x80
	maskOpcode = 0x78
	bitAA      = 0x04
	bitTC      = 0x02
	bitRD      = 0x01
	bitRA      = 0x80
	bitAD      = 0x20
	bitCD      = 0x10
	maskRcode  = 0x0F
)

// Compression pointers (RFC 1035, section 4.1.4).
const (
	pointer    = 0xC000
	maxPointer = 0x3FFF
)

// plain is a plain question, read.
type plain struct {
	name   []byte // in lower case
	qtype  uint16
	from   client
	limit  int // octets that the reply may have, without its OPT record
	edns   bool
	dnssec byte // the octet of the OPT record with the DO bit, and only that
}

// end is where the question ends in its packet.
func (p *plain) end() int { return headerLen + len(p.name) + questionLen }

// opt adds the OPT record of the reply to dst, if it has one.
func (p *plain) opt(dst []byte) []byte {
	if !p.edns {
		return dst
	}
	return appendOPT(dst, p.dnssec)
}

// readPlain reads a packet. The name goes behind buf, which has room for maxName octets more. It reports false for what
// is no plain question.
func (h *handler) readPlain(packet, buf []byte, from client) (p plain, ok bool) {
	if len(packet) < headerLen || packet[2]&^bitRD != 0 || packet[3]&^(bitAD|bitCD) != 0 ||
		binary.BigEndian.Uint64(packet[4:])&^1 != 1<<48 { // one question, nothing else but perhaps an additional record
		return p, false
	}
	p.name, ok = readName(buf[len(buf):], packet[headerLen:])
	if !ok || len(packet) < p.end() || binary.BigEndian.Uint16(packet[p.end()-2:]) != dns.ClassINET {
		return p, false
	}
	p.qtype = binary.BigEndian.Uint16(packet[p.end()-4:])
	p.from = from
	p.limit = maxTCPSize
	if from.udp {
		p.limit = minUDPSize
	}
	p.edns = packet[11] == 1
	opt := packet[p.end():]
	if !p.edns {
		return p, len(opt) == 0
	}
	if len(opt) != optLen || opt[0] != 0 || binary.BigEndian.Uint16(opt[1:]) != dns.TypeOPT || opt[6] != 0 ||
		opt[9]|opt[10] != 0 {
		return p, false
	}
	if from.udp {
		p.limit = h.settings.Load().sizes.limit(from, int(binary.BigEndian.Uint16(opt[3:])))
	}
	p.limit -= optLen
	p.dnssec = opt[7] & 0x80
	return p, true
}

// view is the zone as several questions see it.
type view struct {
	ready    bool // from before the snapshot: see Decide
	snapshot *records.Snapshot
}

func (h *handler) view() view {
	ready := h.zone.Ready()
	return view{ready, h.zone.Snapshot()}
}

// fast answers a plain question in dst, whose content is overwritten, or returns nil. node is what the snapshot has at
// the name. rotation chooses the record with which the answer starts.
func (h *handler) fast(dst, packet []byte, p *plain, v view, node *records.Node, rotation rotation) []byte {
	if p.qtype != records.TypeA && p.qtype != records.TypeAAAA && p.qtype != records.TypeSRV && p.qtype != records.TypePTR {
		return nil
	}
	reply := append(dst[:0], packet[:p.end()]...)
	reply[2] = bitQR | bitAA | packet[2]&bitRD
	reply[3] = h.settings.Load().bitRA // CD is clear: see query.reply
	var set *records.RRset
	if node != nil {
		set = node.RRset(p.qtype)
	}
	if set == nil {
		if !v.ready || !within(p.name, h.apex) || bytes.IndexByte(p.name, '*') >= 0 {
			return nil
		}
		if node == nil {
			reply[3] |= dns.RcodeNameError
		}
		if reply = h.appendSOA(reply, v.snapshot, p.name, p.limit); reply == nil {
			return nil
		}
	} else if reply = h.appendAnswer(reply, v.snapshot, set, p.limit, p.from, rotation); reply == nil {
		return nil
	}
	if p.edns {
		reply = p.opt(reply)
		binary.BigEndian.PutUint16(reply[10:], binary.BigEndian.Uint16(reply[10:])+1)
	}
	return reply
}

// appendOPT adds an OPT record without options.
func appendOPT(reply []byte, dnssec byte) []byte {
	return append(reply, 0, 0, byte(dns.TypeOPT), maxUDPSize>>8, maxUDPSize&0xFF, 0, 0, dnssec, 0, 0, 0)
}

// appendSOA adds the domain's SOA record to the authority section of a reply to a question for a name in the domain. The
// reply has no other records.
func (h *handler) appendSOA(reply []byte, s *records.Snapshot, name []byte, limit int) []byte {
	soa := s.Apexes()[0].NegativeSOA()
	at, apex := len(reply), len(name)-len(h.apex) // of the record, and of the domain in the name
	for _, label := range &soa.Below {
		if label != "" && apex >= len(label) && string(name[apex-len(label):apex]) == label {
			return h.appendLikeSOA(reply, soa, name, limit)
		}
	}
	if at+len(soa.Compressed) > limit {
		return nil
	}
	reply = append(reply, soa.Compressed...)
	binary.BigEndian.PutUint16(reply[at:], pointer|uint16(headerLen+apex))
	for i := range &soa.Pointers {
		p := &soa.Pointers[i]
		into := headerLen + apex + p.Into
		if p.Inner {
			into = at + p.Into
		}
		if p.Place > 0 {
			binary.BigEndian.PutUint16(reply[at+p.Place:], pointer|uint16(into))
		}
	}
	setCounts(reply, 0, 1, 0)
	return reply
}

// appendLikeSOA is appendSOA for a name that has more in common with those of the record than the domain.
func (h *handler) appendLikeSOA(reply []byte, soa *records.NegativeSOA, name []byte, limit int) []byte {
	at := len(reply)
	reply = append(reply, soa.Record[:records.HeaderLen]...)
	binary.BigEndian.PutUint16(reply[at:], pointer|uint16(headerLen+len(name)-len(h.apex)))
	mname := firstName(soa.Record[records.HeaderLen:])
	rest := soa.Record[records.HeaderLen+len(mname):]
	rname := firstName(rest)
	data := len(reply)
	reply = appendCompressed(reply, mname, name, "", 0)
	reply = appendCompressed(reply, rname, name, mname, data)
	reply = append(reply, rest[len(rname):]...)
	if len(reply) > limit {
		return nil
	}
	binary.BigEndian.PutUint16(reply[data-2:], uint16(len(reply)-data))
	setCounts(reply, 0, 1, 0)
	return reply
}

// appendCompressed adds a name to a reply, of which as much as possible is a pointer into the question, which is for
// asked, or to the name that was added before, beginning at a place ("": none).
func appendCompressed(reply []byte, name string, asked []byte, before string, place int) []byte {
	for at := 0; name[at] != 0; at += 1 + int(name[at]) {
		rest := name[at:]
		if start := len(asked) - len(rest); start >= 0 && string(asked[start:]) == rest && isLabel(asked, start) {
			return append(append(reply, name[:at]...), pointer>>8|byte((headerLen+start)>>8), byte(headerLen+start))
		}
		// What of it the reply does not have, because it was a pointer, is in the question.
		if start := len(before) - len(rest); start >= 0 && before[start:] == rest && isLabel(before, start) {
			return append(append(reply, name[:at]...), pointer>>8|byte((place+start)>>8), byte(place+start))
		}
	}
	return append(reply, name...)
}

// appendAnswer adds a set's records, from the one that rotation chooses on. If not all of them fit, or may be answered,
// it is a run of as many as do, which the selector describes. If none was left out because of its size, the addresses of
// SRV targets follow, as many of those sets as fit.
func (h *handler) appendAnswer(
	reply []byte, s *records.Snapshot, set *records.RRset, limit int, from client, rotation rotation,
) []byte {
	settings := h.settings.Load()
	n := set.Len()
	if n > 1 && !settings.selector.plain() {
		return h.appendChosen(reply, s, set, limit, from, rotation)
	}
	wire := set.Wire()
	room := limit - len(reply)
	begin, count := 0, settings.selector.most(n) // where the run begins within the set, and its length
	cut := false
	if count < n || len(wire) > room {
		begin = set.At(from.place(n))
		if count, cut = fitting(wire, begin, count, room); count == 0 {
			return nil
		}
	}
	answer := len(reply)
	if first := settings.selector.first(rotation, count); count == n { // which then begins at 0
		at := set.At(first)
		reply = append(append(reply, wire[at:]...), wire[:at]...)
	} else {
		at := begin
		for range first {
			at = after(wire, at)
		}
		for i := range count {
			if i == count-first {
				at = begin
			}
			reply = append(reply, wire[at:records.RecordEnd(wire, at)]...)
			at = after(wire, at)
		}
	}
	return h.finishAnswer(reply, s, set.Type, answer, count, true, cut, limit)
}

// maxChosen is how many records a set may have whose order is made place by place.
const maxChosen = 256

// appendChosen is appendAnswer for an order that is not that of a run.
func (h *handler) appendChosen(
	reply []byte, s *records.Snapshot, set *records.RRset, limit int, from client, rotation rotation,
) []byte {
	if set.Len() > maxChosen {
		return nil
	}
	var buf [maxChosen]int32
	chosen, cut := h.settings.Load().selector.choose(buf[:0], s, set, from, rotation, limit-len(reply))
	if len(chosen) == 0 {
		return nil
	}
	wire, answer := set.Wire(), len(reply)
	for _, i := range chosen {
		at := set.At(int(i))
		reply = append(reply, wire[at:records.RecordEnd(wire, at)]...)
	}
	return h.finishAnswer(reply, s, set.Type, answer, len(chosen), false, cut, limit)
}

// finishAnswer counts the records that stand in the reply from answer on, and adds what goes with them. run says that they
// are a run of a set, cut that others were left out because of their size.
func (h *handler) finishAnswer(
	reply []byte, s *records.Snapshot, t uint16, answer, count int, run, cut bool, limit int,
) []byte {
	setCounts(reply, count, 0, 0)
	if cut {
		reply[2] |= h.settings.Load().bitTC
		return reply
	}
	if t != records.TypeSRV {
		return reply
	}
	reply, additional := h.appendTargets(reply, s, answer, count, run, limit)
	if reply != nil {
		setCounts(reply, count, 0, additional)
	}
	return reply
}

// after is where the record after the one at a place stands in a set, of which the first follows the last.
func after(wire string, at int) int {
	if at = records.RecordEnd(wire, at); at < len(wire) {
		return at
	}
	return 0
}

// fitting is how many records of a set fit, of at most a number from a place on, and whether some do not.
func fitting(wire string, at, most, room int) (count int, cut bool) {
	for ; count < most; count++ {
		if room -= records.RecordEnd(wire, at) - at; room < 0 {
			return count, true
		}
		at = after(wire, at)
	}
	return count, false
}

// appendTargets adds the addresses of the targets of the SRV records that stand in the reply from answer on, each target
// once, in the order of the answer, which is a run of a set or not. Owners point to where the targets stand there. It returns nil when one of them is
// too far away for that.
func (h *handler) appendTargets(reply []byte, s *records.Snapshot, answer, count int, run bool, limit int) ([]byte, int) {
	additional := 0
	// In a run of a set records with the same target follow each other, but where it started among them: then the last
	// ones have the target of the first.
	var first, last []byte
	for at := answer; count > 0; count-- {
		owner := at + targetAt
		begin, end := at, recordEnd(reply, at)
		target := reply[owner:end]
		at = end
		if bytes.Equal(target, last) || bytes.Equal(target, first) || !run && hasTarget(reply, answer, begin, target) {
			continue
		}
		last = target
		if first == nil {
			first = target
		}
		node := s.Lookup(target)
		if node == nil {
			continue
		}
		if owner > maxPointer {
			return nil, 0
		}
		for _, t := range [...]uint16{records.TypeA, records.TypeAAAA} {
			set := node.RRset(t)
			if set == nil {
				continue
			}
			addresses := set.Wire()
			from := len(reply)
			if from+len(addresses) > limit {
				return reply, additional
			}
			reply = append(reply, addresses...)
			for ; from < len(reply); from = recordEnd(reply, from) {
				binary.BigEndian.PutUint16(reply[from:], pointer|uint16(owner))
				additional++
			}
		}
	}
	return reply, additional
}

// targetAt is where the target stands in an SRV record.
const targetAt = records.HeaderLen + records.SRVLen

// hasTarget reports whether one of the SRV records between two places of a reply has a target.
func hasTarget(reply []byte, from, to int, target []byte) bool {
	for from < to {
		end := recordEnd(reply, from)
		if bytes.Equal(reply[from+targetAt:end], target) {
			return true
		}
		from = end
	}
	return false
}

// recordEnd is where the record ends that starts at a place of a reply.
func recordEnd(reply []byte, at int) int {
	return at + records.HeaderLen + int(binary.BigEndian.Uint16(reply[at+records.HeaderLen-2:]))
}

// setCounts fills in how many records the sections have.
func setCounts(reply []byte, answer, authority, additional int) {
	binary.BigEndian.PutUint16(reply[6:], uint16(answer))
	binary.BigEndian.PutUint16(reply[8:], uint16(authority))
	binary.BigEndian.PutUint16(reply[10:], uint16(additional))
}
