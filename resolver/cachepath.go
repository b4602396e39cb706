package resolver

// The path of plain questions to answers that are kept. As the fast path for the zone (fastpath.go) it does not allocate,
// and it waits for nothing but, briefly, another reader of the same part of the cache.
//
//   - It takes a question only when the whole packet is of one known form: opcode QUERY, one question of class IN, no
//     other records but an OPT of version 0 without options, and nothing after that. It gives up on everything else, and
//     on answers that do not fit, by returning nil: dst is then garbage, and the slow path answers.
//   - Names in our own zones are never in the cache, as they are never forwarded.
//   - It answers what the slow path would answer: FuzzCachePath compares the two.

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// plain is a plain question.
type plain struct {
	key      []byte // of the answer
	question int    // where the question ends in the packet
	edns, do bool
	limit    int // octets that the reply may have, the OPT record included
}

// readPlain understands a packet, if it is a plain question. The key is made in buf.
func (f *forwarder) readPlain(buf, packet []byte, from client, sizes sizes) (p plain, ok bool) {
	if len(packet) < headerLen || packet[2]&^bitRD != 0 || packet[3]&^(bitAD|bitCD) != 0 ||
		binary.BigEndian.Uint64(packet[4:])&^1 != 1<<48 { // one question, nothing else but perhaps an additional record
		return p, false
	}
	name, ok := readName(buf[:0], packet[headerLen:])
	p.question = headerLen + len(name) + questionLen
	if !ok || len(packet) < p.question || binary.BigEndian.Uint16(packet[p.question-2:]) != dns.ClassINET {
		return p, false
	}
	p.limit = maxTCPSize
	if from.udp {
		p.limit = minUDPSize
	}
	p.edns = packet[11] == 1
	opt := packet[p.question:]
	switch {
	case !p.edns && len(opt) != 0:
		return p, false
	case p.edns:
		if len(opt) != optLen || opt[0] != 0 || binary.BigEndian.Uint16(opt[1:]) != dns.TypeOPT || opt[6] != 0 ||
			opt[9]|opt[10] != 0 {
			return p, false
		}
		p.do = opt[7]&0x80 != 0
		if from.udp {
			p.limit = sizes.limit(from, int(binary.BigEndian.Uint16(opt[3:])))
		}
	}
	qtype := binary.BigEndian.Uint16(packet[p.question-4:])
	flags := f.keyFlags(packet[2]&bitRD != 0, packet[3]&bitCD != 0, p.do, from.udp, p.edns)
	p.key = appendKey(name[:0], name, qtype, flags)
	return p, true
}

// keyFlags are the flags of the key of a question.
func (f *forwarder) keyFlags(rd, cd, do, udp, edns bool) (flags byte) {
	for i, set := range [...]bool{rd, cd, do, udp && f.asCame, edns && f.asCame} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

// fast answers a plain question from the cache in dst, whose content is overwritten, or returns nil. It may be called on
// nil, and by many goroutines at once.
func (f *forwarder) fast(dst, packet []byte, from client, sizes sizes) []byte {
	if f == nil || f.cache == nil {
		return nil
	}
	var buf [maxName + keyTail]byte
	p, ok := f.readPlain(buf[:], packet, from, sizes)
	if !ok || !f.allows(from) {
		return nil
	}
	now := f.now()
	k := f.cache.lookup(p.key, now)
	if k == nil {
		return nil
	}
	age := k.age(now)
	option := k.option
	stale := age >= k.ttl
	if stale {
		if now.Unix() >= k.retryAt.Load() {
			return nil
		}
		_, option = k.stale()
	}
	reply := k.reply(dst, packet, p, age, option)
	if reply != nil {
		f.served(k, age, now)
	}
	return reply
}

// reply makes the reply to a plain question out of an answer, nil if it has no room. option is of the OPT record.
func (k *kept) reply(dst, packet []byte, p plain, age uint32, option []byte) []byte {
	size := len(k.wire)
	if p.edns {
		size += optLen + len(option)
	}
	if size > p.limit {
		return nil
	}
	reply := append(dst[:0], k.wire...)
	copy(reply[:2], packet)
	copy(reply[headerLen:], packet[headerLen:p.question])
	reply[2] = k.wire[2]&^bitAA | packet[2]&bitRD // RFC 1034, section 6.2.1
	reply[3] = k.wire[3] | packet[3]&bitCD
	if packet[3]&bitAD == 0 && !p.do {
		reply[3] &^= bitAD // RFC 6840, section 5.8
	}
	if age < k.ttl {
		k.patch(reply, age)
	} else {
		k.patchStale(reply)
	}
	if p.edns {
		do := byte(0)
		if p.do {
			do = 0x80
		}
		reply = append(reply, 0, 0, byte(dns.TypeOPT), maxUDPSize>>8, maxUDPSize&0xFF, 0, 0, do, 0,
			byte(len(option)>>8), byte(len(option)))
		reply = append(reply, option...)
		binary.BigEndian.PutUint16(reply[10:], binary.BigEndian.Uint16(reply[10:])+1)
	}
	return reply
}

// served counts an answer from the cache, and sees to a newer one when its time is almost over, once.
func (f *forwarder) served(k *kept, age uint32, now time.Time) {
	f.metrics.cacheHits.Inc()
	switch {
	case age >= k.ttl:
		f.metrics.forwarding.stale.Inc()
	case f.prefetch && k.nearlyOver(age) && k.refreshing.CompareAndSwap(false, true):
		f.refresh(k)
	}
}

// nearlyOver reports whether an answer has a tenth of its time left, or less.
func (k *kept) nearlyOver(age uint32) bool {
	return !k.isFailure() && uint64(age)*10 >= uint64(k.ttl)*9
}
