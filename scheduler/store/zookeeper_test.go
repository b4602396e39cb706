package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall/scheduler"
	"rollcall/scheduler/zookeeper"
)

// zooKeeperSubject opens a store by electing one of two rollcalls after the other.
func zooKeeperSubject(t *testing.T) subject {
	return subject{"zookeeper", func(f fataler) opener {
		url := zooKeeperURL(t)
		rollcalls := []*rollcallUnderTest{startRollcall(t, url, "a"), startRollcall(t, url, "b")}
		var leading *rollcallUnderTest
		return func() scheduler.Store {
			f.Helper()
			if leading != nil {
				leading.resign <- struct{}{}
			}
			select {
			case term := <-rollcalls[0].terms:
				leading = rollcalls[0]
				return term
			case term := <-rollcalls[1].terms:
				leading = rollcalls[1]
				return term
			case <-time.After(patience):
				f.Fatalf("nobody was elected within %v", patience)
				return nil
			}
		}
	}}
}

func TestElection(t *testing.T) {
	url := zooKeeperURL(t)
	a := startRollcall(t, url, "a")
	first := a.term(t)
	b := startRollcall(t, url, "b")
	b.follow(t, "a")
	commit(t, first, put(scheduler.KindApp, "/a", "1"))
	a.resign <- struct{}{}
	second := b.term(t)
	if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, second)); diff != "" {
		t.Errorf("what b finds (-want +got):\n%s", diff)
	}
	if err := first.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/a", "2")}); !errors.Is(err, ErrDeposed) {
		t.Errorf("a commits after it has resigned: %v", err)
	}
	if first.Valid() || !second.Valid() {
		t.Errorf("valid: %t, %t", first.Valid(), second.Valid())
	}
	b.stop() // as on SIGTERM: a leads again without waiting for a session to end
	third := a.term(t)
	if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, third)); diff != "" {
		t.Errorf("what a finds (-want +got):\n%s", diff)
	}
}

// Each leader is told what those before it have reserved, and one that has been replaced can reserve nothing.
func TestSerials(t *testing.T) {
	url := zooKeeperURL(t)
	a, b := startRollcall(t, url, "a"), (*rollcallUnderTest)(nil)
	first := a.term(t)
	mine, reserved, err := first.Serials()
	if err != nil || reserved != 0 {
		t.Fatalf("at first: %d, %v", reserved, err)
	}
	for _, upTo := range []uint32{1024, 2048, 4_000_000_000} {
		if err := mine.Reserve(upTo); err != nil {
			t.Fatal(err)
		}
	}
	b = startRollcall(t, url, "b")
	b.follow(t, "a")
	a.resign <- struct{}{}
	theirs, reserved, err := b.term(t).Serials()
	if err != nil || reserved != 4_000_000_000 {
		t.Fatalf("the next leader: %d, %v", reserved, err)
	}
	if err := mine.Reserve(4_000_001_024); !errors.Is(err, ErrDeposed) {
		t.Errorf("a reserves after it has resigned: %v", err)
	}
	if err := theirs.Reserve(4_000_002_048); err != nil {
		t.Error(err)
	}
}

