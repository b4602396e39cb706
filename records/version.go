package records

import (
	"maps"
	"slices"
)

// Several rollcalls that share a state answer for the same names, and the same content has the same serial on all of
// them, so that a secondary may follow whichever it reaches: one of them leads, and its serials count. The others are told
// each version of the leader's zone and take it over, serials included. Serials that were given while there was no leader
// to be heard are provisional: they move with content as ever, but another rollcall may use the same one for something
// else, so that nothing is handed to secondaries under them.

// role is what a zone's serials are.
type role uint8

const (
	roleAlone     role = iota // the only ones there are
	roleDetached              // provisional, once something changes
	roleLeading               // those of all
	roleFollowing             // the leader's
)

// SourceUpdate is what one source said.
type SourceUpdate struct {
	Source string
	Update Update
}

// Version is how a zone came to be what it is: what was said, and the serials by zone that it has since.
type Version struct {
	Updates []SourceUpdate
	Serials map[string]uint32
	// Provisional says that another zone may come to have the same serials with something else.
	Provisional bool
	// Wording stands for the options by which the zone names things. One that has others makes other records of the same
	// updates.
	Wording string
	// Whole says that the updates, each with Reset, are all that was ever said.
	Whole bool
}

// SubscribeVersions has tell called with all there is, as one whole Version, as soon as the zone is ready, and from then on
// with each Version. The calls come one at a time, in order, before whoever made the change goes on: tell must not block,
// nor call the zone. What it is given belongs to the zone. After cancel tell is not called any more.
func (z *Zone) SubscribeVersions(tell func(Version)) (cancel func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.subscriptions++
	id := z.subscriptions
	z.subscribers[id] = &subscriber{tell: tell}
	z.tell(nil)
	return func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		delete(z.subscribers, id)
	}
}

// subscriber is somebody who is told of versions.
type subscriber struct {
	tell  func(Version)
	begun bool // it has been told of all there is
}

// tell tells the subscribers of what led to the current snapshot.
func (z *Zone) tell(updates []SourceUpdate) {
	if len(z.subscribers) == 0 || !z.Ready() {
		return
	}
	s := z.current.Load()
	serials := make(map[string]uint32, len(s.apexes))
	for _, a := range s.apexes {
		serials[a.Name] = a.Serial
	}
	for _, to := range z.subscribers {
		if to.begun {
			if len(updates) > 0 || !maps.Equal(z.told, serials) || z.toldWording != z.wording {
				to.tell(Version{Updates: updates, Serials: serials, Provisional: s.provisional, Wording: z.wording})
			}
			continue
		}
		to.begun = true
		whole := Version{Serials: serials, Whole: true, Provisional: s.provisional, Wording: z.wording}
		for _, name := range slices.Sorted(maps.Keys(z.sources)) {
			whole.Updates = append(whole.Updates, SourceUpdate{name, z.sources[name].all()})
		}
		to.tell(whole)
	}
	z.told, z.toldWording = serials, z.wording
}

// Share says that the zone is one of several. source is what only the one that leads has to say; the other sources speak
// to each of the zones. It comes before everything else that is about the others.
func (z *Zone) Share(source string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.role, z.shared = roleDetached, source
	s := *z.current.Load()
	s.provisional = true
	z.current.Store(&s)
}

// Detach says that none of the zones leads, as far as this one knows: it goes by what its own sources say, and by what the
// last leader said, under provisional serials. If it led, or followed, it does so no longer.
func (z *Zone) Detach() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.detach()
	z.announce()
}

// Unfollow is Detach for a zone that follows; any other stays what it is.
func (z *Zone) Unfollow() {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.role == roleFollowing {
		z.detach()
		z.announce()
	}
}

// detach has the own sources count again, which spoke meanwhile.
func (z *Zone) detach() {
	z.role, z.floor = roleDetached, 0
	z.publishAll(z.restored(), nil)
}

