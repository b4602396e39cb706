package resolver

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"rollcall/records"
)

// Order says in which order the records of a set are answered.
type Order uint8

const (
	// OrderRotate starts with another record each time.
	OrderRotate Order = iota
	// OrderShuffle gives each order the same chance. It costs more than the others: the fast path does without.
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

// choose gives the chosen records of an answer's set by their places in it, in the order in which they are answered.
// room is how many octets there are for them. cut says that it was the reason to leave out some. It costs what can be
// answered, not what the set has.
func (s selector) choose(a Answer, q *query, room int) (chosen []int, cut bool) {
	n := a.Set.Len()
	most := s.most(n)
	begin := 0
	if most < n || overflows(a.Set, room) {
		begin = q.place(n)
	}
	take := func(i int) {
		if room -= recordSize(a.Set, i); room < 0 {
			cut = true
			return
		}
		chosen = append(chosen, i)
	}
	if s.ownFirst {
		for _, i := range a.own(q.addr) {
			if len(chosen) < most && !cut {
				take(i)
			}
		}
	}
	own := chosen
	for i := 0; i < n && len(chosen) < most && !cut; i++ {
		if at := (begin + i) % n; !slices.Contains(own, at) {
			take(at)
		}
	}
	s.arrange(chosen[:len(own)], q.rotation)
	s.arrange(chosen[len(own):], q.rotation)
	return chosen, cut
}

// overflows reports whether a set does not fit into a room.
func overflows(set *records.RRset, room int) bool {
	for i := range set.Len() {
		if room -= recordSize(set, i); room < 0 {
			return true
		}
	}
	return false
}

// recordSize is how many octets a record takes whose owner is a compression pointer.
func recordSize(set *records.RRset, i int) int {
	switch {
	case set.Addrs != nil:
		return recordLen + addressLen(set.Type)
	case set.SRV != nil:
		return recordLen + srvLen + nameLen(set.SRV[i].Target)
	case set.Names() != nil:
		return recordLen + nameLen(set.Names()[i])
	default:
		return recordLen + nameLen(set.SOA().MName) + nameLen(set.SOA().RName) + soaLen
	}
}

// Sizes of what records have besides names, in octets.
const (
	srvLen = 3 * 2 // priority, weight, port
	soaLen = 5 * 4 // serial, refresh, retry, expire, minimum
)

// nameLen is the length of a name in wire format.
func nameLen(text string) int {
	if text != "." && strings.IndexByte(text, '\\') < 0 {
		return len(text) + 1
	}
	var buf [maxName]byte
	n, err := dns.PackDomainName(text, buf[:], 0, nil, false)
	if err != nil {
		return maxName
	}
	return n
}

// arrange puts chosen records in order.
func (s selector) arrange(chosen []int, r rotation) {
	switch {
	case len(chosen) < 2:
	case s.order == OrderShuffle:
		rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	default:
		k := s.first(r, len(chosen))
		copy(chosen, slices.Concat(chosen[k:], chosen[:k]))
	}
}

// own are the places of the records that lead to an address: it is among them, or an SRV record's target has it.
func (a Answer) own(addr netip.Addr) []int {
	var out []int
	for i, record := range a.Set.Addrs {
		if record == addr {
			out = append(out, i)
		}
	}
	t := records.TypeA
	if addr.Is6() {
		t = records.TypeAAAA
	}
	for i, srv := range a.Set.SRV {
		if node := a.snapshot.LookupName(srv.Target); node != nil {
			if set := node.RRset(t); set != nil && slices.Contains(set.Addrs, addr) {
				out = append(out, i)
			}
		}
	}
	return out
}
