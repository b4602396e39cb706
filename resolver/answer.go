package resolver

import (
	"bytes"
	"iter"

	"github.com/miekg/dns"

	"rollcall/records"
)

// Question is what is asked. Name is in wire format and lower case.
type Question struct {
	Name  []byte
	Type  uint16
	Class uint16
}

// Result is the kind of an answer.
type Result uint8

// The kinds of answers.
const (
	Success        Result = iota // there are records
	NoData                       // the name exists, but has no records of the type (RFC 2308, section 2.2)
	NameError                    // the name does not exist: NXDOMAIN (RFC 2308, section 2.1; RFC 8020)
	Refused                      // not a question for us
	Forward                      // the name is outside the zone: up to the upstream servers
	ServerFailure                // not known yet
	NotImplemented               // a type that asks for something else than records, and that nobody here does
	FormatError                  // a type that is of messages, not of names
)

// Answer is the decision about a question: the records and what they mean, not yet a message.
type Answer struct {
	Result Result
	// Set are the records of a Success. Their owner is the name as it was asked, whatever its case (RFC 4343).
	Set *records.RRset
	// SOA is that of the zone in which the name lies, for NoData and NameError. Its TTL is how long the answer may be kept (RFC 2308, section 3).
	SOA *records.RRset

	apex     *records.Apex // of the zone in which the name lies
	snapshot *records.Snapshot
}

// Decide says how to answer a question. It is a pure function of its arguments. ready is the zone's from before the
// snapshot was taken: a zone that became ready in between has names which that snapshot may lack.
func Decide(s *records.Snapshot, ready bool, q Question) Answer {
	if q.Class != dns.ClassINET && q.Class != dns.ClassANY {
		return Answer{Result: Refused}
	}
	if result, meta := metaResult(q.Type); meta {
		return Answer{Result: result}
	}
	apex := s.ApexOf(q.Name)
	if apex == nil && q.Class == dns.ClassANY {
		return Answer{Result: Refused} // upstream servers are asked of class IN only
	}
	if apex == nil {
		return Answer{Result: Forward}
	}
	node := s.Lookup(q.Name)
	if node == nil {
		node = lookupWithoutAsterisks(s, q.Name)
	}
	if node == nil && (q.Type == records.TypeSOA || q.Type == records.TypeNS) {
		// Mesos-DNS has no name error for these two, at no name, and its users' contract holds us to that (docs/dns.md).
		// Nobody is misled: the name is one of the zone whose SOA this is.
		return negative(s, apex, ready, NoData)
	}
	if node == nil {
		return negative(s, apex, ready, NameError)
	}
	set := node.RRset(q.Type)
	if q.Type == dns.TypeANY {
		set = anyOf(node)
	}
	if set != nil && set.Type == records.TypeSOA && !ready && s.Provisional() {
		return Answer{Result: ServerFailure} // it would go back as soon as the leader is heard
	}
	if set == nil {
		// A name that has records is answered NODATA even when a source has yet to speak: its addresses are of use, and
		// clients that ask for A and AAAA together drop both when one of them fails.
		return negative(s, apex, ready || hasRecords(node), NoData)
	}
	return Answer{Result: Success, Set: set, apex: apex, snapshot: s}
}

// negative is the answer that something does not exist, if that is known.
func negative(s *records.Snapshot, apex *records.Apex, known bool, result Result) Answer {
	if !known {
		return Answer{Result: ServerFailure}
	}
	return Answer{Result: result, SOA: s.LookupName(apex.Name).RRset(records.TypeSOA), apex: apex, snapshot: s}
}

// metaResult is the answer to a type that is not one of records (RFC 6895, section 3.1), whatever the name; ANY is
// answered as if it were, and transfers have been dealt with. RFC 8906, section 3.1.2, has NOTIMP for them.
func metaResult(t uint16) (Result, bool) {
	switch t {
	case dns.TypeOPT, dns.TypeTSIG:
		return FormatError, true
	case dns.TypeTKEY, dns.TypeMAILB, dns.TypeMAILA:
		return NotImplemented, true
	case dns.TypeAXFR, dns.TypeIXFR:
		return Refused, true
	}
	return 0, false
}

// anyOf chooses the RRset that answers ANY: one is enough (RFC 8482, section 4.1), and the smallest is the least use to
// somebody who wants a small question to cause a large answer.
func anyOf(n *records.Node) *records.RRset {
	var least *records.RRset
	for set := range n.RRsets() {
		if least == nil || set.Len() < least.Len() {
			least = set
		}
	}
	return least
}

func hasRecords(n *records.Node) bool {
	for range n.RRsets() {
		return true
	}
	return false
}

// lookupWithoutAsterisks finds "web.*.marathon.mesos" as Mesos-DNS does, which takes ".*" for nothing at all.
func lookupWithoutAsterisks(s *records.Snapshot, name []byte) *records.Node {
	if bytes.IndexByte(name, '*') < 0 {
		return nil
	}
	var buf [maxName]byte
	shorter := buf[:0]
	for rest := name; ; {
		label := rest[:1+rest[0]]
		if len(shorter) == 0 || string(label) != "\x01*" {
			shorter = append(shorter, label...)
		}
		if label[0] == 0 {
			return s.Lookup(shorter)
		}
		rest = rest[len(label):]
	}
}

// Additional yields the addresses of the hosts that the chosen records of a Success name, as far as they are in the
// zone: each host's name with its A and its AAAA records (RFC 2782; RFC 1035, section 3.3.11), once, in the order of the
// chosen. They save a question, nothing else: a message without them is complete.
func (a Answer) Additional(chosen []int32) iter.Seq2[string, *records.RRset] {
	return func(yield func(string, *records.RRset) bool) {
		skip := records.HeaderLen // where a record names its host
		switch a.Set.Type {
		case records.TypeSRV:
			skip += records.SRVLen
		case records.TypeNS:
		default:
			return
		}
		seen := make(map[string]bool)
		wire := a.Set.Wire()
		for _, i := range chosen {
			at := a.Set.At(int(i))
			host := wire[at+skip : records.RecordEnd(wire, at)]
			node := a.snapshot.Lookup([]byte(host))
			if node == nil || seen[host] {
				continue
			}
			seen[host] = true
			text, _, _ := dns.UnpackDomainName([]byte(host), 0) // cannot fail: it is a name
			for _, t := range [...]uint16{records.TypeA, records.TypeAAAA} {
				if set := node.RRset(t); set != nil && !yield(text, set) {
					return
				}
			}
		}
	}
}
