package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"rollcall/cmd/rollcall/client"
)

const groupApplyText = `The file holds a group with its apps and groups. Apps of the group that are not in the file are removed. The
difference is printed first; if there is none, nothing is done.

` + waitText

func groupNoun() noun {
	return noun{"group", "groups of apps", []verb{
		{name: "list", about: "lists the groups", prepare: listGroups},
		{name: "show", args: "ID", about: "shows the apps of a group and of the groups in it", prepare: showGroup},
		{name: "apply", about: "changes a group to what a file says, after showing the difference", more: groupApplyText, prepare: applyGroup},
		{name: "scale", args: "ID FACTOR", about: "multiplies the instances of all apps of a group", more: waitText, prepare: scaleGroup},
		{name: "remove", args: "ID", about: "removes a group with all its apps", more: waitText, prepare: removeGroup},
	}}
}

// group is what is read of a group.
type group struct {
	ID      string       `json:"id"`
	Apps    []client.App `json:"apps"`
	Groups  []group      `json:"groups"`
	Version string       `json:"version"`
}

// all lists a group and the groups in it.
func (g group) all() []group {
	list := []group{g}
	for _, inner := range g.Groups {
		list = append(list, inner.all()...)
	}
	return list
}

// apps lists the apps of a group and of the groups in it.
func (g group) apps() []client.App {
	var list []client.App
	for _, inner := range g.all() {
		list = append(list, inner.Apps...)
	}
	return list
}

// embedGroup is the query that asks for all that group has.
func embedGroup() url.Values {
	return url.Values{"embed": {"group.groups", "group.apps", "group.apps.counts", "group.apps.deployments", "group.apps.lastTaskFailure"}}
}

func listGroups(flags *flag.FlagSet) action {
	quiet := idsOnly(flags)
	return func(ctx context.Context, s *session, _ []string) error {
		var top group
		if done, err := s.ask(ctx, "/v2/groups", embedGroup(), &top); done || err != nil {
			return err
		}
		var ids []string
		var rows [][]string
		for _, g := range top.all() {
			running, instances := 0, 0
			for _, a := range g.apps() {
				running, instances = running+a.Running, instances+a.Instances
			}
			ids = append(ids, g.ID)
			rows = append(rows, []string{g.ID, strconv.Itoa(len(g.apps())), fmt.Sprintf("%d/%d", running, instances)})
		}
		if *quiet {
			return s.lines(ids)
		}
		return s.table([]string{"ID", "APPS", "RUNNING"}, rows)
	}
}

func showGroup(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var g group
		if done, err := s.ask(ctx, client.GroupPath(args[0]), embedGroup(), &g); done || err != nil {
			return err
		}
		queue, err := s.queue(ctx)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, a := range g.apps() {
			state, why := conditionOf(a, queue[a.ID])
			rows = append(rows, []string{a.ID, fmt.Sprintf("%d/%d", a.Running, a.Instances), state.in(s.paint), a.Version, why})
		}
		return s.table([]string{"ID", "RUNNING", "STATE", "VERSION", "WHY"}, rows)
	}
}

func applyGroup(flags *flag.FlagSet) action {
	var a applyFlags
	a.define(flags)
	return func(ctx context.Context, s *session, _ []string) error {
		v, err := s.readJSON(*a.file)
		if err != nil {
			return err
		}
		wanted, ok := v.(map[string]any)
		if !ok || wanted["apps"] == nil && wanted["groups"] == nil {
			return errors.New("a group, which is a JSON object with apps or groups, is needed")
		}
		id := idOf(wanted, "/")
		if id == "" {
			return errors.New("the group has no id; that of all apps is \"/\"")
		}
		present, err := s.definition(ctx, client.GroupPath(id), "")
		if err != nil {
			return err
		}
		old, next := map[string]definition{}, map[string]definition{}
		appsOf(present, id, old)
		appsOf(wanted, id, next)
		all := removals(old, next)
		ids := slices.Sorted(maps.Keys(next))
		for _, app := range ids {
			all = append(all, compare(app, old[app], next[app])...)
		}
		dropVersions(wanted)
		return s.apply(ctx, &a, all, ids, http.MethodPut, client.GroupPath(id), wanted)
	}
}

// dropVersions removes the versions of a group and of the groups in it, which are there when the file is what the API
// answered: beside other members they are refused, as one alone asks for a rollback.
func dropVersions(group map[string]any) {
	delete(group, "version")
	for _, item := range list(group["groups"]) {
		if g, ok := item.(map[string]any); ok {
			dropVersions(g)
		}
	}
}

func scaleGroup(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		factor, err := strconv.ParseFloat(args[1], 64)
		if err != nil || !(factor >= 0) || factor > 1e6 {
			return &usageError{fmt.Sprintf("%q is not a factor; use a number such as 2 or 0.5", args[1]), s.help}
		}
		var g group
		if err := s.client.Get(ctx, client.GroupPath(args[0]), embedGroup(), &g); err != nil {
			return err
		}
		d, err := s.client.Change(ctx, http.MethodPut, client.GroupPath(args[0]), map[string]float64{"scaleBy": factor}, c.force)
		if err != nil {
			return fmt.Errorf("scaling %s: %w", g.ID, err)
		}
		return s.end(ctx, &c, d, g.appIDs())
	}
}

func (g group) appIDs() []string {
	var ids []string
	for _, a := range g.apps() {
		ids = append(ids, a.ID)
	}
	return ids
}

func removeGroup(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	everything := flags.Bool("everything", false, "confirm that all apps are to be removed, for the group /")
	return func(ctx context.Context, s *session, args []string) error {
		id := client.Absolute(args[0])
		if id == "/" && !*everything {
			return &usageError{"this would remove all apps; add -everything to confirm", s.help}
		}
		var g group
		if err := s.client.Get(ctx, client.GroupPath(id), embedGroup(), &g); err != nil {
			return err
		}
		d, err := s.client.Change(ctx, http.MethodDelete, client.GroupPath(id), nil, c.force)
		if err != nil {
			return fmt.Errorf("removing %s: %w", id, err)
		}
		c.wait.removing = true
		return s.end(ctx, &c, d, g.appIDs())
	}
}
