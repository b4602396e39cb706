package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall/scheduler/zookeeper"
)

const zooKeeperJar = "/usr/share/java/zookeeper.jar"

// zooKeeperServer is Debian's ZooKeeper, one server for all tests, each of which has a path of its own.
var zooKeeperServer = struct {
	once    sync.Once
	address string
	err     error
	stop    func()
	paths   atomic.Int64
}{stop: func() {}}

// zooKeeperURL names a path that nobody else uses. The test is skipped where ZooKeeper cannot be started, which in CI
// is a failure.
func zooKeeperURL(t testing.TB) zookeeper.URL {
	t.Helper()
	s := &zooKeeperServer
	s.once.Do(func() { s.address, s.stop, s.err = startZooKeeper() })
	if s.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("starting ZooKeeper: %v: make deps installs it", s.err)
		}
		t.Skipf("SKIPPED: nothing is known about ZooKeeper as the store: %v: make deps installs it", s.err)
	}
	return zookeeper.URL{Servers: []string{s.address}, Path: fmt.Sprintf("/test/%d", s.paths.Add(1))}
}

func startZooKeeper() (address string, stop func(), err error) {
	stop = func() {}
	if _, err := os.Stat(zooKeeperJar); err != nil {
		return "", stop, err
	}
	dir, err := os.MkdirTemp("", "rollcall-zookeeper")
	if err != nil {
		return "", stop, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", stop, err
	}
	address = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	config := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"+
		"maxClientCnxns=0\nforceSync=no\nmaxSessionTimeout=%d\n", dir, port, testSession.Milliseconds())
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return "", stop, err
	}
	var out bytes.Buffer
	c := exec.Command("java", "-Xmx256m", "-cp", zooKeeperJar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	c.Stdout, c.Stderr = &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return "", stop, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Wait() //nolint:errcheck // it is killed
	}()
	stop = func() {
		c.Process.Kill() //nolint:errcheck // it may have ended
		<-ended
		os.RemoveAll(dir)
	}
	if err := answers(address, ended); err != nil {
		stop()
		return "", func() {}, fmt.Errorf("%w: %s", err, &out)
	}
	return address, stop, nil
}

// answers waits until a server serves. One that is being started takes connections before that, and says nothing.
func answers(address string, ended <-chan struct{}) error {
	for late := time.After(patience); ; {
		said, err := serverState(address)
		if strings.Contains(said, "Mode:") {
			return nil
		}
		select {
		case <-ended:
			return errors.New("it has ended")
		case <-late:
			return fmt.Errorf("it says %q, %v", said, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// serverState asks a server how it is.
func serverState(address string) (string, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second)) //nolint:errcheck // a connection takes it
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", err
	}
	said, err := io.ReadAll(conn)
	return string(said), err
}

// rollcallUnderTest takes part in an election and leads until it is told to resign.
type rollcallUnderTest struct {
	terms   chan *Term
	resign  chan struct{}
	fail    chan error  // as resign, and Lead returns it
	follows chan Member // who leads; the zero Member for nobody
	ended   chan error
	stop    context.CancelFunc
}

const (
	// testSession is so long that no session ends, and no lease runs out, however little of the processor a test gets.
	testSession = 40 * time.Second
	// shortSession is for tests of what happens when a session ends.
	shortSession = 4 * time.Second
	// patience is for how long anything is waited for. It is several sessions: one that could not be closed in time ends
	// by itself.
	patience = 3 * time.Minute
)

func startRollcall(t testing.TB, url zookeeper.URL, name string) *rollcallUnderTest {
	t.Helper()
	return startRollcallThat(t, url, name, func(*ZooKeeper) {})
}

// startRollcallThat starts one that is other than usual.
func startRollcallThat(t testing.TB, url zookeeper.URL, name string, is func(*ZooKeeper)) *rollcallUnderTest {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &rollcallUnderTest{terms: make(chan *Term), resign: make(chan struct{}), fail: make(chan error), follows: make(chan Member, 100),
		ended: make(chan error, 1), stop: cancel}
	z := NewZooKeeper(ZooKeeperOptions{URL: url, SessionTimeout: testSession, Self: Member{ID: name, URL: "http://" + name},
		Logger: slog.New(slog.DiscardHandler)})
	z.reread = time.Millisecond
	is(z)
	go func() {
		r.ended <- z.Run(ctx, r)
		close(r.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

func (r *rollcallUnderTest) Follow(leader Member, ok bool) {
	if !ok {
		leader = Member{}
	}
	r.follows <- leader
}

func (r *rollcallUnderTest) Lead(ctx context.Context, term *Term) error {
	select {
	case r.terms <- term:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-r.resign:
	case err := <-r.fail:
		return err
	case <-ctx.Done():
	}
	return nil
}

// term waits for this rollcall to lead.
func (r *rollcallUnderTest) term(t fataler) *Term {
	t.Helper()
	select {
	case term := <-r.terms:
		return term
	case err := <-r.ended:
		t.Fatalf("the election has ended: %v", err)
	case <-time.After(patience):
		t.Fatalf("this rollcall was not elected within %v", patience)
	}
	return nil
}

// follow waits until this rollcall sees that another leads, "" for nobody.
func (r *rollcallUnderTest) follow(t fataler, leader string) {
	t.Helper()
	for late := time.After(patience); ; {
		select {
		case m := <-r.follows:
			if m.ID == leader {
				return
			}
		case <-late:
			t.Fatalf("this rollcall did not follow %q within %v", leader, patience)
		}
	}
}

// link is a way to ZooKeeper that can be cut.
type link struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	conns    map[net.Conn]bool
	down     bool
	used     chan struct{} // closed when there is a first connection
	// deaf: that many answers of ZooKeeper from now on one is swallowed, and the connection is cut by it. Requests still
	// arrive.
	deaf *atomic.Int64
	asks *asked // nil: nobody counts
}

func newLink(t testing.TB, to string, deaf *atomic.Int64) *link {
	t.Helper()
	if raceDetector {
		t.Skip("SKIPPED with the race detector: the ZooKeeper client reads its last zxid unguarded when it connects again " +
			"(zk.Conn.sendSetWatches); make test runs this test without")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{listener: l, to: to, conns: map[net.Conn]bool{}, used: make(chan struct{}), deaf: deaf}
	go k.serve()
	t.Cleanup(func() {
		l.Close()
		k.cut()
	})
	return k
}

func (k *link) serve() {
	use := sync.OnceFunc(func() { close(k.used) })
	for {
		near, err := k.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		use()
		k.mu.Lock()
		down := k.down
		k.mu.Unlock()
		far, err := net.Dial("tcp", k.to)
		if down || err != nil {
			near.Close()
			if far != nil {
				far.Close()
			}
			continue
		}
		k.mu.Lock()
		k.conns[near], k.conns[far] = true, true
		k.mu.Unlock()
		go k.pass(far, k.asks.of(near), nil)
		go k.pass(near, far, k.deaf)
	}
}

// pass copies what comes from one side to the other.
func (k *link) pass(to, from net.Conn, deaf *atomic.Int64) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || deaf != nil && deaf.Add(-1) == 0 {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		c.Close()
		delete(k.conns, c)
	}
}

// setDown cuts the link and keeps it cut, or mends it.
func (k *link) setDown(down bool) {
	k.mu.Lock()
	k.down = down
	k.mu.Unlock()
	if down {
		k.cut()
	}
}

// urlOf names a path by way of links.
func urlOf(path string, links ...*link) zookeeper.URL {
	u := zookeeper.URL{Path: path}
	for _, k := range links {
		u.Servers = append(u.Servers, k.listener.Addr().String())
	}
	return u
}
