package api

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener for connections that are pipes: they have no buffers, and know deadlines in a test's time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestSlowClients sends by the letter, or does not read, and is cut off.
func TestSlowClients(t *testing.T) {
	for _, tt := range []struct {
		name, sends string
		read        bool // the answer at all
		within      time.Duration
		answer      string
	}{
		{"half a body", "POST /v2/apps HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{", true, 11 * time.Second, "HTTP/1.1 408"},
		{"half a large body", fmt.Sprintf("POST /v2/groups HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n{", largeBody+1), true, 20 * time.Second, "HTTP/1.1 408"},
		{"a short answer is not read", "GET /v2/info HTTP/1.1\r\nHost: a\r\n\r\n", false, 32 * time.Second, ""},
		{"a long answer is not read", "GET /v2/apps HTTP/1.1\r\nHost: a\r\n\r\n", false, 32 * time.Second, ""},
		{"events are not read", "GET /v2/events HTTP/1.1\r\nHost: a\r\n\r\n", false, 32 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				for n := range 200 { // more than is sent in one go
					c.must(201, "POST", "/v2/apps", fmt.Sprintf(`{"id": "/a%d", "cmd": "%s", "instances": 0}`, n, strings.Repeat("x", 500)))
				}
				l := make(pipes)
				server := &http.Server{Handler: c.api, ErrorLog: log.New(io.Discard, "", 0)}
				served := make(chan struct{})
				go func() { defer close(served); server.Serve(l) }() //nolint:errcheck // it ends with the listener
				here, there := net.Pipe()
				l <- there
				began := time.Now()
				if _, err := io.WriteString(here, tt.sends); err != nil {
					t.Fatal(err)
				}
				if tt.read {
					line, err := bufio.NewReader(here).ReadString('\n')
					if err != nil || !strings.HasPrefix(line, tt.answer) {
						t.Errorf("%q, %v", line, err)
					}
				} else {
					// What the server does is seen by writing, which fails when it has closed the connection.
					for _, err := here.Write([]byte("\r\n")); err == nil; _, err = here.Write([]byte("\r\n")) {
						time.Sleep(time.Second)
					}
				}
				if took := time.Since(began); took > tt.within {
					t.Errorf("it took %v", took)
				}
				here.Close()
				close(l)
				<-served
				server.Close()
				time.Sleep(time.Second) // connections are not closed at once
			})
		})
	}
}
