package records

import (
	"fmt"
	"slices"
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
	wording  string     // of the options
	namer    namer
	claims   *claims
	sources  map[string]*source
	expected map[string]bool // of the sources expected: whether it is still waited for
	edition  uint64
	reserved uint32 // the last serial that Reserve allowed
	order    uint64 // counts what became known, to list it in that order

	subscribers   map[uint64]*subscriber
	subscriptions uint64            // counts them, to tell them apart
	told          map[string]uint32 // the serials that they know
	toldWording   string

	// Of one of several rollcalls: see version.go.
	role        role
	shared      string             // the source that only the leader has
	aside       map[string]*source // what own sources say while another's count
	floor       uint32             // the next serials are later than it, when the zone leads
	reserveAll  func(serial uint32) (upTo uint32, ok bool)
	reservedAll uint32
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
		wording:  o.wording(),
		namer:    newNamer(o),
		sources:  make(map[string]*source),
		expected: make(map[string]bool),

		subscribers: make(map[uint64]*subscriber),
		aside:       make(map[string]*source),
	}
	r, _ := z.build(nil)
	z.reserve(o.Serial, true)
	z.current.Store(r.snapshot(func(*Apex) uint32 { return o.Serial }, time.Time{}))
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
		z.options, z.wording, z.namer = &o, o.wording(), newNamer(o)
		var r *rebuilder
		r, collisions = z.build(z.current.Load())
		z.finish(r, nil)
		z.tell(nil)
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
	if z.role == roleFollowing {
		defer z.mu.Unlock()
		if source != z.shared {
			if z.aside[source] == nil {
				z.aside[source] = newSource()
			}
			z.aside[source].keep(u)
			z.heard(source)
		}
		return
	}
	collisions := z.publishAll([]SourceUpdate{{source, u}}, nil)
	z.heard(source)
	z.tell([]SourceUpdate{{source, u}})
	z.announce()
	o := z.options
	z.mu.Unlock()
	o.tell(collisions)
}

// heard notes that a source has spoken.
func (z *Zone) heard(source string) {
	if z.expected[source] {
		z.expected[source] = false
		z.waiting.Add(-1)
	}
}

func (z *Zone) sourceNamed(name string) *source {
	s := z.sources[name]
	if s == nil {
		s = newSource()
		z.sources[name] = s
	}
	return s
}

// publishAll makes what sources say visible. The serial moves when an answer does: when records came or went, or names
// without records did; those of a version that is
// given are the zones' from now on, whatever has changed. It returns the names that have come to collide.
func (z *Zone) publishAll(updates []SourceUpdate, of *Version) []Collision {
	c := newChanges(z.options)
	for _, u := range updates {
		z.sourceNamed(u.Source).update(z, u.Update, c)
	}
	r := z.rebuild(z.current.Load())
	r.apply(c)
	collisions := z.claims.apply(c.claims)
	r.stats.Collisions = len(z.claims.shared)
	z.finish(r, of)
	return collisions
}

// finish publishes a snapshot, with the serials of a version or with those that follow.
func (z *Zone) finish(r *rebuilder, of *Version) {
	old := z.current.Load()
	if old.provisional { // nobody has been given that version: nobody asks what has changed since
		r.journal, r.fromNone = journal{}, true
	}
	reserved := true
	next := func(a *Apex) uint32 { return z.nextSerial(a.Serial, &reserved) }
	if z.role == roleFollowing {
		next = func(a *Apex) uint32 { return a.Serial } // the leader will say
	}
	if of != nil {
		for i, a := range r.apexes {
			if serial, told := of.Serials[a.Name]; told && serial != a.Serial {
				r.changed[i] = true
			}
		}
		next = func(a *Apex) uint32 {
			serial, told := of.Serials[a.Name]
			if !told {
				return nextSerial(a.Serial)
			}
			z.reserve(serial, Later(serial, z.reserved))
			return serial
		}
	}
	moved := slices.Contains(r.changed, true)
	s := r.snapshot(next, time.Now())
	switch {
	case z.role == roleFollowing:
		// It was configured anew, the leader is no better, or makes other records of the same.
		s.provisional = of == nil || of.Provisional || of.Wording != z.wording
	case !moved:
		s.provisional = old.provisional
	default:
		s.provisional = z.role == roleDetached || !reserved
	}
	if s.provisional {
		s.journal = journal{}
	}
	z.current.Store(s)
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

// nextSerial is the serial that follows one, reserved. ok becomes false if that failed where others have to know.
func (z *Zone) nextSerial(before uint32, ok *bool) uint32 {
	if z.role == roleLeading && Later(z.floor, before) {
		before = z.floor
	}
	serial := nextSerial(before)
	z.reserve(serial, Later(serial, z.reserved))
	if z.role == roleLeading && Later(serial, z.reservedAll) {
		upTo, reserved := z.reserveAll(serial)
		if reserved {
			z.reservedAll = upTo
		}
		*ok = *ok && reserved
	}
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
