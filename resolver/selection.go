package resolver

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"rollcall/records"
)

// Order says in which order the records of a set are answered.
type Order uint8

const (
	// OrderRotate starts with another record each time.
	OrderRotate Order = iota
	// OrderShuffle gives each order the same chance. It costs a little more than the others.
	OrderShuffle
	// OrderFixed is ascending, so that equal questions have equal answers.
	OrderFixed
)

// selector chooses which records of a set are answered, and in which order.
//
// Where not all of a set can be, the chosen ones follow each other in the set, from a place that depends on the client
// alone: it is told the same ones again and again, others are told others, and all of them together use the whole set.
// Order is a matter among the chosen.
type selector struct {
	max      int // records of an answer; 0: no limit
	order    Order
	ownFirst bool // those of the asker's own agent come first, and are chosen first
}

// plain reports whether the selection is one run of a set, of which any record may come first.
func (s selector) plain() bool { return s.order != OrderShuffle && !s.ownFirst }

// most is how many of n records an answer may have, whatever its size.
func (s selector) most(n int) int {
	if s.max > 0 {
		return min(n, s.max)
	}
	return n
}

// first is the place in a run of n chosen records with which the answer starts.
func (s selector) first(r rotation, n int) int {
	if s.order == OrderFixed {
		return 0
	}
	return r.start(n)
}

// place is where in a set of n records a run begins that has not all of them.
func (c client) place(n int) int {
	// FNV-1a, with a last step that carries what differs in the last octets to the highest bits, which count.
	hash := uint32(2166136261)
	octets := c.addr.As16()
	for _, octet := range octets {
		hash = (hash ^ uint32(octet)) * 16777619
	}
	hash ^= hash >> 16
	hash *= 0x85EBCA6B
	hash ^= hash >> 13
	hash *= 0xC2B2AE35
	hash ^= hash >> 16
	return int(uint64(hash) * uint64(n) >> 32)
}

// choose gives the chosen records of a set by their places in it, appended to chosen, in the order in which they are
// answered. room is how many octets there are for them. cut says that it was the reason to leave out some. It costs what
// can be answered, not what the set has, unless those of the asker's own agent are to be found. It does not allocate when
// there is room enough in chosen.
func (s selector) choose(
	chosen []int32, zone *records.Snapshot, set *records.RRset, from client, r rotation, room int,
) (_ []int32, cut bool) {
	n := set.Len()
	most := s.most(n)
	begin := 0
	if most < n || len(set.Wire()) > room {
		begin = from.place(n)
	}
	for i := 0; s.ownFirst && i < n && len(chosen) < most && !cut; i++ {
		if leadsTo(zone, set, i, from.addr) {
			if room -= recordSize(set, i); room >= 0 {
				chosen = append(chosen, int32(i))
			}
			cut = room < 0
		}
	}
	own := len(chosen)
	for i := 0; i < n && len(chosen) < most && !cut; i++ {
		if at := (begin + i) % n; !slices.Contains(chosen[:own], int32(at)) {
			if room -= recordSize(set, at); room >= 0 {
				chosen = append(chosen, int32(at))
			}
			cut = room < 0
		}
	}
	s.arrange(chosen[:own], r)
	s.arrange(chosen[own:], r)
	return chosen, cut
}

// recordSize is how many octets a record takes whose owner is a compression pointer.
func recordSize(set *records.RRset, i int) int {
	at := set.At(i)
	return records.RecordEnd(set.Wire(), at) - at
}

// arrange puts chosen records in order.
func (s selector) arrange(chosen []int32, r rotation) {
	switch {
	case len(chosen) < 2:
	case s.order == OrderShuffle:
		var random rand.PCG
		random.Seed(uint64(r)*goldenRatio, uint64(r))
		for i := len(chosen) - 1; i > 0; i-- {
			j := rotation(random.Uint64() >> 32).start(i + 1)
			chosen[i], chosen[j] = chosen[j], chosen[i]
		}
	default: // the first k go behind the others
		k := s.first(r, len(chosen))
		slices.Reverse(chosen[:k])
		slices.Reverse(chosen[k:])
		slices.Reverse(chosen)
	}
}

// leadsTo reports whether record i of a set leads to an address: it has it, or an SRV record's target has it.
func leadsTo(zone *records.Snapshot, set *records.RRset, i int, addr netip.Addr) bool {
	at := set.At(i)
	data := set.Wire()[at+records.HeaderLen : records.RecordEnd(set.Wire(), at)]
	if set.Type == records.TypeSRV {
		var buf [maxName]byte
		target := zone.Lookup(append(buf[:0], data[records.SRVLen:]...))
		if target == nil {
			return false
		}
		t := records.TypeA
		if addr.Is6() {
			t = records.TypeAAAA
		}
		addrs := target.RRset(t)
		if addrs == nil {
			return false
		}
		for j := range addrs.Len() {
			if leadsTo(zone, addrs, j, addr) {
				return true
			}
		}
		return false
	}
	return (set.Type == records.TypeA || set.Type == records.TypeAAAA) && addr.IsValid() && isAddr(data, addr)
}

// isAddr reports whether the data of an A or AAAA record is an address.
func isAddr(data string, addr netip.Addr) bool {
	octets := addr.As16()
	from := len(octets)
	if addr.Is4() {
		from = 4
	}
	return len(data) == from && data == string(octets[len(octets)-from:])
}
