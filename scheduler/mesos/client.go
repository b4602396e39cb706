package mesos

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// DefaultStateTimeout is how long Mesos-DNS waits for one state document.
const DefaultStateTimeout = 300 * time.Second

const (
	connectTimeout = 10 * time.Second
	maxRedirects   = 10
	maxErrorText   = 200 // octets of an error page that are told
	userAgent      = "rollcall"
)

// ClientOptions say how masters are spoken to.
type ClientOptions struct {
	HTTPS bool
	TLS   *tls.Config   // for HTTPS; nil: the system's roots
	Auth  Authenticator // nil: none
	// Through makes what requests go through of what sends them; nil: they go straight there.
	Through      func(http.RoundTripper) http.RoundTripper
	StateTimeout time.Duration // of one state document, from the first octet sent to the last received; 0: the default
}

// Client speaks HTTP with the masters of a cluster. Its methods may be called from any goroutine.
type Client struct {
	options ClientOptions
	http    http.Client
}

// NewClient returns a client. It does nothing until it is asked.
func NewClient(o ClientOptions) *Client {
	if o.StateTimeout == 0 {
		o.StateTimeout = DefaultStateTimeout
	}
	c := &Client{options: o}
	c.http.Transport = NewTransport(o.TLS)
	if o.Through != nil {
		c.http.Transport = o.Through(c.http.Transport)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// NewTransport returns a transport for masters: straight to them, without a proxy.
func NewTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: connectTimeout,
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConnsPerHost: acknowledgers + callsAtOnce, // the engine makes calls side by side
	}
}

// State fetches the state document of the leading master. It asks the leader, or where none is known the masters one
// after the other until one answers with a state. A master that does not lead says who does: that one is asked, once.
// The error joins those of all masters asked.
func (c *Client) State(ctx context.Context, m Masters) (State, error) {
	candidates := m.candidates()
	if len(candidates) == 0 {
		return State{}, errors.New("no master is known")
	}
	var errs []error
	for _, master := range candidates {
		state, err := c.leaderState(ctx, m, master)
		if err == nil {
			return state, nil
		}
		errs = append(errs, fmt.Errorf("asking master %s: %w", master, err))
		if ctx.Err() != nil {
			break
		}
	}
	return State{}, errors.Join(errs...)
}

// leaderState fetches a master's state document and, if another master leads, that one's.
func (c *Client) leaderState(ctx context.Context, m Masters, master string) (State, error) {
	state, asked, err := c.fetch(ctx, m, master)
	if err != nil || isAt(asked, state.Leader) {
		return state, err
	}
	leader, _, err := c.fetch(ctx, m, state.Leader)
	if err != nil {
		return State{}, fmt.Errorf("which says that %s leads: %w", state.Leader, err)
	}
	return leader, nil
}

// isAt reports whether two "host:port" have the same host. Ports are not compared: a master may be reached through a
// port that it does not know of.
func isAt(asked, leader string) bool {
	a, okA := ParseEndpoint(asked)
	b, okB := ParseEndpoint(leader)
	return okA && okB && sameHost(a.Host, b.Host)
}

// fetch gets the state document that a master gives, or that it redirects to, and who gave it.
func (c *Client) fetch(ctx context.Context, m Masters, master string) (_ State, from string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.StateTimeout)
	defer cancel()
	at := url.URL{Scheme: "http", Host: master, Path: "/master/state"}
	if c.options.HTTPS {
		at.Scheme = "https"
	}
	response, err := c.get(ctx, m, &at)
	if err != nil {
		return State{}, "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return State{}, "", statusError(response)
	}
	state, err := DecodeState(response.Body)
	return state, hostPort(response.Request.URL), err
}

func (c *Client) get(ctx context.Context, m Masters, at *url.URL) (*http.Response, error) {
	return c.send(ctx, m, http.MethodGet, at, nil, nil)
}

// send follows redirects by itself in order to prove who it is to masters only: they redirect to "//host:port/path".
// A body is JSON, and is sent again to where a redirect leads. Header is added to each request; it may be nil.
func (c *Client) send(ctx context.Context, m Masters, method string, at *url.URL, body []byte, header http.Header) (*http.Response, error) {
	first := at.Host
	for range maxRedirects {
		request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		maps.Copy(request.Header, header)
		request.Header.Set("User-Agent", userAgent)
		request.Header.Set("Accept", "application/json")
		if body != nil {
			// Exactly so: Mesos refuses a charset.
			request.Header.Set("Content-Type", "application/json")
		}
		trusted := at.Host == first || at.Host == m.Leader || slices.Contains(m.All, at.Host)
		if trusted && c.options.Auth != nil {
			if err := c.options.Auth.Authenticate(ctx, request); err != nil {
				return nil, err
			}
		}
		response, err := c.http.Do(request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode == http.StatusUnauthorized && !trusted && c.options.Auth != nil {
			drain(response)
			return nil, fmt.Errorf("%s redirects to %s, which wants to know who asks; it was not told, because it is none of the "+
				"masters that are known: name it in \"masters\" as it is here", first, at.Host)
		}
		next, err := redirection(response)
		if next == nil {
			return response, err
		}
		drain(response)
		if next.Scheme != at.Scheme {
			return nil, fmt.Errorf("it redirects to %s, another scheme", next.Redacted())
		}
		at = next
	}
	return nil, fmt.Errorf("it redirects more than %d times", maxRedirects)
}

// redirection is where a response redirects to; nil: it does not.
func redirection(r *http.Response) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		next, err := r.Location()
		if err != nil {
			drain(r)
			return nil, fmt.Errorf("it redirects nowhere: %w", err)
		}
		return next, nil
	}
	return nil, nil
}

// drain ends a response, so that its connection can be used again.
func drain(r *http.Response) {
	io.Copy(io.Discard, io.LimitReader(r.Body, 64<<10)) //nolint:errcheck // else the connection is not used again
	r.Body.Close()
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

func statusError(r *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorText))
	hint := ""
	if r.StatusCode == http.StatusUnauthorized {
		hint = "; \"mesosAuthentication\" and what belongs to it say who rollcall is to the masters"
	}
	if len(text) == 0 {
		return fmt.Errorf("status %s%s", r.Status, hint)
	}
	return fmt.Errorf("status %s: %q%s", r.Status, text, hint)
}
