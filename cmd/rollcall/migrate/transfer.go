package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rollcall/cmd/rollcall/client"
)

// Check asks a rollcall whether it takes the tree, and takes the apps out that it does not; they are in Left then.
// Nothing is changed there. It is an error that rollcall has apps which Marathon has not: they would be removed.
func (t *Tree) Check(ctx context.Context, to *client.Client) error {
	if err := t.checkTarget(ctx, to); err != nil {
		return err
	}
	for {
		err := to.Do(ctx, http.MethodPut, "/v2/groups", url.Values{"dryRun": {"true"}}, t.Document(), nil)
		if err == nil {
			return nil
		}
		refused, ok := errors.AsType[*client.Error](err)
		if !ok || !t.leave(byPath(refused.Problems)) {
			return fmt.Errorf("asking rollcall whether it takes the apps: %w", err)
		}
	}
}

func byPath(problems []client.Problem) map[string]string {
	out := map[string]string{}
	for _, p := range problems {
		out[p.Path] = strings.Join(p.Errors, "; ")
	}
	return out
}

func (t *Tree) checkTarget(ctx context.Context, to *client.Client) error {
	var present struct{ Apps []client.App }
	if err := to.Get(ctx, "/v2/apps", nil, &present); err != nil {
		return fmt.Errorf("reading the apps that rollcall has: %w", err)
	}
	brought := t.Apps()
	var others []string
	for _, app := range present.Apps {
		if _, ok := slices.BinarySearch(brought, app.ID); !ok {
			others = append(others, app.ID)
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("rollcall has apps that Marathon has not, which would be removed: %s; migrate into an empty rollcall",
			strings.Join(others, ", "))
	}
	return nil
}

// Transfer makes the root group of a rollcall the tree.
func (t *Tree) Transfer(ctx context.Context, to *client.Client) (client.Deployed, error) {
	d, err := to.Change(ctx, http.MethodPut, "/v2/groups", t.Document(), false)
	if err != nil {
		return d, fmt.Errorf("bringing the apps over: %w", err)
	}
	return d, nil
}
