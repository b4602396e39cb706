package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"rollcall/scheduler"
)

// groupView is a group as GET writes it, with what is in it.
type groupView struct {
	ID           scheduler.PathID    `json:"id"`
	Apps         []appView           `json:"apps,omitzero"`
	Pods         []struct{}          `json:"pods,omitzero"`
	Groups       []*groupView        `json:"groups,omitzero"`
	Dependencies []scheduler.PathID  `json:"dependencies"`
	Version      scheduler.Timestamp `json:"version"`
	// EnforceRole is left out when it was never said: some clients do not know it.
	EnforceRole *bool `json:"enforceRole,omitempty"`
}

// groupEmbeds says what is written of a group.
type groupEmbeds struct {
	groups, apps, pods bool
	app                embeds
}

// groupEmbedsOf reads the query's embed members; without any, groups, apps and pods are written.
func (a *API) groupEmbedsOf(r *http.Request) groupEmbeds {
	values := a.query(r, "embed")
	e := groupEmbeds{app: a.embedsOf(r, embeds{}, "group.")}
	for _, v := range values {
		switch v {
		case "group.groups":
			e.groups = true
		case "group.apps":
			e.apps = true
		case "group.pods":
			e.pods = true
		}
		if strings.HasPrefix(v, "group.apps.") {
			e.apps = true
		}
	}
	if !slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, "group.") }) {
		e.groups, e.apps, e.pods = true, true, true
	}
	return e
}

// viewGroup draws a group that exists and, as far as they are wanted and the user may know of them, the apps and groups
// in it.
func viewGroup(s *scheduler.State, u *User, id scheduler.PathID, e groupEmbeds, now time.Time) *groupView {
	views := map[scheduler.PathID]*groupView{}
	add := func(g *scheduler.Group) *groupView {
		v := &groupView{ID: g.ID, Dependencies: append([]scheduler.PathID{}, g.Dependencies...), Version: g.Version,
			EnforceRole: g.EnforceRole}
		if g.ID == scheduler.Root {
			v.Version = s.Version
		}
		if e.apps {
			v.Apps = []appView{}
		}
		if e.groups {
			v.Groups = []*groupView{}
		}
		if e.pods {
			v.Pods = []struct{}{}
		}
		views[g.ID] = v
		return v
	}
	top := add(s.Group(id))
	for g := range s.GroupsWithin(id) {
		if !u.sees(g.ID) {
			continue
		}
		v := add(g)
		if parent := views[g.ID.Parent()]; e.groups && parent != nil {
			parent.Groups = append(parent.Groups, v)
		}
		raise(views, g.ID.Parent(), id, g.Version)
	}
	for app := range visible(u, s.AppsWithin(id)) {
		if e.apps {
			in := views[app.ID.Parent()]
			in.Apps = append(in.Apps, viewApp(s, app, e.app, now))
		}
		raise(views, app.ID.Parent(), id, app.Version)
	}
	return top
}

// raise lets the groups from one up to top be as new as what is in them.
func raise(views map[scheduler.PathID]*groupView, id, top scheduler.PathID, v scheduler.Timestamp) {
	for ; ; id = id.Parent() {
		views[id].Version = max(views[id].Version, v)
		if id == top {
			return
		}
	}
}
