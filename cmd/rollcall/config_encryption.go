package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"rollcall/resolver"
)

// encryptionConfig is DNS over TLS and HTTPS for clients.
type encryptionConfig struct {
	CertFile, KeyFile  string // "": neither is served
	TLSPort, HTTPSPort int    // -1: not served; 0: one that is free
}

func defaultEncryption() encryptionConfig { return encryptionConfig{TLSPort: 853, HTTPSPort: 443} }

func (e *encryptionConfig) fields() []field {
	return []field{
		{name: "certFile", set: text(&e.CertFile)},
		{name: "keyFile", set: text(&e.KeyFile)},
		{name: "tlsPort", set: wholeNumber(&e.TLSPort, -1, 65535)},
		{name: "httpsPort", set: wholeNumber(&e.HTTPSPort, -1, 65535)},
	}
}

func (e *encryptionConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	n.readStrict(e.fields())
	for missing, other := range map[string]string{"certFile": "keyFile", "keyFile": "certFile"} {
		values := map[string]string{"certFile": e.CertFile, "keyFile": e.KeyFile}
		if values[missing] == "" && values[other] != "" {
			n.report.problem(joinPath(n.path, missing), "not given, but %s is; they are used together", other)
		}
	}
	return ""
}

// checkFiles looks whether the certificate can be used.
func (e *encryptionConfig) checkFiles(r *report) {
	if e.CertFile == "" || e.KeyFile == "" {
		return
	}
	if _, err := e.load(); err != nil {
		r.problem("encryption.certFile", "%w", err)
	}
}

// load reads the certificate to show, with those of its authorities behind it, and its key.
func (e *encryptionConfig) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("loading it together with keyFile: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// apply sets the DNS server's part of this.
func (e *encryptionConfig) apply(o *resolver.Options, listener netip.Addr, log *slog.Logger) error {
	if e.CertFile == "" {
		return nil
	}
	files, err := newTLSFiles("encryption", e.load, log, e.CertFile, e.KeyFile)
	if err != nil {
		return fmt.Errorf("encryption.certFile: %w", err)
	}
	o.TLS = files.server()
	if e.TLSPort >= 0 {
		o.TLSAddr = netip.AddrPortFrom(listener, uint16(e.TLSPort))
	}
	if e.HTTPSPort >= 0 {
		o.HTTPSAddr = netip.AddrPortFrom(listener, uint16(e.HTTPSPort))
	}
	return nil
}

// secureServers are the resolvers that are asked over TLS, each with the name that its certificate is for, "" for its
// address; the others have been seen in the clear.
type secureServers struct {
	names map[netip.AddrPort]string
	clear map[netip.AddrPort]bool
}

// take reads a server as in resolvers: "ip", "ip:port", or "tls://" and one of these, with or without "#name" behind it.
func (s *secureServers) take(text string) (netip.AddrPort, error) {
	rest, secure := strings.CutPrefix(text, "tls://")
	if !secure {
		addr, err := parseResolver(text)
		if err == nil {
			if _, other := s.names[addr]; other {
				return addr, fmt.Errorf("is asked over TLS elsewhere, with the same port")
			}
			s.clear[addr] = true
		}
		return addr, err
	}
	server, name, named := strings.Cut(rest, "#")
	addr, err := parseServer(server, 853)
	switch {
	case err != nil:
		return addr, err
	case named && !isHost(name):
		return addr, fmt.Errorf("has no host name behind #")
	case s.clear[addr]:
		return addr, fmt.Errorf("is asked without TLS elsewhere, with the same port")
	}
	if other, again := s.names[addr]; again && other != name {
		return addr, fmt.Errorf("has another name elsewhere: %q", other)
	}
	s.names[addr] = name
	return addr, nil
}
