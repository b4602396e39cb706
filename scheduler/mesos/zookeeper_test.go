package mesos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"rollcall/scheduler/zookeeper"
)

// ensemble is a ZooKeeper that a test has in its hands.
type ensemble struct {
	mu       sync.Mutex
	away     bool
	nodes    map[string]string // by path; nil: the directory is not there
	dir      string
	closed   map[string]bool // nodes that nobody may read
	sessions []*fakeSession
	logins   []string
	lists    int
}

type fakeSession struct {
	*ensemble
	watch  chan zk.Event
	events chan zk.Event
	ended  bool
}

func (e *ensemble) connect(context.Context) (zooKeeperSession, <-chan zk.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &fakeSession{ensemble: e, events: make(chan zk.Event, 6)}
	e.sessions = append(e.sessions, s)
	return s, s.events, nil
}

func (s *fakeSession) fails() error {
	switch {
	case s.ended:
		return zk.ErrConnectionClosed
	case s.away:
		return zk.ErrNoServer
	}
	return nil
}

func (s *fakeSession) AddAuth(scheme string, auth []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = append(s.logins, scheme+" "+string(auth))
	return s.fails()
}

func (s *fakeSession) Children(dir string) ([]string, *zk.Stat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails(); err != nil {
		return nil, nil, err
	}
	var names []string
	for p := range s.nodes {
		names = append(names, path.Base(p))
	}
	return names, nil, nil
}

func (s *fakeSession) ChildrenW(dir string) ([]string, *zk.Stat, <-chan zk.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	if err := s.fails(); err != nil {
		return nil, nil, nil, err
	}
	if s.nodes == nil || dir != s.dir {
		return nil, nil, nil, zk.ErrNoNode
	}
	var names []string
	for p := range s.nodes {
		names = append(names, path.Base(p))
	}
	s.watch = make(chan zk.Event, 1)
	return names, nil, s.watch, nil
}

func (s *fakeSession) Get(p string) ([]byte, *zk.Stat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails(); err != nil {
		return nil, nil, err
	}
	if s.closed[p] {
		return nil, nil, zk.ErrNoAuth
	}
	data, ok := s.nodes[p]
	if !ok {
		return nil, nil, zk.ErrNoNode
	}
	return []byte(data), nil, nil
}

func (s *fakeSession) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// set replaces the znodes and fires the watches.
func (e *ensemble) set(nodes map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nodes = nodes
	e.fire(zk.Event{Type: zk.EventNodeChildrenChanged, State: zk.StateConnected})
}

// fire is called with the lock held.
func (e *ensemble) fire(event zk.Event) {
	for _, s := range e.sessions {
		if s.watch != nil && !s.ended {
			s.watch <- event
			s.watch = nil
		}
	}
}

// expire ends all sessions.
func (e *ensemble) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fire(zk.Event{Type: zk.EventNotWatching, Err: zk.ErrSessionExpired})
}

// recordedZnodes are the znodes of a directory that were recorded.
func recordedZnodes(t *testing.T, name, dir string) map[string]string {
	t.Helper()
	var tree map[string]struct{ Raw string }
	if err := json.NewDecoder(recording(t, path.Join("zk", name))).Decode(&tree); err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	if _, ok := tree[dir]; ok {
		out = map[string]string{}
	}
	for p, node := range tree {
		if path.Dir(p) == dir {
			out[p] = node.Raw
		}
	}
	return out
}

// detection is a detector at work on an ensemble; only for use in a synctest bubble.
type detection struct {
	*ensemble
	t   *testing.T
	got []Masters
	log bytes.Buffer
}

func detect(t *testing.T, url string, e *ensemble) *detection {
	u, err := zookeeper.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	e.dir = u.Path
	w := &detection{ensemble: e, t: t}
	d := NewZooKeeper(u, slog.New(slog.NewTextHandler(&w.log, nil)))
	d.connect = e.connect
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx, func(m Masters) { w.got = append(w.got, m) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		synctest.Wait()
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, s := range e.sessions {
			if !s.ended {
				t.Error("a session is left open")
			}
		}
	})
	synctest.Wait()
	return w
}

func (w *detection) told(want ...Masters) {
	w.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, w.got); diff != "" {
		w.t.Errorf("told (-want +got):\n%s", diff)
	}
	w.got = nil
}

func (w *detection) logged(text string, times int) {
	w.t.Helper()
	if n := strings.Count(w.log.String(), text); n != times {
		w.t.Errorf("%q is logged %d times, not %d:\n%s", text, n, times, w.log.String())
	}
}

