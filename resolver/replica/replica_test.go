package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/records"
)

const source = "scheduler"

// newZone is one of several zones.
func newZone(t *testing.T) *records.Zone {
	t.Helper()
	z, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		t.Fatal(err)
	}
	z.Share(source)
	z.Expect(source)
	return z
}

// newLeader is one that leads; floor is the last serial of the leader before.
func newLeader(t *testing.T, floor uint32) *records.Zone {
	z := newZone(t)
	z.Lead(floor, func(serial uint32) (uint32, bool) { return serial + 100, true })
	return z
}

// until waits for a zone to have what is wanted.
func until(z *records.Zone, is func(*records.Snapshot) bool) {
	for {
		updated := z.Updated()
		if is(z.Snapshot()) {
			return
		}
		<-updated
	}
}

// same waits until a zone has the serial of another, and no provisional one.
func same(z, as *records.Zone) {
	until(z, func(s *records.Snapshot) bool { return !s.Provisional() && s.Serial() == as.Snapshot().Serial() })
}

// names are all task names of a zone with their addresses.
func names(z *records.Zone) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"web", "db", "task-0", "task-1", "task-1000", "task-2499"} {
		node := z.Snapshot().LookupName(name + ".marathon.mesos.")
		if node == nil {
			continue
		}
		var addrs []string
		for _, a := range node.RRset(records.TypeA).Addrs() {
			addrs = append(addrs, a.String())
		}
		out[name] = strings.Join(addrs, " ")
	}
	return out
}

func task(name string) records.Task {
	return records.Task{ID: name + ".1", Name: name, Framework: "marathon", AgentID: "a", State: "TASK_RUNNING"}
}

func agent(addr string) records.Agent {
	return records.Agent{ID: "a", Addrs: []netip.Addr{netip.MustParseAddr(addr)}}
}

const token = "secret"

func allow(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+token }

func serve(t *testing.T, z *records.Zone) (Leader, *httptest.Server) {
	t.Helper()
	feed := NewFeed(FeedOptions{Zone: z, Allow: allow})
	server := httptest.NewUnstartedServer(feed)
	server.Config.WriteTimeout = time.Nanosecond // as if each feed had been read for longer than any answer
	server.Start()
	t.Cleanup(func() {
		feed.Close()
		server.Close()
	})
	return Leader{server.URL, token}, server
}

// follower follows until the test ends.
func follower(t *testing.T) (f *Follower, z *records.Zone) {
	t.Helper()
	z = newZone(t)
	f = NewFollower(FollowerOptions{Zone: z, Client: http.DefaultClient, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx) //nolint:errcheck // returns nil
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f, z
}

func TestFollowing(t *testing.T) {
	leaderZone := newLeader(t, 0)
	many := records.Update{Agents: []records.Agent{agent("10.0.0.1")}}
	for i := range 2500 { // more than one part
		many.Tasks = append(many.Tasks, task(fmt.Sprint("task-", i)))
	}
	leaderZone.Update(source, many)
	leaderZone.Update("mesos", records.Update{Agents: []records.Agent{agent("10.0.0.9")}, Tasks: []records.Task{task("db")}})
	leader, _ := serve(t, leaderZone)
	f, z := follower(t)
	z.Update("mesos", records.Update{Agents: []records.Agent{agent("10.0.0.8")}, Tasks: []records.Task{task("db")}})
	f.SetLeader(leader)
	same(z, leaderZone)
	if !z.Ready() {
		t.Error("it is not ready")
	}
	leaderZone.Update(source, records.Update{TasksGone: []string{"task-1.1"}, Tasks: []records.Task{task("web")}})
	same(z, leaderZone)
	want := map[string]string{"web": "10.0.0.1", "task-0": "10.0.0.1", "task-1000": "10.0.0.1", "task-2499": "10.0.0.1", "db": "10.0.0.9"}
	if diff := cmp.Diff(want, names(z)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := f.Status(); !s.Following || s.Err != nil || s.Heard.IsZero() {
		t.Errorf("status %+v", s)
	}
}

// While nobody leads the leader's names stay, and each zone goes by its other sources; a new leader's replace them, in one
// step, under later serials.
func TestLeaderChange(t *testing.T) {
	first, second := newLeader(t, 0), newLeader(t, 100)
	first.Update(source, records.Update{Agents: []records.Agent{agent("10.0.0.1")}, Tasks: []records.Task{task("web")}})
	second.Update(source, records.Update{Agents: []records.Agent{agent("10.0.0.2")}, Tasks: []records.Task{task("web")}})
	leader, server := serve(t, first)
	f, z := follower(t)
	f.SetLeader(leader)
	same(z, first)
	z.Update("mesos", records.Update{Agents: []records.Agent{agent("10.0.0.8")}, Tasks: []records.Task{task("db")}})
	if diff := cmp.Diff(map[string]string{"web": "10.0.0.1"}, names(z)); diff != "" {
		t.Errorf("with the leader (-want +got):\n%s", diff)
	}
	server.CloseClientConnections()
	server.Listener.Close()
	until(z, (*records.Snapshot).Provisional)
	if diff := cmp.Diff(map[string]string{"web": "10.0.0.1", "db": "10.0.0.8"}, names(z)); diff != "" {
		t.Errorf("without a leader (-want +got):\n%s", diff)
	}
	own := z.Snapshot().Serial()
	next, _ := serve(t, second)
	f.SetLeader(next)
	same(z, second)
	if !records.Later(z.Snapshot().Serial(), own) {
		t.Errorf("the serial is %d with the next leader, and was %d", z.Snapshot().Serial(), own)
	}
	if diff := cmp.Diff(map[string]string{"web": "10.0.0.2"}, names(z)); diff != "" {
		t.Errorf("with the next leader (-want +got):\n%s", diff)
	}
}

// A zone that has shown serials of its own has the leader's go beyond them.
func TestLeaderIsOutrun(t *testing.T) {
	leaderZone := newLeader(t, 0)
	leaderZone.Update(source, records.Update{})
	f, z := follower(t)
	z.Update(source, records.Update{}) // as if of a leader before: it is ready
	for i := range 10 {
		z.Update("mesos", records.Update{Masters: &records.Masters{All: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 5050)}}})
	}
	own := z.Snapshot().Serial()
	if !records.Later(own, leaderZone.Snapshot().Serial()) {
		t.Fatal("there is nothing to outrun")
	}
	leader, _ := serve(t, leaderZone)
	f.SetLeader(leader)
	same(z, leaderZone)
	if !records.Later(z.Snapshot().Serial(), own) {
		t.Errorf("the serial went from %d to %d", own, z.Snapshot().Serial())
	}
}

