package records

import (
	"slices"
	"strings"
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
		r.put(r.make(apex.wire, nil))
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
func (r *rebuilder) snapshot(next func(*Apex) uint32, now time.Time) *Snapshot {
	if slices.Contains(r.changed, true) {
		v := version{before: make([]uint32, len(r.apexes)), at: now, changes: r.changes}
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
		r.apexes[i].Serial = next(&apex)
		old := r.find(apex.wire)
		node := r.make(apex.wire, old.published()).withHeld(old.held())
		node.children = old.children
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
	old := r.find(n.name)
	if old == nil {
		old = newNode(n.name)
	}
	was := old.published()
	held := merge(old.contributions(was), list)
	is := publish(held, r.options.AllUnhealthy)
	if isSaid(held, is) {
		held = nil
	} else {
		held = slices.Clone(held) // without the room that the merge left
	}
	changed := !slices.Equal(was, is)
	next := old.copy()
	if changed {
		next = r.make(old.name(), is)
		next.children = old.children
	}
	next.withHeld(held)
	if changed {
		r.note(n.name)
		if len(r.changes) <= r.options.JournalSize && r.options.JournalSize > 0 { // with one more than fits none are kept
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
	old := r.listed.find(n)
	if old == nil {
		old = newNode(n)
	}
	held := slices.Clone(merge(old.contributions(old.published()), list))
	next := r.make(n, publish(held, r.options.AllUnhealthy)).withHeld(held)
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
			r.note(next.name())
			r.countChild(next, +1)
		}
	case existed:
		r.note(old.name())
		r.remove(old.name())
		r.countChild(old, -1)
	}
}

// countChild tells the parent of a name that the name came or went. The parent comes and goes with its last child
// when it has no records.
func (r *rebuilder) countChild(child *Node, times int) {
	n := child.name()
	if r.apex(n) != nil {
		return
	}
	n = n.parent()
	old := r.find(n)
	if old == nil {
		if len(child.text) > maxShared {
			n = name(strings.Clone(string(n)))
		}
		old = newNode(n)
	}
	next := old.copy()
	next.children = uint32(int(old.children) + times)
	r.replace(old, next)
}

// maxShared is how long a node's text may be for the names above it, which it contains, to have no text of their own. They
// keep all of it for as long as they exist.
const maxShared = 128

// make makes a node of sorted data, and at the apex with what makes it one.
func (r *rebuilder) make(n name, data []rdata) *Node {
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
	node := newNode(n)
	for i, t := range types {
		end := slices.IndexFunc(data, func(d rdata) bool { return d.rrtype != t })
		if end < 0 {
			end = len(data)
		}
		if i == 0 {
			r.writer.reset(string(n))
			r.write(t, data[:end], apex)
			node.text = string(r.writer.octets)
		} else {
			r.writer.reset("")
			r.write(t, data[:end], apex)
			if node.more == nil {
				node.more = &more{sets: make([]RRset, 0, len(types)-1)}
			}
			node.more.sets = append(node.more.sets, newRRset(string(r.writer.octets)))
		}
		data = data[end:]
	}
	return node
}

// write writes the RRset of sorted data of a type, or that of the apex.
func (r *rebuilder) write(t uint16, data []rdata, apex *Apex) {
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
	r.writer.set(t)
}
