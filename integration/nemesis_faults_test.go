package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

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
