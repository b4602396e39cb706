package scheduler

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
)

// tree is an immutable ordered map from text: a State's containers share what did not change with those of the
// State before, so that a step costs what it changes and going back to an older State costs nothing.
type tree[V any] struct {
	root *node[V]
	size int
}

func newTree[V any]() tree[V] { return tree[V]{} }

func (t tree[V]) get(key string) V {
	v, _ := t.root.get(key)
	return v
}

func (t tree[V]) len() int { return t.size }

// same says whether nothing changed from one to the other. It costs nothing, and may say no where it could say yes.
func (t tree[V]) same(o tree[V]) bool { return t.root == o.root }

// under yields the entries whose keys begin with prefix, in ascending order of keys.
func (t tree[V]) under(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		t.root.walk(prefix, func(key string, v V) bool { return strings.HasPrefix(key, prefix) && yield(key, v) })
	}
}

// draft is a tree that is going to be changed.
func (t tree[V]) draft() draftTree[V] { return draftTree[V]{&treeDraft[V]{t, new(owner)}} }

// draftTree is a tree that is being changed; reads see the changes made so far.
type draftTree[V any] struct{ *treeDraft[V] }

type treeDraft[V any] struct {
	tree  tree[V]
	owner *owner
}

func (d draftTree[V]) get(key string) V { return d.tree.get(key) }

func (d draftTree[V]) len() int { return d.tree.size }

func (d draftTree[V]) put(key string, v V) {
	if d.tree.root == nil {
		d.tree.root = &node[V]{owner: d.owner}
	}
	left, right, isNew := d.tree.root.put(d.owner, key, v)
	d.tree.root = left
	if right != nil {
		d.tree.root = &node[V]{owner: d.owner, keys: []string{left.keys[0], right.keys[0]}, children: []*node[V]{left, right}}
	}
	if isNew {
		d.tree.size++
	}
}

func (d draftTree[V]) remove(key string) {
	if _, found := d.tree.root.get(key); !found {
		return
	}
	d.tree.root = d.tree.root.remove(d.owner, key)
	d.tree.size--
	for root := d.tree.root; root != nil && len(root.children) == 1; root = root.children[0] {
		d.tree.root = root.children[0]
	}
}

// under collects the values whose keys begin with prefix, in ascending order of keys: a draft may not be changed
// while it is walked.
func (d draftTree[V]) under(prefix string) []V {
	var out []V
	for _, v := range d.tree.under(prefix) {
		out = append(out, v)
	}
	return out
}

// first returns the entry with the smallest key.
func (d draftTree[V]) first() (key string, v V, ok bool) {
	d.tree.root.walk("", func(k string, first V) bool {
		key, v, ok = k, first, true
		return false
	})
	return key, v, ok
}

// commit returns the tree as it is now. The draft may be changed further.
func (d draftTree[V]) commit() tree[V] {
	d.owner = new(owner) // what is in the tree is nobody's any more
	return d.tree
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
