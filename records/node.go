package records

import (
	"iter"
	"slices"
	"strings"
)

// Node is one name. It is immutable. There are about a million of them in a large zone: what few have is apart.
type Node struct {
	// text is the name, or the text of one that is only listed, and behind it the first set of records, with the lowest
	// type: who asks for the one needs the other.
	text     string
	nameLen  uint32
	children uint32 // names one label longer that exist
	more     *more
}

// more is what few nodes have.
type more struct {
	sets []RRset // all but the first
	// held is what the name's contributors gave, sorted. It is nil where that is exactly what the sets say, each record
	// given once by a contributor not known to be unhealthy.
	held []contribution
}

// newNode is a name without anything.
func newNode(n name) *Node { return &Node{text: string(n), nameLen: uint32(len(n))} }

// copy is a node that may be changed until somebody else has it.
func (n *Node) copy() *Node {
	out := *n
	return &out
}

// name is the name, or the text of one that is only listed.
func (n *Node) name() name { return name(n.text[:n.nameLen]) }

// first is the first set, without records if there is none.
func (n *Node) first() RRset { return newRRset(n.text[n.nameLen:]) }

// rest are the other sets.
func (n *Node) rest() []RRset {
	if n.more == nil {
		return nil
	}
	return n.more.sets
}

// held is what the name's contributors gave, nil where the sets say the same.
func (n *Node) held() []contribution {
	if n.more == nil {
		return nil
	}
	return n.more.held
}

// withHeld gives the node, which nobody else has yet, what its contributors gave.
func (n *Node) withHeld(held []contribution) *Node {
	if sets := n.rest(); len(held) > 0 || len(sets) > 0 {
		n.more = &more{sets: sets, held: held}
	} else {
		n.more = nil
	}
	return n
}

// hasRecords reports whether the node has RRsets.
func (n *Node) hasRecords() bool { return len(n.text) > int(n.nameLen) }

// RRset returns the node's records of one type, nil if it has none. It does not allocate where the result is not kept.
func (n *Node) RRset(t uint16) *RRset {
	if set, ok := n.find(t); ok {
		return &set
	}
	return nil
}

func (n *Node) find(t uint16) (RRset, bool) {
	if first := n.first(); first.Type == t && first.wire != "" {
		return first, true
	}
	for _, set := range n.rest() {
		if set.Type == t {
			return set, true
		}
	}
	return RRset{}, false
}

// RRsets yields all of the node's RRsets, in ascending order of type.
func (n *Node) RRsets() iter.Seq[*RRset] {
	return func(yield func(*RRset) bool) {
		first := n.first()
		if !n.hasRecords() || !yield(&first) {
			return
		}
		for _, set := range n.rest() {
			if !yield(&set) {
				return
			}
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
func (n *Node) exists() bool { return n.hasRecords() || n.held() != nil || n.children > 0 }

// published gives the data of the node's A, PTR, AAAA and SRV records, sorted.
func (n *Node) published() []rdata {
	if held := n.held(); held != nil {
		// That of a type all of whose contributors are unhealthy is either published or not, as options say.
		return slices.DeleteFunc(publish(held, AnswerAll), func(d rdata) bool { return n.RRset(d.rrtype) == nil })
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
	if held := n.held(); held != nil {
		return held
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
