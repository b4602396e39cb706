package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"rollcall/scheduler"
)

// asked counts what a client asks ZooKeeper for.
type asked struct {
	mu          sync.Mutex
	connections int
	watches     int
	requests    int           // but for those that come by the clock, whatever happens
	begun       chan struct{} // has one for each session or continuation of one that was asked for
}

// The requests that are told apart, by their opcode (zk's constants.go).
const (
	opSync     = 9
	opPing     = 11
	opChildren = 12
)

// of is a client's connection, whose requests are counted as they are read.
func (a *asked) of(conn net.Conn) net.Conn {
	if a == nil {
		return conn
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connections++
	return &askedConn{Conn: conn, asked: a}
}

type askedConn struct {
	net.Conn
	*asked
	rest  []byte
	begun bool
}

func (c *askedConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.rest = append(c.rest, into[:n]...)
	for len(c.rest) >= 4 {
		length := int(binary.BigEndian.Uint32(c.rest))
		if len(c.rest) < 4+length {
			break
		}
		c.count(c.rest[4 : 4+length])
		c.rest = c.rest[4+length:]
	}
	return n, err
}

// count takes a request: its number, its opcode, and what it is about. The first of a connection has neither.
func (c *askedConn) count(request []byte) {
	if !c.begun {
		c.begun = true
		c.asked.begun <- struct{}{}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	watched := request[len(request)-1] == 1
	switch int32(binary.BigEndian.Uint32(request[4:])) {
	case opPing, opSync:
	case opChildren:
		if watched {
			c.watches++
		}
	default:
		c.requests++
	}
}

// logged counts log lines.
type logged struct {
	slog.Handler
	mu    *sync.Mutex
	lines map[slog.Level]int
}

func newLogged() logged {
	return logged{slog.DiscardHandler, new(sync.Mutex), map[slog.Level]int{}}
}

func (l logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler       { return l }

func (l logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[r.Level]++
	return nil
}

// ZooKeeper comes and goes, again and again: each time costs a leader and a follower a connection and a few requests and
// lines, nobody is elected, and nothing is left over.
func TestFlapsOverBadLink(t *testing.T) {
	const flaps = 40
	url := zooKeeperURL(t)
	member := func(name string) (*rollcallUnderTest, *asked, logged, []*link) {
		asks, lines := &asked{begun: make(chan struct{}, 100*flaps)}, newLogged()
		var ways []*link
		for range 8 {
			way := newLink(t, url.Servers[0], nil)
			way.asks = asks
			ways = append(ways, way)
		}
		return startRollcallThat(t, urlOf(url.Path, ways...), name, func(z *ZooKeeper) {
			z.o.Logger = slog.New(lines)
			z.relist = time.Millisecond // so that it always asks for something when the connection is lost
		}), asks, lines, ways
	}
	a, asksA, linesA, waysA := member("a")
	term := a.term(t)
	b, asksB, linesB, waysB := member("b")
	b.follow(t, "a")
	<-asksA.begun
	<-asksB.begun

	n := 0
	flap := func(times int) {
		t.Helper()
		for range times {
			n++
			for _, way := range append(waysA, waysB...) {
				way.cut()
			}
			commit(t, term, put(scheduler.KindApp, "/a", fmt.Sprint(n)))
			for _, asks := range []*asked{asksA, asksB} {
				select {
				case <-asks.begun:
				case <-time.After(patience):
					t.Fatalf("flap %d: nobody connects again", n)
				}
			}
		}
	}
	flap(5)
	before, heap := runtime.NumGoroutine(), heapInUse()
	flap(flaps)
	for late := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.GC()
	}
	if grown := heapInUse() - heap; grown > flaps*8<<10 {
		t.Errorf("%d octets are left of %d flaps", grown, flaps)
	}
	for name, of := range map[string]struct {
		*asked
		logged
	}{"the leader": {asksA, linesA}, "the follower": {asksB, linesB}} {
		of.asked.mu.Lock()
		of.logged.mu.Lock()
		for what, count := range map[string]struct{ is, most int }{
			"connections":         {of.connections, 2 * n},
			"lists watched":       {of.watches, 5}, // each is kept by the client until it fires
			"requests":            {of.requests, 30 + 5*n},
			"lines":               {of.lines[slog.LevelInfo] + of.lines[slog.LevelWarn], 5 + 2*n},
			"errors":              {of.lines[slog.LevelError], 0},
			"lines for debugging": {of.lines[slog.LevelDebug], 10 + 3*n},
		} {
			if count.is > count.most {
				t.Errorf("%s: %d %s in %d flaps, at most %d are wanted", name, count.is, what, n, count.most)
			}
		}
		of.logged.mu.Unlock()
		of.asked.mu.Unlock()
	}
	if !term.Valid() {
		t.Error("a leads no longer")
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