// restored are what the own sources have said while they did not count.
func (z *Zone) restored() (updates []SourceUpdate) {
	for _, name := range slices.Sorted(maps.Keys(z.aside)) {
		updates = append(updates, SourceUpdate{name, z.aside[name].all()})
	}
	clear(z.aside)
	return updates
}

// Lead says that the zone's serials are from now on those of all. floor is the last one that any of the others may have
// used as leader, 0 for none. reserve says up to which serial, not 0, they may be used from one on, or false when it cannot be
// reserved, which makes it provisional.
func (z *Zone) Lead(floor uint32, reserve func(serial uint32) (upTo uint32, ok bool)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	updates := z.restored()
	if floor == 0 {
		floor = z.current.Load().LastSerial()
	}
	z.role, z.floor, z.reserveAll, z.reservedAll = roleLeading, floor, reserve, floor
	z.publishAll(updates, nil)
	z.renumber() // others may have later serials of the last leader, which are not to go back
	z.announce()
}

// Outrun has the serials of a zone that leads go on behind the last one that another has shown.
func (z *Zone) Outrun(serial uint32) {
	z.mu.Lock()
	defer z.mu.Unlock()
	behind := func(a Apex) bool { return !Later(a.Serial, serial) }
	if z.role != roleLeading || !slices.ContainsFunc(z.current.Load().apexes, behind) {
		return
	}
	if Later(serial, z.floor) {
		z.floor = serial
	}
	z.renumber()
	z.announce()
}

// renumber gives all zones another serial.
func (z *Zone) renumber() {
	r := z.rebuild(z.current.Load())
	for i := range r.changed {
		r.changed[i] = true
	}
	z.finish(r, nil)
	z.tell(nil)
}

// Follow takes over a version of the leader's zone. Until Unfollow or Detach, what the own sources say is kept and not
// answered with. The first version has to be a whole one. A zone that leads does not follow: it reports false. Where the
// options here say other things than the leader's (see Alike), the serials are provisional.
func (z *Zone) Follow(v Version) bool {
	z.mu.Lock()
	if z.role == roleLeading || z.role != roleFollowing && !v.Whole {
		z.mu.Unlock()
		return false
	}
	if z.role != roleFollowing {
		z.role = roleFollowing
		for name, s := range z.sources {
			if name != z.shared {
				z.aside[name] = s.copied()
			}
		}
	}
	updates := v.Updates
	if v.Whole {
		for name := range z.sources { // of those that it does not have there is nothing
			if !slices.ContainsFunc(updates, func(u SourceUpdate) bool { return u.Source == name }) {
				updates = append(slices.Clip(updates), SourceUpdate{name, Update{Reset: true}})
			}
		}
	}
	collisions := z.publishAll(updates, &v)
	for name := range z.expected {
		z.heard(name)
	}
	z.announce()
	o := z.options
	z.mu.Unlock()
	o.tell(collisions)
	return true
}

// Alike reports whether the zone makes of a version what the one does that it is from.
func (z *Zone) Alike(v Version) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return v.Wording == z.wording
}

// copied is a source that has said the same.
func (s *source) copied() *source {
	out := newSource()
	out.keep(s.all())
	return out
}

// keep notes what a source says without giving records for it.
func (s *source) keep(u Update) {
	o := DefaultOptions("nowhere")
	s.update(&Zone{namer: newNamer(o)}, u, newChanges(&o))
}

// all is what the source has said, as one update.
func (s *source) all() Update {
	u := Update{Reset: true, Masters: &Masters{Leader: s.masters.Leader, All: s.masters.All}}
	for _, t := range s.tasks {
		u.Tasks = append(u.Tasks, *t.task)
	}
	for _, a := range s.agents {
		if a.agent != nil {
			u.Agents = append(u.Agents, *a.agent)
		}
	}
	for _, f := range s.frameworks {
		u.Frameworks = append(u.Frameworks, f.framework)
	}
	return u
}
