package client

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Task is what is read of a task.
type Task struct {
	ID        string    `json:"id"`
	AppID     string    `json:"appId"`
	Host      string    `json:"host"`
	Ports     []int     `json:"ports"`
	State     string    `json:"state"`
	StartedAt time.Time `json:"startedAt"`
	Version   string    `json:"version"`
	Health    []struct {
		Alive    bool   `json:"alive"`
		Cause    string `json:"lastFailureCause"`
		Failures int    `json:"consecutiveFailures"`
	} `json:"healthCheckResults"`
}

// Healthy tells whether health checks say that the task is well; known is false where none has said anything.
func (t Task) Healthy() (healthy, known bool) {
	healthy = true
	for _, h := range t.Health {
		healthy = healthy && h.Alive
	}
	return healthy, len(t.Health) > 0
}

// Sick says what a health check complains of, "" if none does.
func (t Task) Sick() string {
	for _, h := range t.Health {
		if !h.Alive {
			return fmt.Sprintf("%s (%d in a row)", cmp.Or(h.Cause, "no answer"), h.Failures)
		}
	}
	return ""
}

// Kill ends tasks. With scale their app has fewer instances afterwards, with wipe what they wrote is given up.
func (c *Client) Kill(ctx context.Context, ids []string, scale, wipe, force bool) error {
	query := url.Values{}
	for name, on := range map[string]bool{"scale": scale, "wipe": wipe, "force": force} {
		if on {
			query.Set(name, "true")
		}
	}
	return c.Do(ctx, http.MethodPost, "/v2/tasks/delete", query, map[string][]string{"ids": ids}, nil)
}

// filePart is a part of a file in a sandbox.
type filePart struct {
	Data   string `json:"data"`
	Offset int64  `json:"offset"`
}

// FileEnd tells how large a file in a task's sandbox is, in bytes.
func (c *Client) FileEnd(ctx context.Context, task, file string) (int64, error) {
	part, err := c.filePart(ctx, task, file, -1, 0)
	return part.Offset, err
}

// FilePart reads a file in a task's sandbox. Bytes that are no UTF-8 come as U+FFFD, one for each.
func (c *Client) FilePart(ctx context.Context, task, file string, offset, length int64) (string, error) {
	part, err := c.filePart(ctx, task, file, offset, length)
	return part.Data, err
}

func (c *Client) filePart(ctx context.Context, task, file string, offset, length int64) (part filePart, err error) {
	query := url.Values{"offset": {strconv.FormatInt(offset, 10)}, "length": {strconv.FormatInt(length, 10)}}
	err = c.Get(ctx, "/rollcall/tasks/"+task+"/files/"+file, query, &part)
	return part, err
}
