package mesos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	callTimeout   = 10 * time.Second // of a request beside the stream
	longestAnswer = 1 << 20          // octets of what is not a state
)

// call sends a call to a master's operator API. The response is a success, with its body still to be read.
func (c *Client) call(ctx context.Context, m Masters, master, name string) (*http.Response, error) {
	body, err := json.Marshal(map[string]string{"type": name})
	if err != nil {
		return nil, err
	}
	response, err := c.send(ctx, m, http.MethodPost, c.at(master, "/api/v1"), body, nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	err = statusError(response)
	switch code := response.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
	case code >= 400 && code < 500, code == http.StatusNotImplemented:
		// There is no such path, method or call, or it is not for us.
		err = fmt.Errorf("%w: %w", ErrNoEventStream, err)
	}
	return nil, err
}

// at is where a master has a path.
func (c *Client) at(master, path string) *url.URL {
	at := &url.URL{Scheme: "http", Host: master, Path: path}
	if c.options.HTTPS {
		at.Scheme = "https"
	}
	return at
}

// identity is who a master says it is.
type identity struct {
	address string // "host:port"
	id      string // of its process
}

// identify asks who leads. The identity is empty where the master does not tell.
func (s *Subscriber) identify(ctx context.Context, m Masters, master string) (identity, error) {
	who, err := s.getMaster(ctx, m, master)
	if errors.Is(err, ErrNoEventStream) {
		// An old master has no such call, and another may keep it from us.
		s.options.Logger.Debug("the master does not tell who it is", "master", master, "error", err)
		return identity{}, nil
	}
	return who, err
}

func (s *Subscriber) getMaster(ctx context.Context, m Masters, master string) (identity, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := s.options.Client.call(ctx, m, master, "GET_MASTER")
	if err != nil {
		return identity{}, err
	}
	defer response.Body.Close()
	var answer struct {
		GetMaster struct {
			Info struct {
				masterInfo
				ID string
			} `json:"master_info"`
		} `json:"get_master"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, longestAnswer)).Decode(&answer); err != nil {
		return identity{}, fmt.Errorf("%w: reading the answer to GET_MASTER: %w", ErrNoEventStream, err)
	}
	address, err := answer.GetMaster.Info.address()
	if err != nil {
		return identity{}, fmt.Errorf("%w: the answer to GET_MASTER: %w", ErrNoEventStream, err)
	}
	return identity{address: address, id: answer.GetMaster.Info.ID}, nil
}

// frameworkPIDs gets what the operator API keeps to itself: where the frameworks are that have a pid, those on the old
// scheduler API. The summary of the state has no tasks, so it is small.
func (c *Client) frameworkPIDs(ctx context.Context, m Masters, master string) (map[string]Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.get(ctx, m, c.at(master, "/master/state-summary"))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response)
	}
	pids, err := decodePIDs(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the summary of the state: %w", err)
	}
	return pids, nil
}

// decodePIDs reads the frameworks' pids out of a state summary.
func decodePIDs(r io.Reader) (map[string]Endpoint, error) {
	d := &decoder{json: json.NewDecoder(io.LimitReader(r, maxState)), interned: map[string]string{}}
	token, err := d.json.Token()
	if err != nil {
		return nil, noEOF(err)
	}
	if token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	err = d.members(func(key string) error {
		if key == "frameworks" {
			return d.list(key, d.framework)
		}
		return d.skip()
	})
	if err != nil {
		return nil, err
	}
	pids := map[string]Endpoint{}
	for _, f := range d.result.Frameworks {
		if f.Endpoint.Port != 0 {
			pids[f.ID] = f.Endpoint
		}
	}
	return pids, nil
}
