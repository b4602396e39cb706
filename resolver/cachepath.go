package resolver

// The way of plain questions (fastpath.go) to answers that are kept. As there nothing is allocated, and nothing is waited
// for but, briefly, another reader of the same part of the cache.
//
//   - It gives up on answers that do not fit by returning nil: dst is then garbage, and the slow path answers.
//   - Names in our own zones are never in the cache, as they are never forwarded.
//   - It answers what the slow path would answer: FuzzCachePath compares the two.

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

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
func (f *forwarder) fast(dst, packet []byte, p *plain) []byte {
	if f == nil || f.cache == nil || !f.allows(p.from) {
		return nil
	}
	var buf [maxName + keyTail]byte
	flags := f.keyFlags(packet[2]&bitRD != 0, packet[3]&bitCD != 0, p.dnssec != 0, p.from.udp, p.edns)
	now := f.now()
	k := f.cache.lookup(appendKey(buf[:0], p.name, p.qtype, flags), now)
	if k == nil {
		return nil
	}
	age := k.age(now)
	option := k.option
	if age >= k.ttl {
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
func (k *kept) reply(dst, packet []byte, p *plain, age uint32, option []byte) []byte {
	if !p.edns {
		option = nil
	}
	if len(k.wire)+len(option) > p.limit {
		return nil
	}
	reply := append(dst[:0], k.wire...)
	copy(reply[:2], packet)
	copy(reply[headerLen:p.end()], packet[headerLen:])
	reply[2] = k.wire[2]&^bitAA | packet[2]&bitRD // RFC 1034, section 6.2.1
	reply[3] = k.wire[3] | packet[3]&bitCD
	if packet[3]&bitAD == 0 && p.dnssec == 0 {
		reply[3] &^= bitAD // RFC 6840, section 5.8
	}
	if age < k.ttl {
		k.patch(reply, age)
	} else {
		k.patchStale(reply)
	}
	if p.edns {
		reply = append(reply, 0, 0, byte(dns.TypeOPT), maxUDPSize>>8, maxUDPSize&0xFF, 0, 0, p.dnssec, 0,
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
