package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"rollcall/scheduler/api"
)

// tlsClient is how connections are made over TLS: the certificate to show, and the authorities to believe. They come from
// files that may be replaced at any time; connections that are made afterwards follow them. It may be used from any
// goroutine.
type tlsClient struct {
	what  string // it is, for the log
	files *api.Watch
	load  func() (*tls.Config, error)
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Config
}

// newTLSClient reads the files for the first time. Those named "" are none.
func newTLSClient(what string, load func() (*tls.Config, error), log *slog.Logger, files ...string) (*tlsClient, error) {
	c := &tlsClient{what: what, files: api.NewWatch(time.Now(), files...), load: load, log: log, now: time.Now}
	var err error
	c.current, err = load()
	return c, err
}

// config is for the next connection. While the files are not sound, as between the replacement of one and the next,
// what was read before stays in use.
func (c *tlsClient) config() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.files.Changed(c.now()) {
		return c.current
	}
	loaded, err := c.load()
	if err != nil {
		c.log.Warn("certificates changed and cannot be used; those before stay", "of", c.what, "error", err)
		return c.current
	}
	c.log.Info("certificates were read again", "of", c.what)
	c.current = loaded
	return c.current
}

// dial connects, as http.Transport.DialTLSContext does.
func (c *tlsClient) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: connectWithin}, Config: c.config()}
	return dialer.DialContext(ctx, network, address)
}
