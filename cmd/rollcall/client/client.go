// Package client speaks to the HTTP API of a running rollcall, or as far as that is the same, of a Marathon. It sees
// nothing of either but this API.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// answerMost is how much of an answer is read, in bytes.
const answerMost = 256 << 20

// Client sends requests to an API. It may be used by several goroutines.
type Client struct {
	servers []*url.URL
	http    *http.Client
	user    *url.Userinfo
	token   string
}

// New makes a client for the API that an address names.
func New(a Address) (*Client, error) {
	c := &Client{token: a.Token}
	for text := range strings.SplitSeq(a.URL, ",") {
		server, err := parseURL(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		if server.User != nil {
			c.user, server.User = server.User, nil
		}
		c.servers = append(c.servers, server)
	}
	if a.User != "" {
		c.user = url.UserPassword(a.User, a.Password)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	if a.CACert != "" {
		pool, err := certificates(a.CACert)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// parseURL reads the base of an API's URLs. A missing scheme is http, as Marathon's own tools have it.
func parseURL(text string) (*url.URL, error) {
	full := text
	if !strings.Contains(text, "://") {
		full = "http://" + text
	}
	u, err := url.Parse(full)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of an API: http://HOST:PORT is needed, or https://", withoutPassword(text))
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// withoutPassword cuts what may be a password from an address that is to be shown.
func withoutPassword(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "..." + text[at:]
	}
	return text
}

func certificates(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("reading the CA certificates: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// Server is the URL of the API that is asked first.
func (c *Client) Server() string { return c.servers[0].String() }

// Get decodes the JSON that a GET is answered with.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	return c.Do(ctx, http.MethodGet, path, query, nil, into)
}

// Text returns what a GET is answered with, whatever it is.
func (c *Client) Text(ctx context.Context, path string, query url.Values) ([]byte, error) {
	answer, _, err := c.ask(ctx, http.MethodGet, path, query, nil, "*/*")
	return answer, err
}

// Do sends a request with a body of JSON, nil: none, and decodes the JSON of the answer, nil: is not looked at. The
// path is escaped here. An answer above 299 is an *Error.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	answer, server, err := c.ask(ctx, method, path, query, sent, "application/json")
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s answers %s %s with what is not the JSON of this API: %w", server, method, path, err)
	}
	return nil
}

// ask sends a request to the servers in turn, until one can be connected to.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, sent []byte, accept string) ([]byte, *url.URL, error) {
	var unreachable []error
	for _, server := range c.servers {
		answer, err := c.exchange(ctx, server, method, path, query, sent, accept)
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && ctx.Err() == nil {
			unreachable = append(unreachable, fmt.Errorf("%s: %w", server, dial.Err))
			continue
		}
		return answer, server, err
	}
	return nil, nil, noAnswer(unreachable)
}

// noAnswer says that no server could be connected to, and why.
func noAnswer(why []error) error {
	return fmt.Errorf("no answer from the API at %w; set another address with -url or ROLLCALL_URL", errors.Join(why...))
}

func (c *Client) exchange(ctx context.Context, server *url.URL, method, path string, query url.Values, body []byte, accept string) ([]byte, error) {
	target := *server
	target.Path += path
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Accept", accept)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	c.identify(request)
	response, err := c.http.Do(request)
	if refused, ok := errors.AsType[*url.Error](err); ok { // it would tell the whole query
		return nil, fmt.Errorf("asking %s: %w", server, refused.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", server, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", server, err)
	}
	if response.StatusCode > 299 {
		return nil, refusal(response.StatusCode, answer)
	}
	return answer, nil
}

// identify says in a request who asks.
func (c *Client) identify(request *http.Request) {
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	} else if c.user != nil {
		password, _ := c.user.Password()
		request.SetBasicAuth(c.user.Username(), password)
	}
}
