package api

import (
	"fmt"
	"math"
	"slices"

	"rollcall/scheduler"
)

// groupInput is a group as a request wants it. Nil slices were not given: what is there stays.
type groupInput struct {
	id           scheduler.PathID
	path         string
	apps         []appInGroup
	groups       []*groupInput
	dependencies []scheduler.PathID
	enforceRole  *bool

	seenApps, seenGroups map[scheduler.PathID]bool // while it is read

	scaleBy  *float64            // instead of everything else
	rollback scheduler.Timestamp // instead of everything else; 0: none
}

type appInGroup struct {
	*scheduler.App
	path string
}

// readGroup reads a group of the given id. Its apps are whole definitions, there is no merge with those that exist.
func readGroup(o *object, id scheduler.PathID, s appSettings) *groupInput {
	in := &groupInput{id: id, path: o.path,
		seenApps: map[scheduler.PathID]bool{}, seenGroups: map[scheduler.PathID]bool{}}
	if err := id.Validate(); err != nil {
		o.r.refuse(o.at("id"), "%s", err)
	}
	o.ignore("id")
	if _, given := o.take("version"); given { // what GET wrote cannot be sent back with it: it would be a rollback
		o.r.refuse(o.at("version"), "%s", notAlone)
	}
	in.readMembers(o, s)
	var enforce bool
	if o.boolean("enforceRole", &enforce) {
		in.enforceRole = &enforce
		if len(id.Segments()) != 1 {
			o.r.refuse(o.at("enforceRole"), "is for top-level groups only")
		}
	}
	if pods, ok := o.elements("pods"); ok && len(pods) > 0 {
		o.r.unsupported(o.at("pods"), "pods")
	}
	o.end()
	return in
}

// readMembers reads what a group consists of.
func (in *groupInput) readMembers(o *object, s appSettings) {
	in.readApps(o, s)
	in.readGroups(o, s)
	var dependencies []string
	if o.texts("dependencies", &dependencies) {
		in.dependencies = []scheduler.PathID{}
		for _, d := range dependencies {
			in.dependencies = append(in.dependencies, scheduler.ResolvePathID(d, in.id))
		}
	}
}

func (in *groupInput) readApps(o *object, s appSettings) {
	objects, ok := o.objects("apps")
	if !ok {
		return
	}
	if in.apps == nil {
		in.apps = make([]appInGroup, 0, len(objects))
	}
	for _, a := range objects {
		if o.r.untold {
			return // enough to put right
		}
		if isGroup(a) {
			in.readMisplaced(a, s)
			continue
		}
		app := readApp(a, in.id, s)
		checkChild(a, app.ID, in.id)
		if in.seenApps[app.ID] {
			o.r.refuse(a.at("id"), "'%s' is there twice", app.ID)
		}
		in.seenApps[app.ID] = true
		in.apps = append(in.apps, appInGroup{app, a.path})
	}
}

func (in *groupInput) readGroups(o *object, s appSettings) {
	objects, ok := o.objects("groups")
	if !ok {
		return
	}
	if in.groups == nil {
		in.groups = make([]*groupInput, 0, len(objects))
	}
	for _, g := range objects {
		if o.r.untold {
			return
		}
		in.readSubgroup(g, s)
	}
}

func (in *groupInput) readSubgroup(g *object, s appSettings) {
	var given string
	if !g.text("id", &given) && !g.has("id") {
		g.missing("id")
	}
	id := scheduler.ResolvePathID(given, in.id)
	checkChild(g, id, in.id)
	if in.seenGroups[id] {
		g.r.refuse(g.at("id"), "'%s' is there twice", id)
	}
	in.seenGroups[id] = true
	in.groups = append(in.groups, readGroup(g, id, s))
}

// isGroup says whether an object among apps can only have been meant as a group: it holds apps or groups, and nothing
// that a group has not.
func isGroup(o *object) bool {
	for name, v := range o.members {
		if v != nil && !slices.Contains([]string{"id", "apps", "groups", "dependencies", "enforceRole", "version"}, name) {
			return false
		}
	}
	return o.has("apps") || o.has("groups")
}

// readMisplaced reads a group that stands among apps as if it stood among groups. One with the id of the group around
// it is that group: what it holds belongs there.
func (in *groupInput) readMisplaced(o *object, s appSettings) {
	o.r.warn("%s is a group and was taken as one: it belongs in groups, not in apps", o.path)
	id, ok := o.members["id"].(string)
	if !ok || scheduler.ResolvePathID(id, in.id) != in.id {
		in.readSubgroup(o, s)
		return
	}
	o.ignore("id", "version")
	in.readMembers(o, s)
	o.end()
}

func checkChild(o *object, id, group scheduler.PathID) {
	if o.has("id") && (id.Parent() != group || id == group) {
		o.r.refuse(o.at("id"), "Identifier is not child of '%s'. Hint: use relative paths.", group)
	}
}

// notAlone is said of instructions that stand beside other members.
const notAlone = "not allowed in conjunction with other properties."

// readGroupUpdate reads the body of a PUT: a group, or one of the two instructions that stand alone.
func readGroupUpdate(o *object, id scheduler.PathID, s appSettings) *groupInput {
	others := 0
	for name, v := range o.members {
		if v != nil && name != "scaleBy" && name != "version" {
			others++
		}
	}
	switch {
	case o.has("scaleBy"):
		in := &groupInput{id: id, path: o.path, scaleBy: new(float64)}
		o.number("scaleBy", in.scaleBy, 0)
		if others > 0 || o.has("version") {
			o.r.refuse(o.at("scaleBy"), "%s", notAlone)
		}
		return in
	case o.has("version") && (others == 0 || others == 1 && o.has("id")):
		in := &groupInput{id: id, path: o.path}
		var version string
		if o.text("version", &version) {
			var err error
			if in.rollback, err = scheduler.ParseTimestamp(version); err != nil {
				o.r.refuse(o.at("version"), "%s", err)
			}
		}
		return in
	}
	return readGroup(o, id, s)
}

