package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"rollcall/scheduler"
)

// What one request may take. Marathon's bound for a definition is ZooKeeper's for a node; the others have none there,
// and are far beyond what anybody writes.
const (
	maxDefinition = 1_024_000 // bytes of an app, about; Marathon's zk_max_node_size
	maxValues     = 1_000_000 // values in a document: what is made of them takes far more memory than their text
	maxPattern    = 1_000     // characters of a regular expression: a short one can become large when it is compiled
	maxTerms      = 100       // of a label selector

	maxConstraints = 1_000  // of an app
	maxPorts       = 10_000 // of an app

	// problemsTold bounds how many problems an answer tells, and how many unknown members are remembered.
	problemsTold = 100
)

// tooMany refuses a member that lists more than an app may have of what is in it.
func tooMany(o *object, name, what string, n, most int) bool {
	if n <= most {
		return false
	}
	o.r.refuse(o.at(name), "an app may have at most %d %s", most, what)
	return true
}

// largeBody is the size of bodies of which only so many are read, and fewer worked on, at a time: the memory that they
// take all together is bounded.
const (
	largeBody       = 256 << 10
	largeReading    = 32
	largeAtWork     = 4
	largeWait       = 10 * time.Second
	largeRetryAfter = 5 // seconds
)

// turns are the bodies that are large and under way.
type turns struct {
	reading, atWork chan struct{}
}

func newTurns() turns {
	return turns{make(chan struct{}, largeReading), make(chan struct{}, largeAtWork)}
}

// take waits for a turn. Those that wait too long are answered 503: the client may come again.
func take(ctx context.Context, turn chan struct{}) (release func(), err error) {
	late := time.NewTimer(largeWait)
	defer late.Stop()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, &clientGone{ctx.Err()}
	case <-late.C:
		return nil, &Error{Status: http.StatusServiceUnavailable, retryAfter: largeRetryAfter,
			Message: "Too many large requests are under way. Try again later."}
	}
}

// isLarge says whether a request's body is large, or could be.
func isLarge(r *http.Request) bool { return r.ContentLength > largeBody || r.ContentLength < 0 }

// definitionSize is about how many bytes an app takes.
func definitionSize(a *scheduler.App) int {
	const each = 64 // for what is around the texts
	n := len(a.Cmd) + len(a.User) + len(a.Executor) + len(a.Check) + len(a.ExecutorResources) + len(a.ResourceLimits)
	for _, s := range a.Args {
		n += len(s) + each
	}
	for name, v := range a.Env {
		n += len(name) + len(v.Text) + len(v.Secret) + each
	}
	n += labelsSize(a.Labels)
	for _, c := range a.Constraints {
		n += len(c.Field) + len(c.Value) + each
	}
	for _, f := range a.Fetch {
		n += len(f.URI) + len(f.DestPath) + each
	}
	for _, h := range a.HealthChecks {
		n += len(h.Path) + 4*each
		if h.Command != nil {
			n += len(h.Command.Value)
		}
	}
	for _, net := range a.Networks {
		n += len(net.Name) + labelsSize(net.Labels) + each
	}
	for _, p := range a.PortDefinitions {
		n += len(p.Name) + labelsSize(p.Labels) + each
	}
	for _, d := range a.Dependencies {
		n += len(d) + each
	}
	for name, s := range a.Secrets {
		n += len(name) + len(s.Source) + each
	}
	for _, role := range a.AcceptedResourceRoles {
		n += len(role) + each
	}
	if a.Container == nil {
		return n
	}
	for _, m := range a.Container.PortMappings {
		n += len(m.Name) + labelsSize(m.Labels) + each
		for _, name := range m.NetworkNames {
			n += len(name) + each
		}
	}
	for _, v := range a.Container.Volumes {
		n += len(v.ContainerPath) + len(v.HostPath) + each
	}
	if a.Container.Docker != nil {
		for _, p := range a.Container.Docker.Parameters {
			n += len(p.Key) + len(p.Value) + each
		}
	}
	return n
}

func labelsSize(labels map[string]string) int {
	n := 0
	for name, value := range labels {
		n += len(name) + len(value) + 16
	}
	return n
}

// tooLarge says what is wrong with a definition of a size.
func tooLarge(size int) string {
	return fmt.Sprintf("the definition takes about %d bytes; at most %d are possible", size, maxDefinition)
}
