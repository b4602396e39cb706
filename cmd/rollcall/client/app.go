package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// App is what is read of an app. Its definition as a whole is in the JSON that the API answers with.
type App struct {
	ID          string    `json:"id"`
	Cmd         string    `json:"cmd"`
	Args        []string  `json:"args"`
	Instances   int       `json:"instances"`
	CPUs        float64   `json:"cpus"`
	Mem         float64   `json:"mem"`  // MiB
	Disk        float64   `json:"disk"` // MiB
	Version     string    `json:"version"`
	Staged      int       `json:"tasksStaged"`
	Running     int       `json:"tasksRunning"`
	Healthy     int       `json:"tasksHealthy"`
	Unhealthy   int       `json:"tasksUnhealthy"`
	Tasks       []Task    `json:"tasks"`
	Failure     *Failure  `json:"lastTaskFailure"`
	Deployments []Ref     `json:"deployments"`
	Readiness   []Ready   `json:"readinessCheckResults"`
	Constraints [][]any   `json:"constraints"`
	Container   Container `json:"container"`
}

// Container is what is read of an app's container.
type Container struct {
	Type   string `json:"type"`
	Docker struct {
		Image string `json:"image"`
	} `json:"docker"`
}

// Ref names a deployment.
type Ref struct {
	ID string `json:"id"`
}

// Ready is what a readiness check said of a task.
type Ready struct {
	TaskID string `json:"taskId"`
	Ready  bool   `json:"ready"`
}

// Failure is the last task of an app that ended without being asked to.
type Failure struct {
	Host      string    `json:"host"`
	Message   string    `json:"message"`
	State     string    `json:"state"`
	TaskID    string    `json:"taskId"`
	Timestamp time.Time `json:"timestamp"`
}

// Absolute is an id with its leading slash and without a trailing one.
func Absolute(id string) string { return "/" + strings.Trim(id, "/") }

// AppPath is the path of an app.
func AppPath(id string) string { return "/v2/apps" + Absolute(id) }

// GroupPath is the path of a group; the root group is "/".
func GroupPath(id string) string { return strings.TrimRight("/v2/groups"+Absolute(id), "/") }

// EmbedApp is the query that asks for all that App has.
func EmbedApp() url.Values {
	return url.Values{"embed": {"app.counts", "app.tasks", "app.deployments", "app.lastTaskFailure", "app.readiness"}}
}

// App reads an app with its tasks. That it does not exist is an error of which IsNotFound is true.
func (c *Client) App(ctx context.Context, id string) (*App, error) {
	var answer struct{ App App }
	if err := c.Get(ctx, AppPath(id), EmbedApp(), &answer); err != nil {
		return nil, err
	}
	return &answer.App, nil
}

// Deployed is the answer to a request that changes apps.
type Deployed struct {
	Deployment string `json:"deploymentId"`
	Version    string `json:"version"`
}

// Change sends a request that deploys something. With force it takes the place of deployments that are in the way.
func (c *Client) Change(ctx context.Context, method, path string, body any, force bool) (Deployed, error) {
	query := url.Values{}
	if force {
		query.Set("force", "true")
	}
	// The answer to a POST of an app is the app; its deployment is among those of the app.
	var answer struct {
		Deployed
		Deployments []Ref `json:"deployments"`
	}
	if err := c.Do(ctx, method, path, query, body, &answer); err != nil {
		return Deployed{}, err
	}
	if answer.Deployment == "" && len(answer.Deployments) > 0 {
		answer.Deployment = answer.Deployments[0].ID
	}
	return answer.Deployed, nil
}

// Scale changes how many instances an app has.
func (c *Client) Scale(ctx context.Context, id string, instances int, force bool) (Deployed, error) {
	return c.Change(ctx, http.MethodPut, AppPath(id), map[string]int{"instances": instances}, force)
}
