package records

import (
	"sync"
	"sync/atomic"
	"time"
)

// Zone owns the names of one domain, and of the addresses in reverse zones. Its methods may be called from any goroutine.
type Zone struct {
	options Options
	namer   namer

	current atomic.Pointer[Snapshot]
	updated atomic.Pointer[chan struct{}] // closed by the next update
	waiting atomic.Int32                  // sources expected that have not spoken

	mu       sync.Mutex // for what follows, and to publish
	sources  map[string]*source
	expected map[string]bool // of the sources expected: whether it is still waited for
	edition  uint64
	reserved uint32 // the last serial that Reserve allowed
	order    uint64 // counts what became known, to list it in that order

	subscribers   map[string]map[uint64]func(Update) // by source
	subscriptions uint64                             // counts them, to tell them apart
}

// New returns a zone that has its fixed names (SOA, NS, the address of SOA.MName) and nothing else. The error names
// each option that cannot be used and what is allowed.
func New(o Options) (*Zone, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Serial == 0 {
		o.Serial = 1
	}
	apexes := []Apex{newApex(o.Domain)}
	for _, network := range o.ReverseZones {
		zone, _ := ReverseZone(network) // as validated
		apexes = append(apexes, newApex(zone))
	}
	z := &Zone{
		options:  o,
		namer:    newNamer(o),
		sources:  make(map[string]*source),
		expected: make(map[string]bool),

		subscribers: make(map[string]map[uint64]func(Update)),
	}
	r := z.rebuild(&Snapshot{apexes: apexes, names: newTrie(), listed: newTrie()})
	r.start()
	c := newChanges()
	z.namer.server(o.SOA.MName, o.ListenAddrs, c.giver(HealthUnknown, +1))
	r.apply(c)
	z.reserve(o.Serial, true)
	z.current.Store(r.snapshot(func(uint32) uint32 { return o.Serial }, time.Time{}))
	z.announce()
	return z, nil
}

// Update applies what a source says changed. When it returns, Snapshot answers with it: a caller that withdraws a
// task and then kills it never leaves a dead address behind. It costs O(names changed), not O(names). What is said
// again as it was said before costs a comparison.
func (z *Zone) Update(source string, u Update) {
	z.mu.Lock()
	defer z.mu.Unlock()
	c := newChanges()
	z.sourceNamed(source).update(z, u, c)
	z.publish(c)
	for _, tell := range z.subscribers[source] {
		tell(u)
	}
	if z.expected[source] {
		z.expected[source] = false
		z.waiting.Add(-1)
	}
	z.announce()
}

func (z *Zone) sourceNamed(name string) *source {
	s := z.sources[name]
	if s == nil {
		s = newSource()
		z.sources[name] = s
	}
	return s
}

// publish makes the changes visible. The serial moves when an answer does: when records came or went, or names
// without records did.
func (z *Zone) publish(c *changes) {
	old := z.current.Load()
	r := z.rebuild(old)
	r.apply(c)
	z.current.Store(r.snapshot(func(before uint32) uint32 {
		serial := nextSerial(before)
		z.reserve(serial, Later(serial, z.reserved))
		return serial
	}, time.Now()))
}

func (z *Zone) rebuild(old *Snapshot) *rebuilder {
	z.edition++
	return &rebuilder{
		trieEditor: trieEditor{trie: old.names, edition: z.edition},
		listed:     trieEditor{trie: old.listed, edition: z.edition},
		options:    &z.options,
		apexes:     old.apexes,
		changed:    make([]bool, len(old.apexes)),
		stats:      old.stats,
		journal:    old.journal,
	}
}

// reserve asks for a serial if it is not reserved yet.
func (z *Zone) reserve(serial uint32, needed bool) {
	if z.options.Reserve != nil && needed {
		z.reserved = z.options.Reserve(serial)
	}
}

// Later reports whether serial a comes after b (RFC 1982, section 3.2).
func Later(a, b uint32) bool { return int32(a-b) > 0 }

// nextSerial raises a serial by one in serial number arithmetic (RFC 1982). Zero is left out, as some secondaries take
// it for no serial at all.
func nextSerial(serial uint32) uint32 {
	if serial++; serial == 0 {
		serial++
	}
	return serial
}

// Ready says that the zone may be answered from, i.e. that each source named in advance (Expect) has spoken.
// Until then a name that is not there is not known not to exist. It never blocks.
func (z *Zone) Ready() bool { return z.waiting.Load() == 0 }

// Expect names a source that has to speak before the zone is ready; any Update of it will do, an empty one too.
func (z *Zone) Expect(source string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if _, known := z.expected[source]; known || z.sources[source] != nil {
		return
	}
	z.expected[source] = true
	z.waiting.Add(1)
}

// FrameworkDomain is the name, without a dot at the end, that the names of all tasks of a framework end in.
func (z *Zone) FrameworkDomain(framework string) string {
	return z.namer.rule.fragment(framework) + "." + z.options.Domain
}

// Updated returns a channel that is closed by the next update, whether it changes anything or not. Whoever wants to miss
// none asks for it before looking at Snapshot and Ready.
func (z *Zone) Updated() <-chan struct{} { return *z.updated.Load() }

// announce closes the channel of those who wait for an update.
func (z *Zone) announce() {
	next := make(chan struct{})
	if last := z.updated.Swap(&next); last != nil {
		close(*last)
	}
}

// Snapshot returns the names as they are now. It never blocks and does not allocate.
func (z *Zone) Snapshot() *Snapshot { return z.current.Load() }
