package scheduler

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// tree is an immutable ordered map from text: a State's containers share what did not change with those of the
// State before, so that a step costs what it changes and going back to an older State costs nothing.
type tree[V any] struct{ t *iradix.Tree[V] }

func newTree[V any]() tree[V] { return tree[V]{iradix.New[V]()} }

func (t tree[V]) get(key string) V {
	v, _ := t.t.Get([]byte(key))
	return v
}

func (t tree[V]) len() int { return t.t.Len() }

// same says whether nothing changed from one to the other. It costs nothing, and may say no where it could say yes.
func (t tree[V]) same(o tree[V]) bool { return t.t.Root() == o.t.Root() }

// under yields the entries whose keys begin with prefix, in ascending order of keys.
func (t tree[V]) under(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		it := t.t.Root().Iterator()
		it.SeekPrefix([]byte(prefix))
		for k, v, ok := it.Next(); ok; k, v, ok = it.Next() {
			if !yield(string(k), v) {
				return
			}
		}
	}
}

// draftTree is a tree that is being changed; reads see the changes made so far.
type draftTree[V any] struct{ txn *iradix.Txn[V] }

func (t tree[V]) draft() draftTree[V] { return draftTree[V]{t.t.Txn()} }

func (d draftTree[V]) get(key string) V {
	v, _ := d.txn.Get([]byte(key))
	return v
}

func (d draftTree[V]) put(key string, v V) { d.txn.Insert([]byte(key), v) }

func (d draftTree[V]) remove(key string) { d.txn.Delete([]byte(key)) }

// under collects the values whose keys begin with prefix, in ascending order of keys: a draft may not be changed
// while it is walked.
func (d draftTree[V]) under(prefix string) []V {
	var out []V
	it := d.txn.Root().Iterator()
	it.SeekPrefix([]byte(prefix))
	for _, v, ok := it.Next(); ok; _, v, ok = it.Next() {
		out = append(out, v)
	}
	return out
}

// first returns the entry with the smallest key.
func (d draftTree[V]) first() (string, V, bool) {
	k, v, ok := d.txn.Root().Minimum()
	return string(k), v, ok
}

func (d draftTree[V]) commit() tree[V] { return tree[V]{d.txn.CommitOnly()} }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
