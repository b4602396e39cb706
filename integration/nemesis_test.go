package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"rollcall/integration/mesosmaster"
)

const (
	scaledMost  = 6
	fragileMost = 3

	// calmEvery is how long the nemesis is at it until it has to show that all is well without it.
	calmEvery = 20 * time.Second
	// calmWithin is how soon that has to be.
	calmWithin = 60 * time.Second
	// patchedWithin is how long a task may be missing while nothing is wrong.
	patchedWithin = 20 * time.Second
)

// TestNemesis has a random nemesis at three rollcalls, three ZooKeepers and a Mesos: it kills, stops, cuts, and loses
// packets, several at a time, while clients use the API and tasks write a ledger of their own. Whatever it does: no task
// is touched that need not be, none runs twice, what was acknowledged is there, one rollcall at most acts, and no answer
// of DNS is wrong.
//
// ROLLCALL_NEMESIS is how long it goes on (make nemesis), ROLLCALL_NEMESIS_SEED what it does. The same seed has the same
// faults, though what is hit by them is up to the machine.
func TestNemesis(t *testing.T) {
	if os.Getenv(insideVariable) == "" {
		requireZooKeeper(t)
		runInside(t, "iptables")
		return
	}
	length := 30 * time.Second
	if text := os.Getenv("ROLLCALL_NEMESIS"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("ROLLCALL_NEMESIS: %v", err)
		}
	}
	seed := rand.Uint64()
	if text := os.Getenv("ROLLCALL_NEMESIS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ROLLCALL_NEMESIS_SEED: %v", err)
		}
	}
	t.Logf("again: ROLLCALL_NEMESIS=%s ROLLCALL_NEMESIS_SEED=%d go test -run TestNemesis ./integration", length, seed)
	n := newNemesis(t, seed)
	n.rage(length)
	n.judge()
}

// nemesis is what the world is made of, and what is wrong with it. Its methods are for the test's own goroutine.
type nemesis struct {
	t       *testing.T
	random  *rand.Rand
	net     *network
	z       *zooKeeperEnsemble
	cluster *standInCluster
	masters []*nemesisMaster
	nodes   []*node
	clients *clients
	book    string

	lost   atomic.Bool // an agent is, or was, since all was well
	undo   []undo
	faults []span
	lostAt time.Time
	doubts []span
	count  map[string]int
	log    []string
	killed int // tasks of /fragile
	begun  time.Time
}

// node is a rollcall on a host of its own.
type node struct {
	*daemon
	host   host
	away   bool         // killed, stopped, or out of reach
	strict atomic.Int64 // odd while answers of DNS have to be right; changes with each loss of its memory
}

type nemesisMaster struct {
	*mesosmaster.Master
	ip      string
	session *zk.Conn
}

// undo ends a fault.
type undo struct {
	at   time.Time
	what string
	do   func()
	from time.Time
}

func newNemesis(t *testing.T, seed uint64) *nemesis {
	n := &nemesis{t: t, random: rand.New(rand.NewPCG(seed, 1)), count: map[string]int{}, book: filepath.Join(t.TempDir(), "ledger")}
	rollcalls, servers := []host{1, 2, 3}, []host{11, 12, 13}
	n.net = newNetwork(t, append(slices.Clone(rollcalls), servers...))
	var at [3][3]string
	var wrap [][]string
	for i, h := range servers {
		at[i] = [3]string{h.address() + ":2181", h.address() + ":2888", h.address() + ":3888"}
		wrap = append(wrap, h.enter())
	}
	n.z = startZooKeeperAt(t, at, wrap)
	n.cluster = &standInCluster{Cluster: mesosmaster.NewCluster(mesosmaster.Options{Processes: true, Dir: t.TempDir(), Retry: 2 * time.Second})}
	t.Cleanup(n.cluster.Close)
	for i := range 3 {
		n.cluster.agents = append(n.cluster.agents, n.cluster.AddAgent(mesosmaster.AgentOptions{IP: fmt.Sprintf("127.0.0.%d", i+1)}))
	}
	n.mendMasters()
	var urls []string
	for _, h := range rollcalls {
		n.addNode(h)
		urls = append(urls, "http://"+h.address()+":8080")
	}
	n.clients = newClients(seed, n.book, urls)
	return n
}

