package api

import (
	"net/http"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// groupView is a group with what is in it, as it is written in plans, and described in OpenAPI. Answers that hold
// everything there is are written bit by bit: see respondGroup.
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

// groupTree is a group with what is in it, as far as it is written and the user may know of it. It points to what the
// state holds: views of apps are made when they are written, one at a time.
type groupTree struct {
	group   *scheduler.Group
	version scheduler.Timestamp // of the newest of what is in it
	apps    []*scheduler.App
	groups  []*groupTree
}

// treeOf finds what is in a group that exists.
func treeOf(s *scheduler.State, u *User, id scheduler.PathID, e groupEmbeds) *groupTree {
	trees := map[scheduler.PathID]*groupTree{}
	add := func(g *scheduler.Group) *groupTree {
		t := &groupTree{group: g, version: g.Version}
		if g.ID == scheduler.Root {
			t.version = s.Version
		}
		trees[g.ID] = t
		return t
	}
	top := add(s.Group(id))
	for g := range s.GroupsWithin(id) {
		if !u.sees(g.ID) {
			continue
		}
		t := add(g)
		if parent := trees[g.ID.Parent()]; e.groups && parent != nil {
			parent.groups = append(parent.groups, t)
		}
		raise(trees, g.ID.Parent(), id, g.Version)
	}
	for app := range visible(u, s.AppsWithin(id)) {
		if e.apps {
			in := trees[app.ID.Parent()]
			in.apps = append(in.apps, app)
		}
		raise(trees, app.ID.Parent(), id, app.Version)
	}
	return top
}

// raise lets the groups from one up to top be as new as what is in them.
func raise(trees map[scheduler.PathID]*groupTree, id, top scheduler.PathID, v scheduler.Timestamp) {
	for ; ; id = id.Parent() {
		trees[id].version = max(trees[id].version, v)
		if id == top {
			return
		}
	}
}

// respondGroup answers a group that exists, in the form of a groupView.
func (a *API) respondGroup(w http.ResponseWriter, r *http.Request, s *scheduler.State, id scheduler.PathID) error {
	e := a.groupEmbedsOf(r)
	l := &listWriter{w: w, r: r}
	l.group("", treeOf(s, userOf(r), id, e), e, func(app *scheduler.App) appView { return viewApp(s, app, e.app, a.o.Now()) })
	return l.end()
}

// group writes a group, and a text before it.
func (l *listWriter) group(before string, t *groupTree, e groupEmbeds, view func(*scheduler.App) appView) {
	l.value(before+`{"id":`, t.group.ID)
	if e.apps {
		l.text(`,"apps":`)
		writeItems(l, func(yield func(appView) bool) {
			for _, app := range t.apps {
				if !yield(view(app)) {
					return
				}
			}
		})
	}
	if e.pods {
		l.text(`,"pods":[]`)
	}
	if e.groups {
		l.text(`,"groups":[`)
		for n, g := range t.groups {
			between := ","
			if n == 0 {
				between = ""
			}
			l.group(between, g, e, view)
		}
		l.text("]")
	}
	l.value(`,"dependencies":`, append([]scheduler.PathID{}, t.group.Dependencies...))
	l.value(`,"version":`, t.version)
	if t.group.EnforceRole != nil {
		l.value(`,"enforceRole":`, *t.group.EnforceRole)
	}
	l.text("}")
}
