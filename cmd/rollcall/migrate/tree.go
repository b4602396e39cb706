package migrate

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Left is something that cannot be brought over.
type Left struct {
	Kind, ID string // "app" or "pod"
	Reason   string
}

// String tells it on one line.
func (l Left) String() string { return fmt.Sprintf("%s %s: %s", l.Kind, l.ID, l.Reason) }

// Tree is the apps and groups of a Marathon as they are to be.
type Tree struct {
	root *node
	Left []Left // in the order in which they were found
}

// node is a group. What is in it has absolute ids.
type node struct {
	id     string
	group  object // its own members, without what is in it
	apps   []object
	groups []*node
}

// NewTree takes the tree out of a dump. Pods, and apps whose data would stay behind, are left.
func NewTree(d *Dump) *Tree {
	t := &Tree{root: &node{id: "/", group: object{}}}
	t.add(d.Group, "/")
	return t
}

func (t *Tree) add(group object, within string) {
	id := within
	if given, ok := group["id"].(string); ok {
		id = absolute(given, within)
	}
	n := t.root.at(id)
	for _, name := range []string{"dependencies", "enforceRole"} {
		if v, ok := group[name]; ok && v != nil {
			n.group[name] = v
		}
	}
	for _, pod := range objects(group["pods"]) {
		t.Left = append(t.Left, Left{"pod", idOf(pod, id), "rollcall has no pods"})
	}
	for _, app := range objects(group["apps"]) {
		own := idOf(app, id)
		if reason := immovable(app); reason != "" {
			t.Left = append(t.Left, Left{"app", own, reason})
			continue
		}
		app["id"] = own
		parent := t.root.at(path.Dir(own))
		parent.apps = append(parent.apps, app)
	}
	for _, inner := range objects(group["groups"]) {
		t.add(inner, id)
	}
}

// immovable says why an app cannot be brought over, "": nothing is known to be in the way.
func immovable(app object) string {
	container, _ := app["container"].(object)
	for _, volume := range objects(container["volumes"]) {
		switch {
		case volume["persistent"] != nil:
			return "it has a persistent volume, whose data stays with Marathon's reservation"
		case volume["external"] != nil:
			return "it has an external volume"
		}
	}
	return ""
}

// at returns the group of an id, and makes those that are missing on the way.
func (n *node) at(id string) *node {
	for part := range strings.SplitSeq(strings.Trim(id, "/"), "/") {
		if part == "" {
			continue
		}
		inner := path.Join(n.id, part)
		at := slices.IndexFunc(n.groups, func(g *node) bool { return g.id == inner })
		if at < 0 {
			at = len(n.groups)
			n.groups = append(n.groups, &node{id: inner, group: object{}})
		}
		n = n.groups[at]
	}
	return n
}

// Document is the root group as the API takes it.
func (t *Tree) Document() map[string]any { return t.root.document() }

func (n *node) document() object {
	apps, groups := make([]any, len(n.apps)), make([]any, len(n.groups))
	for i, app := range n.apps {
		apps[i] = app
	}
	for i, g := range n.groups {
		groups[i] = g.document()
	}
	out := object{"id": n.id, "apps": apps, "groups": groups}
	for name, v := range n.group {
		out[name] = v
	}
	return out
}

// Apps lists the ids of the apps, sorted.
func (t *Tree) Apps() []string {
	var ids []string
	t.root.each(func(app object) { ids = append(ids, app["id"].(string)) })
	slices.Sort(ids)
	return ids
}

// Suspend makes every app have no instances.
func (t *Tree) Suspend() {
	t.root.each(func(app object) { app["instances"] = 0 })
}

func (n *node) each(do func(app object)) {
	for _, app := range n.apps {
		do(app)
	}
	for _, g := range n.groups {
		g.each(do)
	}
}

// leave takes out the app in which a problem of the document is, by the problem's path such as
// "/groups(0)/apps(3)/cmd". It is false for problems outside apps.
func (t *Tree) leave(problems map[string]string) bool {
	found := false
	t.root.leave("", problems, func(l Left) { t.Left, found = append(t.Left, l), true })
	return found
}

func (n *node) leave(at string, problems map[string]string, left func(Left)) {
	kept := n.apps[:0:0]
	for i, app := range n.apps {
		if reason := within(problems, fmt.Sprintf("%s/apps(%d)", at, i)); reason != "" {
			left(Left{"app", app["id"].(string), reason})
			continue
		}
		kept = append(kept, app)
	}
	n.apps = kept
	for i, g := range n.groups {
		g.leave(fmt.Sprintf("%s/groups(%d)", at, i), problems, left)
	}
}

// within joins the problems at a path and below it.
func within(problems map[string]string, at string) string {
	var found []string
	for where, what := range problems {
		if where == at || strings.HasPrefix(where, at+"/") || strings.HasPrefix(where, at+"(") {
			found = append(found, strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(where, at), "/")+" "+what))
		}
	}
	slices.Sort(found)
	return strings.Join(found, "; ")
}

func idOf(o object, within string) string {
	id, _ := o["id"].(string)
	return absolute(id, within)
}

func absolute(id, within string) string {
	if strings.HasPrefix(id, "/") {
		return path.Clean(id)
	}
	return path.Join(cmp.Or(within, "/"), id)
}

// objects are the objects in an array of JSON.
func objects(v any) []object {
	list, _ := v.([]any)
	var out []object
	for _, item := range list {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out
}
