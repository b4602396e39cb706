package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/cmd/rollcall/client"
)

const waitText = `Waits until the deployment is over, and reports on standard error each instance that starts, and why others do not.`

// waitFlags say whether and how long to wait for a deployment.
type waitFlags struct {
	no       bool
	most     time.Duration // 0: without end
	removing bool          // the apps are to be gone afterwards
	undoing  bool          // the apps are to be as they were, or gone if they were not there
}

func (w *waitFlags) define(flags *flag.FlagSet) {
	flags.BoolVar(&w.no, "no-wait", false, "do not wait for the deployment, print its id")
	w.defineMost(flags)
}

func (w *waitFlags) defineMost(flags *flag.FlagSet) {
	w.most = 10 * time.Minute
	flags.Func("timeout", "give up waiting after a `TIME` such as 90s; the deployment goes on; 0: never (default 10m)", func(text string) error {
		most, err := time.ParseDuration(text)
		if err != nil || most < 0 {
			return errors.New("a time such as 90s or 5m is needed")
		}
		w.most = most
		return nil
	})
}

// wait follows a deployment until it is over, and looks whether the apps are then as they should be. The deployment is
// not touched, also when waiting is given up.
func (s *session) wait(ctx context.Context, w waitFlags, d client.Deployed, apps []string) error {
	if w.no || d.Deployment == "" {
		return nil
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if w.most > 0 {
		limited, cancel = context.WithTimeout(ctx, w.most)
	}
	defer cancel()
	since, err := time.Parse(time.RFC3339, d.Version)
	if err != nil {
		since = time.Now()
	}
	p := newProgress(s.note, since)
	silent := false
	for {
		l, err := s.look(limited, d.Deployment, &apps)
		refused, isRefused := errors.AsType[*client.Error](err)
		switch {
		case limited.Err() != nil:
		case isRefused && refused.Status < 500:
			return fmt.Errorf("following deployment %s: %w", d.Deployment, err)
		case err != nil && !silent:
			fmt.Fprintf(s.err, "  the API does not answer; asking on: %v\n", err)
			silent = true
		case err == nil:
			silent = false
			for _, line := range p.tell(l) {
				fmt.Fprintln(s.err, line)
			}
			if l.deployment == nil {
				return s.judge(w, d, l, apps)
			}
		}
		if s.pause(limited) != nil {
			return givenUp(ctx, w, d, p)
		}
	}
}

// givenUp says why there is no more waiting.
func givenUp(ctx context.Context, w waitFlags, d client.Deployed, p *progress) error {
	after := fmt.Sprintf("has not ended after %s", w.most)
	if ctx.Err() != nil {
		after = "is still under way"
	}
	text := fmt.Sprintf("deployment %s %s", d.Deployment, after)
	switch stuck := p.stuck(); len(stuck) {
	case 0:
	case 1:
		text += "; " + stuck[0]
	default:
		text += ":\n  " + strings.Join(stuck, "\n  ")
	}
	return &unfinishedError{text + fmt.Sprintf("\nwait for it with \"rollcall deployment watch %s\", undo it with \"rollcall deployment cancel %s\"", d.Deployment, d.Deployment)}
}

// look asks how a deployment and its apps are. The apps become those that the deployment says it affects.
func (s *session) look(ctx context.Context, deployment string, apps *[]string) (look, error) {
	var l look
	all, err := s.client.Deployments(ctx)
	if err != nil {
		return l, err
	}
	if at := slices.IndexFunc(all, func(d client.Deployment) bool { return d.ID == deployment }); at >= 0 {
		l.deployment = &all[at]
		*apps = slices.Sorted(slices.Values(all[at].AffectedApps))
	}
	queue, err := s.client.Queue(ctx)
	if err != nil {
		return l, err
	}
	for _, id := range *apps {
		app, err := s.client.App(ctx, id)
		if client.IsNotFound(err) {
			continue
		}
		if err != nil {
			return l, err
		}
		l.apps = append(l.apps, app)
		if l.deployment == nil { // what waits now, waits for something else
			continue
		}
		for _, q := range queue {
			if q.App.ID == id {
				l.queue = append(l.queue, q)
			}
		}
	}
	return l, nil
}

// judge says whether a deployment that is over did what it was to do: one that was cancelled, or whose place another
// took, is gone from the list in the same way.
func (s *session) judge(w waitFlags, d client.Deployed, l look, apps []string) error {
	var problems []string
	if w.removing {
		for _, a := range l.apps {
			problems = append(problems, a.ID+" is still there")
		}
	} else {
		if len(l.apps) == 0 && len(apps) == 1 && !w.undoing {
			problems = append(problems, apps[0]+" is gone")
		}
		for _, a := range l.apps {
			switch {
			case a.Version > d.Version:
				problems = append(problems, a.ID+" was changed again meanwhile")
			case len(apps) == 1 && a.Version < d.Version && !w.undoing:
				problems = append(problems, a.ID+" is as it was before")
			case a.Running < a.Instances:
				problems = append(problems, fmt.Sprintf("%s has %d of %d instances running", a.ID, a.Running, a.Instances))
			}
		}
	}
	if len(problems) > 0 {
		return &unfinishedError{fmt.Sprintf("deployment %s is over, but %s", d.Deployment, strings.Join(problems, "; "))}
	}
	for _, a := range l.apps {
		fmt.Fprintln(s.err, s.note.green(fmt.Sprintf("%s: %d of %d instances run", a.ID, a.Running, a.Instances)))
	}
	if w.removing {
		verb := " is gone"
		if len(apps) > 1 {
			verb = " are gone"
		}
		fmt.Fprintln(s.err, s.note.green(cmp.Or(strings.Join(apps, ", "), "the group")+verb))
	}
	return nil
}
