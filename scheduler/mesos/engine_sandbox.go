package mesos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"

	"rollcall/scheduler"
)

// ReadSandbox reads at most length bytes of a file in a task's sandbox, from offset on, through the agent's v1 API, and
// tells how large the file is. The task may have ended, as long as its agent keeps the sandbox. Errors wrap
// fs.ErrNotExist for an agent, a task or a file that is not there, and fs.ErrInvalid for a path out of the sandbox. It
// may be called from any goroutine.
func (e *Engine) ReadSandbox(ctx context.Context, task scheduler.TaskRef, file string, offset int64, length int) ([]byte, int64, error) {
	framework, masters := e.registered(), e.getMasters()
	switch {
	case !fs.ValidPath(file):
		return nil, 0, fmt.Errorf("%w: %q is no path within the sandbox", fs.ErrInvalid, file)
	case task.AgentID == "" || framework == "":
		return nil, 0, fmt.Errorf("%w: the agent of the task is not known", fs.ErrNotExist)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	agent, err := e.options.Client.agentEndpoint(ctx, masters, string(task.AgentID))
	if err != nil {
		return nil, 0, fmt.Errorf("looking for agent %s: %w", task.AgentID, err)
	}
	// The executor of a task that brings none has the task's id.
	at := path.Join("/frameworks", framework, "executors", string(task.TaskID), "runs/latest", file)
	data, size, err := e.options.Client.readFile(ctx, agent.String(), at, offset, length)
	if err != nil {
		return nil, 0, fmt.Errorf("asking agent %s: %w", agent, err)
	}
	return data, size, nil
}

// agentEndpoint asks the leading master, or the masters one after the other, where an agent is.
func (c *Client) agentEndpoint(ctx context.Context, m Masters, id string) (Endpoint, error) {
	candidates := m.candidates()
	if len(candidates) == 0 {
		return Endpoint{}, fmt.Errorf("%w: no master is known", fs.ErrNotExist)
	}
	var errs []error
	for _, master := range candidates {
		endpoint, err := c.agentAt(ctx, m, master, id)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return endpoint, err
		}
		errs = append(errs, fmt.Errorf("asking master %s: %w", master, err))
	}
	return Endpoint{}, errors.Join(errs...)
}

func (c *Client) agentAt(ctx context.Context, m Masters, master, id string) (Endpoint, error) {
	at := c.at(master, "/master/slaves")
	at.RawQuery = url.Values{"slave_id": {id}}.Encode()
	response, err := c.get(ctx, m, at)
	if err != nil {
		return Endpoint{}, err
	}
	defer drain(response)
	if response.StatusCode != http.StatusOK {
		return Endpoint{}, statusError(response)
	}
	var answer struct{ Slaves []struct{ ID, PID string } }
	if err := json.NewDecoder(io.LimitReader(response.Body, maxState)).Decode(&answer); err != nil {
		return Endpoint{}, fmt.Errorf("reading the list of agents: %w", err)
	}
	for _, agent := range answer.Slaves {
		if agent.ID != id {
			continue
		}
		if endpoint, ok := parsePID(agent.PID); ok {
			return endpoint, nil
		}
	}
	return Endpoint{}, fmt.Errorf("%w: the master does not list it", fs.ErrNotExist)
}

// readFile makes the call READ_FILE of the agent's API.
func (c *Client) readFile(ctx context.Context, agent, file string, offset int64, length int) (_ []byte, size int64, _ error) {
	body, err := json.Marshal(map[string]any{"type": "READ_FILE",
		"read_file": map[string]any{"path": file, "offset": offset, "length": length}})
	if err != nil {
		return nil, 0, err
	}
	response, err := c.send(ctx, Masters{}, http.MethodPost, c.at(agent, "/api/v1"), body, nil)
	if err != nil {
		return nil, 0, err
	}
	defer drain(response)
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, 0, fmt.Errorf("%w: %s", fs.ErrNotExist, file)
	default:
		return nil, 0, statusError(response)
	}
	var answer struct {
		ReadFile struct {
			Size int64
			Data []byte
		} `json:"read_file"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, int64(length)*2+longestAnswer)).Decode(&answer); err != nil {
		return nil, 0, fmt.Errorf("reading the file: %w", err)
	}
	return answer.ReadFile.Data, answer.ReadFile.Size, nil
}
