package records

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Zone owns the names of one domain. Its methods may be called from any goroutine.
type Zone struct {
	apex name

	current atomic.Pointer[Snapshot]
	waiting atomic.Int32 // sources expected that have not spoken

	mu       sync.Mutex // for what follows, and to publish
	options  *Options   // never changed, only replaced
	namer    namer
	claims   *claims
	sources  map[string]*source
	expected map[string]bool // of the sources expected: whether it is still waited for
	edition  uint64
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
	apex, _ := wireName(o.Domain + ".")
	z := &Zone{
		options:  &o,
		namer:    newNamer(o),
		apex:     apex,
		sources:  make(map[string]*source),
		expected: make(map[string]bool),

		subscribers: make(map[string]map[uint64]func(Update)),
	}
	r, _ := z.build()
	z.current.Store(r.snapshot(o.Serial, time.Time{}))
	return z, nil
}

// build starts a snapshot from nothing: the fixed names, and what all sources have said.
func (z *Zone) build() (*rebuilder, []Collision) {
	r := z.rebuild(&Snapshot{domain: z.apex.text(), names: newTrie(), listed: newTrie()})
	r.start()
	c := newChanges()
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
// options that say the same as before nothing happens. Serial is of no interest here. On error, which says what is
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
		z.options, z.namer = &o, newNamer(o)
		var r *rebuilder
		r, collisions = z.build()
		z.current.Store(r.snapshot(nextSerial(z.current.Load().serial), time.Now()))
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
	c := newChanges()
	z.sourceNamed(source).update(z, u, c)
	collisions := z.publish(c)
	for _, tell := range z.subscribers[source] {
		tell(u)
	}
	if z.expected[source] {
		z.expected[source] = false
		z.waiting.Add(-1)
	}
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
	serial, changed := old.serial, old.stats.Changed
	if r.changed {
		serial, changed = nextSerial(serial), time.Now()
	}
	collisions := z.claims.apply(c.claims)
	r.stats.Collisions = len(z.claims.shared)
	z.current.Store(r.snapshot(serial, changed))
	return collisions
}

func (z *Zone) rebuild(old *Snapshot) *rebuilder {
	z.edition++
	return &rebuilder{
		trieEditor: trieEditor{trie: old.names, edition: z.edition},
		listed:     trieEditor{trie: old.listed, edition: z.edition},
		options:    z.options,
		apex:       z.apex,
		domain:     old.domain,
		stats:      old.stats,
	}
}

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

// Snapshot returns the names as they are now. It never blocks and does not allocate.
func (z *Zone) Snapshot() *Snapshot { return z.current.Load() }
