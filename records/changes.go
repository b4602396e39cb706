package records

// changes are what one update does to the records, by name.
type changes struct {
	byName  map[name][]contribution
	tasks   int // more or fewer published
	skipped int // more or fewer that cannot be
	// The records of one task come one after the other and share a target: it is spelled out once.
	lastDotted, lastTarget string
}

func newChanges() *changes { return &changes{byName: make(map[name][]contribution)} }

// giver returns what a namer may emit to in order to add (times is 1) or to take back (-1) the records of a
// contributor of that health.
func (c *changes) giver(h Health, times int32) func(record) {
	return func(r record) {
		if !c.give(r, h, times) {
			c.skipped += int(times)
		}
	}
}

// give reports false for a record that no DNS message can carry.
func (c *changes) give(r record, h Health, times int32) bool {
	var buf [maxName]byte
	owner, ok := appendWire(buf[:0], r.owner)
	if !ok {
		return false
	}
	change := contribution{rdata: rdata{rrtype: TypeA, addr: r.addr}, givers: times, healthy: times}
	switch {
	case r.isSRV():
		if r.port < 0 || r.port > 1<<16-1 || !c.spell(r.target) {
			return false
		}
		change.rdata = rdata{rrtype: TypeSRV, port: uint16(r.port), target: c.lastTarget}
	case r.addr.Is6():
		change.rrtype = TypeAAAA
	}
	if h == Unhealthy {
		change.healthy = 0
	}
	c.byName[name(owner)] = append(c.byName[name(owner)], change)
	return true
}

// spell leaves the text of an SRV target in lastTarget. It reports false for a target that cannot be carried.
func (c *changes) spell(dotted string) bool {
	if dotted == c.lastDotted {
		return c.lastTarget != ""
	}
	c.lastDotted, c.lastTarget = dotted, ""
	n, ok := wireName(dotted)
	if ok && isPlain(dotted) {
		c.lastTarget = dotted
	} else if ok {
		c.lastTarget = n.text()
	}
	return ok
}
