package store

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"rollcall/scheduler"
)

// lackingServer is a ZooKeeper that has come back with less than the others, or with something older.
type lackingServer struct {
	t    *testing.T
	term *Term // which reads it
	node string
	was  []byte
}

// newLackingServer has a term find an old value in place of a record, nil: nothing.
func newLackingServer(t *testing.T, term *Term, r scheduler.Record, old []byte) *lackingServer {
	t.Helper()
	l := &lackingServer{t, term, term.c.path(nodeState, recordPath(r.Kind, r.Key)), append([]byte{valuePlain}, r.Value...)}
	err := term.c.conn.Delete(l.node, -1)
	if old != nil {
		_, err = term.c.conn.Create(l.node, append([]byte{valuePlain}, old...), 0, term.c.acl)
	}
	l.want(err)
	return l
}

func (l *lackingServer) want(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// leave is the move to a server that has everything.
func (l *lackingServer) leave() {
	l.t.Helper()
	if err := l.term.c.conn.Delete(l.node, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
		l.t.Fatal(err)
	}
	_, err := l.term.c.conn.Create(l.node, l.was, 0, l.term.c.acl)
	l.want(err)
}

// What one server says and another does not is read again. When all say the same it is damage, whatever is missing: no
// other record has to miss it for that. The term goes on until Lead returns, and the election for ever.
func TestReadsAgainWhatDoesNotAddUp(t *testing.T) {
	stored := []scheduler.Record{put(scheduler.KindApp, "/a", "2"), put(scheduler.KindVersion, "/a@2", "two"), put(scheduler.KindInstance, "i", "3")}
	want := map[string]string{"app /a": "2", "version /a@2": "two", "instance i": "3"}
	for name, old := range map[string][]byte{"missing": nil, "old": []byte("1")} {
		for n, r := range stored {
			t.Run(fmt.Sprint(r.Kind, " ", name), func(t *testing.T) {
				a := startRollcallThat(t, zooKeeperURL(t), "a", func(z *ZooKeeper) { z.rest = 0 })
				term := a.term(t)
				commit(t, term, stored...)

				server, moved := newLackingServer(t, term, r, old), 0
				term.move = func() {
					if moved++; moved > n {
						server.leave()
					}
				}
				if diff := cmp.Diff(want, load(t, term)); diff != "" || moved != n+1 {
					t.Errorf("after %d moves (-want +got):\n%s", moved, diff)
				}

				server, moved = newLackingServer(t, term, r, old), 0
				term.move = func() { moved++ }
				_, err := tryLoad(term)
				if !errors.Is(err, scheduler.ErrDamaged) || !strings.Contains(err.Error(), string(r.Kind)) || moved != readings-1 {
					t.Errorf("when all say the same: %v after %d moves", err, moved)
				}
				if err := term.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/b", "1")}); !errors.Is(err, scheduler.ErrDamaged) {
					t.Errorf("a commit to it: %v", err)
				}
				if !term.Valid() {
					t.Error("the term is over")
				}
				a.fail <- err
				server.term = a.term(t)
				server.leave()
				if diff := cmp.Diff(want, load(t, server.term)); diff != "" {
					t.Errorf("in the next term (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Who cannot read the state leaves the leading to others for a while, follows them meanwhile, and stands again. Nothing
// of this ends it.
func TestWhoCannotReadTheStateRests(t *testing.T) {
	for _, unreadable := range []error{scheduler.ErrDamaged, scheduler.ErrNewer} {
		url := zooKeeperURL(t)
		a := startRollcallThat(t, url, "a", func(z *ZooKeeper) { z.rest = time.Hour })
		a.term(t)
		a.follow(t, "a")
		a.fail <- fmt.Errorf("loading the state: %w", unreadable)
		a.follow(t, "")
		b := startRollcallThat(t, url, "b", func(z *ZooKeeper) { z.rest = time.Millisecond })
		b.term(t)
		a.follow(t, "b")
		b.fail <- unreadable
		b.term(t) // again, for nobody else stands
		b.stop()
		a.follow(t, "")
		a.stop()
		if err := <-a.ended; err != nil {
			t.Errorf("the election has ended: %v", err)
		}
	}
}

// The term's note as a rollcall of before wrote it says nothing of the records, and one that an operator has emptied says
// that they are to be taken as they are. From then on they are counted again.
func TestRecordsThatNobodyCounted(t *testing.T) {
	for name, note := range map[string]string{"of before": `{"leader":"x","since":"2026-11-01T00:00:00Z","commit":7}`, "emptied": ""} {
		t.Run(name, func(t *testing.T) {
			a := startRollcall(t, zooKeeperURL(t), "a")
			term := a.term(t)
			first, second := put(scheduler.KindApp, "/a", "1"), put(scheduler.KindApp, "/b", "1")
			commit(t, term, first, second)
			newLackingServer(t, term, first, nil)
			if _, err := term.c.conn.Set(term.c.path(nodeTerm), []byte(note), -1); err != nil {
				t.Fatal(err)
			}
			a.resign <- struct{}{}
			term = a.term(t)
			if diff := cmp.Diff(map[string]string{"app /b": "1"}, load(t, term)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			commit(t, term, put(scheduler.KindApp, "/c", "1"))
			newLackingServer(t, term, second, nil)
			a.resign <- struct{}{}
			term = a.term(t)
			term.move = func() {}
			if _, err := tryLoad(term); !errors.Is(err, scheduler.ErrDamaged) {
				t.Errorf("in the term after that: %v", err)
			}
		})
	}
}

// What a term gave up to store, and has seen to it that it never will be, does not count. The client says in two ways that
// the connection was lost.
func TestWhatWasNotStoredIsNotCounted(t *testing.T) {
	for _, lost := range []error{zk.ErrConnectionClosed, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}} {
		t.Run(lost.Error(), func(t *testing.T) {
			a := startRollcall(t, zooKeeperURL(t), "a")
			term := a.term(t)
			commit(t, term, put(scheduler.KindApp, "/a", "1"))
			answers := []error{lost, errors.New("this leader is gone")}
			term.multi = func(...any) (_ []zk.MultiResponse, err error) {
				err, answers = answers[0], answers[1:]
				return nil, err
			}
			if err := term.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/b", "1")}); err == nil || len(answers) > 0 {
				t.Fatalf("%v, and %d answers are left", err, len(answers))
			}
			a.resign <- struct{}{}
			if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, a.term(t))); diff != "" {
				t.Errorf("in the next term (-want +got):\n%s", diff)
			}
		})
	}
}

// Connections are lost while records are read: the session goes on elsewhere, and so does reading.
func TestLoadOverBadLink(t *testing.T) {
	url := zooKeeperURL(t)
	var ways []*link
	deaf := new(atomic.Int64)
	for range 8 {
		ways = append(ways, newLink(t, url.Servers[0], deaf))
	}
	term := startRollcall(t, urlOf(url.Path, ways...), "a").term(t)
	want := map[string]string{}
	var records []scheduler.Record
	for n := range 300 {
		r := put(scheduler.KindApp, fmt.Sprint("/", n), strings.Repeat("x", 1000))
		records = append(records, r)
		want["app "+r.Key] = string(r.Value)
	}
	commit(t, term, records...)
	cut := 0
	for n := range 16 {
		before := term.c.conn.Server()
		deaf.Store(int64(1 + 20*n))
		if got := load(t, term); !maps.Equal(got, want) {
			t.Fatalf("cut at answer %d: %d records of %d", 1+20*n, len(got), len(want))
		}
		if term.c.conn.Server() != before {
			cut++
		}
	}
	if cut < 5 {
		t.Errorf("the connection was lost %d times: too few for a test", cut)
	}
}

// A session that moves goes on at another server, and the term with it.
func TestSessionMoves(t *testing.T) {
	url := zooKeeperURL(t)
	term := startRollcall(t, urlOf(url.Path, newLink(t, url.Servers[0], nil), newLink(t, url.Servers[0], nil)), "a").term(t)
	commit(t, term, put(scheduler.KindApp, "/a", "1"))
	session, server := term.c.conn.SessionID(), term.c.conn.Server()
	term.c.conn.Move()
	for term.c.conn.Server() == server {
		term.c.conn.Exists("/") //nolint:errcheck // it fails when it is on the way while the session moves
	}
	if diff := cmp.Diff(map[string]string{"app /a": "1"}, load(t, term)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if now := term.c.conn.SessionID(); now != session {
		t.Errorf("session %x is %x now", session, now)
	}
	commit(t, term, put(scheduler.KindApp, "/a", "2"))
}

// A server whose node of the term is not that of the others lets nobody begin a term: the session moves away from it.
func TestSessionMovesWhereATermCanBegin(t *testing.T) {
	url := zooKeeperURL(t)
	before := startRollcall(t, url, "before")
	node := before.term(t).c.path(nodeTerm)
	before.stop()
	<-before.ended
	other := connectTo(t, url)
	ahead, lagging := make(chan struct{}), make(chan struct{})
	go func() { // what has been read is old by the time that it is used
		defer close(ahead)
		for {
			select {
			case <-lagging:
				return
			default:
				other.Set(node, []byte("{}"), -1) //nolint:errcheck // one more does not matter
			}
		}
	}()
	ways := []*link{newLink(t, url.Servers[0], nil), newLink(t, url.Servers[0], nil)}
	a := startRollcall(t, urlOf(url.Path, ways...), "a")
	for _, way := range ways {
		select {
		case <-way.used:
		case <-time.After(patience):
			t.Error("the session stays where it is")
		}
	}
	close(lagging)
	<-ahead
	a.term(t)
}

func TestTallyText(t *testing.T) {
	want := tally{3, 0xfedcba9876543210}
	text, err := want.MarshalText()
	if err != nil || string(text) != "3 fedcba9876543210" {
		t.Fatal(string(text), err)
	}
	var got tally
	if err := got.UnmarshalText(text); err != nil || got != want {
		t.Error(got, err)
	}
	if err := got.UnmarshalText([]byte("3")); err == nil {
		t.Error("half a tally was read")
	}
}
