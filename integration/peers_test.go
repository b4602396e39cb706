package integration

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"rollcall/integration/mesosmaster"
)

// peers are several rollcalls with a shared state.
type peers struct {
	t   *testing.T
	all []*daemon
}

// peerSession is the time-out of rollcalls' sessions at ZooKeeper, the longest that one with ticks of 500 ms gives: a leader
// that gets no processor for two thirds of it steps down, which most tests do not expect.
const peerSession = "10s"

// newPeerConfig is one of several rollcalls on a cluster whose masters ZooKeeper knows.
func newPeerConfig(t *testing.T, z *zooKeeperEnsemble) config {
	t.Helper()
	c := newMesosConfig(t.TempDir())
	delete(c, "masters")
	c["zk"] = z.url()
	c["transfer"] = map[string]any{"allow": []string{"127.0.0.0/8"}}
	c["scheduler"].(map[string]any)["zk"] = "zk://" + strings.Join(z.clients, ",") + "/rollcall"
	c["scheduler"].(map[string]any)["zkSessionTimeout"] = peerSession
	return c
}

// leader waits until one of them leads, as each of some of them sees it.
func (p *peers) leader(seenBy ...*daemon) *daemon {
	p.t.Helper()
	var found *daemon
	eventually(p.t, "all agree who leads", func() bool {
		found = nil
		seen := map[string]bool{}
		for _, d := range seenBy {
			status, _, body := d.request(http.MethodGet, "/v2/leader", "")
			if status != http.StatusOK {
				return false
			}
			seen[string(body)] = true
		}
		for _, d := range p.all {
			for body := range seen {
				if _, address, _ := strings.Cut(d.api, "://"); strings.Contains(body, `"`+address+`"`) {
					found = d
				}
			}
		}
		return len(seen) == 1 && found != nil && slices.Contains(seenBy, found)
	})
	return found
}

// others are all but some.
func (p *peers) others(but ...*daemon) []*daemon {
	return slices.DeleteFunc(slices.Clone(p.all), func(d *daemon) bool { return slices.Contains(but, d) })
}

// watcher asks a DNS server for a name again and again, and holds each answer against what it should be.
type watcher struct {
	wrong []string
	asked int
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// watchEvery is how often a watcher asks, from one socket: a socket for each question would fill the tables of a
// machine that keeps track of connections.
const watchEvery = 2 * time.Millisecond

// watch wants a number of addresses in each answer.
func watch(t *testing.T, server, name string, want int) *watcher {
	t.Helper()
	return watchAnswers(t, server, name, func(ask func() (*dns.Msg, error)) string {
		m, err := ask()
		if err != nil || m.Rcode != dns.RcodeSuccess || len(m.Answer) != want {
			return fmt.Sprintf("%v %v", err, m)
		}
		return ""
	})
}

// watchAnswers calls check with what asks for a name; it says what is wrong, "" for nothing.
func watchAnswers(t *testing.T, server, name string, check func(ask func() (*dns.Msg, error)) string) *watcher {
	t.Helper()
	client := &dns.Client{Timeout: 5 * time.Second}
	conn, err := client.Dial(server)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{stop: cancel}
	w.done.Go(func() {
		defer conn.Close()
		next := time.NewTicker(watchEvery)
		defer next.Stop()
		for ctx.Err() == nil {
			wrong := check(func() (*dns.Msg, error) {
				m, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), conn)
				return m, err
			})
			w.asked++
			if wrong != "" {
				w.wrong = append(w.wrong, wrong)
			}
			<-next.C
		}
	})
	return w
}

// end stops watching, and fails the test for answers that were wrong.
func (w *watcher) end(t *testing.T, what string) {
	t.Helper()
	w.stop()
	w.done.Wait()
	if len(w.wrong) > 0 {
		t.Errorf("%s: %d of %d answers were wrong, such as %s", what, len(w.wrong), w.asked, w.wrong[0])
	}
	if w.asked == 0 {
		t.Errorf("%s: DNS was never asked", what)
	}
}

// idleApp is an app that runs nothing; n is of no meaning.
func idleApp(n int) string {
	return fmt.Sprintf(`{"cmd": "sleep 1", "cpus": 0.01, "mem": 16, "instances": 0, "labels": {"n": "%d"}}`, n)
}

