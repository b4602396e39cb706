package api

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Defaults of ConnectionLimits.
const (
	DefaultConnections          = 4096
	DefaultConnectionsPerClient = 512
)

// ConnectionLimits bound the connections that a listener has at a time.
type ConnectionLimits struct {
	Total     int // of all clients; 0: any number
	PerClient int // of one client's address on another machine; 0: any number
	Logger    *slog.Logger
}

// LimitConnections returns a listener that closes connections beyond the limits as soon as they are made. Somebody who
// only opens connections, and sends nothing or little, does not get more of the process than that.
func LimitConnections(l net.Listener, limits ConnectionLimits) net.Listener {
	if limits.Logger == nil {
		limits.Logger = slog.New(slog.DiscardHandler)
	}
	return &limitedListener{Listener: l, limits: limits, clients: map[netip.Addr]int{}}
}

type limitedListener struct {
	net.Listener
	limits ConnectionLimits

	mu      sync.Mutex
	total   int
	clients map[netip.Addr]int
	told    time.Time // when the log last had a line about it
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var client netip.Addr
		if from, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
			client = from.Addr().Unmap().WithZone("")
		}
		if l.enter(client) {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(client) })}, nil
		}
		conn.Close()
	}
}

// enter counts a client's connection, unless it is one too many.
func (l *limitedListener) enter(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.clients[client]
	if l.limits.Total > 0 && l.total >= l.limits.Total ||
		l.limits.PerClient > 0 && of >= l.limits.PerClient && !client.IsLoopback() {
		if now := time.Now(); now.Sub(l.told) > time.Minute {
			l.told = now
			l.limits.Logger.Warn("a connection to the API was closed: there are too many (scheduler.limits)", "client", client,
				"connections", l.total, "of-client", of)
		}
		return false
	}
	l.total++
	l.clients[client] = of + 1
	return true
}

func (l *limitedListener) leave(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
