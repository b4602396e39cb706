package records

import (
	"slices"
	"strings"
)

// Differences calls f with what a node has and another one of the same name has not: sets of the records that are not
// there, or have another TTL there.
func (n *Node) Differences(other *Node, f func(*RRset)) {
	for set := range n.RRsets() {
		theirs := other.RRset(set.Type)
		switch {
		case theirs == nil:
			f(set)
		case theirs.wire != set.wire:
			var w writer
			for _, record := range without(set.inOrder(), theirs.inOrder()) {
				w.copy(record)
			}
			w.set(set.Type)
			if rest := newRRset(string(w.octets)); rest.Len() > 0 {
				f(&rest)
			}
		}
	}
}

// inOrder are the set's records, each in wire format, in order of that.
func (r *RRset) inOrder() []string {
	out := make([]string, 0, r.Len())
	wire := r.Wire()
	for at := 0; at < len(wire); {
		end := RecordEnd(wire, at)
		out = append(out, wire[at:end])
		at = end
	}
	if !slices.IsSorted(out) { // SRV records are in order of what their sources said
		slices.Sort(out)
	}
	return out
}

// without are the elements of a that b has not, in time linear to both, which are in ascending order.
func without(a, b []string) []string {
	var out []string
	for _, x := range a {
		for len(b) > 0 && strings.Compare(b[0], x) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != x {
			out = append(out, x)
		}
	}
	return out
}
