package resolver

// The fast path answers the plain questions for names in the zone. It may not allocate, lock, or wait.
//
//   - It takes a question only when the whole packet is of one known form: opcode QUERY, one question of class IN and
//     type A, AAAA or SRV, no other records but an OPT of version 0 without options, and nothing after that. It gives
//     up on everything else, at any point, by returning nil: dst is then garbage, and the slow path answers.
//   - It answers what the slow path would answer: the same records in each section, flags and truncation.
//     FuzzFastPath compares the two.
//   - A reply is the header and question as they came, followed by copies of renderings (rendering.go), in which only
//     the owners' compression pointers are changed, and the OPT record. The spelling of the question comes back as it
//     was asked, and owners point to it.
//   - Renderings are shared by all readers and are never written to.
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

// fast answers the packet in dst, whose content is overwritten, or returns nil. rotation chooses the record with which
// the answer starts.
func (h *handler) fast(dst, packet []byte, udp bool, rotation rotation) []byte {
	if len(packet) < headerLen || packet[2]&^bitRD != 0 || packet[3]&^(bitAD|bitCD) != 0 ||
		binary.BigEndian.Uint64(packet[4:])&^1 != 1<<48 { // one question, nothing else but perhaps an additional record
		return nil
	}
	var buf [maxName]byte
	name, ok := readName(buf[:0], packet[headerLen:])
	end := headerLen + len(name) + questionLen
	if !ok || len(packet) < end || binary.BigEndian.Uint16(packet[end-2:]) != dns.ClassINET {
		return nil
	}
	qtype := binary.BigEndian.Uint16(packet[end-4:])
	if qtype != records.TypeA && qtype != records.TypeAAAA && qtype != records.TypeSRV {
		return nil
	}
	limit := maxTCPSize
	if udp {
		limit = minUDPSize
	}
	edns := packet[11] == 1
	opt := packet[end:]
	switch {
	case !edns && len(opt) != 0:
		return nil
	case edns:
		if len(opt) != optLen || opt[0] != 0 || binary.BigEndian.Uint16(opt[1:]) != dns.TypeOPT || opt[6] != 0 ||
			opt[9]|opt[10] != 0 {
			return nil
		}
		if udp {
			limit = min(max(int(binary.BigEndian.Uint16(opt[3:])), minUDPSize), maxUDPSize)
		}
		limit -= optLen
	}

	ready := h.zone.Ready() // before the snapshot: see Decide
	snapshot := h.zone.Snapshot()
	node := snapshot.Lookup(name)
	reply := append(dst[:0], packet[:end]...)
	reply[2] = bitQR | bitAA | packet[2]&bitRD
	reply[3] = h.settings.Load().bitRA | packet[3]&bitCD
	var set *records.RRset
	if node != nil {
		set = node.RRset(qtype)
	}
	if set == nil {
		if !ready || !within(name, h.apex) || bytes.IndexByte(name, '*') >= 0 {
			return nil
		}
		if node == nil {
			reply[3] |= dns.RcodeNameError
		}
		if reply = h.appendSOA(reply, snapshot, len(name), limit); reply == nil {
			return nil
		}
	} else if reply = h.appendAnswer(reply, snapshot, set, limit, rotation); reply == nil {
		return nil
	}
	if edns {
		reply = append(reply, 0, 0, byte(dns.TypeOPT), maxUDPSize>>8, maxUDPSize&0xFF, 0, 0, opt[7]&0x80, 0, 0, 0)
		binary.BigEndian.PutUint16(reply[10:], binary.BigEndian.Uint16(reply[10:])+1)
	}
	return reply
}

// appendSOA adds the zone's SOA record to the authority section of a reply that has no other records. nameLen is the
// length of the question's name, which ends in the apex.
func (h *handler) appendSOA(reply []byte, s *records.Snapshot, nameLen, limit int) []byte {
	wire := rendering(s, s.Lookup(h.apex).RRset(records.TypeSOA))
	if wire == nil || len(reply)+len(wire) > limit {
		return nil
	}
	at := len(reply)
	reply = append(reply, wire...)
	binary.BigEndian.PutUint16(reply[at:], pointer|uint16(headerLen+nameLen-len(h.apex)))
	setCounts(reply, 0, 1, 0)
	return reply
}

// appendAnswer adds a set's records from the one that rotation chooses on, as many as fit. If they all do, the addresses
// of SRV targets follow, as many of those sets as fit.
func (h *handler) appendAnswer(reply []byte, s *records.Snapshot, set *records.RRset, limit int, rotation rotation) []byte {
	wire := rendering(s, set)
	if wire == nil {
		return nil
	}
	count := set.Len()
	first := 0 // where the first record of the answer starts within the rendering
	for range rotation.start(count) {
		first += recordEnd(wire[first:])
	}
	answer := len(reply)
	at := first
	for i := range count {
		end := at + recordEnd(wire[at:])
		if len(reply)+end-at > limit {
			reply[2] |= h.settings.Load().bitTC
			setCounts(reply, i, 0, 0)
			return reply
		}
		reply = append(reply, wire[at:end]...)
		if at = end; at == len(wire) {
			at = 0
		}
	}
	if set.Type != records.TypeSRV {
		setCounts(reply, count, 0, 0)
		return reply
	}
	reply, additional := h.appendTargets(reply, s, wire, answer, first, limit)
	if reply != nil {
		setCounts(reply, count, 0, additional)
	}
	return reply
}

// appendTargets adds the addresses of the targets of SRV records, each target once, in the order of the rendering. The
// records stand in the reply from answer on, starting with the one at first in the rendering. Owners point to where the
// targets stand in the answer. It returns nil when one of them is too far away for that.
func (h *handler) appendTargets(reply []byte, s *records.Snapshot, wire []byte, answer, first, limit int) ([]byte, int) {
	const targetAt = recordLen + 6 // after priority, weight and port
	count := 0
	var last []byte
	for at := 0; at < len(wire); at += recordEnd(wire[at:]) {
		target := wire[at+targetAt : at+recordEnd(wire[at:])]
		if bytes.Equal(target, last) {
			continue
		}
		last = target
		node := s.Lookup(target)
		if node == nil {
			continue
		}
		owner := answer + at - first + targetAt
		if at < first {
			owner += len(wire)
		}
		if owner > maxPointer {
			return nil, 0
		}
		for _, t := range [...]uint16{records.TypeA, records.TypeAAAA} {
			set := node.RRset(t)
			if set == nil {
				continue
			}
			if len(reply)+set.Len()*(recordLen+addressLen(t)) > limit {
				return reply, count
			}
			addresses := rendering(s, set)
			if addresses == nil {
				return nil, 0
			}
			from := len(reply)
			reply = append(reply, addresses...)
			for ; from < len(reply); from += recordEnd(reply[from:]) {
				binary.BigEndian.PutUint16(reply[from:], pointer|uint16(owner))
				count++
			}
		}
	}
	return reply, count
}

// setCounts fills in how many records the sections have.
func setCounts(reply []byte, answer, authority, additional int) {
	binary.BigEndian.PutUint16(reply[6:], uint16(answer))
	binary.BigEndian.PutUint16(reply[8:], uint16(authority))
	binary.BigEndian.PutUint16(reply[10:], uint16(additional))
}
