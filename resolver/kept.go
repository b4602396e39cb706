package resolver

import (
	"encoding/binary"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// kept is an answer of an upstream server in wire format, ready to be sent once what differs from one question to the
// next is filled in: ID, RD, CD, the spelling of the name, TTLs, and the OPT record, which it does not have. It is shared
// by all readers, and nothing but the atomic fields is ever written to.
type kept struct {
	key    []byte // see appendKey
	wire   []byte // header, question and records; the name's owners are pointers to the question
	ttls   []int  // where in it TTLs are
	soa    int    // where the TTL is that says how long a negative answer may be kept; 0: it is not one
	reason extendedError
	option []byte // reason as an EDNS option; nil: none

	stored time.Time
	ttl    uint32 // seconds that it may be kept; 0: not at all

	refreshing atomic.Bool  // somebody asks for a newer one
	retryAt    atomic.Int64 // of a stale one: when to ask again, Unix time in seconds
}

// newKept makes an answer out of a reply to a question that is spelled as given. It may be changed.
func newKept(key []byte, name string, qtype uint16, m *dns.Msg, reason extendedError, now time.Time) (*kept, error) {
	m.Id, m.RecursionDesired, m.CheckingDisabled, m.Zero = 0, false, false, false
	m.Compress = true
	m.Question = []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}
	respell(m, name)
	wire, err := m.Pack()
	if err != nil {
		return nil, err
	}
	k := &kept{key: key, wire: wire, reason: reason, option: reason.option(), stored: now, ttl: lifetime(m)}
	negative := isNegative(m)
	for at := range recordsIn(wire) {
		k.ttls = append(k.ttls, at+4)
		if negative && binary.BigEndian.Uint16(wire[at:]) == dns.TypeSOA && k.soa == 0 {
			k.soa = at + 4
		}
	}
	return k, nil
}

// newFailure is the answer that there is none, which is kept for a short time (RFC 9520, section 3.2).
func newFailure(key []byte, name string, qtype uint16, reason extendedError, now time.Time) *kept {
	m := new(dns.Msg)
	m.Response, m.RecursionAvailable, m.Rcode = true, true, dns.RcodeServerFailure
	k, err := newKept(key, name, qtype, m, reason, now)
	if err != nil {
		return nil // cannot be: the name came in a message
	}
	k.ttl = failureTTL
	return k
}

// age is for how many seconds it has been kept.
func (k *kept) age(now time.Time) uint32 {
	return uint32(min(max(now.Sub(k.stored)/time.Second, 0), 1<<31))
}

func (k *kept) rcode() int { return int(k.wire[3] & maskRcode) }

// isFailure reports whether it says that there is no answer (RFC 9520, section 2).
func (k *kept) isFailure() bool { return !isAnswer(k.rcode()) }

// patch counts the TTLs down in a copy of its wire format.
func (k *kept) patch(wire []byte, age uint32) {
	for _, at := range k.ttls {
		ttl := binary.BigEndian.Uint32(wire[at:])
		ttl -= min(ttl, age)
		if at == k.soa {
			ttl = min(ttl, k.ttl-min(k.ttl, age)) // RFC 2308, section 5
		}
		binary.BigEndian.PutUint32(wire[at:], ttl)
	}
}

// patchStale gives the TTLs the value that a stale answer has (RFC 8767, section 5.11).
func (k *kept) patchStale(wire []byte) {
	for _, at := range k.ttls {
		binary.BigEndian.PutUint32(wire[at:], staleTTL)
	}
}

// message is the answer for the slow path, to a question that spells the name as given. patch sets the TTLs.
func (k *kept) message(name string, patch func(wire []byte)) *dns.Msg {
	wire := append([]byte(nil), k.wire...)
	patch(wire)
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil {
		return nil // cannot be: the library wrote it
	}
	respell(m, name)
	return m
}

// respell gives the records of the name that was asked the spelling of this question.
func respell(m *dns.Msg, name string) {
	for _, section := range [...][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if h := rr.Header(); strings.EqualFold(h.Name, name) {
				h.Name = name
			}
		}
	}
}

// recordsIn yields where the records of a message start after their owner's name: at the type. The message is sound.
func recordsIn(wire []byte) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		count := 0
		for i := 6; i < headerLen; i += 2 {
			count += int(binary.BigEndian.Uint16(wire[i:]))
		}
		at := skipName(wire, headerLen) + questionLen
		for range count {
			at = skipName(wire, at)
			if !yield(at) {
				return
			}
			at += 10 + int(binary.BigEndian.Uint16(wire[at+8:]))
		}
	}
}

// skipName is where a name ends that starts at a place in a sound message.
func skipName(wire []byte, at int) int {
	for wire[at] != 0 {
		if wire[at] >= pointer>>8 {
			return at + 2
		}
		at += 1 + int(wire[at])
	}
	return at + 1
}
