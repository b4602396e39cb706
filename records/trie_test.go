package records

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A trie does what a map does, older tries stay as they were, and names whose hashes are equal in part or altogether
// are told apart.
func TestTrieIsAPersistentMap(t *testing.T) {
	for _, mask := range []uint64{math.MaxUint64, 0x3f, 0xfff << 52, 1, 0} {
		t.Run(fmt.Sprintf("mask %x", mask), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				type version struct {
					trie trie
					want map[name]*Node
				}
				first := newTrie()
				first.mask = mask
				versions := []version{{first, map[name]*Node{}}}
				for edition := range rapid.IntRange(1, 6).Draw(t, "editions") {
					last := versions[len(versions)-1]
					e := trieEditor{trie: last.trie, edition: uint64(edition) + 1}
					want := maps.Clone(last.want)
					for range rapid.IntRange(0, 40).Draw(t, "changes") {
						n := name(fmt.Sprintf("\x03%03d\x00", rapid.IntRange(0, 60).Draw(t, "name")))
						if want[n] != nil && rapid.Bool().Draw(t, "remove") {
							e.remove(n)
							delete(want, n)
							continue
						}
						want[n] = newNode(n)
						e.put(want[n])
					}
					versions = append(versions, version{e.trie, want})
				}
				for _, v := range versions {
					got := map[name]*Node{}
					v.trie.all(func(n *Node) bool { got[n.name()] = n; return true })
					if !maps.Equal(got, v.want) {
						t.Fatalf("all yields %d nodes, want %d", len(got), len(v.want))
					}
					var wires [][]byte
					for i := range 61 {
						wires = append(wires, fmt.Appendf(nil, "\x03%03d\x00", i))
					}
					nodes := make([]*Node, len(wires))
					(&Snapshot{names: v.trie}).LookupAll(wires, nodes)
					for i := range 61 {
						n := name(fmt.Sprintf("\x03%03d\x00", i))
						if nodes[i] != v.want[n] {
							t.Fatalf("LookupAll finds %v for %q, want %v", nodes[i], n, v.want[n])
						}
						if v.trie.get([]byte(n)) != v.want[n] {
							t.Fatalf("get(%q) = %v, want %v", n, v.trie.get([]byte(n)), v.want[n])
						}
					}
					if len(v.want) == 0 && v.trie.root.used != 0 {
						t.Fatal("an empty trie has branches")
					}
				}
			})
		})
	}
}

func TestTrieAllStops(t *testing.T) {
	e := trieEditor{trie: newTrie(), edition: 1}
	for i := range 1000 {
		e.put(newNode(name(fmt.Sprintf("\x04%04d\x00", i))))
	}
	var seen []*Node
	e.all(func(n *Node) bool { seen = append(seen, n); return len(seen) < 7 })
	if len(seen) != 7 || len(slices.Compact(seen)) != 7 {
		t.Errorf("saw %d nodes after asking for 7", len(seen))
	}
}
