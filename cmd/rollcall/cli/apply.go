package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"slices"

	"rollcall/cmd/rollcall/client"
)

const applyText = `The file holds an app or a list of apps. What a definition does not mention stays as it is. The difference is printed
first; if there is none, nothing is done. One deployment changes all apps.

` + waitText

// applyFlags are those of commands that make something what a file says.
type applyFlags struct {
	change change
	file   *string
	dryRun bool
}

func (a *applyFlags) define(flags *flag.FlagSet) {
	a.file = fileFlag(flags)
	a.change.define(flags)
	flags.BoolVar(&a.dryRun, "dry-run", false, "only print the difference")
}

// applied is what -o json prints of it.
type applied struct {
	client.Deployed
	Differences []difference `json:"differences"`
}

func applyApps(flags *flag.FlagSet) action {
	var a applyFlags
	a.define(flags)
	return func(ctx context.Context, s *session, _ []string) error {
		apps, err := s.readApps(*a.file)
		if err != nil {
			return err
		}
		var all []difference
		var ids []string
		for _, wanted := range apps {
			id := idOf(wanted, "/")
			present, err := s.definition(ctx, client.AppPath(id), "app")
			if err != nil {
				return err
			}
			ids = append(ids, id)
			all = append(all, compare(id, present, wanted)...)
		}
		method, path, body := http.MethodPut, "/v2/apps", any(apps)
		if len(apps) == 1 {
			path, body = client.AppPath(ids[0]), apps[0]
		}
		return s.apply(ctx, &a, all, ids, method, path, body)
	}
}

// apply shows the differences and, if that is wanted, sends what makes them go away.
func (s *session) apply(ctx context.Context, a *applyFlags, all []difference, ids []string, method, path string, body any) error {
	result := applied{Differences: append([]difference{}, all...)}
	if len(all) == 0 {
		fmt.Fprintln(s.err, "nothing to change: everything is as the file says")
	}
	for _, line := range printDifferences(s.note, all) {
		fmt.Fprintln(s.err, line)
	}
	if len(all) > 0 && !a.dryRun {
		d, err := s.client.Change(ctx, method, path, body, a.change.force)
		if err != nil {
			return fmt.Errorf("applying: %w", err)
		}
		result.Deployed = d
		if err := s.wait(ctx, a.change.wait, d, ids); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(result)
	}
	return nil
}

// definition reads what is there, nil: nothing. Member is where in the answer it stands, "": it is the answer.
func (s *session) definition(ctx context.Context, path, member string) (definition, error) {
	var raw json.RawMessage
	if err := s.client.Get(ctx, path, nil, &raw); client.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var d definition
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("GET %s is answered with what is not the JSON of this API: %w", path, err)
	}
	if member == "" {
		return d, nil
	}
	inner, _ := d[member].(map[string]any)
	return inner, nil
}

// removals are the apps that are there and not wanted.
func removals(present, wanted map[string]definition) []difference {
	var all []difference
	for id := range present {
		if _, ok := wanted[id]; !ok {
			all = append(all, difference{App: id, Old: "app"})
		}
	}
	slices.SortFunc(all, func(a, b difference) int { return bytes.Compare([]byte(a.App), []byte(b.App)) })
	return all
}
