package scheduler

import "iter"

// RootChange is how the root group was before one of its versions: what that version changed, as it had been. Undoing
// changes one after the other, the newest first, leads back through the versions of the root group (Marathon
// reference, section 9). Its JSON is how it is stored; it is immutable.
type RootChange struct {
	Version  Timestamp         `json:"version"`  // that the change made
	Previous Timestamp         `json:"previous"` // that was there before
	Apps     map[PathID]*App   `json:"apps"`     // nil where there was none
	Groups   map[PathID]*Group `json:"groups"`   // nil where there was none
}

// remember keeps what a plan is about to change, and forgets the oldest change beyond the number of versions kept.
func (w *work) remember(p *Plan) {
	c := &RootChange{Version: p.Version, Previous: w.version, Apps: map[PathID]*App{}, Groups: map[PathID]*Group{}}
	for _, id := range p.AffectedApps() {
		c.Apps[id] = p.Before[id]
	}
	for id := range p.GroupsBefore {
		c.Groups[id] = p.GroupsBefore[id]
	}
	for id := range p.GroupsAfter {
		c.Groups[id] = p.GroupsBefore[id]
	}
	w.putChange(c.Version, c)
	kept := w.changes.under("")
	for _, old := range kept[:max(0, len(kept)-w.limits.VersionsKept+1)] { // one version more than changes between them
		w.putChange(old.Version, nil)
	}
}

func (w *work) putChange(v Timestamp, c *RootChange) {
	if c == nil {
		w.changes.remove(v.String())
	} else {
		w.changes.put(v.String(), c)
	}
	w.save(KindChange, v.String())
}

// Past yields the root group in its versions, from the present one back, each as a State whose apps and groups (and
// nothing else) are those of that version.
func (s *State) Past() iter.Seq[*State] {
	return func(yield func(*State) bool) {
		for at := s; at != nil && yield(at); at = at.before() {
		}
	}
}

// before is the state with the newest change undone, nil when it is not known.
func (s *State) before() *State {
	c := s.changes.get(s.Version.String())
	if c == nil {
		return nil
	}
	apps, groups := s.apps.draft(), s.groups.draft()
	for id, app := range c.Apps {
		if app == nil {
			apps.remove(string(id))
		} else {
			apps.put(string(id), app)
		}
	}
	for id, group := range c.Groups {
		if group == nil {
			groups.remove(string(id))
		} else {
			groups.put(string(id), group)
		}
	}
	past := *s
	past.Version, past.apps, past.groups = c.Previous, apps.commit(), groups.commit()
	return &past
}

// GroupVersion is the newest version of anything in a group that exists.
func (s *State) GroupVersion(id PathID) Timestamp {
	if id == Root {
		return s.Version
	}
	newest := s.Group(id).Version
	for g := range s.GroupsWithin(id) {
		newest = max(newest, g.Version)
	}
	for app := range s.AppsWithin(id) {
		newest = max(newest, app.Version)
	}
	return newest
}

// GroupVersions lists the versions of a group that are kept, newest first; none when there is no such group.
func (s *State) GroupVersions(id PathID) []Timestamp {
	var out []Timestamp
	for at := range s.Past() {
		if at.Group(id) == nil {
			continue
		}
		if v := at.GroupVersion(id); len(out) == 0 || v < out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}

// GroupAt returns the state in which a group had a version of its own or of the root group, as Past yields it; nil
// when that is not kept, or the group was not there.
func (s *State) GroupAt(id PathID, v Timestamp) *State {
	for at := range s.Past() {
		if at.Group(id) != nil && (at.Version == v || at.GroupVersion(id) == v) {
			return at
		}
	}
	return nil
}
