package api

import (
	"io"
	"net"
	"net/netip"
	"testing"
)

// comers is a listener to whom connections come from addresses; it keeps the clients' ends.
type comers struct {
	from chan string
	ends chan net.Conn
}

func (c comers) Accept() (net.Conn, error) {
	from, ok := <-c.from
	if !ok {
		return nil, net.ErrClosed
	}
	here, there := net.Pipe()
	c.ends <- there
	return addressed{here, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}, nil
}

func (c comers) Close() error   { return nil }
func (c comers) Addr() net.Addr { return nil }

type addressed struct {
	net.Conn
	from net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.from }

// TestConnectionLimits lets in so many connections of a client, and so many in all, until others are closed.
func TestConnectionLimits(t *testing.T) {
	c := comers{make(chan string), make(chan net.Conn, 1)}
	l := LimitConnections(c, ConnectionLimits{Total: 5, PerClient: 2})
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	open := map[string][]net.Conn{}
	for n, step := range []struct {
		from string
		in   bool
		then string // whose connection is closed after it
	}{
		{"192.0.2.1:1", true, ""}, {"192.0.2.1:2", true, ""}, {"192.0.2.1:3", false, ""},
		{"192.0.2.2:1", true, "192.0.2.1"}, {"192.0.2.1:4", true, ""}, {"192.0.2.1:5", false, ""},
		{"127.0.0.1:1", true, ""}, {"127.0.0.1:2", true, ""}, // five now
		{"127.0.0.1:3", false, ""}, {"192.0.2.3:1", false, "127.0.0.1"}, {"127.0.0.1:4", true, ""},
		{"127.0.0.1:5", false, "192.0.2.2"}, {"127.0.0.1:6", true, ""}, // a third of this machine's own
	} {
		c.from <- step.from
		end := <-c.ends
		closed := make(chan struct{})
		go func() {
			if _, err := end.Read(make([]byte, 1)); err == io.EOF {
				close(closed)
			}
		}()
		host := netip.MustParseAddrPort(step.from).Addr().String()
		select {
		case conn := <-accepted:
			if !step.in {
				t.Fatalf("%d: %s was let in", n, step.from)
			}
			open[host] = append(open[host], conn)
		case <-closed:
			if step.in {
				t.Fatalf("%d: %s was not let in", n, step.from)
			}
		}
		if step.then != "" {
			first := open[step.then][0]
			open[step.then] = open[step.then][1:]
			first.Close()
			first.Close() // counts once
		}
	}
	close(c.from)
	<-accepted
}