const (
	first, second, third = "127.0.0.11:5050", "127.0.0.12:5050", "127.0.0.13:5050"
)

func TestZooKeeperFollowsTheRecordedElections(t *testing.T) {
	trees := map[string]map[string]string{}
	for _, name := range []string{"tree-0-empty", "tree-1-one-master", "tree-2-three-masters", "tree-3-after-failover",
		"tree-4-old-leader-back", "tree-5-after-second-failover", "tree-6-all-ended"} {
		trees[name] = recordedZnodes(t, name+".json", "/mesos")
	}
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://127.0.0.1:2181/mesos", &ensemble{nodes: trees["tree-0-empty"]})
		w.told(Masters{})
		w.set(trees["tree-1-one-master"])
		time.Sleep(zooKeeperRetry) // a path that is not there cannot be watched
		w.told(Masters{Leader: first, All: []string{first}})
		w.set(trees["tree-2-three-masters"])
		w.told(Masters{Leader: first, All: []string{first, second, third}})
		w.set(trees["tree-3-after-failover"])
		w.told(Masters{Leader: second, All: []string{second, third}})
		w.set(trees["tree-4-old-leader-back"])
		w.told(Masters{Leader: second, All: []string{second, third, first}})
		w.set(trees["tree-5-after-second-failover"])
		w.told(Masters{Leader: third, All: []string{third, first}})
		w.set(trees["tree-6-all-ended"])
		w.told(Masters{})
		w.set(trees["tree-6-all-ended"])
		w.told()
	})
}

func TestZooKeeperLogsIn(t *testing.T) {
	nodes := recordedZnodes(t, "tree-7-digest.json", "/services/mesos")
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://mesos:sec@ret@127.0.0.1:2181/services/mesos/", &ensemble{nodes: nodes})
		w.told(Masters{Leader: "127.0.0.14:5050", All: []string{"127.0.0.14:5050"}})
		if got := strings.Join(w.logins, ","); got != "digest mesos:sec@ret" {
			t.Errorf("logins: %s", got)
		}
		if strings.Contains(w.log.String(), "sec@ret") {
			t.Errorf("the password is logged:\n%s", w.log.String())
		}
	})
}

func info(ip string) string {
	return fmt.Sprintf(`{"address":{"ip":%q,"port":5050,"hostname":"m"},"ip":1,"port":1}`, ip)
}

// A watch that the client has lost does not keep an election from being noticed.
func TestZooKeeperLosesWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://zk1,zk2/mesos", &ensemble{nodes: map[string]string{"/mesos/json.info_0000000007": info("10.0.0.1")}})
		w.told(Masters{Leader: "10.0.0.1:5050", All: []string{"10.0.0.1:5050"}})
		time.Sleep(time.Hour)
		w.told()
		w.mu.Lock()
		if w.lists != 1 {
			t.Errorf("%d watches in an hour in which nothing happened", w.lists)
		}
		w.nodes = map[string]string{"/mesos/json.info_0000000008": info("10.0.0.2")}
		w.mu.Unlock()
		time.Sleep(zookeeper.RelistEvery)
		w.told(Masters{Leader: "10.0.0.2:5050", All: []string{"10.0.0.2:5050"}})
	})
}

// While ZooKeeper is away the masters stay as they were; it is asked once a second, and told of once.
func TestZooKeeperAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://zk1,zk2/mesos", &ensemble{nodes: map[string]string{"/mesos/json.info_0000000007": info("10.0.0.1")}})
		w.told(Masters{Leader: "10.0.0.1:5050", All: []string{"10.0.0.1:5050"}})
		w.mu.Lock()
		w.away, w.lists = true, 0
		w.mu.Unlock()
		w.expire()
		time.Sleep(time.Hour)
		w.told()
		if w.lists == 0 || w.lists > 3601 {
			t.Errorf("%d questions in an hour", w.lists)
		}
		w.logged("could not connect", 1)
		w.mu.Lock()
		w.away = false
		w.nodes["/mesos/json.info_0000000003"] = info("10.0.0.2")
		w.mu.Unlock()
		time.Sleep(zooKeeperRetry)
		w.told(Masters{Leader: "10.0.0.2:5050", All: []string{"10.0.0.2:5050", "10.0.0.1:5050"}})
		w.logged("ZooKeeper tells of the Mesos masters again", 1)
	})
}