func TestFeedRefuses(t *testing.T) {
	feed := NewFeed(FeedOptions{Zone: newZone(t), Allow: allow})
	for _, c := range []struct {
		method, token string
		want          int
	}{
		{http.MethodGet, "wrong", http.StatusForbidden},
		{http.MethodGet, "", http.StatusForbidden},
		{http.MethodPost, token, http.StatusMethodNotAllowed},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		w := httptest.NewRecorder()
		if feed.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s with token %q: %d", c.method, c.token, w.Code)
		}
	}
}

// stuck is a follower that takes nothing.
type stuck struct {
	http.ResponseWriter
	until <-chan struct{}
}

func (s stuck) Write(p []byte) (int, error) {
	<-s.until
	return len(p), nil
}

// A follower that does not read is cut off; the source does not wait for it.
func TestSlowFollowerIsCutOff(t *testing.T) {
	z := newLeader(t, 0)
	z.Update(source, records.Update{})
	feed := NewFeed(FeedOptions{Zone: z, Allow: func(*http.Request) bool { return true }})
	free, ended := make(chan struct{}), make(chan struct{})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	subscribed := make(chan struct{})
	feed.o.Allow = func(*http.Request) bool { close(subscribed); return true }
	go func() {
		defer close(ended)
		feed.ServeHTTP(stuck{httptest.NewRecorder(), free}, r)
	}()
	<-subscribed
	// The first few may come before the subscription does.
	for range 3 * waitingMost {
		z.Update(source, records.Update{})
	}
	close(free)
	<-ended
}

// silentLeader answers and says nothing more.
type silentLeader struct{ asked chan struct{} }

func (l silentLeader) RoundTrip(r *http.Request) (*http.Response, error) {
	l.asked <- struct{}{}
	body, w := io.Pipe()
	context.AfterFunc(r.Context(), func() { w.CloseWithError(r.Context().Err()) })
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

func TestSilentLeaderIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := silentLeader{make(chan struct{})}
		f := NewFollower(FollowerOptions{Zone: newZone(t), Client: &http.Client{Transport: l},
			Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		go f.Run(ctx) //nolint:errcheck // returns nil
		f.SetLeader(Leader{"http://leader.test/", token})
		<-l.asked
		began := time.Now()
		<-l.asked
		if waited := time.Since(began); waited < silence || waited > silence+retryMost {
			t.Errorf("it was asked again after %s", waited)
		}
		if s := f.Status(); s.Following || !errors.Is(s.Err, errSilent) {
			t.Errorf("status %+v", s)
		}
		cancel()
		synctest.Wait()
	})
}

// A version comes out of its parts as it went in.
func TestParts(t *testing.T) {
	u := records.Update{Reset: true, Agents: []records.Agent{agent("10.0.0.1")}, TasksGone: []string{"gone"}}
	for i := range 2001 {
		u.Tasks = append(u.Tasks, task(fmt.Sprint(i)))
	}
	serials := map[string]uint32{"mesos.": 7, "10.in-addr.arpa.": 9}
	for _, want := range []records.Version{
		{Serials: serials, Whole: true, Updates: []records.SourceUpdate{{Source: "mesos", Update: u}, {Source: source, Update: records.Update{Reset: true}}}},
		{Serials: serials, Provisional: true, Wording: "0123456789abcdef"},
		{Serials: serials, Updates: []records.SourceUpdate{{Source: source, Update: u}}},
	} {
		var a assembler
		var got *records.Version
		for _, p := range parts(want) {
			if got != nil {
				t.Fatal("there are parts behind the last one")
			}
			line, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if got, err = a.add(line); err != nil {
				t.Fatal(err)
			}
		}
		if got == nil {
			t.Fatal("the last part is none")
		}
		if diff := cmp.Diff(want, *got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func FuzzAssembler(f *testing.F) {
	f.Add([]byte(`{"source":"mesos","update":{"Reset":true,"Tasks":[{"ID":"1","Name":"web"}]},"more":true}`), []byte(`{"update":{"Tasks":[]},"serials":{"mesos.":7}}`))
	f.Add([]byte(`{}`), []byte(`{"update":null,"more":true}`))
	f.Add([]byte(`{"update":{}}`), []byte(`{"serials":{}}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var a assembler
		for _, line := range [][]byte{first, second} {
			if v, err := a.add(line); err != nil && v != nil {
				t.Error("an error and a version")
			}
		}
	})
}
