package records

import (
	"hash/maphash"
	"math"
	"math/bits"
	"unsafe"
)

// trie is a persistent map from names to nodes: a hash trie whose branches hold only the slots in use (P. Bagwell,
// "Ideal Hash Trees", 2001). Changing it copies the branches on the way to the changed node and shares all others, so
// that a change costs O(log names) and the tries before it stay as they are.
type trie struct {
	seed maphash.Seed
	mask uint64 // of the bits of the hash that count: all of them, unless a test wants names to collide
	root slot   // a branch, or empty
}

func newTrie() trie { return trie{seed: maphash.MakeSeed(), mask: math.MaxUint64} }

const (
	fanoutBits = 5 // 32 slots to a branch: four levels hold a million names, and copying one costs half a kilobyte
	hashBits   = 64
)

// slot holds either a node or the branch of the nodes whose hashes agree up to here. What a branch has in use stands
// with the pointer to it, so that a look-up waits for memory once for each level.
//
// A branch is an array of slots, of which the first is its header. Its pointer is nil, and its used is the edition of
// the editor that made the branch and may still change it in place.
type slot struct {
	to unsafe.Pointer // *Node or, to the header of a branch, *slot
	// used is 0 for a node. For a branch it says which of the 32 slots there are. Where the hash has no bits left it is
	// how many there are, which are not selected but tried one after the other.
	used uint64
}

func nodeSlot(n *Node) slot { return slot{to: unsafe.Pointer(n)} }

// node is the node that the slot holds, nil if that is a branch.
func (s slot) node() *Node {
	if s.used != 0 {
		return nil
	}
	return (*Node)(s.to)
}

// branch are the header and the slots of the branch that the slot holds. shift is how many bits of the hash led to it.
func (s slot) branch(shift uint) []slot {
	n := int(s.used)
	if shift < hashBits {
		n = bits.OnesCount64(s.used)
	}
	return unsafe.Slice((*slot)(s.to), 1+n)
}

// index is where the slot of a hash is in a branch, or would be.
func (s slot) index(hash uint64) (i int, used bool) {
	bit := uint64(1) << (hash & (1<<fanoutBits - 1))
	return 1 + bits.OnesCount64(s.used&(bit-1)), s.used&bit != 0
}

// at is slot i of a branch.
func (s slot) at(i int) slot { return *(*slot)(unsafe.Add(s.to, i*int(unsafe.Sizeof(slot{})))) }

// get finds the node of a name in wire format, nil if there is none. It does not allocate.
func (t *trie) get(wire []byte) *Node {
	hash := maphash.Bytes(t.seed, wire) & t.mask
	s := t.root
	for shift := uint(0); s.used != 0; shift += fanoutBits {
		if shift >= hashBits {
			return s.search(wire)
		}
		i, used := s.index(hash >> shift)
		if !used {
			return nil
		}
		s = s.at(i)
	}
	if n := s.node(); n != nil && n.name().equal(wire) {
		return n
	}
	return nil
}

// search finds a node in a branch where the hash has no bits left.
func (s slot) search(wire []byte) *Node {
	for _, s := range s.branch(hashBits)[1:] {
		if n := s.node(); n.name().equal(wire) {
			return n
		}
	}
	return nil
}

// hash equals the hash that get makes of the same octets.
func (t *trie) hash(n name) uint64 { return maphash.String(t.seed, string(n)) & t.mask }

// all calls yield with each node, in no order, until it returns false.
func (t *trie) all(yield func(*Node) bool) {
	if t.root.used != 0 {
		t.root.all(0, yield)
	}
}

func (s slot) all(shift uint, yield func(*Node) bool) bool {
	for _, s := range s.branch(shift)[1:] {
		if n := s.node(); n != nil && !yield(n) || n == nil && !s.all(shift+fanoutBits, yield) {
			return false
		}
	}
	return true
}

// trieEditor makes a new trie out of one by several changes. It changes in place the branches that it has copied
// already, as nobody else has them yet; so it must not be used any more once its trie has been handed out, and each
// editor of a trie's descendants needs an edition of its own.
type trieEditor struct {
	trie
	edition uint64
}

// find finds a name; its copy in a buffer of its own keeps the look-up from allocating.
func (e *trieEditor) find(n name) *Node {
	var buf [maxName]byte
	return e.get(append(buf[:0], n...))
}

