package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"rollcall/scheduler"
)

// appChange is what a request wants of one app. It is read and checked for types before the update; what depends on
// the app as it is then happens inside.
type appChange struct {
	id      scheduler.PathID
	path    string         // of the object in the body
	members map[string]any // as they were written

	mode      changeMode
	mustExist bool                // there is an answer 404 instead of a new app
	rollback  scheduler.Timestamp // 0: none
}

// changeMode is what the members of a change mean for an app that exists.
type changeMode uint8

const (
	replaceMembers changeMode = iota // each that is given replaces the app's; others stay
	replaceWhole                     // the object is the definition
	mergeMembers                     // the object is a JSON merge patch (RFC 7396)
)

// readAppChange reads an object that changes the app of the given id, or of the id in the object when that is "".
func readAppChange(r *reader, v any, path string, id scheduler.PathID, mode changeMode, s appSettings) *appChange {
	o, ok := r.object(v, path)
	if !ok {
		return nil
	}
	if id == "" && !o.has("id") {
		o.missing("id")
		return nil
	}
	if id == "" {
		given, ok := r.text(o.members["id"], o.at("id"))
		if !ok {
			return nil
		}
		id = scheduler.ResolvePathID(given, scheduler.Root)
	}
	if mode == mergeMembers { // a part of a definition: only names can be told to be wrong before it is complete
		part := &reader{}
		o.r = part
		decodeApp(o, s)
		r.unknown = append(r.unknown, part.unknown...)
	} else {
		decodeApp(o, s)
	}
	c := &appChange{id: id, path: path, mode: mode, members: maps.Clone(o.members)}
	c.members["id"] = string(id)
	return c
}

// readRollback understands {"version": v}, alone or with the id.
func (c *appChange) readRollback(r *reader) {
	v := c.members["version"]
	if v == nil || c.mode != replaceMembers {
		return
	}
	for name, value := range c.members {
		if name != "version" && name != "id" && value != nil {
			r.refuse(c.path, "The 'version' field may only be combined with the 'id' field.")
			return
		}
	}
	if text, ok := r.text(v, c.path+"/version"); ok {
		t, err := scheduler.ParseTimestamp(text)
		if err != nil {
			r.refuse(c.path+"/version", "%s", err)
		}
		c.rollback = t
	}
}

// apply makes the change on a draft and says whether it made the app. It is a pure function of the draft.
func (c *appChange) apply(d *scheduler.Draft, s appSettings) (created bool, err error) {
	before := d.App(c.id)
	if before == nil && (c.mustExist || c.rollback != 0) {
		return false, noApp(c.id)
	}
	var app *scheduler.App
	if c.rollback != 0 {
		old := d.Before().AppVersion(c.id, c.rollback)
		if old == nil {
			return false, noAppVersion(c.id, c.rollback)
		}
		app = old.Clone()
	} else {
		members := c.members
		if before != nil && c.mode != replaceWhole {
			if members, err = overlay(before, members, c.mode == mergeMembers); err != nil {
				return false, err
			}
		}
		r := &reader{}
		o, _ := r.object(members, c.path)
		app = readApp(o, scheduler.Root, s)
		if err := r.err(); err != nil {
			return false, err
		}
	}
	if err := settle(d, app, c.path, s); err != nil {
		return false, err
	}
	makeRoom(d, app.ID)
	d.PutApp(app)
	return before == nil, nil
}

// makeRoom removes a group without any apps that is where an app is to be, as Marathon does: groups are easily left over.
func makeRoom(d *scheduler.Draft, id scheduler.PathID) {
	if d.Group(id) != nil && len(d.AppsWithin(id)) == 0 {
		d.RemoveGroup(id)
	}
}

// replaces tells which members of an app go when another one is given: older forms of the same thing, and what can
// only be there instead of it.
var replaces = map[string][]string{
	"cmd": {"args"}, "args": {"cmd"},
	"uris": {"fetch"}, "storeUrls": {"fetch"},
	"ports":     {"portDefinitions"},
	"ipAddress": {"networks"},
}

// overlay puts members over those of an app: each that is given replaces the app's as a whole, or is merged into it.
func overlay(app *scheduler.App, members map[string]any, merge bool) (map[string]any, error) {
	data, err := json.Marshal(app)
	if err != nil {
		return nil, fmt.Errorf("writing app %s as JSON: %w", app.ID, err)
	}
	v, err := parseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("reading app %s back: %w", app.ID, err)
	}
	out := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if args, ok := members[name].([]any); members[name] == nil || name == "args" && ok && len(args) == 0 {
			continue
		}
		for _, old := range replaces[name] {
			delete(out, old)
		}
	}
	if oldNetwork(members) != "" {
		delete(out, "networks")
	}
	if leavesHost(members) {
		delete(out, "portDefinitions")
	}
	if merge {
		return mergePatch(out, members).(map[string]any), nil
	}
	for name, value := range members {
		if value != nil {
			out[name] = value
		}
	}
	return out, nil
}

// oldNetwork is the network that a container has in older forms, which stands for networks; "" when it has none.
func oldNetwork(members map[string]any) string {
	container, _ := members["container"].(map[string]any)
	docker, _ := container["docker"].(map[string]any)
	network, _ := docker["network"].(string)
	return network
}

// leavesHost says whether members give an app a network that is not its host's: the ports that it had there are none of
// its new ones.
func leavesHost(members map[string]any) bool {
	networks, _ := members["networks"].([]any)
	for _, n := range networks {
		if network, _ := n.(map[string]any); network["mode"] != string(scheduler.NetworkHost) {
			return true
		}
	}
	old := oldNetwork(members)
	return old == "BRIDGE" || old == "USER" || members["ipAddress"] != nil
}

// settle finishes an app that is to be put on a draft: what depends on the groups around it, and on what apps may ask
// for at all.
func settle(d *scheduler.Draft, app *scheduler.App, path string, s appSettings) error {
	if err := settleRole(d, app, path, s.role); err != nil {
		return err
	}
	r := &reader{}
	s.policy.check(r, path, app)
	return r.err()
}

// settleRole gives an app its role where it names none, and refuses roles that its place does not allow (Marathon
// reference 8.7): the server's, *, and the name of the top-level group, which may be the only one. An app keeps the role
// that it has: what was changed about its group is not in the way of changes of the app.
func settleRole(d *scheduler.Draft, app *scheduler.App, path, role string) error {
	allowed := slices.Compact([]string{role, "*"})
	if segments := app.ID.Segments(); len(segments) > 1 {
		top := segments[0]
		g := d.Group(scheduler.PathID("/" + top))
		if g != nil && g.EnforceRole != nil && *g.EnforceRole {
			role, allowed = top, []string{top}
		} else {
			allowed = append(allowed, top)
		}
	}
	if app.Role == "" {
		app.Role = role
	}
	if before := d.Before().App(app.ID); before != nil {
		allowed = append(allowed, before.Role)
	}
	r := &reader{}
	if !slices.Contains(allowed, app.Role) {
		r.refuse(path+"/role", "must be one of %q", allowed)
	}
	for i, accepted := range app.AcceptedResourceRoles {
		if accepted != "*" && accepted != app.Role {
			r.refuse(fmt.Sprintf("%s/acceptedResourceRoles(%d)", path, i), "must be '*' or the app's role '%s'", app.Role)
		}
	}
	return r.err()
}
