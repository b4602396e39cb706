package cli

import (
	"cmp"
	"context"
	"fmt"

	"rollcall/cmd/rollcall/client"
)

// condition is how an app is, in a word. The words are those of the web page.
type condition string

const (
	appRunning   condition = "running"
	appStopped   condition = "stopped"
	appDeploying condition = "deploying"
	appWaits     condition = "waiting" // for an offer
	appDelayed   condition = "delayed" // because its tasks failed
	appUnhealthy condition = "unhealthy"
)

// conditionOf is how an app is, and why it is not as it should be. Its place in the queue is nil when it has none.
func conditionOf(a client.App, q *client.QueueItem) (is condition, why string) {
	switch {
	case a.Unhealthy > 0:
		return appUnhealthy, fmt.Sprintf("%d of %d fail their health checks", a.Unhealthy, a.Running)
	case q != nil && isDelayed(*q):
		why = fmt.Sprintf("again in %d s", q.Delay.TimeLeftSeconds)
		if f := a.Failure; f != nil {
			why = fmt.Sprintf("%s, on %s; %s", cmp.Or(f.Message, f.State), f.Host, why)
		}
		return appDelayed, why
	case q != nil:
		return appWaits, refusals(*q)
	case len(a.Deployments) > 0:
		return appDeploying, ""
	case a.Instances == 0:
		return appStopped, ""
	case a.Running < a.Instances:
		return appWaits, ""
	}
	return appRunning, ""
}

// isProblem says whether somebody should look.
func (c condition) isProblem() bool { return c == appWaits || c == appDelayed || c == appUnhealthy }

func (c condition) in(p paint) string {
	switch c {
	case appRunning:
		return p.green(string(c))
	case appDeploying, appWaits, appDelayed:
		return p.yellow(string(c))
	case appUnhealthy:
		return p.red(string(c))
	}
	return string(c)
}

// queue is what waits to be started, by app.
func (s *session) queue(ctx context.Context) (map[string]*client.QueueItem, error) {
	all, err := s.client.Queue(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking what waits: %w", err)
	}
	byApp := map[string]*client.QueueItem{}
	for n := range all {
		byApp[all[n].App.ID] = &all[n]
	}
	return byApp, nil
}