// A leader that is cut off stops acting before another is elected, can store nothing afterwards, and stands again when
// ZooKeeper is back.
func TestLeaderCutOff(t *testing.T) {
	url := zooKeeperURL(t)
	way := newLink(t, url.Servers[0], new(atomic.Int64))
	a := startRollcallThat(t, urlOf(url.Path, way), "a", func(z *ZooKeeper) { z.o.SessionTimeout = shortSession })
	first := a.term(t)
	b := startRollcall(t, url, "b")
	b.follow(t, "a")

	way.setDown(true)
	second := b.term(t)
	if first.Valid() {
		t.Error("a may still act when b leads")
	}
	commit(t, second, put(scheduler.KindApp, "/a", "2"))
	way.setDown(false)
	if err := first.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/a", "3")}); !errors.Is(err, ErrDeposed) {
		t.Errorf("a commits when b leads: %v", err)
	}
	a.follow(t, "b")
	b.resign <- struct{}{}
	got, err := tryLoad(a.term(t))
	for errors.Is(err, ErrDeposed) { // its lease is short, and the machine may be slow
		got, err = tryLoad(a.term(t))
	}
	if diff := cmp.Diff(map[string]string{"app /a": "2"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// deposed has b elected while a believes in its lease, having stored "1" as app /a.
func deposed(t *testing.T) (a, b *Term) {
	t.Helper()
	url := zooKeeperURL(t)
	a = startRollcall(t, url, "a").term(t)
	commit(t, a, put(scheduler.KindApp, "/a", "1"))
	other := startRollcall(t, url, "b")
	other.follow(t, "a")
	if err := connectTo(t, url).Delete(a.c.path(nodeCandidates, a.c.node), -1); err != nil {
		t.Fatal(err)
	}
	if b = other.term(t); !a.Valid() {
		t.Fatal("a has noticed that it leads no longer")
	}
	return a, b
}

// connectTo is a connection of its own.
func connectTo(t *testing.T, url zookeeper.URL) *zookeeper.Session {
	t.Helper()
	conn, _, err := zookeeper.Connect(t.Context(), url, testSession, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// Fencing does not depend on anybody's clock: a leader that believes in its lease is stopped by ZooKeeper.
func TestDeposedLeaderStoresNothing(t *testing.T) {
	first, second := deposed(t)
	if err := first.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/a", "2")}); !errors.Is(err, ErrDeposed) {
		t.Errorf("a commits when b leads: %v", err)
	}
	if first.Valid() {
		t.Error("a may still act after it was told that it is deposed")
	}
	if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, second)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a deposed leader reads may be of two states, and is not told of as one, nor as damage.
func TestDeposedLeaderLoadsNothing(t *testing.T) {
	first, second := deposed(t)
	commit(t, second, put(scheduler.KindApp, "/a", "2"))
	for name, yield := range map[string]func(scheduler.Record) error{
		"sound":   func(scheduler.Record) error { return nil },
		"damaged": func(scheduler.Record) error { return scheduler.ErrDamaged },
	} {
		if err := first.Load(t.Context(), yield); !errors.Is(err, ErrDeposed) || errors.Is(err, scheduler.ErrDamaged) {
			t.Errorf("%s: a loads when b leads: %v", name, err)
		}
	}
}

// Nodes that are not those that were read make every commit fail. The leader gives up, and what it does next it does with
// those that are there.
func TestLeaderGivesUpOverOtherNodes(t *testing.T) {
	a := startRollcall(t, zooKeeperURL(t), "a")
	term := a.term(t)
	app := put(scheduler.KindApp, "/a", "1")
	commit(t, term, app)
	server := newLackingServer(t, term, app, nil)
	if err := term.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/a", "2")}); !errors.Is(err, ErrDeposed) {
		t.Errorf("a commit on a node that is gone: %v", err)
	}
	if term.Valid() {
		t.Error("the leader goes on")
	}
	server.leave()
	commit(t, a.term(t), put(scheduler.KindApp, "/a", "3"))
}

// Connections are lost while commits are on the way, some before ZooKeeper has heard of them and some after. Each
// commit is made once, or refused and not made.
func TestCommitsOverBadLink(t *testing.T) {
	url := zooKeeperURL(t)
	// After a connection the client goes to the next server at once, and to one that it knows after a pause.
	var ways []*link
	deaf := new(atomic.Int64)
	for range 8 {
		ways = append(ways, newLink(t, url.Servers[0], deaf))
	}
	a := startRollcall(t, urlOf(url.Path, ways...), "a")
	term, model := a.term(t), map[string]string{}
	if got := load(t, term); len(got) != 0 {
		t.Fatalf("it begins with %v", got)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		var records []scheduler.Record
		next := maps.Clone(model)
		for range 1 + random.IntN(20) {
			key := fmt.Sprintf("/key-%02d", random.IntN(40))
			if random.IntN(3) == 0 {
				records = append(records, remove(scheduler.KindApp, key))
				delete(next, "app "+key)
				continue
			}
			// Some commits are too large for one transaction.
			value := fmt.Sprint(i, " ", strings.Repeat(fmt.Sprint(random.Uint64()), 1+random.IntN(200)*random.IntN(2)))
			if i%10 == 9 {
				value = noise(random, 100_000)
			}
			records = append(records, put(scheduler.KindApp, key, value))
			next["app "+key] = value
		}
		if random.IntN(3) == 0 {
			for _, way := range ways {
				way.cut()
			}
		}
		deaf.Store(int64(1 - random.IntN(3))) // one in three times the next answer, else none
		if err := term.Commit(t.Context(), records); err == nil {
			model = next
		} else if errors.Is(err, ErrDeposed) {
			t.Fatalf("commit %d: %v", i, err)
		}
	}
	a.resign <- struct{}{}
	if got := load(t, a.term(t)); !maps.Equal(got, model) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(model, got))
	}
}

