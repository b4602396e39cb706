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
		hashes [lookupWidth]uint64
		slots  [lookupWidth]slot
	)
	for i, name := range names {
		hashes[i], slots[i] = maphash.Bytes(t.seed, name)&t.mask, t.root
	}
	for shift, deeper := uint(0), true; deeper && shift < hashBits; shift += fanoutBits {
		deeper = false
		for i := range names {
			s := slots[i]
			if s.used == 0 {
				continue
			}
			if at, used := s.index(hashes[i] >> shift); used {
				slots[i] = s.at(at)
				deeper = true
			} else {
				slots[i] = slot{}
			}
		}
	}
	var near byte
	for i, name := range names {
		if slots[i].used != 0 {
			nodes[i] = slots[i].search(name)
			continue
		}
		nodes[i] = slots[i].node()
		near |= nodes[i].touch()
	}
	for i, name := range names {
		if nodes[i] != nil && !nodes[i].name().equal(name) {
			nodes[i] = nil
		}
	}
	runtime.KeepAlive(near) // else nothing would be read
}

// touch reads a little of what answers from the node are made of, so that it is near. The node may be nil.
func (n *Node) touch() (read byte) {
	if n == nil {
		return 0
	}
	return n.text[0] | n.text[len(n.text)-1]
}
