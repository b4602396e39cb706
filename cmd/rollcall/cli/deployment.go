package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func deploymentNoun() noun {
	return noun{"deployment", "changes to apps that are under way", []verb{
		{name: "list", about: "lists the deployments that are under way", prepare: listDeployments},
		{name: "show", args: "ID", about: "shows what a deployment is doing, and what it waits for", prepare: showDeployment},
		{name: "watch", args: "ID", about: "waits for a deployment and reports its progress", prepare: watchDeployment},
		{name: "cancel", args: "ID", about: "undoes a deployment", more: waitText +
			"\nWith -force the deployment just stops, and leaves the apps as they are at that moment.", prepare: cancelDeployment},
	}}
}

func listDeployments(flags *flag.FlagSet) action {
	quiet := idsOnly(flags)
	return func(ctx context.Context, s *session, _ []string) error {
		var all []client.Deployment
		if done, err := s.ask(ctx, "/v2/deployments", client.EmbedProgress(), &all); done || err != nil {
			return err
		}
		var ids []string
		var rows [][]string
		for _, d := range all {
			ids = append(ids, d.ID)
			rows = append(rows, []string{d.ID, fmt.Sprintf("%d/%d", d.CurrentStep, d.TotalSteps), doing(d.CurrentActions), waitsFor(d.CurrentActions)})
		}
		if *quiet {
			return s.lines(ids)
		}
		return s.table([]string{"ID", "STEP", "DOING", "WAITS FOR"}, rows)
	}
}

// doing says what the actions of a step do, in a few words however many they are.
func doing(actions []client.Action) string {
	var kinds []string
	apps, done := map[string][]string{}, map[string]int{}
	for _, a := range actions {
		if apps[a.Action] == nil {
			kinds = append(kinds, a.Action)
		}
		apps[a.Action] = append(apps[a.Action], a.App)
		if a.Done {
			done[a.Action]++
		}
	}
	var texts []string
	for _, kind := range kinds {
		text := kind + " " + enumerate(apps[kind])
		if done[kind] > 0 {
			text += fmt.Sprintf(" (%d of %d done)", done[kind], len(apps[kind]))
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// waitsFor is the first reason why a step is not done, and how many more there are.
func waitsFor(actions []client.Action) string {
	first, more := "", 0
	for _, a := range actions {
		switch {
		case a.Done || a.Reason == "":
		case first == "":
			first = a.App + ": " + a.Reason
		default:
			more++
		}
	}
	if more > 0 {
		first += fmt.Sprintf("; and %d more", more)
	}
	return first
}

func showDeployment(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var raw []json.RawMessage
		if err := s.client.Get(ctx, "/v2/deployments", client.EmbedProgress(), &raw); err != nil {
			return err
		}
		for _, one := range raw {
			var d client.Deployment
			if err := json.Unmarshal(one, &d); err != nil {
				return fmt.Errorf("reading a deployment: %w", err)
			}
			switch {
			case d.ID != args[0]:
			case s.json:
				return s.printJSON(one)
			default:
				return s.showDeployment(d)
			}
		}
		return notUnderWay(args[0])
	}
}

// showDeployment prints a deployment, with the actions that are not done first.
func (s *session) showDeployment(d client.Deployment) error {
	fmt.Fprintf(s.out, "%s  step %d of %d, since %s\n\n", s.paint.bold(d.ID), d.CurrentStep, d.TotalSteps, d.Version)
	actions := slices.Clone(d.CurrentActions)
	slices.SortStableFunc(actions, func(a, b client.Action) int {
		switch {
		case a.Done == b.Done:
			return 0
		case b.Done:
			return -1
		}
		return 1
	})
	var rows [][]string
	for _, a := range actions {
		done := 0
		for _, i := range a.Instances {
			if i.Done {
				done++
			}
		}
		rows = append(rows, []string{a.Action, a.App, fmt.Sprintf("%d/%d", done, len(a.Instances)), a.Reason})
	}
	return s.table([]string{"ACTION", "APP", "DONE", "WAITS FOR"}, rows)
}

func notUnderWay(id string) error {
	return &client.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("deployment %s is not under way", id)}
}

func watchDeployment(flags *flag.FlagSet) action {
	var w waitFlags
	w.defineMost(flags)
	return func(ctx context.Context, s *session, args []string) error {
		all, err := s.client.Deployments(ctx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(d client.Deployment) bool { return d.ID == args[0] })
		if at < 0 {
			return notUnderWay(args[0])
		}
		d := client.Deployed{Deployment: all[at].ID, Version: all[at].Version}
		if err := s.wait(ctx, w, d, all[at].AffectedApps); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(d)
		}
		return nil
	}
}

func cancelDeployment(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		query := url.Values{}
		if c.force {
			query.Set("force", "true")
			// There is nothing to wait for, and no body to read.
			if err := s.client.Do(ctx, http.MethodDelete, "/v2/deployments/"+args[0], query, nil, nil); err != nil {
				return fmt.Errorf("stopping the deployment: %w", err)
			}
			fmt.Fprintf(s.err, "deployment %s is stopped; its apps stay as they are\n", args[0])
			return nil
		}
		d, err := s.client.Change(ctx, http.MethodDelete, "/v2/deployments/"+args[0], nil, false)
		if err != nil {
			return fmt.Errorf("cancelling the deployment: %w", err)
		}
		c.wait.undoing = true
		if err := s.end(ctx, &c, d, nil); err != nil {
			return err
		}
		if !c.wait.no {
			fmt.Fprintf(s.err, "deployment %s is undone\n", args[0])
		}
		return nil
	}
}
