package scheduler

import (
	"iter"
	"slices"
)

// Draft is the root group while an Update changes it. What it is given belongs to it; what it returns must not be
// changed (Clone it and put the clone).
type Draft struct {
	version Timestamp
	apps    draftTree[*App]
	groups  draftTree[*Group]
	state   *State // as it was before
	touched map[PathID]bool
	regroup map[PathID]bool
	restart map[PathID]bool
	renewed map[PathID]bool
}

// Version is the version that the update gives to what it changes.
func (d *Draft) Version() Timestamp { return d.version }

// Before is the state that the draft began from.
func (d *Draft) Before() *State { return d.state }

// App returns an app, nil when there is none.
func (d *Draft) App(id PathID) *App { return d.apps.get(string(id)) }

// AppsWithin lists the apps in a group and in the groups below it, by id.
func (d *Draft) AppsWithin(group PathID) []*App { return d.apps.under(below(group)) }

// Group returns a group, nil when there is none.
func (d *Draft) Group(id PathID) *Group { return d.groups.get(string(id)) }

// GroupsWithin lists the groups below a group, at any depth, by id.
func (d *Draft) GroupsWithin(group PathID) []*Group {
	isItself := func(g *Group) bool { return g.ID == group } // the root's id is the prefix of all
	return slices.DeleteFunc(d.groups.under(below(group)), isItself)
}

// PutApp adds or replaces an app; the groups above it are made. The core sets its Version and VersionInfo and
// assigns its service ports that are 0.
func (d *Draft) PutApp(a *App) {
	d.apps.put(string(a.ID), a)
	d.touched[a.ID] = true
	d.makeGroups(a.ID.Parent())
}

// RemoveApp removes an app; its instances will be ended.
func (d *Draft) RemoveApp(id PathID) {
	d.apps.remove(string(id))
	d.touched[id] = true
	d.shrunk(id.Parent())
}

// shrunk gives a group that something was removed from the draft's version: what is left in it cannot show it.
func (d *Draft) shrunk(id PathID) {
	if g := d.Group(id); g != nil && id != Root && g.Version != d.version {
		next := *g
		next.Version = d.version
		d.PutGroup(&next)
	}
}

// RestartApp has all of an app's instances replaced, whether or not its definition changed.
func (d *Draft) RestartApp(id PathID) {
	d.restart[id] = true
	d.touched[id] = true
}

// renew gives an app a new version, though its definition is as it was: instances of any version that has this definition
// are of the new one.
func (d *Draft) renew(id PathID) {
	d.renewed[id] = true
	d.touched[id] = true
}

// PutGroup adds or replaces a group, without its apps and groups; the groups above it are made.
func (d *Draft) PutGroup(g *Group) {
	d.groups.put(string(g.ID), g)
	d.regroup[g.ID] = true
	d.makeGroups(g.ID.Parent())
}

// RemoveGroup removes a group with all apps and groups below it. Of the root group only what is below it goes.
func (d *Draft) RemoveGroup(id PathID) {
	for _, a := range d.AppsWithin(id) {
		d.RemoveApp(a.ID)
	}
	for _, g := range d.GroupsWithin(id) {
		d.groups.remove(string(g.ID))
		d.regroup[g.ID] = true
	}
	if id != Root {
		d.groups.remove(string(id))
		d.regroup[id] = true
		d.shrunk(id.Parent())
	}
}

func (d *Draft) makeGroups(id PathID) {
	for ; d.Group(id) == nil; id = id.Parent() {
		d.groups.put(string(id), &Group{ID: id, Version: d.version})
		d.regroup[id] = true
	}
}

// lineage yields an id and the ids of the groups above it, up to and including the root.
func lineage(id PathID) iter.Seq[PathID] {
	return func(yield func(PathID) bool) {
		for yield(id) && id != Root {
			id = id.Parent()
		}
	}
}
