package records

import (
	"iter"
	"slices"
	"strings"
)

// Node is one name. It is immutable.
type Node struct {
	name name  // or the text of one that is only listed
	set  RRset // the first one, with the lowest type; without records where there is none
	// held is what the name's contributors gave, sorted. It is nil where that is exactly what the sets say, each record
	// given once by a contributor not known to be unhealthy, as it is at nearly every name: hence a pointer, as there are
	// half a million nodes.
	held     *[]contribution
	children uint32 // names one label longer that exist
}

// hasRecords reports whether the node has RRsets.
func (n *Node) hasRecords() bool { return n.set.length > 0 }

// RRset returns the node's records of one type, nil if it has none.
func (n *Node) RRset(t uint16) *RRset {
	if n.set.Type == t && n.hasRecords() {
		return &n.set
	}
	set := n.set.next
	for set != nil && set.Type != t {
		set = set.next
	}
	return set
}

// RRsets yields all of the node's RRsets, in ascending order of type.
func (n *Node) RRsets() iter.Seq[*RRset] {
	return func(yield func(*RRset) bool) {
		if !n.hasRecords() {
			return
		}
		for set := &n.set; set != nil && yield(set); set = set.next {
		}
	}
}

// SRVListed is the data of the node's SRV records as their sources worded it, in the order of the set.
func (n *Node) SRVListed() []SRVListed {
	var out []SRVListed
	for _, d := range n.published() {
		if d.rrtype == TypeSRV {
			out = append(out, SRVListed{Target: d.target, Port: d.port})
		}
	}
	return out
}

// exists reports whether the name has a reason to exist: records, contributors whose records are withheld, or names
// below it.
func (n *Node) exists() bool { return n.hasRecords() || n.held != nil || n.children > 0 }

// published gives the data of the node's A, PTR, AAAA and SRV records, sorted.
func (n *Node) published() []rdata {
	if n.held != nil {
		// That of a type all of whose contributors are unhealthy is either published or not, as options say.
		return slices.DeleteFunc(publish(*n.held, AnswerAll), func(d rdata) bool { return n.RRset(d.rrtype) == nil })
	}
	out := make([]rdata, 0, n.records())
	var text strings.Builder // of all targets: one allocation
	for set := range n.RRsets() {
		ttl := set.TTL()
		target := func(n name) string {
			start := text.Len()
			if start == 0 {
				text.Grow(len(set.wire))
			}
			n.writePlain(&text)
			return text.String()[start:]
		}
		for data := range set.data() {
			switch set.Type {
			case TypeA, TypeAAAA:
				out = append(out, rdata{rrtype: set.Type, ttl: ttl, addr: addrOf(data)})
			case TypePTR:
				out = append(out, rdata{rrtype: TypePTR, ttl: ttl, target: target(name(data))})
			case TypeSRV:
				out = append(out, rdata{rrtype: TypeSRV, ttl: ttl, port: int(uint16At(data, 4)), target: target(name(data[SRVLen:]))})
			}
		}
	}
	return out
}

// contributions gives what the node's contributors gave, sorted. published is n.published().
func (n *Node) contributions(published []rdata) []contribution {
	if n.held != nil {
		return *n.held
	}
	return onceEach(published)
}

// records counts the node's records.
func (n *Node) records() int {
	count := 0
	for set := range n.RRsets() {
		count += set.Len()
	}
	return count
}
