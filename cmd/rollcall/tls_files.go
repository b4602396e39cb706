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

// tlsFiles are what connections over TLS are made with: the certificate to show, and the authorities to believe. They come
// from files that may be replaced at any time; connections that are made afterwards follow them. It may be used from any
// goroutine.
type tlsFiles struct {
	what  string // they are for, for the log
	watch *api.Watch
	load  func() (*tls.Config, error)
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Config
}

// newTLSFiles reads the files for the first time. Those named "" are none.
func newTLSFiles(what string, load func() (*tls.Config, error), log *slog.Logger, files ...string) (*tlsFiles, error) {
	f := &tlsFiles{what: what, watch: api.NewWatch(time.Now(), files...), load: load, log: log, now: time.Now}
	var err error
	f.current, err = load()
	return f, err
}

// config is for the next connection. While the files are not sound, as between the replacement of one and the next,
// what was read before stays in use.
func (f *tlsFiles) config() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.watch.Changed(f.now()) {
		return f.current
	}
	loaded, err := f.load()
	if err != nil {
		f.log.Warn("certificates changed and cannot be used; those before stay", "of", f.what, "error", err)
		return f.current
	}
	f.log.Info("certificates were read again", "of", f.what)
	f.current = loaded
	return f.current
}

// dial connects, as http.Transport.DialTLSContext does.
func (f *tlsFiles) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: connectWithin}, Config: f.config()}
	return dialer.DialContext(ctx, network, address)
}

// server is the configuration of a server that shows the certificate to whoever connects. The files have to hold one.
func (f *tlsFiles) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &f.config().Certificates[0], nil
	}}
}
