package records

import (
	"hash/maphash"
	"runtime"
)

// lookupWidth is how many look-ups take their steps in turn. A processor waits for about ten places in memory at once.
const lookupWidth = 32

// LookupAll looks up several names as Lookup does one, and stores their nodes in the order of the names. In a large
// zone a look-up is a chain of waits for memory, each for a place that the one before tells. Here all look-ups take
// their steps in turn, so that the processor waits for many at once, and whatever the answers need is near when they are
// made. It does not allocate.
func (s *Snapshot) LookupAll(names [][]byte, nodes []*Node) {
	for len(names) > 0 {
		n := min(len(names), lookupWidth)
		s.names.getAll(names[:n], nodes[:n])
		names, nodes = names[n:], nodes[n:]
	}
}

// getAll is get for at most lookupWidth names.
func (t *trie) getAll(names [][]byte, nodes []*Node) {
	var (
		hashes   [lookupWidth]uint64
		branches [lookupWidth]*branch
	)
	for i, name := range names {
		hashes[i], branches[i], nodes[i] = maphash.Bytes(t.seed, name)&t.mask, t.root, nil
	}
	for shift, deeper := uint(0), true; deeper && shift < hashBits; shift += fanoutBits {
		deeper = false
		for i := range names {
			b := branches[i]
			if b == nil {
				continue
			}
			branches[i] = nil
			if at, used := b.index(hashes[i] >> shift); used {
				slot := &b.slots[at]
				nodes[i], branches[i] = slot.node, slot.sub
				deeper = deeper || slot.sub != nil
			}
		}
	}
	for i, name := range names {
		switch {
		case branches[i] != nil:
			nodes[i] = branches[i].search(name)
		case nodes[i] != nil && !nodes[i].name.equal(name):
			nodes[i] = nil
		}
	}
	var near byte
	for i := range names {
		near |= nodes[i].touch()
	}
	runtime.KeepAlive(near) // else nothing would be read
}

// touch reads a little of what answers from the node are made of. The node may be nil.
func (n *Node) touch() (read byte) {
	if n == nil {
		return 0
	}
	for set := &n.set; set != nil; set = set.next {
		if len(set.wire) > 0 {
			read |= set.wire[0]
		}
	}
	return read
}
