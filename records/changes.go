package records

// changes are what one update does to the records, by name.
type changes struct {
	options *Options

	// The changes of all names are in one list, those of one name linked from its last to its first: most updates are
	// a dozen names with two changes each, which are not worth a slice for each name.
	list  []linkedChange
	names []changedName
	index map[name]int32 // in names; texts of names that are only listed end in a dot, names in a zero octet

	claims map[claim]int32 // more or fewer

	tasks   int // more or fewer published
	skipped int // more or fewer that are only listed
}

type changedName struct {
	name         // or the text of one that is only listed
	listed bool  // it is only listed
	last   int32 // where in the list its last change is
}

type linkedChange struct {
	contribution
	before int32 // where in the list the one before it is; -1 for the first of its name
}

// fewChanges is room for the update of one task.
const fewChanges = 32

func newChanges(o *Options) *changes {
	return &changes{options: o, list: make([]linkedChange, 0, fewChanges), index: make(map[name]int32, fewChanges),
		claims: make(map[claim]int32)}
}

// task adds (times is 1) or takes back (-1) the records of a published task.
func (c *changes) task(n *namer, t *Task, a *Agent, times int32) {
	c.tasks += int(times)
	n.task(t, a, c.giver(t.Health, t.TTL, times))
	by := taskClaimant(t)
	n.taskOwners(t, func(owner string) { c.claims[claim{owner, by}] += times })
}

// giverFor is giver for what is no task and has no health.
func (c *changes) giverFor(by claimant, times int32) func(record) {
	give := c.giver(HealthUnknown, nil, times)
	return func(r record) {
		give(r)
		if !r.isSRV() && !r.ptr && !r.outside {
			c.claims[claim{r.owner, by}] += times
		}
	}
}

// each calls f with the net changes of each name that has any. The slice is f's until it returns.
func (c *changes) each(f func(changedName, []contribution)) {
	var list []contribution
	for _, n := range c.names {
		list = list[:0]
		for i := n.last; i >= 0; i = c.list[i].before {
			list = append(list, c.list[i].contribution)
		}
		if list := net(list); len(list) > 0 {
			f(n, list)
		}
	}
}

// giver returns what a namer may emit to in order to add (times is 1) or to take back (-1) the records of a
// contributor of that health, which may want a TTL of its own. A PTR record whose target no DNS message can carry is left
// out, as nothing lists it either.
func (c *changes) giver(h Health, ttl *uint32, times int32) func(record) {
	return func(r record) {
		var buf [maxName]byte
		if r.ptr {
			if _, ok := appendWire(buf[:0], r.target); !ok {
				return
			}
		}
		owner, askable := appendWire(buf[:0], r.owner)
		listed := r.outside || !askable || !isPlain(r.owner)
		if listed {
			owner = []byte(r.owner)
			c.skipped += int(times)
		}
		change := contribution{rdata: rdata{rrtype: TypeA, addr: r.addr}, givers: times, healthy: times}
		switch {
		case r.ptr:
			change.rdata = rdata{rrtype: TypePTR, target: r.target}
		case r.isSRV():
			change.rdata = rdata{rrtype: TypeSRV, port: r.port, target: r.target}
		case r.addr.Is6():
			change.rrtype = TypeAAAA
		}
		change.ttl = c.options.ttl(change.rrtype)
		if ttl != nil {
			change.ttl = min(*ttl, maxTTL)
		}
		if h == Unhealthy {
			change.healthy = 0
		}
		i, ok := c.index[name(owner)]
		if !ok {
			i = int32(len(c.names))
			c.names = append(c.names, changedName{name: name(owner), listed: listed, last: -1})
			c.index[c.names[i].name] = i
		}
		c.list = append(c.list, linkedChange{change, c.names[i].last})
		c.names[i].last = int32(len(c.list) - 1)
	}
}
