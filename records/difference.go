package records

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Differences calls f with what a node has and another one of the same name has not: sets of the records that are not
// there, or have another TTL there.
func (n *Node) Differences(other *Node, f func(*RRset)) {
	for set := range n.RRsets() {
		theirs := other.RRset(set.Type)
		switch {
		case theirs == set:
		case theirs == nil || theirs.TTL != set.TTL:
			f(set)
		default:
			rest := &RRset{Type: set.Type, TTL: set.TTL,
				Addrs: without(set.Addrs, theirs.Addrs, netip.Addr.Compare), SRV: without(inOrder(set.SRV), inOrder(theirs.SRV), compareSRV),
				others: &otherData{soa: set.SOA(), names: without(set.Names(), theirs.Names(), strings.Compare)}}
			if rest.Len() > 0 {
				f(rest)
			}
		}
	}
}

// without are the elements of a that b has not, in time linear to both when they are in ascending order, as sets are.
func without[T any](a, b []T, compare func(T, T) int) []T {
	var out []T
	for _, x := range a {
		for len(b) > 0 && compare(b[0], x) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || compare(b[0], x) != 0 {
			out = append(out, x)
		}
	}
	return out
}

// inOrder sorts SRV records by what they say on the wire; sets are in order of what their sources said.
func inOrder(list []SRV) []SRV {
	if slices.IsSortedFunc(list, compareSRV) {
		return list
	}
	return slices.SortedFunc(slices.Values(list), compareSRV)
}

func compareSRV(a, b SRV) int {
	return cmp.Or(strings.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Priority, b.Priority),
		cmp.Compare(a.Weight, b.Weight))
}
