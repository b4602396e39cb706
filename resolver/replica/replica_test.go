package replica

import (
	"context"
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

	"rollcall/records"
)

const source = "scheduler"

func newZone(t *testing.T) *records.Zone {
	t.Helper()
	z, err := records.New(records.DefaultOptions("mesos"))
	if err != nil {
		t.Fatal(err)
	}
	return z
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
	feed := NewFeed(FeedOptions{Zone: z, Source: source, Allow: allow})
	server := httptest.NewServer(feed)
	t.Cleanup(func() {
		feed.Close()
		server.Close()
	})
	return Leader{server.URL, token}, server
}

// follower follows until the test ends. Updates that reach its zone are counted on told.
func follower(t *testing.T) (f *Follower, z *records.Zone, told <-chan records.Update) {
	t.Helper()
	z = newZone(t)
	updates := make(chan records.Update, 10_000)
	z.Subscribe(source, func(u records.Update) { updates <- u })
	<-updates // what was there already
	f = NewFollower(FollowerOptions{Zone: z, Source: source, Client: http.DefaultClient, Logger: slog.New(slog.DiscardHandler)})
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
	return f, z, updates
}

func TestFollowing(t *testing.T) {
	leaderZone := newZone(t)
	many := records.Update{Agents: []records.Agent{agent("10.0.0.1")}}
	for i := range 2500 { // more than one part
		many.Tasks = append(many.Tasks, task(fmt.Sprint("task-", i)))
	}
	leaderZone.Update(source, many)
	leader, _ := serve(t, leaderZone)
	f, z, told := follower(t)
	f.SetLeader(leader)
	if u := <-told; !u.Reset || len(u.Tasks) != 2500 {
		t.Errorf("the first update: reset %t, %d tasks", u.Reset, len(u.Tasks))
	}
	leaderZone.Update(source, records.Update{TasksGone: []string{"task-1.1"}, Tasks: []records.Task{task("web")}})
	<-told
	want := map[string]string{"web": "10.0.0.1", "task-0": "10.0.0.1", "task-1000": "10.0.0.1", "task-2499": "10.0.0.1"}
	if diff := cmp.Diff(want, names(z)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := f.Status(); !s.Following || s.Err != nil || s.Heard.IsZero() {
		t.Errorf("status %+v", s)
	}
}

// While nobody leads the names stay; a new leader's replace them, in one step.
func TestLeaderChange(t *testing.T) {
	first, second := newZone(t), newZone(t)
	first.Update(source, records.Update{Agents: []records.Agent{agent("10.0.0.1")}, Tasks: []records.Task{task("web"), task("db")}})
	second.Update(source, records.Update{Agents: []records.Agent{agent("10.0.0.2")}, Tasks: []records.Task{task("web")}})
	leader, server := serve(t, first)
	f, z, told := follower(t)
	f.SetLeader(leader)
	<-told
	server.CloseClientConnections()
	server.Listener.Close()
	f.SetLeader(Leader{})
	if diff := cmp.Diff(map[string]string{"web": "10.0.0.1", "db": "10.0.0.1"}, names(z)); diff != "" {
		t.Errorf("without a leader (-want +got):\n%s", diff)
	}
	next, _ := serve(t, second)
	f.SetLeader(next)
	<-told
	if diff := cmp.Diff(map[string]string{"web": "10.0.0.2"}, names(z)); diff != "" {
		t.Errorf("with the next leader (-want +got):\n%s", diff)
	}
}

func TestFeedRefuses(t *testing.T) {
	leader, _ := serve(t, newZone(t))
	for _, c := range []struct {
		method, token string
		want          int
	}{
		{http.MethodGet, "wrong", http.StatusForbidden},
		{http.MethodGet, "", http.StatusForbidden},
		{http.MethodPost, token, http.StatusMethodNotAllowed},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, leader.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s with token %q: %s", c.method, c.token, response.Status)
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
	z := newZone(t)
	feed := NewFeed(FeedOptions{Zone: z, Source: source, Allow: func(*http.Request) bool { return true }})
	until, ended := make(chan struct{}), make(chan struct{})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	subscribed := make(chan struct{})
	feed.o.Allow = func(*http.Request) bool { close(subscribed); return true }
	go func() {
		defer close(ended)
		feed.ServeHTTP(stuck{httptest.NewRecorder(), until}, r)
	}()
	<-subscribed
	// The first few may come before the subscription does.
	for range 3 * waitingMost {
		z.Update(source, records.Update{})
	}
	close(until)
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
		f := NewFollower(FollowerOptions{Zone: newZone(t), Source: source, Client: &http.Client{Transport: l},
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

func FuzzAssembler(f *testing.F) {
	f.Add([]byte(`{"update":{"Reset":true,"Tasks":[{"ID":"1","Name":"web"}]},"more":true}`), []byte(`{"update":{"Tasks":[]}}`))
	f.Add([]byte(`{}`), []byte(`{"update":null,"more":true}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var a assembler
		for _, line := range [][]byte{first, second} {
			if u, err := a.add(line); err != nil && u != nil {
				t.Error("an error and an update")
			}
		}
	})
}