// apply makes the group on a draft what the request says. It is a pure function of the draft.
func (in *groupInput) apply(d *scheduler.Draft, s appSettings) error {
	switch {
	case in.scaleBy != nil:
		return in.scale(d, s)
	case in.rollback != 0:
		return in.rollBack(d, s)
	}
	in.removeOthers(d)
	if err := in.putGroup(d); err != nil {
		return err
	}
	for _, a := range in.apps {
		app := a.Clone()
		if err := settle(d, app, a.path, s); err != nil {
			return err
		}
		d.PutApp(app)
	}
	for _, g := range in.groups {
		if err := g.apply(d, s); err != nil {
			return err
		}
	}
	return nil
}

// removeOthers removes what is directly in the group and not in the request, where the request lists such.
func (in *groupInput) removeOthers(d *scheduler.Draft) {
	if in.apps != nil {
		for _, app := range d.AppsWithin(in.id) {
			kept := func(a appInGroup) bool { return a.ID == app.ID }
			if app.ID.Parent() == in.id && !slices.ContainsFunc(in.apps, kept) {
				d.RemoveApp(app.ID)
			}
		}
	}
	if in.groups != nil {
		for _, group := range d.GroupsWithin(in.id) {
			kept := func(g *groupInput) bool { return g.id == group.ID }
			if group.ID.Parent() == in.id && !slices.ContainsFunc(in.groups, kept) {
				d.RemoveGroup(group.ID)
			}
		}
	}
}

func (in *groupInput) putGroup(d *scheduler.Draft) error {
	next := scheduler.Group{ID: in.id, Version: d.Version()}
	before := d.Group(in.id)
	if before != nil {
		next.Dependencies, next.EnforceRole = before.Dependencies, before.EnforceRole
	}
	if in.dependencies != nil {
		next.Dependencies = in.dependencies
	}
	if in.enforceRole != nil {
		if before != nil && enforced(before) != *in.enforceRole && (in.apps != nil || in.groups != nil) {
			return invalid([]scheduler.Problem{{Path: in.path + "/enforceRole", Errors: []string{
				"may not be changed together with apps or groups"}}})
		}
		next.EnforceRole = in.enforceRole
	}
	if before == nil || enforced(before) != enforced(&next) || !slices.Equal(before.Dependencies, next.Dependencies) {
		d.PutGroup(&next)
	}
	return nil
}

func enforced(g *scheduler.Group) bool { return g.EnforceRole != nil && *g.EnforceRole }

// scale multiplies the instances of every app in the group and below.
func (in *groupInput) scale(d *scheduler.Draft, s appSettings) error {
	if d.Group(in.id) == nil {
		return noGroup(in.id)
	}
	for _, app := range d.AppsWithin(in.id) {
		instances := math.Ceil(float64(app.Instances) * *in.scaleBy)
		if instances > float64(s.maxInstances) {
			return invalid([]scheduler.Problem{{Path: "/scaleBy", Errors: []string{fmt.Sprintf(
				"'%s' would have %.0f instances; an app may have at most %d", app.ID, instances, s.maxInstances)}}})
		}
		if app.Labels[singleInstanceLabel] == "true" && instances > 1 {
			return invalid([]scheduler.Problem{{Path: "/scaleBy", Errors: []string{fmt.Sprintf(
				"'%s' would have %.0f instances: Single instance app may only have one instance", app.ID, instances)}}})
		}
		if app.OnePerAgent {
			instances = min(instances, 1) // the agents say how many; 0 stops them
		}
		next := app.Clone()
		next.Instances = int(instances)
		d.PutApp(next)
	}
	return nil
}

// rollBack makes the group, and what is in it, what it was in a version that is kept.
func (in *groupInput) rollBack(d *scheduler.Draft, s appSettings) error {
	if d.Group(in.id) == nil {
		return noGroup(in.id)
	}
	past := d.Before().GroupAt(in.id, in.rollback)
	if past == nil {
		return unprocessable("Group " + string(in.id) + " not available in version " + in.rollback.String())
	}
	for _, app := range d.AppsWithin(in.id) {
		if past.App(app.ID) == nil {
			d.RemoveApp(app.ID)
		}
	}
	for _, group := range d.GroupsWithin(in.id) {
		if past.Group(group.ID) == nil {
			d.RemoveGroup(group.ID)
		}
	}
	if in.id != scheduler.Root {
		rollBackGroup(d, past.Group(in.id))
	}
	for group := range past.GroupsWithin(in.id) {
		rollBackGroup(d, group)
	}
	for old := range past.AppsWithin(in.id) {
		app := old.Clone()
		if err := settle(d, app, "", s); err != nil {
			return err
		}
		d.PutApp(app)
	}
	return nil
}

// rollBackGroup puts a group of the past, as a new version where it differs from the present one.
func rollBackGroup(d *scheduler.Draft, past *scheduler.Group) {
	now := d.Group(past.ID)
	if now != nil && enforced(now) == enforced(past) && slices.Equal(now.Dependencies, past.Dependencies) {
		return
	}
	next := *past
	next.Version = d.Version()
	d.PutGroup(&next)
}
