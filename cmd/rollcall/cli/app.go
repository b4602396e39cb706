package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func appNoun() noun {
	return noun{"app", "apps", []verb{
		{name: "list", args: "[GROUP]", about: "lists the apps, of a group if one is named", prepare: listApps},
		{name: "show", args: "ID", about: "shows an app, its tasks, and why it is not as it should be", prepare: showApp},
		{name: "create", about: "creates the app that a file defines", more: waitText, prepare: createApp},
		{name: "apply", about: "makes apps what a file says", more: applyText, prepare: applyApps},
		{name: "scale", args: "ID INSTANCES", about: "changes how many instances an app has", more: waitText, prepare: scaleApp},
		{name: "restart", args: "ID", about: "replaces all instances of an app", more: waitText, prepare: restartApp},
		{name: "stop", args: "ID", about: "ends all instances of an app; its definition stays", more: waitText, prepare: stopApp},
		{name: "remove", args: "ID", about: "ends all instances of an app and removes it", more: waitText, prepare: removeApp},
		{name: "logs", args: "ID", about: "prints what the tasks of an app wrote", more: logsText, plain: true, prepare: logsOfApp},
		{name: "versions", args: "ID", about: "lists the versions of an app, newest first", prepare: listVersions},
		{name: "rollback", args: "ID [VERSION]", about: "makes an app what it was before, or in a version", more: waitText, prepare: rollBack},
	}}
}

// idsOnly defines the flag that reduces a list to what other commands take.
func idsOnly(flags *flag.FlagSet) *bool { return flags.Bool("q", false, "print ids only") }

func listApps(flags *flag.FlagSet) action {
	quiet := idsOnly(flags)
	return func(ctx context.Context, s *session, args []string) error {
		path := "/v2/apps"
		if len(args) > 0 {
			path = client.GroupPath(args[0]) + "/apps"
		}
		var answer struct{ Apps []client.App }
		if done, err := s.ask(ctx, path, url.Values{"embed": {"apps.counts", "apps.deployments"}}, &answer); done || err != nil {
			return err
		}
		slices.SortFunc(answer.Apps, func(a, b client.App) int { return strings.Compare(a.ID, b.ID) })
		var rows [][]string
		var ids []string
		for _, a := range answer.Apps {
			ids = append(ids, a.ID)
			rows = append(rows, []string{a.ID, fmt.Sprintf("%d/%d", a.Running, a.Instances), s.appState(a), number(a.CPUs), number(a.Mem), runs(a)})
		}
		if *quiet {
			return s.lines(ids)
		}
		return s.table([]string{"ID", "RUNNING", "STATE", "CPUS", "MEM", "RUNS"}, rows)
	}
}

// appState is how an app is, in a word.
func (s *session) appState(a client.App) string {
	switch {
	case len(a.Deployments) > 0:
		return s.paint.yellow("deploying")
	case a.Unhealthy > 0:
		return s.paint.red("unhealthy")
	case a.Running < a.Instances:
		return s.paint.yellow("waiting")
	case a.Instances == 0:
		return "stopped"
	}
	return s.paint.green("running")
}

// runs is what an app runs, cut to what fits at the end of a line.
func runs(a client.App) string {
	text := strings.Join(strings.Fields(cmp.Or(a.Container.Docker.Image, a.Cmd, strings.Join(a.Args, " "))), " ")
	if letters := []rune(text); len(letters) > 40 {
		text = string(letters[:37]) + "..."
	}
	return text
}

// number writes a quantity without more digits than it has.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func showApp(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var answer struct{ App client.App }
		if done, err := s.ask(ctx, client.AppPath(args[0]), client.EmbedApp(), &answer); done || err != nil {
			return err
		}
		a := answer.App
		fmt.Fprintf(s.out, "%s  %s\n", s.paint.bold(a.ID), s.appState(a))
		fmt.Fprintf(s.out, "  instances  %d of %d running", a.Running, a.Instances)
		if a.Healthy+a.Unhealthy > 0 {
			fmt.Fprintf(s.out, ", %d healthy, %d unhealthy", a.Healthy, a.Unhealthy)
		}
		fmt.Fprintf(s.out, "\n  runs       %s\n  resources  %s cpus, %s MiB memory, %s MiB disk each\n", runs(a), number(a.CPUs), number(a.Mem), number(a.Disk))
		for _, c := range a.Constraints {
			fmt.Fprintf(s.out, "  constraint %s\n", strings.Trim(fmt.Sprint(c), "[]"))
		}
		fmt.Fprintf(s.out, "  version    %s\n", a.Version)
		for _, d := range a.Deployments {
			fmt.Fprintf(s.out, "  deployment %s\n", d.ID)
		}
		if a.Failure != nil {
			fmt.Fprintf(s.out, "  last failure %s on %s at %s: %s\n", a.Failure.State, a.Failure.Host, a.Failure.Timestamp.Format("2006-01-02 15:04:05Z07:00"), a.Failure.Message)
		}
		queue, err := s.client.Queue(ctx)
		if err != nil {
			return err
		}
		for _, q := range queue {
			if q.App.ID == a.ID {
				fmt.Fprintf(s.out, "  %s\n", s.paint.yellow(waiting(q)))
			}
		}
		if len(a.Tasks) == 0 {
			return nil
		}
		fmt.Fprintln(s.out)
		return s.table(taskHead, s.taskRows(a.Tasks))
	}
}
