package cli

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func deploymentNoun() noun {
	return noun{"deployment", "changes of apps that are under way", []verb{
		{name: "list", about: "lists the deployments that are under way", prepare: listDeployments},
		{name: "watch", args: "ID", about: "waits for a deployment and tells how it goes", prepare: watchDeployment},
		{name: "cancel", args: "ID", about: "undoes a deployment by another one", more: waitText +
			"\nWith -force the deployment only ends, and the apps are left as they are at that moment.", prepare: cancelDeployment},
	}}
}

func listDeployments(flags *flag.FlagSet) action {
	quiet := idsOnly(flags)
	return func(ctx context.Context, s *session, _ []string) error {
		var all []client.Deployment
		if done, err := s.ask(ctx, "/v2/deployments", nil, &all); done || err != nil {
			return err
		}
		var ids []string
		var rows [][]string
		for _, d := range all {
			ids = append(ids, d.ID)
			var actions []string
			for _, a := range d.CurrentActions {
				actions = append(actions, a.Action+" "+a.App)
			}
			rows = append(rows, []string{d.ID, fmt.Sprintf("%d/%d", d.CurrentStep, d.TotalSteps), strings.Join(actions, ", ")})
		}
		if *quiet {
			return s.lines(ids)
		}
		return s.table([]string{"ID", "STEP", "DOING"}, rows)
	}
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
			return &client.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("deployment %s is not under way", args[0])}
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
			return s.client.Do(ctx, http.MethodDelete, "/v2/deployments/"+args[0], query, nil, nil)
		}
		d, err := s.client.Change(ctx, http.MethodDelete, "/v2/deployments/"+args[0], nil, false)
		if err != nil {
			return fmt.Errorf("cancelling the deployment: %w", err)
		}
		c.wait.undoing = true
		return s.end(ctx, &c, d, nil)
	}
}
