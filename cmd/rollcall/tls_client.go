package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// tlsCheck is how often the files of a client's certificates are looked at, at most.
const tlsCheck = 5 * time.Second

// tlsClient is how connections are made over TLS: the certificate to show, and the authorities to believe. They come from
// files that may be replaced at any time; connections that are made afterwards follow them. It may be used from any
// goroutine.
type tlsClient struct {
	what  string // it is, for the log
	files []string
	load  func() (*tls.Config, error)
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Config
	seen    []os.FileInfo // of files, when they were read
	looked  time.Time
}

// newTLSClient reads the files for the first time. Those named "" are none.
func newTLSClient(what string, load func() (*tls.Config, error), log *slog.Logger, files ...string) (*tlsClient, error) {
	c := &tlsClient{what: what, load: load, log: log, now: time.Now}
	c.files = slices.DeleteFunc(files, func(path string) bool { return path == "" })
	c.seen, c.looked = c.look(), c.now()
	var err error
	c.current, err = load()
	return c, err
}

// look returns what there is to see of the files without reading them; nil for one that is not there.
func (c *tlsClient) look() []os.FileInfo {
	out := make([]os.FileInfo, len(c.files))
	for n, path := range c.files {
		if info, err := os.Stat(path); err == nil {
			out[n] = info
		}
	}
	return out
}

// config is for the next connection. While the files are not sound, as between the replacement of one and the next,
// what was read before stays in use.
func (c *tlsClient) config() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < tlsCheck {
		return c.current
	}
	c.looked = now
	seen := c.look()
	if slices.EqualFunc(seen, c.seen, sameFile) {
		return c.current
	}
	c.seen = seen
	loaded, err := c.load()
	if err != nil {
		c.log.Warn("certificates changed and cannot be used; those before stay", "of", c.what, "error", err)
		return c.current
	}
	c.log.Info("certificates were read again", "of", c.what)
	c.current = loaded
	return c.current
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// dial connects, as http.Transport.DialTLSContext does.
func (c *tlsClient) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: connectWithin}, Config: c.config()}
	return dialer.DialContext(ctx, network, address)
}
