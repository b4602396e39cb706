package cli

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"

	"rollcall/cmd/rollcall/client"
)

func listVersions(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var answer struct{ Versions []string }
		if done, err := s.ask(ctx, client.AppPath(args[0])+"/versions", nil, &answer); done || err != nil {
			return err
		}
		return s.lines(answer.Versions)
	}
}

func rollBack(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		id := client.Absolute(args[0])
		version := ""
		if len(args) > 1 {
			version = args[1]
		} else {
			var err error
			if version, err = s.versionBefore(ctx, id); err != nil {
				return err
			}
		}
		fmt.Fprintf(s.err, "%s becomes what it was in version %s\n", id, version)
		d, err := s.client.Change(ctx, http.MethodPut, client.AppPath(id), map[string]string{"version": version}, c.force)
		if err != nil {
			return fmt.Errorf("rolling %s back: %w", id, err)
		}
		return s.end(ctx, &c, d, []string{id})
	}
}

// versionBefore is the version of an app that came before the present one.
func (s *session) versionBefore(ctx context.Context, id string) (string, error) {
	var answer struct{ Versions []string }
	if err := s.client.Get(ctx, client.AppPath(id)+"/versions", nil, &answer); err != nil {
		return "", err
	}
	slices.Sort(answer.Versions)
	if len(answer.Versions) < 2 {
		return "", fmt.Errorf("%s has had one version only", id)
	}
	return answer.Versions[len(answer.Versions)-2], nil
}
