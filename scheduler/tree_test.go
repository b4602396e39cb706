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
		if end := draft.commit(); end.len() != 0 || len(maps.Collect(end.under(""))) != 0 {
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

// A tree is the same as what it was made from until something is put or removed, also when that changes nothing.
func TestTreeSame(t *testing.T) {
	draft := newTree[int]().draft()
	draft.put("a", 1)
	first := draft.commit()
	draft.remove("b")
	if !draft.commit().same(first) || !first.draft().commit().same(first) {
		t.Error("an untouched tree is another one")
	}
	draft.put("a", 2)
	second := draft.commit()
	draft.put("a", 1)
	if second.same(first) || draft.commit().same(second) || draft.commit().same(first) {
		t.Error("a changed tree is the same")
	}
	other := first.draft()
	other.put("b", 1)
	if other.commit().same(second) {
		t.Error("trees that were changed apart are the same")
	}
}
