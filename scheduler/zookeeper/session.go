package zookeeper

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// maxAnswer is the longest answer that is read, in bytes: ZooKeeper's own limit is 1 MiB for a request, and a directory
// may list somewhat more.
const maxAnswer = 16 << 20

// RelistEvery is how often a directory that is watched has to be listed again all the same, for the client can lose a
// watch: when it connects again it tells the server up to where it has seen changes, and an answer that it reads at the
// same time moves that on past a change that it has not been told of.
const RelistEvery = 5 * time.Second

// Same says whether a directory was listed with the same names, in whatever order.
func Same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Connect opens a session. It returns at once and connects on its own, again and again until ctx ends or the
// connection is closed: requests wait for that, and fail with zk.ErrNoServer when no server could be reached. A session
// ends when no server has heard of it for as long as timeout; the connection then opens a new one, and an event says
// so. Logging in is left to the caller (zk.Conn.AddAuth).
func Connect(ctx context.Context, url URL, timeout time.Duration, log *slog.Logger) (*Session, <-chan zk.Event, error) {
	var dialer net.Dialer
	s, hosts := &Session{}, &servers{}
	secure := handshakes{log: log, told: map[string]string{}}
	conn, events, err := zk.Connect(url.Servers, timeout,
		zk.WithHostProvider(hosts),
		zk.WithDialer(func(network, address string, atMost time.Duration) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, atMost)
			defer cancel()
			within := firstAnswer(timeout, hosts.rounds())
			if url.TLS == nil {
				return s.at(within, func() (net.Conn, error) { return dialer.DialContext(ctx, network, address) })
			}
			return s.at(within, func() (net.Conn, error) {
				conn, err := (&tls.Dialer{NetDialer: &dialer, Config: url.TLS()}).DialContext(ctx, network, address)
				secure.tell(address, err)
				return conn, err
			})
		}),
		zk.WithLogger(clientLog{log}), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	s.Conn = conn
	return s, events, nil
}

// Session is a session at ZooKeeper, over connections to one server after the other.
type Session struct {
	*zk.Conn

	mu  sync.Mutex
	now net.Conn // to the server that was dialed last; nil: none was
}

// Move has the session go on at the next server, if there is another one: what a server says may be wrong. Requests that are
// on the way fail with zk.ErrConnectionClosed, those that come next wait for the connection.
func (s *Session) Move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		_ = s.now.Close()
	}
}

// at dials, and takes note of the connection, whose first answer has to come within a time.
func (s *Session) at(within time.Duration, dial func() (net.Conn, error)) (net.Conn, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	conn = &impatient{Conn: conn, within: within}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = conn
	return conn, nil
}

// handshakes tells of connections over TLS that fail, each reason of a server once until it can be connected to: the
// errors of requests say no more than that there is no connection. The client connects from one goroutine.
type handshakes struct {
	log  *slog.Logger
	told map[string]string // by server
}

func (h handshakes) tell(server string, err error) {
	switch {
	case err == nil:
		delete(h.told, server)
	case h.told[server] != err.Error():
		h.told[server] = err.Error()
		h.log.Warn("a ZooKeeper cannot be connected to over TLS; trying on", "server", server, "error", err)
	}
}

// servers hands out the servers by name, in turn. Names are resolved by whoever dials, each time anew: a
// server that moves is found, and one whose name is unknown does not keep from the others. (zk.DNSHostProvider resolves
// all names once and fails if one of them does.)
type servers struct {
	mu    sync.Mutex
	all   []string
	tried int // since the last connection that came to be
	next  int
}

var _ zk.HostProvider = (*servers)(nil)

// Init implements zk.HostProvider. The servers come shuffled.
func (s *servers) Init(all []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
	return nil
}

// Len implements zk.HostProvider.
func (s *servers) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// Next implements zk.HostProvider: retryStart makes the client wait for a second, once for each time that all servers
// have been tried.
func (s *servers) Next() (server string, retryStart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retryStart = s.tried > 0 && s.tried%len(s.all) == 0
	s.tried++
	server = s.all[s.next]
	s.next = (s.next + 1) % len(s.all)
	return server, retryStart
}

// Connected implements zk.HostProvider.
func (s *servers) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The server that is connected to counts as tried: one that drops every connection must not be asked in a loop
	// without a pause.
	s.tried = 1
}

// rounds is how often all servers have been tried in vain since the last connection.
func (s *servers) rounds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.tried-1, 0) / len(s.all)
}

// clientLog takes the client's own messages. They come once for each attempt; whoever uses the session says what matters.
type clientLog struct{ log *slog.Logger }

// Printf implements zk.Logger.
func (l clientLog) Printf(format string, args ...any) {
	l.log.Debug("ZooKeeper client: " + fmt.Sprintf(format, args...))
}
