package resolver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at, at most.
const certificateCheck = 5 * time.Second

// Certificate is a certificate with its key, from PEM files that may be replaced at any time, as those who renew
// certificates do. It may be used by many goroutines at once.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamps  [2]stamp
	checked time.Time
}

// stamp tells whether a file is still what it was.
type stamp struct {
	changed time.Time
	size    int64
}

// LoadCertificate reads a certificate, with those of its authorities behind it, and its key. The error says which file
// cannot be used and why.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, now: time.Now}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again, whether or not they have changed. After an error the certificate is what it was.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = c.now()
	stamps, err := c.look()
	if err != nil {
		return err
	}
	return c.load(stamps)
}

func (c *Certificate) look() (stamps [2]stamp, _ error) {
	for i, path := range [...]string{c.certFile, c.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, fmt.Errorf("reading the certificate of encrypted DNS: %w", err)
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

func (c *Certificate) load(stamps [2]stamp) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("reading the certificate of encrypted DNS from %s and %s: %w", c.certFile, c.keyFile, err)
	}
	c.current, c.stamps = &pair, stamps
	return nil
}

// get is tls.Config.GetCertificate. When the files have changed they are read again; while they are not sound, as between
// the replacement of one and the other, the old certificate stays.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = now
	stamps, err := c.look()
	if err == nil && stamps != c.stamps {
		if err = c.load(stamps); err == nil {
			c.log.Info("the certificate of encrypted DNS has been replaced", "expires", c.current.Leaf.NotAfter)
		}
	}
	if err != nil {
		c.log.Warn("keeping the certificate of encrypted DNS that is in use", "err", err)
	}
	return c.current, nil
}

// config is the configuration of a server that shows the certificate.
func (c *Certificate) config(protocols ...string) *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: protocols}
}
