// Package migrate reads what a Marathon runs and brings it over to rollcall: its groups and apps through rollcall's API,
// or together with the tasks that run, as the records of an empty state.
package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"rollcall/cmd/rollcall/client"
)

// Dump is what a Marathon says of itself. Its JSON is the file that is kept as a backup.
type Dump struct {
	Info struct {
		Version     string `json:"version"`
		FrameworkID string `json:"frameworkId"`
	} `json:"info"`
	Group       object            `json:"group"` // the root group with all that is in it
	Tasks       []Task            `json:"tasks"`
	Deployments []json.RawMessage `json:"deployments"` // that are under way
}

// object is JSON as Marathon wrote it; numbers are kept as they are written.
type object = map[string]any

// Task is a task as GET /v2/tasks has it (Marathon's REST API).
type Task struct {
	ID      string `json:"id"`
	AppID   string `json:"appId"`
	State   string `json:"state"`
	SlaveID string `json:"slaveId"`
	Host    string `json:"host"`
	Region  string `json:"region,omitempty"`
	Zone    string `json:"zone,omitempty"`
	Ports   []int  `json:"ports"` // of the host
	// IPAddresses are the task's own; on the host network the agent's.
	IPAddresses []struct {
		IPAddress string `json:"ipAddress"`
	} `json:"ipAddresses"`
	StagedAt  string `json:"stagedAt,omitempty"`
	StartedAt string `json:"startedAt,omitempty"`
	Version   string `json:"version,omitempty"`
}

// Read asks a running Marathon. The group is asked for first and the tasks last; whoever wants both to fit lets no
// deployment run meanwhile.
func Read(ctx context.Context, c *client.Client) (*Dump, error) {
	d := &Dump{}
	if err := c.Get(ctx, "/v2/info", nil, &d.Info); err != nil {
		return nil, fmt.Errorf("asking Marathon who it is: %w", err)
	}
	var group json.RawMessage
	embed := url.Values{"embed": {"group.groups", "group.apps", "group.pods"}}
	if err := c.Get(ctx, "/v2/groups", embed, &group); err != nil {
		return nil, fmt.Errorf("reading Marathon's groups: %w", err)
	}
	var err error
	if d.Group, err = decode(group); err != nil {
		return nil, fmt.Errorf("reading Marathon's groups: %w", err)
	}
	if err := c.Get(ctx, "/v2/deployments", nil, &d.Deployments); err != nil {
		return nil, fmt.Errorf("reading Marathon's deployments: %w", err)
	}
	var tasks struct{ Tasks []Task }
	if err := c.Get(ctx, "/v2/tasks", nil, &tasks); err != nil {
		return nil, fmt.Errorf("reading Marathon's tasks: %w", err)
	}
	d.Tasks = tasks.Tasks
	return d, d.complete()
}

// ReadFile reads a file that Save wrote, or an answer of Marathon to GET /v2/groups or /v2/apps. Those hold no tasks.
func ReadFile(name string) (*Dump, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the backup %s: %w", name, err)
	}
	return d, nil
}

func parse(data []byte) (*Dump, error) {
	top, err := decode(data)
	if err != nil {
		return nil, err
	}
	d := &Dump{}
	if group, ok := top["group"].(object); ok {
		if err := json.Unmarshal(data, d); err != nil {
			return nil, err
		}
		d.Group = group
		return d, d.complete()
	}
	d.Group = top
	return d, d.complete()
}

// Save writes the dump to a file that only its owner can read: definitions may hold secrets.
func (d *Dump) Save(name string) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = os.WriteFile(name, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("saving the backup: %w", err)
	}
	return nil
}

func (d *Dump) complete() error {
	if d.Group["apps"] == nil && d.Group["groups"] == nil {
		return errors.New("there are neither apps nor groups in it: an answer of Marathon to GET /v2/groups is needed, or to GET /v2/apps")
	}
	return nil
}

func decode(data []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var o object
	if err := decoder.Decode(&o); err != nil {
		return nil, fmt.Errorf("no JSON object: %w", err)
	}
	return o, nil
}