// addMaster starts a master at an address that none has.
func (n *nemesis) addMaster() {
	for i := range 9 {
		ip := fmt.Sprintf(masterAddress, i+1)
		if !slices.ContainsFunc(n.masters, func(m *nemesisMaster) bool { return m.ip == ip }) {
			m := &nemesisMaster{Master: n.cluster.master(n.t, ip), ip: ip}
			n.masters = append(n.masters, m)
			m.session = registerMaster(n.t, n.z, m.Master)
			return
		}
	}
}

func (n *nemesis) addNode(h host) {
	dir := n.t.TempDir()
	c := newMesosConfig(dir)
	delete(c, "masters")
	c["zk"], c["port"], c["httpport"], c["listener"], c["httplistener"] = n.z.url(), 53, 8123, h.address(), h.address()
	s := c["scheduler"].(map[string]any)
	s["zk"], s["zkSessionTimeout"] = "zk://"+strings.Join(n.z.clients, ",")+"/rollcall", "4s"
	s["listener"], s["hostname"], s["port"], s["anyoneOnTheNetworkMayRunCommands"] = h.address(), h.address(), 8080, true
	d := &node{host: h, daemon: &daemon{t: n.t, dir: dir}}
	d.write(c)
	n.t.Cleanup(d.cleanUp)
	d.boot()
	n.nodes = append(n.nodes, d)
}

// boot starts the rollcall on its host.
func (d *node) boot() {
	command := append(d.host.enter(), binary, "-config="+d.configPath())
	d.launch(exec.Command(command[0], command[1:]...))
}

// trust says from when on answers have to be right, and until when.
func (d *node) trust(yes bool) {
	if now := d.strict.Load(); (now%2 == 1) != yes {
		d.strict.Add(1)
	}
}

// rage does its worst for a time, while clients go on.
func (n *nemesis) rage(length time.Duration) {
	t := n.t
	leader := n.calm("at first")
	for _, app := range []string{
		recordedApp("/steady", n.book, 3, `, "constraints": [["hostname", "UNIQUE"]]`),
		recordedApp("/fragile", n.book, fragileMost, ""),
		recordedApp("/scaled", n.book, 1, ""),
		`{"id": "/register", "cmd": "sleep 1", "instances": 0, "cpus": 0.01, "mem": 16}`,
	} {
		leader.must(http.StatusCreated, http.MethodPost, "/v2/apps", app)
	}
	leader.running("/steady", 3)
	leader.running("/fragile", fragileMost)
	for _, d := range n.nodes {
		d.eventually("it has the names", d.knows)
		d.trust(true)
	}
	n.begun = time.Now()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var working sync.WaitGroup
	terms := n.watchTerms(ctx, &working)
	for _, work := range []func(context.Context){n.clients.change, n.clients.scale, n.clients.write, n.clients.read} {
		working.Go(func() { work(ctx) })
	}
	working.Go(func() { n.watchTrees(ctx) })
	for _, d := range n.nodes {
		working.Go(func() { n.watchNames(ctx, d) })
	}
	for end := time.Now().Add(length); time.Now().Before(end); {
		for pauseUntil := time.Now().Add(calmEvery); time.Now().Before(pauseUntil) && time.Now().Before(end); {
			n.strike()
			n.wait(time.Duration(n.random.IntN(3000)) * time.Millisecond)
		}
		n.heal()
		n.calm("after the nemesis")
	}
	stop()
	working.Wait()
	n.judgeTerms(terms())
}

// wait lets time pass, and ends the faults whose time is over.
func (n *nemesis) wait(d time.Duration) {
	until := time.Now().Add(d)
	for {
		slices.SortFunc(n.undo, func(a, b undo) int { return a.at.Compare(b.at) })
		if len(n.undo) == 0 || n.undo[0].at.After(until) {
			pause(n.t.Context(), time.Until(until))
			return
		}
		next := n.undo[0]
		pause(n.t.Context(), time.Until(next.at))
		n.end(next)
		n.undo = n.undo[1:]
	}
}

func (n *nemesis) end(u undo) {
	n.note("end: %s", u.what)
	u.do()
	n.faults = append(n.faults, span{u.from, time.Now()})
}

// heal ends all faults.
func (n *nemesis) heal() {
	for _, u := range n.undo {
		n.end(u)
	}
	n.undo = nil
}