// noise is text that does not compress.
func noise(random *rand.Rand, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return string(out)
}

// A leader is gone while it carries out a commit of several transactions: all of it is there, or nothing.
func TestLeaderGoneInLargeCommit(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var records []scheduler.Record
	want := map[string]string{}
	for i := range 40 {
		r := put(scheduler.KindInstance, fmt.Sprint("i", i), noise(random, 50_000))
		records = append(records, r)
		want["instance "+r.Key] = string(r.Value)
	}
	changes, err := encodeRecords(records)
	if err != nil {
		t.Fatal(err)
	}
	parts := len(split(changes))
	if parts < 3 {
		t.Fatalf("the commit has %d parts: too few for a test", parts)
	}
	// One transaction for each part, one that makes the commit, one for each part again, one that ends the journal, and
	// one that clears it.
	for after := range 2*parts + 3 {
		t.Run(fmt.Sprint("after ", after, " transactions"), func(t *testing.T) {
			a := startRollcall(t, zooKeeperURL(t), "a")
			term := a.term(t)
			load(t, term)
			term.transactionsLeft(after)
			err := term.Commit(t.Context(), records)
			if made := after > parts; made != (err == nil) {
				t.Errorf("made: %t, Commit: %v", made, err)
			}
			a.resign <- struct{}{}
			got := load(t, a.term(t))
			switch {
			case err == nil && !maps.Equal(got, want):
				t.Errorf("%d records of %d are there", len(got), len(want))
			case err != nil && len(got) != 0:
				t.Errorf("%d records of a commit that was not made are there", len(got))
			}
		})
	}
}

// endsLater is a context that ends when it was asked for its error a number of times.
type endsLater struct {
	context.Context
	end  context.CancelFunc
	left int
}

func (e *endsLater) Err() error {
	err := e.Context.Err()
	if e.left--; e.left < 0 {
		e.end()
	}
	return err
}

// Half a state is never handed out as a whole one, whenever a term ends.
func TestTermEndsWhileLoading(t *testing.T) {
	a := startRollcall(t, zooKeeperURL(t), "a")
	term := a.term(t)
	for n := range 300 {
		commit(t, term, put(scheduler.KindApp, fmt.Sprint("/", n), "1"))
	}
	for after := range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		got := 0
		err := term.Load(&endsLater{ctx, cancel, after}, func(scheduler.Record) error { got++; return nil })
		if err == nil && got != 300 {
			t.Errorf("asked %d times: %d records without an error", after, got)
		}
		cancel()
	}
}

// A watch that the client has lost does not keep an election from being noticed.
func TestLostWatch(t *testing.T) {
	url := zooKeeperURL(t)
	term := startRollcall(t, url, "a").term(t)
	names, _, err := term.c.conn.Children(term.c.path(nodeCandidates))
	if err != nil {
		t.Fatal(err)
	}
	term.c.relist = time.Millisecond
	noticed := make(chan error, 1)
	go func() { noticed <- term.c.wait(t.Context(), nil, names) }()
	startRollcall(t, url, "b")
	if err := <-noticed; err != nil {
		t.Error(err)
	}
}

