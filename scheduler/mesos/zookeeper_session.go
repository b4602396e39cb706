package mesos

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// zooKeeperSessionTimeout is that of Mesos's masters: a server that is gone is noticed as soon as a master is.
	zooKeeperSessionTimeout = 10 * time.Second

	// zooKeeperAnswer is the longest answer that is read: ZooKeeper's own limit is 1 MiB for a request, and a directory
	// may list somewhat more.
	zooKeeperAnswer = 4 << 20
)

// dial opens a session. It returns at once and connects on its own: requests wait for that, and fail with
// zk.ErrNoServer when no server could be reached.
func (d *ZooKeeper) dial(ctx context.Context) (zooKeeperSession, <-chan zk.Event, error) {
	var dialer net.Dialer
	conn, events, err := zk.Connect(d.url.Servers, zooKeeperSessionTimeout,
		zk.WithHostProvider(&zooKeeperServers{}),
		zk.WithDialer(func(network, address string, timeout time.Duration) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return dialer.DialContext(ctx, network, address)
		}),
		zk.WithLogger(zooKeeperLog{d.log}), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(zooKeeperAnswer))
	if err != nil {
		return nil, nil, err
	}
	return conn, events, nil
}

// zooKeeperServers hands out the servers by name, in turn. Names are resolved by whoever dials, each time anew: a
// server that moves is found, and one whose name is unknown does not keep from the others. (zk.DNSHostProvider resolves
// all names once and fails if one of them does.)
type zooKeeperServers struct {
	mu      sync.Mutex
	servers []string
	tried   int // since the last connection that came to be
	next    int
}

var _ zk.HostProvider = (*zooKeeperServers)(nil)

// Init implements zk.HostProvider. The servers come shuffled.
func (s *zooKeeperServers) Init(servers []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers = servers
	return nil
}

// Len implements zk.HostProvider.
func (s *zooKeeperServers) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.servers)
}

// Next implements zk.HostProvider: retryStart makes the client wait for a second, once for each time that all servers
// have been tried.
func (s *zooKeeperServers) Next() (server string, retryStart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retryStart = s.tried > 0 && s.tried%len(s.servers) == 0
	s.tried++
	server = s.servers[s.next]
	s.next = (s.next + 1) % len(s.servers)
	return server, retryStart
}

// Connected implements zk.HostProvider.
func (s *zooKeeperServers) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The server that is connected to counts as tried: one that drops every connection must not be asked in a loop
	// without a pause.
	s.tried = 1
}

// zooKeeperLog takes the client's own messages. They come once for each attempt; the detector says what matters.
type zooKeeperLog struct{ log *slog.Logger }

// Printf implements zk.Logger.
func (l zooKeeperLog) Printf(format string, args ...any) {
	l.log.Debug("ZooKeeper client: " + fmt.Sprintf(format, args...))
}
