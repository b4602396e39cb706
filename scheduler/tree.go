package scheduler

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// tree is an immutable ordered map from text: a State's containers share what did not change with those of the
// State before, so that a step costs what it changes and going back to an older State costs nothing.
//
// It is a B-tree whose nodes are copied when they are written to, unless the draft that writes made them.
type tree[V any] struct {
	entries  *btree.Map[string, V] // never written to
	revision *revision
}

// revision tells what a tree holds from what others do, by its address.
type revision struct{ _ byte }

// degree makes nodes of at most 31 entries: a change copies the nodes on its way down, a look-up wants them few.
const degree = 16

func newTree[V any]() tree[V] { return tree[V]{btree.NewMap[string, V](degree), new(revision)} }

func (t tree[V]) get(key string) V {
	v, _ := t.entries.Get(key)
	return v
}

func (t tree[V]) len() int { return t.entries.Len() }

// same says whether nothing changed from one to the other. It costs nothing, and may say no where it could say yes.
func (t tree[V]) same(o tree[V]) bool { return t.revision == o.revision }

// under yields the entries whose keys begin with prefix, in ascending order of keys.
func (t tree[V]) under(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		t.entries.Ascend(prefix, func(key string, v V) bool { return strings.HasPrefix(key, prefix) && yield(key, v) })
	}
}

// draft is a tree that is going to be changed.
func (t tree[V]) draft() draftTree[V] {
	entries := *t.entries // Copy marks what it copies, and t is read by others
	return draftTree[V]{&treeDraft[V]{entries.Copy(), t.revision}}
}

// draftTree is a tree that is being changed; reads see the changes made so far.
type draftTree[V any] struct{ *treeDraft[V] }

type treeDraft[V any] struct {
	entries  *btree.Map[string, V]
	revision *revision
}

func (d draftTree[V]) get(key string) V {
	v, _ := d.entries.Get(key)
	return v
}

func (d draftTree[V]) len() int { return d.entries.Len() }

func (d draftTree[V]) put(key string, v V) {
	d.entries.Set(key, v)
	d.revision = new(revision)
}

func (d draftTree[V]) remove(key string) {
	if _, found := d.entries.Get(key); found { // to remove what is not there would copy nodes
		d.entries.Delete(key)
		d.revision = new(revision)
	}
}

// under collects the values whose keys begin with prefix, in ascending order of keys: a draft may not be changed
// while it is walked.
func (d draftTree[V]) under(prefix string) []V {
	var out []V
	d.entries.Ascend(prefix, func(key string, v V) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		out = append(out, v)
		return true
	})
	return out
}

// first returns the entry with the smallest key.
func (d draftTree[V]) first() (key string, v V, ok bool) { return d.entries.Min() }

// commit returns the tree as it is now. The draft may be changed further.
func (d draftTree[V]) commit() tree[V] { return tree[V]{d.entries.Copy(), d.revision} }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