// writeAll changes an app through a rollcall again and again. No change may be refused but while there is an election.
// The function that it returns ends that.
func writeAll(t *testing.T, d *daemon, electing *atomic.Bool) (end func(what string)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	taken, refused := 0, []string(nil)
	done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			mayFail := electing.Load()
			status := d.try(http.MethodPut, "/v2/apps/idle?force=true", idleApp(n))
			switch {
			case status == http.StatusOK || status == http.StatusCreated:
				taken++
			case !mayFail && !electing.Load():
				refused = append(refused, fmt.Sprintf("%d at %s", status, time.Now().Format(time.StampMilli)))
			}
			pause(ctx, 20*time.Millisecond)
		}
	})
	return func(what string) {
		t.Helper()
		stop()
		done.Wait()
		if len(refused) > 0 || taken == 0 {
			t.Errorf("%s: %d changes were taken, these were not, although nobody was being elected: %v", what, taken, refused)
		}
	}
}

// Three rollcalls, three ZooKeepers and Mesos, and what becomes of leaders: whatever happens, no task is touched, no survivor's
// DNS misses an address, and at most one of them acts.
func TestPeers(t *testing.T) {
	z := startZooKeeper(t)
	c := newStandIn(t, mesosmaster.Options{Recovery: 300 * time.Millisecond})
	first, second := c.Leader(), c.master(t, "127.0.0.12")
	session, standby := registerMaster(t, z, first), registerMaster(t, z, second)
	defer standby.Close()
	book := filepath.Join(t.TempDir(), "ledger")
	p := &peers{t: t}
	for range 3 {
		p.all = append(p.all, start(t, newPeerConfig(t, z)))
	}
	leader := p.leader(p.all...)
	follower := p.others(leader)[0]

	// A follower has the leader answer.
	app := strings.TrimSuffix(ledgerApp("/a", book, 3), "}") + `, "constraints": [["hostname", "UNIQUE"]]}`
	follower.must(http.StatusCreated, http.MethodPost, "/v2/apps", app)
	follower.running("/a", 3)
	follower.eventually("the deployment ends", func() bool { return follower.deployments() == 0 })
	before, pids := taskIDs(leader.tasks("/a")), c.PIDs()
	if diff := cmp.Diff(before, taskIDs(follower.tasks("/a"))); diff != "" {
		t.Errorf("tasks by the leader and by a follower:\n%s", diff)
	}
	if status, header, _ := follower.request(http.MethodGet, "/v2/apps/absent", ""); status != http.StatusNotFound ||
		header.Get("X-Marathon-Leader") != leader.api {
		t.Errorf("%d by %s, want 404 by %s", status, header.Get("X-Marathon-Leader"), leader.api)
	}
	names := func(d *daemon) []string { return slices.Sorted(slices.Values(d.addresses("a.marathon.mesos"))) }
	want := names(leader)
	for _, d := range p.all {
		d.eventually("it has the names", func() bool { return slices.Equal(names(d), want) })
		host, _, err := net.SplitHostPort(strings.TrimPrefix(leader.api, "http://"))
		if got := d.addresses("marathon.mesos"); err != nil || !slices.Equal(got, []string{host}) {
			t.Errorf("marathon.mesos is %v, want %s", got, host)
		}
	}
	var zone peersZone
	zone.agree(t, "at first", p.all)
	// same checks that nothing was touched, and that the zone is the same wherever it has the same serial.
	same := func(what string, by *daemon) {
		t.Helper()
		zone.agree(t, what, slices.DeleteFunc(slices.Clone(p.all), func(d *daemon) bool {
			select {
			case <-d.exited:
				return true
			default:
				return false
			}
		}))
		if diff := cmp.Diff(before, taskIDs(by.tasks("/a"))); diff != "" {
			t.Errorf("%s: tasks (-before +after):\n%s", what, diff)
		}
		now := c.PIDs()
		maps.DeleteFunc(now, func(id string, _ int) bool { return pids[id] == 0 })
		if diff := cmp.Diff(pids, now); diff != "" {
			t.Errorf("%s: processes (-before +after):\n%s", what, diff)
		}
		if started, _ := ledger(t, book); len(started) != 3 {
			t.Errorf("%s: started were %v", what, started)
		}
	}

	t.Run("the leader steps down", func(t *testing.T) {
		w := watch(t, follower.dns, "a.marathon.mesos", 3)
		follower.must(http.StatusOK, http.MethodDelete, "/v2/leader", "")
		old := leader
		follower.eventually("another leads", func() bool { leader = p.leader(p.all...); return leader != old })
		w.end(t, "meanwhile")
		same("after it stepped down", leader)
	})

	t.Run("the leader is paused", func(t *testing.T) {
		old := leader
		survivors := p.others(old)
		w := watch(t, survivors[0].dns, "a.marathon.mesos", 3)
		if err := old.process.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		leader = p.leader(survivors...)
		leader.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/b", "cmd": "exec sleep 100000", "cpus": 0.01, "mem": 16}`)
		leader.running("/b", 1)
		if err := old.process.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		leader = p.leader(p.all...)
		if leader == old {
			t.Error("the paused leader leads again, although another was elected")
		}
		old.eventually("it follows", func() bool { return strings.Contains(old.output(), "another rollcall leads") })
		w.end(t, "meanwhile")
		same("after the pause", old)
	})

	t.Run("the leading master dies, and the leader with it", func(t *testing.T) {
		old := leader
		survivors := p.others(old)
		var watchers []*watcher
		for _, d := range survivors {
			watchers = append(watchers, watch(t, d.dns, "a.marathon.mesos", 3))
		}
		first.Kill()
		old.kill()
		c.Elect(second)
		session.Close()
		leader = p.leader(survivors...)
		for _, w := range watchers {
			w.end(t, "meanwhile")
		}
		third := c.master(t, "127.0.0.13")
		defer registerMaster(t, z, third).Close()
		survivors[0].must(http.StatusOK, http.MethodPut, "/v2/apps/b", `{"instances": 3}`)
		survivors[1].running("/b", 3)
		same("under the next master and the next leader", leader)
		old.run()
		old.eventually("it has the names", func() bool { return len(names(old)) == 3 })
		leader = p.leader(p.all...)
	})

	t.Run("ZooKeeper is slow", func(t *testing.T) {
		w := watch(t, p.others(leader)[0].dns, "a.marathon.mesos", 3)
		signal := func(s syscall.Signal) {
			for _, c := range z.servers {
				if err := c.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range 5 {
			signal(syscall.SIGSTOP)
			// Less than the lease, which is two thirds of the session's time-out.
			pause(t.Context(), time.Second)
			signal(syscall.SIGCONT)
			if status := leader.try(http.MethodPut, "/v2/apps/idle?force=true", idleApp(n)); status == 0 || status >= 300 {
				t.Errorf("a change after ZooKeeper was slow: %d", status)
			}
		}
		w.end(t, "meanwhile")
		same("after ZooKeeper was slow", p.leader(p.all...))
	})

	t.Run("ZooKeeper is away", func(t *testing.T) {
		var watchers []*watcher
		for _, d := range p.all {
			watchers = append(watchers, watch(t, d.dns, "a.marathon.mesos", 3))
		}
		steppedDown := func() int { return strings.Count(leader.output(), "this rollcall has stepped down") }
		before := steppedDown()
		z.kill()
		leader.eventually("the leader has given up", func() bool { return steppedDown() > before })
		status, _, body := leader.request(http.MethodPut, "/v2/apps/a", `{"instances": 5}`)
		if status != http.StatusBadGateway {
			t.Errorf("a change without ZooKeeper: %d %s", status, body)
		}
		z.start()
		leader = p.leader(p.all...)
		for _, w := range watchers {
			w.end(t, "meanwhile")
		}
		same("after ZooKeeper came back", leader)
	})

	t.Run("all are upgraded", func(t *testing.T) {
		for _, d := range slices.Clone(p.all) {
			other := p.others(d)[0]
			w := watch(t, other.dns, "a.marathon.mesos", 3)
			electing := new(atomic.Bool)
			electing.Store(d == leader)
			requests := writeAll(t, other, electing)
			if err := d.process.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-d.exited
			p.leader(p.others(d)...)
			electing.Store(false)
			d.run()
			leader = p.leader(p.all...)
			d.eventually("it has the names", func() bool { return len(names(d)) == 3 })
			w.end(t, "meanwhile")
			requests(d.api + " was upgraded")
			same("after an upgrade", leader)
		}
	})
}
