package records

import (
	"iter"
	"slices"
)

// Node is one name. It is immutable but for the slots that cache renderings.
type Node struct {
	name name   // or the text of one that is only listed
	sets *RRset // the first one, with the lowest type
	// held is what the name's contributors gave, sorted. It is nil where that is exactly what sets publishes, each
	// record given once by a contributor not known to be unhealthy, as it is at nearly every name: hence a pointer, as
	// there are a million nodes.
	held     *[]contribution
	children uint32 // names one label longer that exist
}

// RRset returns the node's records of one type, nil if it has none.
func (n *Node) RRset(t uint16) *RRset {
	set := n.sets
	for set != nil && set.Type != t {
		set = set.next
	}
	return set
}

// RRsets yields all of the node's RRsets, in ascending order of type.
func (n *Node) RRsets() iter.Seq[*RRset] {
	return func(yield func(*RRset) bool) {
		for set := n.sets; set != nil && yield(set); set = set.next {
		}
	}
}

// exists reports whether the name has a reason to exist: records, contributors whose records are withheld, or names
// below it.
func (n *Node) exists() bool { return n.sets != nil || n.held != nil || n.children > 0 }

// published gives the data of the node's A, PTR, AAAA and SRV records, sorted.
func (n *Node) published() []rdata {
	var out []rdata
	for set := range n.RRsets() {
		out = slices.Grow(out, set.Len())
		for _, a := range set.Addrs {
			out = append(out, rdata{rrtype: set.Type, ttl: set.TTL, addr: a})
		}
		for _, target := range set.Names() {
			if set.Type == TypePTR {
				out = append(out, rdata{rrtype: TypePTR, ttl: set.TTL, target: target})
			}
		}
		for _, s := range set.SRV {
			out = append(out, s.rdata(set.TTL))
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
