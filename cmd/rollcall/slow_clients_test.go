package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// onePipe is a listener to whom one client comes.
type onePipe chan net.Conn

func (p onePipe) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p onePipe) Close() error   { return nil }
func (p onePipe) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowHeaders has clients that send no more than a part of a header, letter by letter, or nothing at all.
func TestSlowHeaders(t *testing.T) {
	for name, tt := range map[string]struct {
		sends  string
		within time.Duration
	}{
		"nothing":          {"", 6 * time.Second},
		"half a header":    {"GET / HTTP/1.1\r\nHost:", 6 * time.Second},
		"quiet afterwards": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := make(onePipe)
				server := withTimeouts(&http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)})
				served := make(chan struct{})
				go func() { defer close(served); server.Serve(l) }() //nolint:errcheck // it ends with the listener
				here, there := net.Pipe()
				l <- there
				began := time.Now()
				go func() {
					if _, err := io.WriteString(here, tt.sends); err != nil || tt.within > 10*time.Second {
						return
					}
					for _, err := here.Write([]byte("a")); err == nil; _, err = here.Write([]byte("a")) {
						time.Sleep(time.Second)
					}
				}()
				if _, err := io.Copy(io.Discard, here); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > tt.within {
					t.Errorf("the connection was closed after %v", took)
				}
				here.Close()
				close(l)
				<-served
				time.Sleep(2 * time.Second) // connections are not closed at once
			})
		})
	}
}