func (n *nemesis) note(format string, args ...any) {
	n.log = append(n.log, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// fault has something wrong for a while.
func (n *nemesis) fault(what string, most time.Duration, end func()) {
	for_ := time.Duration(n.random.Int64N(int64(most)))
	n.note("%s for %s", what, for_.Round(time.Millisecond))
	n.undo = append(n.undo, undo{at: time.Now().Add(for_), what: what, do: end, from: time.Now()})
}

// node picks a rollcall that is not away; nil: all are.
func (n *nemesis) node() *node {
	var present []*node
	for _, d := range n.nodes {
		if !d.away {
			present = append(present, d)
		}
	}
	if len(present) == 0 {
		return nil
	}
	return present[n.random.IntN(len(present))]
}

// mendMasters ends masters whose session at ZooKeeper has expired, as those of Mesos end themselves, starts others in
// their place, and has the oldest one lead.
func (n *nemesis) mendMasters() {
	n.t.Helper()
	for i, m := range slices.Backward(n.masters) {
		var names []string
		err := errors.New("not asked")
		for deadline := time.Now().Add(calmWithin); err != nil && time.Now().Before(deadline); pause(n.t.Context(), 50*time.Millisecond) {
			names, _, err = m.session.Children("/mesos")
		}
		if err != nil {
			n.t.Fatalf("ZooKeeper does not answer: %v\n%s", err, strings.Join(n.log, "\n"))
		}
		there := slices.ContainsFunc(names, func(name string) bool {
			data, _, err := m.session.Get("/mesos/" + name)
			return err == nil && strings.Contains(string(data), m.Address())
		})
		if !there {
			n.note("the session of the master at %s had expired", m.ip)
			m.Kill()
			m.session.Close()
			n.masters = slices.Delete(n.masters, i, i+1)
		}
	}
	for len(n.masters) < 2 {
		n.addMaster()
	}
	if n.cluster.Leader() == nil {
		n.cluster.Elect(n.masters[0].Master)
	}
}

// calm wants all to be well within a time: somebody leads, changes are taken, the tasks that are wanted run, and every
// rollcall has their names. It returns who leads.
func (n *nemesis) calm(when string) *node {
	n.t.Helper()
	began := time.Now()
	n.mendMasters()
	mended := time.Now()
	ctx, cancel := context.WithTimeout(n.t.Context(), calmWithin)
	defer cancel()
	until := func(what string, holds func() bool) {
		n.t.Helper()
		for !holds() {
			if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
				n.t.Fatalf("%s: it never happened that %s\n%s", when, what, strings.Join(n.log, "\n"))
			}
			if time.Since(mended) > time.Second { // a session may expire when the worst is over
				n.mendMasters()
				mended = time.Now()
			}
		}
	}
	var leader *node
	until("all agree who leads", func() bool {
		seen := map[string]bool{}
		for _, d := range n.nodes {
			seen[askLeader(ctx, d.api)] = true
		}
		leader = nil
		for _, d := range n.nodes {
			if len(seen) == 1 && seen[strings.TrimPrefix(d.api, "http://")] {
				leader = d
			}
		}
		return leader != nil
	})
	if n.begun.IsZero() {
		return leader
	}
	until("a change is taken", func() bool {
		status, _ := n.clients.ask(ctx, http.MethodPut, "/v2/apps/calm?force=true", `{"cmd": "sleep 1", "instances": 0, "cpus": 0.01, "mem": 16}`)
		return status == http.StatusOK || status == http.StatusCreated
	})
	until("the tasks run", func() bool {
		n3 := map[string]int{}
		for id := range n.cluster.Running() {
			app, _, _ := strings.Cut(id, ".")
			n3[app]++
		}
		return n3["steady"] == 3 && n3["fragile"] == fragileMost
	})
	for _, d := range n.nodes {
		until(d.host.name()+" has the names", d.knows)
		d.trust(true)
	}
	if n.lost.CompareAndSwap(true, false) {
		n.doubts = append(n.doubts, span{n.lostAt, time.Now()})
	}
	// Until now nobody could count on anything.
	n.faults = append(n.faults, span{began, time.Now()})
	n.showTrees("all is well")
	n.note("all is well after %s; %s leads", time.Since(began).Round(time.Millisecond), leader.host.name())
	return leader
}
