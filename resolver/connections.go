package resolver

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// expirePause is between connections that are ended because they are idle. Thousands may have been opened together and
	// become too old together: each one that ends takes its time of the processor, and questions come between.
	expirePause = time.Millisecond
	// expireShare is how many connections there have to be for another one to be ended with each pause. Many go faster: within
	// some seconds, however many there are.
	expireShare = 4096
)

// connections are the TCP connections of a server: how many there may be, and which one has been idle for longest.
type connections struct {
	max, maxClient int

	mu             sync.Mutex
	count          int
	clients        map[netip.Addr]int // how many each client has; see clientKey
	oldest, newest *stream            // a list, by when they were used last
	closed         bool
}

func newConnections(maxAll, maxClient int) *connections {
	return &connections{max: maxAll, maxClient: maxClient, clients: make(map[netip.Addr]int)}
}

// clientKey is what limits are kept by: an IPv4 address, or an IPv6 network of 64 bits, all of which one machine may use.
func clientKey(addr netip.Addr) netip.Addr {
	if network, err := addr.Prefix(64); err == nil {
		return network.Addr()
	}
	return addr // it has no 64 bits
}

// add takes a connection in, or reports that there is no room for it. When there are as many as there may be, the one
// that has been idle for longest is closed.
func (c *connections) add(s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.clients[s.key] >= c.maxClient || c.count >= c.max && !c.closeOldest() {
		return false
	}
	c.count++
	c.clients[s.key]++
	c.link(s, time.Now())
	return true
}

// remove has a connection forgotten.
func (c *connections) remove(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(s)
}

// used notes that a connection was used.
func (c *connections) used(s *stream, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.linked {
		c.unlink(s)
		c.link(s, now)
	}
}

// expire ends connections that have been idle for as long as they may, until ctx ends.
func (c *connections) expire(ctx context.Context, idle time.Duration) {
	for ctx.Err() == nil {
		wait := idle / 32
		if c.endIdle(time.Now().Add(-idle)) {
			wait = expirePause
		}
		pause(ctx, wait)
	}
}

// endIdle ends some of the connections that have been idle since a time, and reports that there may be more.
func (c *connections) endIdle(since time.Time) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := 1 + c.count/expireShare
	for s := c.oldest; s != nil && !s.since.After(since); {
		next := s.newer
		if s.working.Load() == 0 {
			if left == 0 {
				return true
			}
			left--
			s.end()
			c.forget(s)
		}
		s = next
	}
	return false
}

// makeRoom closes the connection that has been idle for longest.
func (c *connections) makeRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeOldest()
}

// closeAll closes all connections; there will be none any more.
func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for s := c.oldest; s != nil; s = s.newer {
		s.conn.Close()
	}
}

// closeOldest closes the connection that has been idle for longest, or reports that none is idle.
func (c *connections) closeOldest() bool {
	s := c.oldest
	for s != nil && s.working.Load() > 0 {
		s = s.newer
	}
	if s == nil {
		return false
	}
	s.conn.Close()
	c.forget(s)
	return true
}

func (c *connections) forget(s *stream) {
	if !s.linked {
		return
	}
	c.unlink(s)
	c.count--
	if c.clients[s.key]--; c.clients[s.key] == 0 {
		delete(c.clients, s.key)
	}
}

// link puts a connection at the end of the list.
func (c *connections) link(s *stream, now time.Time) {
	s.linked, s.since, s.older, s.newer = true, now, c.newest, nil
	if c.newest == nil {
		c.oldest = s
	} else {
		c.newest.newer = s
	}
	c.newest = s
}

func (c *connections) unlink(s *stream) {
	if s.older == nil {
		c.oldest = s.newer
	} else {
		s.older.newer = s.newer
	}
	if s.newer == nil {
		c.newest = s.older
	} else {
		s.newer.older = s.older
	}
	s.linked, s.older, s.newer = false, nil, nil
}
