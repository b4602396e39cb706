package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"

	"rollcall/scheduler/zookeeper"
)

// zkTLSConfig is TLS to ZooKeeper: to the one that knows the masters, and to the one that holds the shared state.
type zkTLSConfig struct {
	On                bool
	CAFile            string // "": the system's authorities
	CertFile, KeyFile string // "": no certificate is shown
}

func (z *zkTLSConfig) fields() []field {
	return []field{
		{name: "on", set: boolean(&z.On)},
		{name: "caFile", set: text(&z.CAFile)},
		{name: "certFile", set: text(&z.CertFile)},
		{name: "keyFile", set: text(&z.KeyFile)},
	}
}

func (z *zkTLSConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	n.readStrict(z.fields())
	if (z.CertFile == "") != (z.KeyFile == "") {
		n.report.problem(n.path, "certFile and keyFile are used together, and only one of them is given")
	}
	if !z.On && (z.CAFile != "" || z.CertFile != "") {
		n.report.problem(joinPath(n.path, "on"), "false, but there are certificates; it takes true, or none")
	}
	return ""
}

// checkFiles looks whether the certificates can be used.
func (z *zkTLSConfig) checkFiles(r *report) {
	if _, err := z.load(); err != nil {
		r.problem("zkTLS", "%w", err)
	}
}

// load reads the files; it is nil when there is no TLS.
func (z *zkTLSConfig) load() (*tls.Config, error) {
	if !z.On {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if z.CAFile != "" {
		pem, err := readCACertFile(z.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading caFile: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(pem))
	}
	if z.CertFile != "" && z.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(z.CertFile, z.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("loading certFile and keyFile: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// url reads the URL of an ensemble, which is connected to in this way. The key is the URL's own.
func (z *zkTLSConfig) url(key, text string, log *slog.Logger) (zookeeper.URL, error) {
	u, err := zookeeper.ParseURL(text)
	if err != nil {
		return u, fmt.Errorf("%s: %w", key, err)
	}
	if !z.On {
		return u, nil
	}
	files, err := newTLSFiles("zkTLS", z.load, log, z.CAFile, z.CertFile, z.KeyFile)
	if err != nil {
		return u, fmt.Errorf("zkTLS: %w", err)
	}
	u.TLS = files.config
	return u, nil
}
