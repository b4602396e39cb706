package integration

import (
	"context"
	"encoding/json"
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
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/miekg/dns"

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

const zooKeepersNetwork = "10.77.8.0/21" // hosts 8 to 15

// strike begins a fault.
func (n *nemesis) strike() {
	strikes := []struct {
		name string
		do   func() bool
	}{
		{"kill a rollcall", n.killNode}, {"restart a rollcall", n.restartNode}, {"stop a rollcall", n.stopNode},
		{"unplug a rollcall", n.unplugNode}, {"part a rollcall and ZooKeeper", n.partFromZooKeeper},
		{"lose what a rollcall sends ZooKeeper", n.deafZooKeeper}, {"part a rollcall and the masters", n.partFromMasters},
		{"part two rollcalls", n.partNodes}, {"lose packets of a rollcall", n.losePackets}, {"kill a ZooKeeper", n.killZooKeeper},
		{"stop a ZooKeeper", n.stopZooKeeper}, {"unplug a ZooKeeper", n.unplugZooKeeper}, {"kill all ZooKeepers", n.killZooKeepers},
		{"kill the leading master", n.killMaster}, {"break the masters' streams", n.breakStreams}, {"cut an agent", n.cutAgent},
		{"kill a task", n.killTask}, {"have the leader step down", n.abdicate},
	}
	s := strikes[n.random.IntN(len(strikes))]
	if s.do() {
		n.count[s.name]++
	}
}

func (n *nemesis) killNode() bool { return n.endNode(syscall.SIGKILL) }

func (n *nemesis) restartNode() bool { return n.endNode(syscall.SIGTERM) }

func (n *nemesis) endNode(signal syscall.Signal) bool {
	d := n.node()
	if d == nil {
		return false
	}
	d.away = true
	d.trust(false)
	d.process.Process.Signal(signal) //nolint:errcheck // it runs
	<-d.exited
	n.fault(fmt.Sprintf("%s ended by %v", d.host.name(), signal), 5*time.Second, func() { d.boot(); d.away = false })
	return true
}

func (n *nemesis) stopNode() bool {
	d := n.node()
	if d == nil {
		return false
	}
	d.away = true
	d.process.Process.Signal(syscall.SIGSTOP)                                                                               //nolint:errcheck // it runs
	n.fault(d.host.name()+" stopped", 12*time.Second, func() { d.process.Process.Signal(syscall.SIGCONT); d.away = false }) //nolint:errcheck // likewise
	return true
}

func (n *nemesis) unplugNode() bool {
	d := n.node()
	if d == nil {
		return false
	}
	d.away = true
	heal := n.net.unplug(d.host)
	n.fault(d.host.name()+" unplugged", 12*time.Second, func() { heal(); d.away = false })
	return true
}

// any picks a rollcall, away or not.
func (n *nemesis) any() *node { return n.nodes[n.random.IntN(len(n.nodes))] }

func (n *nemesis) partFromZooKeeper() bool {
	d := n.any()
	n.fault(d.host.name()+" and ZooKeeper parted", 12*time.Second, n.net.part(d.host.address(), zooKeepersNetwork))
	return true
}

func (n *nemesis) deafZooKeeper() bool {
	d := n.any()
	n.fault("ZooKeeper hears nothing of "+d.host.name(), 12*time.Second, n.net.drop(d.host.address(), zooKeepersNetwork, 1))
	return true
}

func (n *nemesis) partFromMasters() bool {
	d := n.any()
	n.fault(d.host.name()+" and the masters parted", 12*time.Second, n.net.part(d.host.address(), mastersNetwork))
	return true
}

func (n *nemesis) partNodes() bool {
	i := n.random.IntN(len(n.nodes))
	a, b := n.nodes[i].host, n.nodes[(i+1)%len(n.nodes)].host
	n.fault(a.name()+" and "+b.name()+" parted", 12*time.Second, n.net.part(a.address(), b.address()))
	return true
}

func (n *nemesis) losePackets() bool {
	d := n.any()
	n.fault(d.host.name()+" loses packets", 10*time.Second, n.net.drop(d.host.address(), "0.0.0.0/0", 0.3))
	return true
}

func (n *nemesis) killZooKeeper() bool {
	i := n.random.IntN(3)
	if n.z.servers[i] == nil {
		return false
	}
	n.z.killServer(i)
	n.fault(fmt.Sprintf("ZooKeeper %d killed", i+1), 8*time.Second, n.z.start)
	return true
}

func (n *nemesis) stopZooKeeper() bool {
	i := n.random.IntN(3)
	c := n.z.servers[i]
	if c == nil {
		return false
	}
	c.Process.Signal(syscall.SIGSTOP)                                                                              //nolint:errcheck // it may have ended
	n.fault(fmt.Sprintf("ZooKeeper %d stopped", i+1), 8*time.Second, func() { c.Process.Signal(syscall.SIGCONT) }) //nolint:errcheck // likewise
	return true
}

func (n *nemesis) unplugZooKeeper() bool {
	i := n.random.IntN(3)
	n.fault(fmt.Sprintf("ZooKeeper %d unplugged", i+1), 8*time.Second, n.net.unplug(host(11+i)))
	return true
}

func (n *nemesis) killZooKeepers() bool {
	n.z.kill()
	n.fault("all ZooKeepers killed", 8*time.Second, n.z.start)
	return true
}

// killMaster has the next master elected after a while; the dead one's nodes go in their own time.
func (n *nemesis) killMaster() bool {
	leader := n.cluster.Leader()
	if leader == nil || len(n.masters) < 2 {
		return false
	}
	leader.Kill()
	n.fault("the leading master killed", 3*time.Second, func() {
		i := slices.IndexFunc(n.masters, func(m *nemesisMaster) bool { return m.Master == leader })
		old := n.masters[i]
		n.masters = slices.Delete(n.masters, i, i+1)
		n.cluster.Elect(n.masters[0].Master)
		// To end a session, and to begin one, takes a ZooKeeper that serves.
		go old.session.Close()
	})
	return true
}

func (n *nemesis) breakStreams() bool {
	if leader := n.cluster.Leader(); leader != nil {
		leader.BreakStreams()
		n.note("streams broken")
		return true
	}
	return false
}

func (n *nemesis) cutAgent() bool {
	a := n.cluster.agents[n.random.IntN(len(n.cluster.agents))]
	if !n.lost.CompareAndSwap(false, true) {
		return false
	}
	a.Cut()
	n.lostAt = time.Now()
	n.fault("an agent cut off", 6*time.Second, a.Return)
	return true
}

// killTask kills a task of /fragile, which is written into the ledger by who does it.
func (n *nemesis) killTask() bool {
	for id, pid := range n.cluster.PIDs() {
		if strings.HasPrefix(id, "fragile.") && n.killProcess(id, pid) {
			n.note("%s killed", id)
			n.killed++
			return true
		}
	}
	return false
}

// killProcess kills a task that has written that it started.
func (n *nemesis) killProcess(id string, pid int) bool {
	started := false
	for _, e := range readEntries(n.t, n.book) {
		if e.task == id {
			started = e.what == "start"
		}
	}
	if !started {
		return false
	}
	book, err := os.OpenFile(n.book, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(book, "killed %s %d\n", id, time.Now().UnixNano())
		err = errors.Join(err, book.Close(), syscall.Kill(-pid, syscall.SIGKILL))
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return true
}

func (n *nemesis) abdicate() bool {
	if d := n.node(); d != nil {
		n.note("the leader is asked to step down")
		ctx, cancel := context.WithTimeout(n.t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, d.api+"/v2/leader", nil)
		if err != nil {
			n.t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			response.Body.Close()
		}
		return true
	}
	return false
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
	ctx, cancel := context.WithTimeout(n.t.Context(), calmWithin)
	defer cancel()
	until := func(what string, holds func() bool) {
		n.t.Helper()
		for !holds() {
			if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
				n.t.Fatalf("%s: it never happened that %s\n%s", when, what, strings.Join(n.log, "\n"))
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
	n.note("all is well after %s; %s leads", time.Since(began).Round(time.Millisecond), leader.host.name())
	return leader
}

// askLeader is who a rollcall says leads, "host:port"; "" when it does not.
func askLeader(ctx context.Context, api string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/v2/leader", nil)
	if err != nil {
		return ""
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var answer struct{ Leader string }
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return ""
	}
	return answer.Leader
}

// steadyAddresses asks a rollcall for the addresses of /steady.
func steadyAddresses(server string) (*dns.Msg, error) {
	m, _, err := (&dns.Client{Timeout: 2 * time.Second}).Exchange(new(dns.Msg).SetQuestion("steady.marathon.mesos.", dns.TypeA), server)
	return m, err
}

// knows says whether the rollcall has the names of /steady's three tasks.
func (d *node) knows() bool {
	m, err := steadyAddresses(d.dns)
	return err == nil && m.Rcode == dns.RcodeSuccess && len(m.Answer) == 3
}

// watchNames holds each answer of a rollcall against what it should be: three addresses, or two while an agent is lost. A rollcall that was started anew and has not
// heard of a leader yet may say that it does not know (SERVFAIL); it may not say that there is no such name.
func (n *nemesis) watchNames(ctx context.Context, d *node) {
	asked := 0
	for ctx.Err() == nil {
		strict, least := d.strict.Load(), 3
		if n.lost.Load() {
			least = 2
		}
		m, err := steadyAddresses(d.host.address() + ":53")
		wrong := err == nil && (m.Rcode != dns.RcodeSuccess || len(m.Answer) < least && !n.lost.Load())
		ignorant := err == nil && m.Rcode == dns.RcodeServerFailure && (strict%2 == 0 || d.strict.Load() != strict)
		if wrong && !ignorant {
			n.clients.fault("%s answers at %s: %v", d.host.name(), time.Now().Format(time.StampMilli), m)
		}
		if err == nil {
			asked++
		}
		pause(ctx, 5*time.Millisecond)
	}
	if asked == 0 {
		n.clients.fault("%s never answered", d.host.name())
	}
}

// term is who led from when on, at the latest.
type term struct {
	leader string // IP address
	seen   time.Time
}

// watchTerms looks who leads by ZooKeeper. What it returns waits for the end, and tells.
func (n *nemesis) watchTerms(ctx context.Context, working *sync.WaitGroup) func() []term {
	var out []term
	conn, _, err := zk.Connect(n.z.clients, 10*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		n.t.Fatal(err)
	}
	done := make(chan struct{})
	context.AfterFunc(ctx, conn.Close)
	working.Go(func() {
		defer close(done)
		urls := map[string]string{} // by id
		var last string
		for ; ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
			data, _, err := conn.Get("/rollcall/term")
			var note struct {
				Leader string
				Since  time.Time
			}
			if err != nil || json.Unmarshal(data, &note) != nil || last == note.Leader+note.Since.String() {
				continue
			}
			if urls[note.Leader] == "" {
				names, _, err := conn.Children("/rollcall/candidates")
				if err != nil {
					continue
				}
				for _, name := range names {
					var member struct{ ID, URL string }
					if data, _, err := conn.Get("/rollcall/candidates/" + name); err == nil && json.Unmarshal(data, &member) == nil {
						host, _, _ := strings.Cut(strings.TrimPrefix(member.URL, "http://"), ":")
						urls[member.ID] = host
					}
				}
			}
			if host := urls[note.Leader]; host != "" {
				last = note.Leader + note.Since.String()
				out = append(out, term{host, time.Now()})
			}
		}
	})
	return func() []term { <-done; return out }
}

// judgeTerms wants each call that a master carried out to come from who led at that time.
func (n *nemesis) judgeTerms(terms []term) {
	n.t.Helper()
	calls := n.cluster.Calls()
	for i, from := range terms {
		to := time.Now()
		if i+1 < len(terms) {
			to = terms[i+1].seen
		}
		for _, c := range calls {
			// The next term may have begun before it was seen.
			next := i+1 < len(terms) && c.From == terms[i+1].leader
			if c.At.After(from.seen) && c.At.Before(to) && c.From != from.leader && !next {
				n.t.Errorf("%s had %s done at %s (%v), although %s has led since %s", c.From, c.Type, c.At.Format(time.StampMilli),
					c.Tasks, from.leader, from.seen.Format(time.StampMilli))
			}
		}
	}
	n.t.Logf("%d terms, %d calls", len(terms), len(calls))
}

// judge holds what happened against what may happen.
func (n *nemesis) judge() {
	t := n.t
	status, answer := n.clients.ask(t.Context(), http.MethodGet, "/v2/apps", "")
	var all struct{ Apps []struct{ ID string } }
	if status != http.StatusOK || json.Unmarshal(answer, &all) != nil {
		t.Fatalf("%d %s", status, answer)
	}
	there := map[string]bool{}
	for _, a := range all.Apps {
		there[a.ID] = true
	}
	n.clients.check(there)
	entries := map[string][]entry{}
	for _, e := range readEntries(t, n.book) {
		entries[e.app()] = append(entries[e.app()], e)
	}
	show := map[string]bool{}
	for app, r := range map[string]rules{
		"steady":  {most: 3, always: 3},
		"fragile": {most: fragileMost, always: fragileMost, faults: n.faults, patched: patchedWithin},
		// As with Marathon, to stop a task that is out of reach is to forget it; it ends when it is back.
		// One that is scaled up again has tasks that end beside those that begin.
		"scaled": {most: 2 * scaledMost, stops: true, doubts: n.doubts},
	} {
		for _, breach := range r.breaches(entries[app], time.Now()) {
			t.Errorf("/%s: %s", app, breach)
			show[app] = true
		}
	}
	for _, wrong := range n.clients.wrong[:min(len(n.clients.wrong), 20)] {
		t.Error(wrong)
	}
	if n.clients.told["PUT 200"] == 0 || n.clients.told["GET 200"] == 0 {
		t.Error("no client was ever served")
	}
	t.Logf("faults: %v; %d of /fragile's tasks killed; answers: %v; the register: %d of %d writes acknowledged; started: steady %d, fragile %d, scaled %d",
		n.count, n.killed, n.clients.told, n.clients.acknowledged, n.clients.written, starts(entries["steady"]), starts(entries["fragile"]), starts(entries["scaled"]))
	for app := range show {
		for _, e := range entries[app] {
			n.log = append(n.log, fmt.Sprintf("%s %s %s", e.at.Format("15:04:05.000"), e.what, e.task))
		}
	}
	if slices.Sort(n.log); t.Failed() {
		t.Logf("what the nemesis did:\n%s", strings.Join(n.log, "\n"))
	}
}

func starts(entries []entry) int {
	count := 0
	for _, e := range entries {
		if e.what == "start" {
			count++
		}
	}
	return count
}
