package records

import (
	"slices"
	"time"
)

// rebuilder makes the next snapshot out of one: it rebuilds the nodes of the names that changed, and keeps the
// invariants that every ancestor of a name within the zone exists, that a node counts the names right below it, and
// that no node is left without a reason to exist.
type rebuilder struct {
	trieEditor            // names
	listed     trieEditor // names that are only listed
	options    *Options
	apexes     []Apex // with the serials of the snapshot before
	changed    []bool // by apex: an answer is another one now
	journal    journal
	changes    []nodeChange // for the journal
	fromNone   bool         // there is nothing before it that the journal could start from
	stats      Stats
	writer     writer
}

// start makes the apexes, which are never lost.
func (r *rebuilder) start() {
	r.fromNone = true
	for i, apex := range r.apexes {
		r.put(&Node{name: apex.wire, set: r.rrsets(apex.wire, nil)})
		r.stats.Names++
		r.stats.Records += 2
		r.changed[i] = true
	}
}

// note marks the zone of a name as changed.
func (r *rebuilder) note(n name) {
	for i := range r.apexes {
		if n.within(r.apexes[i].wire) {
			r.changed[i] = true
			return
		}
	}
}

// apex is the apex of a name, nil if the name is none.
func (r *rebuilder) apex(n name) *Apex {
	for i := range r.apexes {
		if r.apexes[i].wire == n {
			return &r.apexes[i]
		}
	}
	return nil
}

func (r *rebuilder) apply(c *changes) {
	c.each(r.change)
	r.stats.Tasks += c.tasks
	r.stats.Skipped += c.skipped
}

// snapshot finishes: the rebuilder must not be used afterwards. next gives the serial of a zone that changed, whose SOA
// record is a new one then.
func (r *rebuilder) snapshot(next func(before uint32) uint32, now time.Time) *Snapshot {
	if slices.Contains(r.changed, true) {
		v := version{before: make([]uint32, len(r.apexes)), changes: r.changes}
		for i, apex := range r.apexes {
			v.before[i] = apex.Serial
		}
		if r.options.JournalSize > 0 && !r.fromNone {
			r.journal = r.journal.add(v, r.options.JournalSize)
		}
		r.apexes = slices.Clone(r.apexes) // the snapshot before has the others
		r.stats.Changed = now
	}
	for i, apex := range r.apexes {
		if !r.changed[i] {
			continue
		}
		r.apexes[i].Serial = next(apex.Serial)
		old := r.node(apex.wire)
		node := &Node{name: apex.wire, set: r.rrsets(apex.wire, old.published()), held: old.held, children: old.children}
		r.put(node)
		r.apexes[i].setNegative(node.RRset(TypeSOA))
	}
	return &Snapshot{apexes: r.apexes, names: r.trie, listed: r.listed.trie, journal: r.journal, stats: r.stats}
}

// change merges net changes into the node of a name.
func (r *rebuilder) change(n changedName, list []contribution) {
	if n.listed {
		r.changeListed(n.name, list)
		return
	}
	old := r.node(n.name)
	if old == nil {
		old = &Node{name: n.name}
	}
	was := old.published()
	held := merge(old.contributions(was), list)
	is := publish(held, r.options.AllUnhealthy)
	next := &Node{name: old.name, set: old.set, children: old.children}
	if !isSaid(held, is) {
		held = slices.Clone(held) // without the room that the merge left
		next.held = &held
	}
	if !slices.Equal(was, is) {
		next.set = r.rrsets(n.name, is)
		r.note(n.name)
		if r.options.JournalSize > 0 {
			r.changes = append(r.changes, nodeChange{old, next})
		}
		r.count(old, -1)
		r.count(next, +1)
	}
	r.replace(old, next)
}

// changeListed is change for a name that is only listed: it has no place in the tree of names, and no answer is
// another one because of it.
func (r *rebuilder) changeListed(n name, list []contribution) {
	old := r.listed.node(n)
	if old == nil {
		old = &Node{name: n}
	}
	held := slices.Clone(merge(old.contributions(old.published()), list))
	next := &Node{name: n, set: r.rrsets(n, publish(held, r.options.AllUnhealthy)), held: &held}
	switch {
	case len(held) > 0:
		r.listed.put(next)
	case old.exists():
		r.listed.remove(n)
	}
}

func (r *rebuilder) count(n *Node, times int) {
	if n.hasRecords() {
		r.stats.Names += times
		r.stats.Records += times * n.records()
	}
}

// replace puts a node in the place of an older one of the same name, either of which may have no reason to exist.
func (r *rebuilder) replace(old, next *Node) {
	switch existed := old.exists(); {
	case next.exists():
		r.put(next)
		if !existed {
			r.note(next.name)
			r.countChild(next.name, +1)
		}
	case existed:
		r.note(old.name)
		r.remove(old.name)
		r.countChild(old.name, -1)
	}
}

// countChild tells the parent of a name that the name came or went. The parent comes and goes with its last child
// when it has no records.
func (r *rebuilder) countChild(n name, times int) {
	if r.apex(n) != nil {
		return
	}
	old := r.node(n.parent())
	if old == nil {
		old = &Node{name: n.parent()}
	}
	r.replace(old, &Node{name: old.name, set: old.set, held: old.held, children: uint32(int(old.children) + times)})
}

// rrsets makes the RRsets of sorted data, and at the apex those that make it one, and returns the first of them.
func (r *rebuilder) rrsets(n name, data []rdata) RRset {
	var types []uint16
	for _, d := range data {
		if !slices.Contains(types, d.rrtype) {
			types = append(types, d.rrtype)
		}
	}
	apex := r.apex(n)
	if apex != nil {
		types = append(types, TypeNS, TypeSOA)
		slices.Sort(types)
	}
	var first RRset
	last := &first
	for i, t := range types {
		end := slices.IndexFunc(data, func(d rdata) bool { return d.rrtype != t })
		if end < 0 {
			end = len(data)
		}
		set := r.rrset(t, data[:end], apex)
		data = data[end:]
		if i == 0 {
			first = set
			continue
		}
		last.next = &set
		last = &set
	}
	return first
}

// rrset makes the RRset of sorted data of a type, or that of the apex.
func (r *rebuilder) rrset(t uint16, data []rdata, apex *Apex) RRset {
	switch t {
	case TypeNS:
		mname, _ := parseName(r.options.SOA.MName) // as validated
		r.writer.ns(r.options.ttl(t), mname)
	case TypeSOA:
		soa := r.options.SOA
		soa.Serial, soa.Minimum = apex.Serial, r.options.NegativeTTL
		r.writer.soa(r.options.ttl(t), &soa)
	}
	for _, d := range data {
		switch t {
		case TypePTR:
			r.writer.ptr(d.ttl, d.target)
		case TypeSRV:
			r.writer.srv(d.ttl, r.options.SRVWeight, d.port, d.target)
		default:
			r.writer.addr(t, d.ttl, d.addr)
		}
	}
	return r.writer.set(t)
}
