package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func appNoun() noun {
	return noun{"app", "apps", []verb{
		{name: "list", args: "[GROUP]", about: "lists the apps, of a group if one is named", more: listText, prepare: listApps},
		{name: "show", args: "ID", about: "shows an app, its tasks, and what is wrong with it", prepare: showApp},
		{name: "create", about: "creates the app that a file defines", more: waitText, prepare: createApp},
		{name: "apply", about: "changes apps to what a file says, after showing the difference", more: applyText, prepare: applyApps},
		{name: "scale", args: "ID INSTANCES", about: "changes how many instances an app has", more: waitText, prepare: scaleApp},
		{name: "restart", args: "ID", about: "replaces all instances of an app", more: waitText, prepare: restartApp},
		{name: "stop", args: "ID", about: "stops all instances of an app and keeps its definition", more: waitText, prepare: stopApp},
		{name: "remove", args: "ID", about: "stops all instances of an app and deletes it", more: waitText, prepare: removeApp},
		{name: "logs", args: "ID", about: "prints what the tasks of an app wrote", more: logsText, plain: true, prepare: logsOfApp},
		{name: "versions", args: "ID", about: "lists the versions of an app, newest first", prepare: listVersions},
		{name: "rollback", args: "ID [VERSION]", about: "goes back to the previous version of an app, or to the given one", more: waitText, prepare: rollBack},
	}}
}

// idsOnly defines the flag that reduces a list to what other commands take.
func idsOnly(flags *flag.FlagSet) *bool { return flags.Bool("q", false, "print ids only") }

const listText = `WHY says why an app is unhealthy, waiting or delayed; -problems lists only such apps.`

func listApps(flags *flag.FlagSet) action {
	quiet := idsOnly(flags)
	problems := flags.Bool("problems", false, "only apps that are unhealthy, waiting or delayed")
	return func(ctx context.Context, s *session, args []string) error {
		apps, err := s.appsOf(ctx, args)
		if err != nil {
			return err
		}
		var queue map[string]*client.QueueItem
		if !*quiet && !s.json || *problems {
			if queue, err = s.queue(ctx); err != nil {
				return err
			}
		}
		var rows [][]string
		ids, raw := []string{}, []json.RawMessage{}
		for _, a := range apps {
			state, why := conditionOf(a.App, queue[a.ID])
			if *problems && !state.isProblem() {
				continue
			}
			ids, raw = append(ids, a.ID), append(raw, a.raw)
			rows = append(rows, []string{a.ID, fmt.Sprintf("%d/%d", a.Running, a.Instances), state.in(s.paint), number(a.CPUs), number(a.Mem), runs(a.App), why})
		}
		switch {
		case s.json:
			return s.printJSON(map[string]any{"apps": raw})
		case *quiet:
			return s.lines(ids)
		}
		return s.table([]string{"ID", "RUNNING", "STATE", "CPUS", "MEM", "RUNS", "WHY"}, rows)
	}
}

// rawApp is an app together with the JSON that it was read from.
type rawApp struct {
	client.App
	raw json.RawMessage
}

// appsOf lists all apps, or those of a group and the groups in it, by id.
func (s *session) appsOf(ctx context.Context, group []string) ([]rawApp, error) {
	var answer struct{ Apps []json.RawMessage }
	if err := s.client.Get(ctx, "/v2/apps", url.Values{"embed": {"apps.counts", "apps.deployments", "apps.lastTaskFailure"}}, &answer); err != nil {
		return nil, err
	}
	var apps []rawApp
	for _, raw := range answer.Apps {
		a := rawApp{raw: raw}
		if err := json.Unmarshal(raw, &a.App); err != nil {
			return nil, fmt.Errorf("reading an app: %w", err)
		}
		if len(group) == 0 || strings.HasPrefix(a.ID, strings.TrimSuffix(client.Absolute(group[0]), "/")+"/") {
			apps = append(apps, a)
		}
	}
	slices.SortFunc(apps, func(a, b rawApp) int { return strings.Compare(a.ID, b.ID) })
	if len(apps) == 0 && len(group) > 0 { // which is no news of a group that does not exist
		return nil, s.client.Get(ctx, client.GroupPath(group[0]), nil, nil)
	}
	return apps, nil
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
func number(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) }

func showApp(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var answer struct{ App client.App }
		if done, err := s.ask(ctx, client.AppPath(args[0]), client.EmbedApp(), &answer); done || err != nil {
			return err
		}
		a := answer.App
		queue, err := s.queue(ctx)
		if err != nil {
			return err
		}
		state, _ := conditionOf(a, queue[a.ID])
		fmt.Fprintf(s.out, "%s  %s\n", s.paint.bold(a.ID), state.in(s.paint))
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
		if q := queue[a.ID]; q != nil {
			text := waiting(*q)
			if state == appDelayed {
				text += fmt.Sprintf(", the next in %d s", q.Delay.TimeLeftSeconds)
			}
			fmt.Fprintf(s.out, "  %s\n", s.paint.yellow(text))
		}
		for _, t := range a.Tasks {
			if cause := t.Sick(); cause != "" {
				fmt.Fprintf(s.out, "  %s\n", s.paint.red(t.ID+" is unhealthy: "+cause))
			}
		}
		if len(a.Tasks) == 0 {
			return nil
		}
		fmt.Fprintln(s.out)
		return s.table(taskHead, s.taskRows(a.Tasks))
	}
}
