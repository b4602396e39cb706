package records

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
)

// trie is a persistent map from names to nodes: a hash trie whose branches hold only the slots in use (P. Bagwell,
// "Ideal Hash Trees", 2001). Changing it copies the branches on the way to the changed node and shares all others, so
// that a change costs O(log names) and the tries before it stay as they are.
type trie struct {
	seed maphash.Seed
	mask uint64 // of the bits of the hash that count: all of them, unless a test wants names to collide
	root *branch
}

func newTrie() trie { return trie{seed: maphash.MakeSeed(), mask: math.MaxUint64} }

const (
	fanoutBits = 5 // 32 slots to a branch: four levels hold a million names, and copying one costs half a kilobyte
	hashBits   = 64
)

// branch is one level of the trie. Where the hash has no bits left its slots are not selected by bitmap but tried one
// after the other.
type branch struct {
	edition uint64 // of the editor that made it and may still change it in place
	bitmap  uint32 // which of the 32 slots are in use
	slots   []slot
}

// slot holds either a node or the branch of the nodes whose hashes agree up to here.
type slot struct {
	sub  *branch
	node *Node
}

// get finds the node of a name in wire format, nil if there is none. It does not allocate.
func (t *trie) get(wire []byte) *Node {
	hash := maphash.Bytes(t.seed, wire) & t.mask
	b := t.root
	for shift := uint(0); b != nil && shift < hashBits; shift += fanoutBits {
		i, used := b.index(hash >> shift)
		if !used {
			return nil
		}
		s := &b.slots[i]
		if s.node != nil {
			if s.node.name.equal(wire) {
				return s.node
			}
			return nil
		}
		b = s.sub
	}
	if b != nil {
		return b.search(wire)
	}
	return nil
}

// search finds a node in a branch where the hash has no bits left.
func (b *branch) search(wire []byte) *Node {
	for i := range b.slots {
		if b.slots[i].node.name.equal(wire) {
			return b.slots[i].node
		}
	}
	return nil
}

// hash equals the hash that get makes of the same octets.
func (t *trie) hash(n name) uint64 { return maphash.String(t.seed, string(n)) & t.mask }

// index is where the slot of a hash is, or would be.
func (b *branch) index(hash uint64) (i int, used bool) {
	bit := uint32(1) << (hash & (1<<fanoutBits - 1))
	return bits.OnesCount32(b.bitmap & (bit - 1)), b.bitmap&bit != 0
}

// all calls yield with each node, in no order, until it returns false.
func (t *trie) all(yield func(*Node) bool) {
	if t.root != nil {
		t.root.all(yield)
	}
}

func (b *branch) all(yield func(*Node) bool) bool {
	for _, s := range b.slots {
		if s.node != nil && !yield(s.node) || s.sub != nil && !s.sub.all(yield) {
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

// node finds a name; its copy in a buffer of its own keeps the look-up from allocating.
func (e *trieEditor) node(n name) *Node {
	var buf [maxName]byte
	return e.get(append(buf[:0], n...))
}

// put adds a node, or puts it in the place of the one of the same name.
func (e *trieEditor) put(n *Node) { e.root = e.putIn(e.root, e.hash(n.name), 0, n) }

// remove removes the node of a name that is there.
func (e *trieEditor) remove(n name) { e.root = e.removeFrom(e.root, e.hash(n), 0, n) }

// own gives a branch that may be changed in place, with the content of b.
func (e *trieEditor) own(b *branch) *branch {
	if b == nil {
		return &branch{edition: e.edition}
	}
	if b.edition == e.edition {
		return b
	}
	return &branch{edition: e.edition, bitmap: b.bitmap, slots: slices.Clone(b.slots)}
}

func (e *trieEditor) putIn(b *branch, hash uint64, shift uint, n *Node) *branch {
	b = e.own(b)
	if shift >= hashBits {
		if i := b.named(n.name); i >= 0 {
			b.slots[i].node = n
		} else {
			b.slots = append(b.slots, slot{node: n})
		}
		return b
	}
	i, used := b.index(hash >> shift)
	switch {
	case !used:
		b.slots = inserted(b.slots, i, slot{node: n})
		b.bitmap |= 1 << (hash >> shift & (1<<fanoutBits - 1))
	case b.slots[i].sub != nil:
		b.slots[i].sub = e.putIn(b.slots[i].sub, hash, shift+fanoutBits, n)
	case b.slots[i].node.name == n.name:
		b.slots[i].node = n
	default:
		other := b.slots[i].node
		sub := e.putIn(nil, e.hash(other.name), shift+fanoutBits, other)
		b.slots[i] = slot{sub: e.putIn(sub, hash, shift+fanoutBits, n)}
	}
	return b
}

// inserted is slices with another one at i. It has no room for more: there are a hundred thousand branches, and most of
// them never change again.
func inserted(slots []slot, i int, s slot) []slot {
	out := make([]slot, len(slots)+1)
	copy(out, slots[:i])
	out[i] = s
	copy(out[i+1:], slots[i:])
	return out
}

// removeFrom returns nil where nothing is left.
func (e *trieEditor) removeFrom(b *branch, hash uint64, shift uint, n name) *branch {
	b = e.own(b)
	if shift >= hashBits {
		i := b.named(n)
		b.slots = slices.Delete(b.slots, i, i+1)
	} else {
		i, _ := b.index(hash >> shift)
		if sub := b.slots[i].sub; sub != nil {
			sub = e.removeFrom(sub, hash, shift+fanoutBits, n)
			b.slots[i].sub = sub
			if len(sub.slots) == 1 && sub.slots[0].node != nil {
				b.slots[i] = sub.slots[0] // a branch of one node is no branch
			}
			return b
		}
		b.slots = slices.Delete(b.slots, i, i+1)
		b.bitmap &^= 1 << (hash >> shift & (1<<fanoutBits - 1))
	}
	if len(b.slots) == 0 {
		return nil
	}
	return b
}

// named finds a name among the slots of a branch that the hash does not select.
func (b *branch) named(n name) int {
	return slices.IndexFunc(b.slots, func(s slot) bool { return s.node.name == n })
}
