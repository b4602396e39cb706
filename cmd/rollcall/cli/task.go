package cli

import (
	"context"
	"flag"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func taskNoun() noun {
	return noun{"task", "running tasks", []verb{
		{name: "list", args: "[APP]", about: "lists the tasks, of an app if one is named", prepare: listTasks},
		{name: "kill", args: "ID...", about: "kills tasks; others are started in their place", plain: true, prepare: killTasks},
		{name: "logs", args: "ID", about: "prints what a task wrote", more: logsText, plain: true, prepare: logsOfTask},
		{name: "exec", args: "ID COMMAND...", about: "runs a command inside a task of the local engine", more: execText, plain: true, rest: true, prepare: execInTask},
	}}
}

var taskHead = []string{"ID", "STATE", "WHERE", "STARTED"}

func (s *session) taskRows(tasks []client.Task) [][]string {
	var rows [][]string
	for _, t := range tasks {
		state := strings.ToLower(strings.TrimPrefix(t.State, "TASK_"))
		switch healthy, known := t.Healthy(); {
		case known && healthy:
			state = s.paint.green("healthy")
		case known:
			state = s.paint.red("unhealthy")
		}
		started := "-"
		if !t.StartedAt.IsZero() {
			started = t.StartedAt.Format("2006-01-02 15:04:05Z07:00")
		}
		rows = append(rows, []string{t.ID, state, where(t), started})
	}
	return rows
}

func listTasks(flags *flag.FlagSet) action {
	quiet := idsOnly(flags)
	return func(ctx context.Context, s *session, args []string) error {
		path := "/v2/tasks"
		if len(args) > 0 {
			path = client.AppPath(args[0]) + "/tasks"
		}
		var answer struct{ Tasks []client.Task }
		if done, err := s.ask(ctx, path, nil, &answer); done || err != nil {
			return err
		}
		var ids []string
		for _, t := range answer.Tasks {
			ids = append(ids, t.ID)
		}
		if *quiet {
			return s.lines(ids)
		}
		return s.table(taskHead, s.taskRows(answer.Tasks))
	}
}

func killTasks(flags *flag.FlagSet) action {
	scale := flags.Bool("scale", false, "scale the app down instead of starting others")
	wipe := flags.Bool("wipe", false, "give up what the tasks keep on their agents")
	force := flags.Bool("force", false, "replace a deployment that is in the way")
	return func(ctx context.Context, s *session, args []string) error {
		return s.client.Kill(ctx, args, *scale, *wipe, *force)
	}
}