// It need not be there when rollcall starts.
func TestZooKeeperAwayAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://zk1/mesos", &ensemble{away: true, nodes: map[string]string{"/mesos/json.info_1": info("10.0.0.1")}})
		time.Sleep(time.Minute)
		w.told()
		w.mu.Lock()
		w.away = false
		w.mu.Unlock()
		time.Sleep(zooKeeperRetry)
		w.told(Masters{Leader: "10.0.0.1:5050", All: []string{"10.0.0.1:5050"}})
	})
}

// A connection that is lost and comes back with its session is no reason to ask anew.
func TestZooKeeperReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://zk1/mesos", &ensemble{nodes: map[string]string{"/mesos/json.info_1": info("10.0.0.1")}})
		w.told(Masters{Leader: "10.0.0.1:5050", All: []string{"10.0.0.1:5050"}})
		events := w.sessions[0].events
		for _, state := range []zk.State{zk.StateDisconnected, zk.StateConnecting, zk.StateConnected, zk.StateHasSession} {
			events <- zk.Event{Type: zk.EventSession, State: state}
			synctest.Wait()
		}
		w.told()
		if len(w.sessions) != 1 || w.lists != 1 {
			t.Errorf("%d sessions, %d questions", len(w.sessions), w.lists)
		}
		w.logged("the connection to ZooKeeper is lost", 1)
		w.logged("ZooKeeper tells of the Mesos masters again", 1)
	})
}

// A connection that comes and goes, and sessions that end, a thousand times: each costs two lines in the log, and a session
// the questions of the first one; nothing is told that is known.
func TestZooKeeperFlaps(t *testing.T) {
	const flaps = 1000
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://zk1/mesos", &ensemble{nodes: map[string]string{"/mesos/json.info_1": info("10.0.0.1")}})
		w.told(Masters{Leader: "10.0.0.1:5050", All: []string{"10.0.0.1:5050"}})
		events := w.sessions[0].events
		for range flaps {
			for _, state := range []zk.State{zk.StateDisconnected, zk.StateConnecting, zk.StateConnected, zk.StateHasSession} {
				events <- zk.Event{Type: zk.EventSession, State: state}
			}
			synctest.Wait()
		}
		if len(w.sessions) != 1 || w.lists != 1 {
			t.Errorf("%d connections lost: %d sessions, %d questions", flaps, len(w.sessions), w.lists)
		}
		for range flaps {
			w.expire()
			time.Sleep(zooKeeperRetry)
			synctest.Wait()
		}
		w.told()
		if len(w.sessions) != 1+flaps || w.lists != 1+flaps {
			t.Errorf("%d sessions ended: %d sessions, %d questions", flaps, len(w.sessions), w.lists)
		}
		if lines := strings.Count(w.log.String(), "\n"); lines > 4*flaps+10 {
			t.Errorf("%d lines of %d flaps", lines, 2*flaps)
		}
	})
}

func TestZooKeeperBrokenZnodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := detect(t, "zk://zk1/mesos", &ensemble{
			closed: map[string]bool{"/mesos/json.info_3": true},
			nodes: map[string]string{
				"/mesos/json.info_1": info("10.0.0.1"), "/mesos/json.info_2": "{", "/mesos/json.info_3": info("10.0.0.3"),
				"/mesos/json.info_4": info("10.0.0.1"), "/mesos/json.info_x": info("10.0.0.9"), "/mesos/log_replicas": "",
			},
		})
		w.told(Masters{Leader: "10.0.0.1:5050", All: []string{"10.0.0.1:5050"}})
		w.logged("a master's znode cannot be read", 2)
		// Where it is that of the leader, nobody is known to lead.
		w.set(map[string]string{"/mesos/json.info_2": "{", "/mesos/json.info_4": info("10.0.0.1")})
		w.told(Masters{All: []string{"10.0.0.1:5050"}})
		w.logged("a master's znode cannot be read", 2)
		w.logged("no master leads", 1)
	})
}

func TestMasterNodes(t *testing.T) {
	for _, c := range []struct {
		names, want string
	}{
		{"", ""},
		{"log_replicas info json.info json.info_ info_x", ""},
		{"json.info_0000000010 json.info_0000000009", "json.info_0000000009 json.info_0000000010"},
		{"info_0000000002 info_0000000001", "info_0000000001 info_0000000002"},
		{"info_0000000001 json.info_0000000005", "json.info_0000000005 info_0000000001"},
		{"json.info_-0000000001 json.info_0000000000", "json.info_-0000000001 json.info_0000000000"},
	} {
		var got []string
		for _, n := range masterNodes(strings.Fields(c.names)) {
			got = append(got, n.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q", c.names, got)
		}
	}
}
