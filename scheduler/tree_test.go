package scheduler

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A tree is a map, whatever is done to it, and a tree that was committed never changes again.
func TestTree(t *testing.T) {
	type version struct {
		tree tree[int]
		want map[string]int
	}
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 3))
		draft, want := newTree[int]().draft(), map[string]int{}
		var kept []version
		keys := 10 << (seed % 8)
		for n := range 3000 {
			key := fmt.Sprintf("/%d/%d", random.IntN(3), random.IntN(keys))
			// It grows, and shrinks again.
			if random.IntN(3000) > n {
				draft.put(key, n)
				want[key] = n
			} else {
				draft.remove(key)
				delete(want, key)
			}
			if got, ok := want[key]; draft.get(key) != got || draft.len() != len(want) {
				t.Fatalf("seed %d: %s is %d, want %d (%v); %d entries, want %d", seed, key, draft.get(key), got, ok, draft.len(), len(want))
			}
			switch random.IntN(100) {
			case 0:
				kept = append(kept, version{draft.commit(), maps.Clone(want)})
			case 1:
				draft = draft.commit().draft()
			}
		}
		for _, v := range append(kept, version{draft.commit(), want}) {
			checkTree(t, v.tree, v.want)
		}
		for key := range maps.Clone(want) {
			draft.remove(key)
		}
		if end := draft.commit(); end.root != nil || end.len() != 0 {
			t.Errorf("seed %d: %d entries are left of an empty tree", seed, end.len())
		}
	}
}

func checkTree(t *testing.T, tree tree[int], want map[string]int) {
	t.Helper()
	if got := maps.Collect(tree.under("")); !maps.Equal(got, want) || tree.len() != len(want) {
		t.Fatalf("a tree of %d is %v, want %v", tree.len(), got, want)
	}
	for _, prefix := range []string{"/0/", "/1", "/2/1", "/3", "~"} {
		var got, wanted []string
		for key := range tree.under(prefix) {
			got = append(got, key)
		}
		for _, key := range sortedKeys(want) {
			if strings.HasPrefix(key, prefix) {
				wanted = append(wanted, key)
			}
		}
		if !slices.Equal(got, wanted) {
			t.Fatalf("under %s: %v, want %v", prefix, got, wanted)
		}
	}
	if keys := sortedKeys(want); len(keys) > 0 {
		if first, v, ok := tree.draft().first(); !ok || first != keys[0] || v != want[first] {
			t.Fatalf("first is %s, %d", first, v)
		}
	}
}

// Taking entries out gives their room back: what is left lies close together.
func TestTreeShrinks(t *testing.T) {
	draft := newTree[int]().draft()
	for n := range 10_000 {
		draft.put(fmt.Sprintf("%05d", n), n)
	}
	for n := range 10_000 {
		if n%20 != 0 {
			draft.remove(fmt.Sprintf("%05d", n))
		}
	}
	var count func(*node[int]) int
	count = func(n *node[int]) int {
		sum := 1
		for _, child := range n.children {
			sum += count(child)
		}
		return sum
	}
	if nodes := count(draft.commit().root); nodes > 10*draft.len()/order {
		t.Errorf("%d entries in %d nodes", draft.len(), nodes)
	}
}
