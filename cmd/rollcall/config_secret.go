package main

import (
	"fmt"
	"io"
	"strings"
)

const redacted = "[redacted]"

// secret is text that must not be shown: however it is printed, logged or marshalled, it comes out redacted. To use
// it, convert it to a string.
type secret string

// String returns a stand-in, or "" for an empty secret.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format prints the stand-in for every verb, those included that fmt would otherwise answer with the value.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns the stand-in; encoding/json and log/slog use it.
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// zkURL is the address of a ZooKeeper ensemble, e.g. "zk://user:password@host1:2181,host2:2181/mesos". It is shown
// without user and password. To use it, convert it to a string.
type zkURL string

// String returns the address with user and password redacted.
func (z zkURL) String() string {
	text := string(z)
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	scheme, _, found := strings.Cut(text, "://")
	if !found || len(scheme) > at {
		return redacted + text[at:]
	}
	return scheme + "://" + redacted + text[at:]
}

// Format prints what String returns, for every verb.
func (z zkURL) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		_, _ = fmt.Fprintf(f, "%q", z.String())
		return
	}
	_, _ = io.WriteString(f, z.String())
}

// MarshalText returns what String returns; encoding/json and log/slog use it.
func (z zkURL) MarshalText() ([]byte, error) { return []byte(z.String()), nil }
