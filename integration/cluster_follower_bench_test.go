package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkClusterFollower has two rollcalls share their state in a ZooKeeper. While the one that leads deploys as much as
// BenchmarkCluster does, the other one's DNS is asked: how long answers take, and how much later than the leader it knows
// of what is new. Then the leader is killed: how long until the other one leads, and places a task.
func BenchmarkClusterFollower(b *testing.B) {
	z := startBenchZooKeeper(b)
	c, first, second := newBenchCluster(b)
	apps := benchApps(b)
	shared := func() *daemon {
		conf := newMesosConfig(b.TempDir(), first.Address(), second.Address())
		s := conf["scheduler"].(map[string]any)
		s["zk"], s["zkSessionTimeout"] = "zk://"+z+"/rollcall", "10s"
		return start(b, conf)
	}
	leads := func(d *daemon) func() bool {
		return func() bool { return "http://"+askLeader(b.Context(), d.api) == d.api }
	}
	leader := shared()
	waitFor(b, "a rollcall leads", leads(leader))
	follower := shared()
	for b.Loop() {
		leader.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/asked", "cmd": "serve", "cpus": 0.01, "mem": 1, "instances": 3}`)
		asked := newAsker(b, follower)
		waitFor(b, "the follower has the names", func() bool { return asked.addresses("asked.marathon.mesos") == 3 })

		stop := asked.watch(b, "asked.marathon.mesos", 3)
		late := watchFreshness(b, leader, follower)
		deployed := deploy(b, c, leader, apps)
		took, behind := stop(), late()
		b.ReportMetric(deployed.Seconds(), "s/deploy")
		b.ReportMetric(leader.memory(b), "MiB/leader")
		b.ReportMetric(follower.memory(b), "MiB/follower")
		b.ReportMetric(leader.cpu(b), "cpu-s/leader")
		b.ReportMetric(follower.cpu(b), "cpu-s/follower")
		for _, of := range []struct {
			what string
			all  []time.Duration
		}{{"answer", took}, {"later", behind}} {
			if len(of.all) == 0 {
				b.Fatalf("nothing was measured: %s", of.what)
			}
			slices.Sort(of.all)
			b.ReportMetric(milliseconds(of.all[len(of.all)/2]), "ms/"+of.what+"-median")
			b.ReportMetric(milliseconds(of.all[len(of.all)*99/100]), "ms/"+of.what+"-p99")
			b.ReportMetric(milliseconds(of.all[len(of.all)-1]), "ms/"+of.what+"-longest")
		}

		began := time.Now()
		leader.kill()
		waitFor(b, "the other one leads", leads(follower))
		b.ReportMetric(time.Since(began).Seconds(), "s/killed-to-leading")
		b.ReportMetric(place(b, c, follower, "/after-failover", began).Seconds(), "s/killed-to-placement")
		if n, want := c.Count(), len(apps)*perApp+4; n < want {
			b.Errorf("%d tasks run, of %d", n, want)
		}
		if testing.Verbose() {
			b.Log(follower.output())
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// watchFreshness asks the leader for the zone's serial again and again until the function that it returns is called, which
// says how much later the follower was as far each time.
func watchFreshness(b *testing.B, leader, follower *daemon) func() []time.Duration {
	b.Helper()
	first, second := newAsker(b, leader), newAsker(b, follower)
	ctx, stop := context.WithCancel(b.Context())
	var done sync.WaitGroup
	var behind []time.Duration
	done.Go(func() {
		for ctx.Err() == nil {
			serial, ok := first.serial()
			for began := time.Now(); ok && ctx.Err() == nil; {
				if now, answered := second.serial(); answered && int32(now-serial) >= 0 { // RFC 1982
					behind = append(behind, time.Since(began))
					break
				}
				pause(ctx, time.Millisecond)
			}
			pause(ctx, 20*time.Millisecond)
		}
	})
	return func() []time.Duration {
		stop()
		done.Wait()
		return behind
	}
}

// asker asks a rollcall over one UDP socket.
type asker struct {
	client *dns.Client
	conn   *dns.Conn
}

func newAsker(b *testing.B, d *daemon) *asker {
	a := &asker{client: &dns.Client{Timeout: 5 * time.Second}}
	var err error
	if a.conn, err = a.client.Dial(d.dns); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.conn.Close() })
	return a
}

// addresses is how many addresses a name has; -1: there was no answer.
func (a *asker) addresses(name string) int {
	m, _, err := a.client.ExchangeWithConn(new(dns.Msg).SetQuestion(name+".", dns.TypeA), a.conn)
	if err != nil {
		return -1
	}
	return len(m.Answer)
}

// serial is the serial of the zone.
func (a *asker) serial() (serial uint32, ok bool) {
	m, _, err := a.client.ExchangeWithConn(new(dns.Msg).SetQuestion("mesos.", dns.TypeSOA), a.conn)
	if err != nil || len(m.Answer) == 0 {
		return 0, false
	}
	soa, ok := m.Answer[0].(*dns.SOA)
	if !ok {
		return 0, false
	}
	return soa.Serial, true
}

// watch asks for a name every 2 ms until the function that it returns is called, which says how long each answer took. All
// have to be right.
func (a *asker) watch(b *testing.B, name string, want int) func() []time.Duration {
	ctx, stop := context.WithCancel(b.Context())
	var done sync.WaitGroup
	var took []time.Duration
	var wrong []string
	done.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			m, _, err := a.client.ExchangeWithConn(new(dns.Msg).SetQuestion(name+".", dns.TypeA), a.conn)
			if err != nil || len(m.Answer) != want {
				wrong = append(wrong, fmt.Sprintf("at %s, after %v: %v %v", began.Format(time.TimeOnly), time.Since(began), err, m))
			}
			took = append(took, time.Since(began))
			pause(ctx, watchEvery)
		}
	})
	return func() []time.Duration {
		stop()
		done.Wait()
		if len(wrong) > 0 {
			b.Errorf("%d of %d answers of the follower were wrong, the first %s", len(wrong), len(took), wrong[0])
		}
		return took
	}
}

// startBenchZooKeeper runs one ZooKeeper, and says where it serves.
func startBenchZooKeeper(b *testing.B) string {
	b.Helper()
	requireZooKeeper(b)
	dir, port := b.TempDir(), freePorts(b, 1)[0]
	config := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, "tickTime=1000\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\nautopurge.purgeInterval=0\n", dir, port), 0o600); err != nil {
		b.Fatal(err)
	}
	c := exec.Command("java", "-Xmx1g", "-cp", zooKeeperJar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(c.Process.Kill(), ignoreExit(c.Wait())); err != nil {
			b.Error(err)
		}
	})
	return net.JoinHostPort("127.0.0.1", port)
}

// ignoreExit is nil for a process that was killed.
func ignoreExit(err error) error {
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return nil
	}
	return err
}
