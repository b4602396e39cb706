package records

import (
	"iter"
	"slices"
	"time"
)

// Snapshot is the zone at one moment. It is immutable.
type Snapshot struct {
	apexes []Apex // the domain's first
	names  trie
	listed trie // names that are only listed, by text
	stats  Stats

	journal     journal
	provisional bool
}

// Provisional says that the serials are of this rollcall alone, while there are others: under them nothing may be given to
// secondaries, who might be told something else by another. What is answered is as good as ever.
func (s *Snapshot) Provisional() bool { return s.provisional }

// Serial is the SOA serial of the domain: two snapshots with equal content have the same one (RFC 1035, section
// 3.3.13; RFC 1982).
func (s *Snapshot) Serial() uint32 { return s.apexes[0].Serial }

// LastSerial is the latest of all zones' serials.
func (s *Snapshot) LastSerial() uint32 {
	last := s.apexes[0].Serial
	for _, a := range s.apexes {
		if Later(a.Serial, last) {
			last = a.Serial
		}
	}
	return last
}

// Domain is the domain's apex: lower case, with a dot at the end.
func (s *Snapshot) Domain() string { return s.apexes[0].Name }

// Lookup finds a name: in lower case, in wire format (RFC 1035, section 3.1: length octets, the zero octet at the
// end), given as octets so that a caller can look up a name in its packet buffer without allocating.
// It returns nil when the name does not exist (NXDOMAIN). A node without RRsets is an empty non-terminal
// (RFC 8020), or a name whose tasks are all unhealthy (AnswerNone): the name exists, and the answer is NODATA.
func (s *Snapshot) Lookup(wire []byte) *Node { return s.names.get(wire) }

// LookupName is Lookup for a name as text: absolute, any case, with or without the dot at the end. What a backslash
// follows is taken as in zone files (RFC 1035, section 5.1). It does not allocate.
func (s *Snapshot) LookupName(name string) *Node {
	var buf [maxName]byte
	wire, ok := appendParsed(buf[:0], name)
	if !ok {
		return nil
	}
	return s.names.get(wire)
}

// All yields each node of the domain that has RRsets: see AllIn.
func (s *Snapshot) All() iter.Seq2[string, *Node] { return s.AllIn(&s.apexes[0]) }

// AllIn yields each node of a zone that has RRsets, by name (text form) in canonical order (RFC 4034, section 6.1). It
// sorts the names first: it is for zone transfers and listings.
func (s *Snapshot) AllIn(apex *Apex) iter.Seq2[string, *Node] {
	return func(yield func(string, *Node) bool) {
		nodes := make([]*Node, 0, s.stats.Names)
		s.names.all(func(n *Node) bool {
			if n.hasRecords() && n.name().within(apex.wire) {
				nodes = append(nodes, n)
			}
			return true
		})
		slices.SortFunc(nodes, func(a, b *Node) int { return a.name().compare(b.name()) })
		for _, n := range nodes {
			if !yield(n.name().text(), n) {
				return
			}
		}
	}
}

// LookupListed finds a name as Mesos-DNS's HTTP API does: by its text as the source worded it, dotted labels with a dot
// at the end, without escapes, and in lower case, as capitals are never found there. Beyond the names that Lookup finds
// these are the ones that are only listed.
func (s *Snapshot) LookupListed(text string) *Node {
	if isPlain(text) {
		var buf [maxName]byte
		if wire, ok := appendWire(buf[:0], text); ok {
			if n := s.names.get(wire); n != nil {
				return n
			}
		}
	}
	return s.listed.get([]byte(text))
}

// Listed yields each name that is only listed, by its text, in no order.
func (s *Snapshot) Listed() iter.Seq2[string, *Node] {
	return func(yield func(string, *Node) bool) {
		s.listed.all(func(n *Node) bool { return yield(string(n.name()), n) })
	}
}

// Stats counts what the snapshot holds and what could not be published.
func (s *Snapshot) Stats() Stats { return s.stats }

// Stats are counts of one snapshot.
type Stats struct {
	Tasks   int // published
	Names   int // with RRsets
	Records int
	Skipped int // records that are only listed
	// Collisions counts names that several give records to which do not know of each other; see Collision.
	Collisions int
	Changed    time.Time // when the content last changed; zero for never
}
