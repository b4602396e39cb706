package scheduler

import "slices"

// order is the most entries of a node. It is a compromise: a change copies the nodes on its way down, a look-up wants
// them few.
const order = 32

// node is a part of a B+ tree of text keys: a leaf with entries, or an inner node. A node belongs to the draft that made
// it, which alone may change it, until the draft is committed. From then on nobody changes it, so that it may be part of
// any number of trees and be read from any goroutine.
type node[V any] struct {
	owner *owner
	// keys are those of a leaf's entries, in order. Of an inner node they bound its children from below: no key in
	// children[n] is less than keys[n], and all are less than keys[n+1].
	keys     []string
	values   []V        // of a leaf
	children []*node[V] // of an inner node
}

// owner tells drafts apart by its address.
type owner struct{ _ byte }

func (n *node[V]) get(key string) (v V, found bool) {
	if n == nil {
		return v, false
	}
	for n.children != nil {
		n = n.children[n.childFor(key)]
	}
	at, found := search(n.keys, key)
	if found {
		v = n.values[at]
	}
	return v, found
}

// search is the number of the first key that is not less than key, and whether it is that key.
func search(keys []string, key string) (int, bool) {
	from, to := 0, len(keys)
	for from < to {
		if middle := (from + to) / 2; keys[middle] < key {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, from < len(keys) && keys[from] == key
}

// childFor is the number of the child in which a key is, if it is anywhere.
func (n *node[V]) childFor(key string) int {
	at, found := search(n.keys, key)
	if found {
		return at
	}
	return max(0, at-1)
}

// walk yields the entries from a key on, in order; it returns false when yield did.
func (n *node[V]) walk(from string, yield func(string, V) bool) bool {
	if n == nil {
		return true
	}
	if n.children == nil {
		at, _ := search(n.keys, from)
		for ; at < len(n.keys); at++ {
			if !yield(n.keys[at], n.values[at]) {
				return false
			}
		}
		return true
	}
	for _, child := range n.children[n.childFor(from):] {
		if !child.walk(from, yield) {
			return false
		}
	}
	return true
}

// owned is the node itself if o may change it, else a copy that o may change.
func (n *node[V]) owned(o *owner) *node[V] {
	if n.owner == o {
		return n
	}
	return &node[V]{o, slices.Clone(n.keys), slices.Clone(n.values), slices.Clone(n.children)}
}

// put sets an entry. It returns the node with it, another beside it (nil when there is room in one), and whether the
// entry is new.
func (n *node[V]) put(o *owner, key string, v V) (left, right *node[V], isNew bool) {
	n = n.owned(o)
	if n.children == nil {
		at, found := search(n.keys, key)
		if found {
			n.values[at] = v
			return n, nil, false
		}
		n.keys, n.values = slices.Insert(n.keys, at, key), slices.Insert(n.values, at, v)
		return n, n.split(o), true
	}
	at := n.childFor(key)
	n.keys[at] = min(n.keys[at], key)
	n.children[at], right, isNew = n.children[at].put(o, key, v)
	if right == nil {
		return n, nil, isNew
	}
	n.keys, n.children = slices.Insert(n.keys, at+1, right.keys[0]), slices.Insert(n.children, at+1, right)
	return n, n.split(o), isNew
}

// split takes the upper half out of a node that has too much.
func (n *node[V]) split(o *owner) *node[V] {
	if len(n.keys) <= order {
		return nil
	}
	half := len(n.keys) / 2
	right := &node[V]{owner: o, keys: slices.Clone(n.keys[half:])}
	n.keys = slices.Delete(n.keys, half, len(n.keys))
	if n.children == nil {
		right.values = slices.Clone(n.values[half:])
		n.values = slices.Delete(n.values, half, len(n.values))
	} else {
		right.children = slices.Clone(n.children[half:])
		n.children = slices.Delete(n.children, half, len(n.children))
	}
	return right
}

// remove takes out the entry of a key, which has to be there. It returns nil when nothing is left.
func (n *node[V]) remove(o *owner, key string) *node[V] {
	n = n.owned(o)
	if n.children == nil {
		at, _ := search(n.keys, key)
		n.keys, n.values = slices.Delete(n.keys, at, at+1), slices.Delete(n.values, at, at+1)
		if len(n.keys) == 0 {
			return nil
		}
		return n
	}
	at := n.childFor(key)
	child := n.children[at].remove(o, key)
	n.children[at] = child
	switch {
	case child == nil:
		n.keys, n.children = slices.Delete(n.keys, at, at+1), slices.Delete(n.children, at, at+1)
		if len(n.children) == 0 {
			return nil
		}
	case len(child.keys) < order/4 && at+1 < len(n.children):
		n.join(o, at)
	case len(child.keys) < order/4 && at > 0:
		n.join(o, at-1)
	}
	return n
}

// join makes one of the child at a number and the next, if there is room.
func (n *node[V]) join(o *owner, at int) {
	left, right := n.children[at], n.children[at+1]
	if len(left.keys)+len(right.keys) > order {
		return
	}
	left = left.owned(o)
	left.keys = append(left.keys, right.keys...)
	left.values = append(left.values, right.values...)
	left.children = append(left.children, right.children...)
	n.children[at] = left
	n.keys, n.children = slices.Delete(n.keys, at+1, at+2), slices.Delete(n.children, at+1, at+2)
}