// put adds a node, or puts it in the place of the one of the same name.
func (e *trieEditor) put(n *Node) { e.root = e.putIn(e.root, e.hash(n.name()), 0, n) }

// remove removes the node of a name that is there.
func (e *trieEditor) remove(n name) { e.root = e.removeFrom(e.root, e.hash(n), 0, n) }

// newBranch makes a branch of the editor's own, with slots that are to be filled in behind its header.
func (e *trieEditor) newBranch(slots int) []slot {
	out := make([]slot, 1+slots)
	out[0].used = e.edition
	return out
}

// own gives a branch with the slots of another one that may be changed in place.
func (e *trieEditor) own(branch []slot) []slot {
	if branch[0].used == e.edition {
		return branch
	}
	out := e.newBranch(len(branch) - 1)
	copy(out[1:], branch[1:])
	return out
}

// branchSlot is a slot that holds a branch.
func branchSlot(branch []slot, used uint64) slot {
	return slot{to: unsafe.Pointer(&branch[0]), used: used}
}

// with is a branch with one more slot at i.
func (e *trieEditor) with(branch []slot, i int, added slot) []slot {
	out := e.newBranch(len(branch))
	copy(out[1:i], branch[1:i])
	out[i] = added
	copy(out[i+1:], branch[i:])
	return out
}

// without is a branch without slot i.
func (e *trieEditor) without(branch []slot, i int) []slot {
	out := e.newBranch(len(branch) - 2)
	copy(out[1:i], branch[1:i])
	copy(out[i:], branch[i+1:])
	return out
}

// putIn puts a node in a branch, which may be empty.
func (e *trieEditor) putIn(s slot, hash uint64, shift uint, n *Node) slot {
	bit := uint64(1) << (hash >> shift & (1<<fanoutBits - 1))
	if s.used == 0 {
		branch := e.newBranch(1)
		branch[1] = nodeSlot(n)
		if shift >= hashBits {
			bit = 1
		}
		return branchSlot(branch, bit)
	}
	branch := s.branch(shift)
	if shift >= hashBits {
		i := named(branch, n.name())
		if i < 0 {
			return branchSlot(e.with(branch, len(branch), nodeSlot(n)), s.used+1)
		}
		branch = e.own(branch)
		branch[i] = nodeSlot(n)
		return branchSlot(branch, s.used)
	}
	i, used := s.index(hash >> shift)
	if !used {
		return branchSlot(e.with(branch, i, nodeSlot(n)), s.used|bit)
	}
	branch = e.own(branch)
	switch other := branch[i].node(); {
	case other == nil:
		branch[i] = e.putIn(branch[i], hash, shift+fanoutBits, n)
	case other.name() == n.name():
		branch[i] = nodeSlot(n)
	default:
		sub := e.putIn(slot{}, e.hash(other.name()), shift+fanoutBits, other)
		branch[i] = e.putIn(sub, hash, shift+fanoutBits, n)
	}
	return branchSlot(branch, s.used)
}

// removeFrom removes a node that is there from a branch. It returns an empty slot where nothing is left.
func (e *trieEditor) removeFrom(s slot, hash uint64, shift uint, n name) slot {
	branch := s.branch(shift)
	if shift >= hashBits {
		if len(branch) == 2 {
			return slot{}
		}
		return branchSlot(e.without(branch, named(branch, n)), s.used-1)
	}
	i, _ := s.index(hash >> shift)
	if branch[i].node() != nil {
		if len(branch) == 2 {
			return slot{}
		}
		return branchSlot(e.without(branch, i), s.used&^(1<<(hash>>shift&(1<<fanoutBits-1))))
	}
	sub := e.removeFrom(branch[i], hash, shift+fanoutBits, n)
	if left := sub.branch(shift + fanoutBits); len(left) == 2 && left[1].node() != nil {
		sub = left[1] // a branch of one node is no branch
	}
	branch = e.own(branch)
	branch[i] = sub
	return branchSlot(branch, s.used)
}

// named finds a name in a branch where the hash has no bits left; -1: it is not there.
func named(branch []slot, n name) int {
	for i, s := range branch[1:] {
		if s.node().name() == n {
			return i + 1
		}
	}
	return -1
}
