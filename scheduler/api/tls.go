package api

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// TLSFiles are the PEM files of a server.
type TLSFiles struct {
	Cert, Key string
	ClientCA  string       // clients have to show a certificate of this authority; "" asks for none
	Logger    *slog.Logger // nil: nothing is logged
	Now       func() time.Time
}

// NewTLS returns the configuration of a server. The files are read again when they change; while they cannot be read,
// say because only one of two is replaced yet, what was read before stays in use.
func NewTLS(files TLSFiles) (*tls.Config, error) {
	if files.Logger == nil {
		files.Logger = slog.New(slog.DiscardHandler)
	}
	if files.Now == nil {
		files.Now = time.Now
	}
	watch := NewWatch(files.Now(), files.Cert, files.Key, files.ClientCA)
	loaded, err := files.load()
	if err != nil {
		return nil, err
	}
	var current atomic.Pointer[tls.Config]
	current.Store(loaded)
	config := loaded.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if watch.Changed(files.Now()) {
			if loaded, err := files.load(); err != nil {
				files.Logger.Error("the certificate of the API changed and cannot be used; the one before stays", "error", err)
			} else {
				current.Store(loaded)
				files.Logger.Info("the certificate of the API was read again")
			}
		}
		return current.Load(), nil
	}
	return config, nil
}

func (f TLSFiles) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate %s with the key %s: %w", f.Cert, f.Key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if f.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("reading the authority of clients' certificates: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s; it takes certificates in PEM form", f.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}