func TestForeignPath(t *testing.T) {
	for _, c := range []struct{ name, node, data, want string }{
		{"of Marathon", "leader-curator", "", "the path in ZooKeeper holds something else: $/leader-curator; " +
			"scheduler.zk has to name a path of rollcall's own"},
		{"of something with a layout", "layout", "v2", "the path in ZooKeeper holds something else: $/layout is \"v2\"; " +
			"scheduler.zk has to name a path of rollcall's own"},
		{"of a newer rollcall", "layout", "rollcall 7", "the state was written by a newer rollcall: $/layout is \"rollcall 7\", " +
			"this rollcall knows \"rollcall 1\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := zooKeeperURL(t)
			conn, _, err := zookeeper.Connect(t.Context(), url, testSession, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for node := range ancestors(url.Path + "/" + c.node) {
				_, err := conn.Create(node, []byte(c.data), 0, zk.WorldACL(zk.PermAll))
				if err != nil && !errors.Is(err, zk.ErrNodeExists) {
					t.Fatal(err)
				}
			}
			r := startRollcall(t, url, "a")
			if err := <-r.ended; err == nil || err.Error() != strings.ReplaceAll(c.want, "$", url.Path) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// With credentials nobody else reads or writes.
func TestZooKeeperCredentials(t *testing.T) {
	url := zooKeeperURL(t)
	open := url
	url.Credentials = "rollcall:secret"
	a := startRollcall(t, url, "a")
	term := a.term(t)
	commit(t, term, put(scheduler.KindApp, "/a", "1"))
	conn, _, err := zookeeper.Connect(t.Context(), open, testSession, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := conn.Get(term.c.path(nodeState, recordPath(scheduler.KindApp, "/a"))); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("reading as nobody: %v", err)
	}
	if err := <-startRollcall(t, open, "b").ended; !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("a rollcall without credentials: %v", err)
	}
}

func TestDamagedNode(t *testing.T) {
	for _, c := range []struct{ node, data string }{
		{recordPath(scheduler.KindApp, "/a"), ""},
		{recordPath(scheduler.KindApp, "/a"), "x"},
		{recordPath(scheduler.KindApp, "/a"), "znothing"},
		{"app/00/elsewhere", "p1"},
	} {
		t.Run(c.node+" "+c.data, func(t *testing.T) {
			a := startRollcall(t, zooKeeperURL(t), "a")
			term := a.term(t)
			commit(t, term, put(scheduler.KindApp, "/a", "1"))
			for dir := range ancestors(term.c.path(nodeState, c.node)) {
				if err := term.c.create(dir, []byte(c.data)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := term.c.conn.Set(term.c.path(nodeState, c.node), []byte(c.data), -1); err != nil {
				t.Fatal(err)
			}
			term.move = func() {}
			_, err := tryLoad(term)
			if !errors.Is(err, scheduler.ErrDamaged) || !strings.Contains(err.Error(), c.node) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := string(rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key"))
		name := escape(key)
		if strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
			t.Fatalf("%q becomes %q", key, name)
		}
		if back, err := unescape(name); err != nil || back != key {
			t.Fatalf("%q becomes %q, %v", key, back, err)
		}
	})
}

func TestAncestors(t *testing.T) {
	for at, want := range map[string]string{"/": "", "/a": "/a", "/a/bc/d": "/a /a/bc /a/bc/d"} {
		var got []string
		for dir := range ancestors(at) {
			got = append(got, dir)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", at, got)
		}
	}
}

// transactionsLeft has the term's transactions fail after some, as if the leader were gone.
func (t *Term) transactionsLeft(n int) {
	multi := t.multi
	t.multi = func(ops ...any) ([]zk.MultiResponse, error) {
		if n--; n < 0 {
			return nil, errors.New("this leader is gone")
		}
		return multi(ops...)
	}
}
