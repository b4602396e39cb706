package records

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Zone owns the names of one domain, and of the addresses in reverse zones. Its methods may be called from any goroutine.
type Zone struct {
	current atomic.Pointer[Snapshot]
	updated atomic.Pointer[chan struct{}] // closed by the next update
	waiting atomic.Int32                  // sources expected that have not spoken

	mu       sync.Mutex // for what follows, and to publish
	options  *Options   // never changed, only replaced
	namer    namer
	claims   *claims
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
	z := &Zone{
		options:  &o,
		namer:    newNamer(o),
		sources:  make(map[string]*source),
		expected: make(map[string]bool),

		subscribers: make(map[string]map[uint64]func(Update)),
	}
	r, _ := z.build(nil)
	z.reserve(o.Serial, true)
	z.current.Store(r.snapshot(func(uint32) uint32 { return o.Serial }, time.Time{}))
	z.announce()
	return z, nil
}

// build starts a snapshot from nothing: the fixed names, and what all sources have said. The zones go on from the
// serials that they have in old; one that is new there goes on from the last of all.
func (z *Zone) build(old *Snapshot) (*rebuilder, []Collision) {
	apexes := z.options.apexes()
	for i := range apexes {
		if old != nil {
			apexes[i].Serial = old.LastSerial()
			if was := old.ApexOf([]byte(apexes[i].wire)); was != nil && was.wire == apexes[i].wire {
				apexes[i].Serial = was.Serial
			}
		}
	}
	r := z.rebuild(&Snapshot{apexes: apexes, names: newTrie(), listed: newTrie()})
	r.start()
	c := newChanges(z.options)
	z.namer.server(z.options.SOA.MName, z.options.ListenAddrs, c.giverFor(claimant{}, +1))
	for _, s := range z.sources {
		s.give(&z.namer, c)
	}
	r.apply(c)
	z.claims = newClaims()
	collisions := z.claims.apply(c.claims)
	r.stats.Collisions = len(z.claims.shared)
	return r, collisions
}

// Reconfigure names everything anew by other options. All of it becomes visible at once, under the next serial; with
// options that say the same as before nothing happens. Serial and Reserve are of no interest here. On error, which says what is
// wrong with the options, nothing has changed: a zone keeps its Domain. It costs O(all names), during which updates
// wait and answers go on.
func (z *Zone) Reconfigure(o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	z.mu.Lock()
	if o.Domain != z.options.Domain {
		defer z.mu.Unlock()
		return fmt.Errorf("options: Domain is %q and cannot become %q", z.options.Domain, o.Domain)
	}
	var collisions []Collision
	if !o.equal(z.options) {
		o.Reserve = z.options.Reserve
		z.options, z.namer = &o, newNamer(o)
		var r *rebuilder
		r, collisions = z.build(z.current.Load())
		z.current.Store(r.snapshot(z.nextSerial, time.Now()))
		z.announce()
	}
	z.mu.Unlock()
	o.tell(collisions)
	return nil
}

// Update applies what a source says changed. When it returns, Snapshot answers with it: a caller that withdraws a
// task and then kills it never leaves a dead address behind. It costs O(names changed), not O(names). What is said
// again as it was said before costs a comparison.
func (z *Zone) Update(source string, u Update) {
	z.mu.Lock()
	c := newChanges(z.options)
	z.sourceNamed(source).update(z, u, c)
	collisions := z.publish(c)
	for _, tell := range z.subscribers[source] {
		tell(u)
	}
	if z.expected[source] {
		z.expected[source] = false
		z.waiting.Add(-1)
	}
	z.announce()
	o := z.options
	z.mu.Unlock()
	o.tell(collisions)
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
// without records did. It returns the names that have come to collide.
func (z *Zone) publish(c *changes) []Collision {
	old := z.current.Load()
	r := z.rebuild(old)
	r.apply(c)
	collisions := z.claims.apply(c.claims)
	r.stats.Collisions = len(z.claims.shared)
	z.current.Store(r.snapshot(z.nextSerial, time.Now()))
	return collisions
}

func (z *Zone) rebuild(old *Snapshot) *rebuilder {
	z.edition++
	return &rebuilder{
		trieEditor: trieEditor{trie: old.names, edition: z.edition},
		listed:     trieEditor{trie: old.listed, edition: z.edition},
		options:    z.options,
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

// nextSerial is the serial that follows one, reserved.
func (z *Zone) nextSerial(before uint32) uint32 {
	serial := nextSerial(before)
	z.reserve(serial, Later(serial, z.reserved))
	return serial
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
	z.mu.Lock()
	defer z.mu.Unlock()
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
