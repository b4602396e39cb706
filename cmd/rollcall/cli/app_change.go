package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strconv"

	"rollcall/cmd/rollcall/client"
)

// change are the flags of commands that deploy something.
type change struct {
	force bool
	wait  waitFlags
}

func (c *change) define(flags *flag.FlagSet) {
	flags.BoolVar(&c.force, "force", false, "replace a deployment that is in the way")
	c.wait.define(flags)
}

// end waits for a deployment of apps, as far as that is wanted, and says what was deployed.
func (s *session) end(ctx context.Context, c *change, d client.Deployed, apps []string) error {
	if err := s.wait(ctx, c.wait, d, apps); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(d)
	}
	if c.wait.no && d.Deployment != "" {
		_, err := fmt.Fprintln(s.out, d.Deployment)
		return err
	}
	return nil
}

func createApp(flags *flag.FlagSet) action {
	var c change
	file := fileFlag(flags)
	c.define(flags)
	return func(ctx context.Context, s *session, _ []string) error {
		apps, err := s.readApps(*file)
		if err != nil {
			return err
		}
		if len(apps) != 1 {
			return errors.New("one app can be created at a time; \"rollcall app apply\" takes several")
		}
		id := idOf(apps[0], "/")
		d, err := s.client.Change(ctx, http.MethodPost, "/v2/apps", apps[0], c.force)
		if err != nil {
			return fmt.Errorf("creating %s: %w", id, err)
		}
		return s.end(ctx, &c, d, []string{id})
	}
}

func scaleApp(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			return &usageError{fmt.Sprintf("%q is not a number of instances", args[1]), s.help}
		}
		return s.scale(ctx, &c, args[0], n)
	}
}

func stopApp(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error { return s.scale(ctx, &c, args[0], 0) }
}

func (s *session) scale(ctx context.Context, c *change, id string, instances int) error {
	id = client.Absolute(id)
	// A PUT would create what is not there.
	if _, err := s.client.App(ctx, id); err != nil {
		return err
	}
	d, err := s.client.Scale(ctx, id, instances, c.force)
	if err != nil {
		return fmt.Errorf("scaling %s: %w", id, err)
	}
	return s.end(ctx, c, d, []string{id})
}

func restartApp(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		id := client.Absolute(args[0])
		d, err := s.client.Change(ctx, http.MethodPost, client.AppPath(id)+"/restart", nil, c.force)
		if err != nil {
			return fmt.Errorf("restarting %s: %w", id, err)
		}
		return s.end(ctx, &c, d, []string{id})
	}
}

func removeApp(flags *flag.FlagSet) action {
	var c change
	c.define(flags)
	return func(ctx context.Context, s *session, args []string) error {
		id := client.Absolute(args[0])
		d, err := s.client.Change(ctx, http.MethodDelete, client.AppPath(id), nil, c.force)
		if err != nil {
			return fmt.Errorf("removing %s: %w", id, err)
		}
		c.wait.removing = true
		return s.end(ctx, &c, d, []string{id})
	}
}
