package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

const zooKeeperJar = "/usr/share/java/zookeeper.jar"

// zooKeeperEnsemble is a ZooKeeper of three servers, of Debian's package.
type zooKeeperEnsemble struct {
	t       *testing.T
	dir     string
	clients []string    // where each serves
	wrap    [][]string  // what each is started by; nil: by nothing
	servers []*exec.Cmd // nil: it does not run
	serves  []bool      // it has answered since it was started
}

// requireZooKeeper is require for Debian's package.
func requireZooKeeper(t testing.TB) {
	t.Helper()
	require(t, "java")
	if _, err := os.Stat(zooKeeperJar); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: make deps installs it", err)
		}
		t.Skipf("SKIPPED: %v: make deps installs it", err)
	}
}

// startZooKeeper runs an ensemble until the test ends.
func startZooKeeper(t *testing.T) *zooKeeperEnsemble {
	t.Helper()
	var at [3][3]string
	for i, ports := range [][]string{freePorts(t, 3), freePorts(t, 3), freePorts(t, 3)} {
		for n, port := range ports {
			at[i][n] = net.JoinHostPort("127.0.0.1", port)
		}
	}
	return startZooKeeperAt(t, at, make([][]string, 3))
}

// startZooKeeperAt runs an ensemble whose servers each have three addresses: for clients, for their leader, and for its
// election. Each is started by a command of its own.
func startZooKeeperAt(t *testing.T, at [3][3]string, wrap [][]string) *zooKeeperEnsemble {
	t.Helper()
	requireZooKeeper(t)
	z := &zooKeeperEnsemble{t: t, dir: t.TempDir(), wrap: wrap, servers: make([]*exec.Cmd, 3), serves: make([]bool, 3)}
	var members strings.Builder
	for i, addresses := range at {
		z.clients = append(z.clients, addresses[0])
		_, election, _ := net.SplitHostPort(addresses[2])
		fmt.Fprintf(&members, "server.%d=%s:%s\n", i+1, addresses[1], election)
	}
	for i, client := range z.clients {
		data := filepath.Join(z.dir, fmt.Sprint(i+1))
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		host, port, _ := net.SplitHostPort(client)
		config := fmt.Sprintf("tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir=%s\nclientPort=%s\nclientPortAddress=%s\n"+
			"admin.enableServer=false\n%s", data, port, host, members.String())
		if err := errors.Join(os.WriteFile(filepath.Join(data, "myid"), []byte(fmt.Sprint(i+1)), 0o600),
			os.WriteFile(filepath.Join(data, "zoo.cfg"), []byte(config), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	z.start()
	t.Cleanup(z.kill)
	return z
}

// freePorts are ports of 127.0.0.1 that nobody has at the moment.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		out = append(out, port)
	}
	return out
}

// start starts the servers that do not run, with the data that they have.
func (z *zooKeeperEnsemble) start() {
	z.t.Helper()
	for i := range z.clients {
		if z.servers[i] == nil {
			z.startServer(i)
		}
	}
}

func (z *zooKeeperEnsemble) startServer(i int) {
	z.t.Helper()
	data := filepath.Join(z.dir, fmt.Sprint(i+1))
	log, err := os.OpenFile(filepath.Join(data, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		z.t.Fatal(err)
	}
	defer log.Close()
	command := append(slices.Clone(z.wrap[i]), "java", "-Xmx96m", "-cp", zooKeeperJar, "-Dzookeeper.fsync.warningthresholdms=10000",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(data, "zoo.cfg"))
	c := exec.Command(command[0], command[1:]...)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		z.t.Fatal(err)
	}
	z.servers[i], z.serves[i] = c, false
}

// serve waits until each server that runs has answered, unless one takes long. One that is being started takes connections
// before that and says nothing, for which the client would wait longer than a test does.
func (z *zooKeeperEnsemble) serve() {
	deadline := time.Now().Add(patience / 4)
	for i, server := range z.servers {
		for server != nil && !z.serves[i] && time.Now().Before(deadline) {
			if z.serves[i] = strings.Contains(zooKeeperState(z.clients[i]), "Mode:"); !z.serves[i] {
				pause(z.t.Context(), 20*time.Millisecond)
			}
		}
	}
}

// zooKeeperState is what a server says of itself; "": nothing.
func zooKeeperState(address string) string {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
		return ""
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return ""
	}
	said, _ := io.ReadAll(conn)
	return string(said)
}

// kill ends all servers at once.
func (z *zooKeeperEnsemble) kill() {
	for i := range z.servers {
		z.killServer(i)
	}
}

func (z *zooKeeperEnsemble) killServer(i int) {
	if c := z.servers[i]; c != nil {
		c.Process.Kill() //nolint:errcheck // it may have ended
		c.Wait()         //nolint:errcheck // likewise
		z.servers[i] = nil
	}
}

// url is that of the masters' znodes.
func (z *zooKeeperEnsemble) url() string { return "zk://" + strings.Join(z.clients, ",") + "/mesos" }

// quiet drops the messages of the ZooKeeper client.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// client is a session that writes what masters write.
func (z *zooKeeperEnsemble) client() *zk.Conn {
	z.t.Helper()
	z.serve()
	conn, _, err := zk.Connect(z.clients, 10*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		z.t.Fatal(err)
	}
	z.t.Cleanup(conn.Close)
	return conn
}

// register writes a master's znode as the master does; it goes away with the session.
func register(t *testing.T, conn *zk.Conn, address string) (znode string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	info := fmt.Sprintf(`{"address":{"hostname":%q,"ip":%q,"port":%s},"hostname":%q,"id":"m","ip":1,"port":1}`, host, host, port, host)
	deadline := time.Now().Add(patience)
	for {
		_, err := conn.Create("/mesos", nil, 0, zk.WorldACL(zk.PermAll))
		if err == nil || errors.Is(err, zk.ErrNodeExists) {
			znode, err = conn.Create("/mesos/json.info_", []byte(info), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
			if err == nil {
				return znode
			}
		}
		// The servers may be electing one of them yet.
		if time.Now().After(deadline) {
			t.Fatalf("registering a master: %v", err)
		}
	}
}

// The names follow the leading master from one to the next; without ZooKeeper they stay as they were. Through the
// recorded change of the leader the name of a task that runs all the time is never missing.
func TestZooKeeperNamesFollowTheLeader(t *testing.T) {
	require(t, "dig")
	z := startZooKeeper(t)
	before := recorded(t, "zk/state-after-failover/state.json") // as the cluster was before, too
	const name = "survivor.zkfw.mesos"

	one, two := newReplayMaster(t, "127.0.0.11"), newReplayMaster(t, "127.0.0.12")
	one.serve(before)
	two.serve(recorded(t, "zk/new-leader-state-0.json"))
	first, second := z.client(), z.client()
	register(t, first, one.address)
	register(t, second, two.address)
	d := startDNSOnly(t, config{"zk": z.url(), "refreshSeconds": 1})
	d.eventually("the first master leads", func() bool { return slices.Equal(d.addresses("leader.mesos"), []string{"127.0.0.11"}) })
	d.eventually("its tasks are known", func() bool { return len(d.addresses(name)) == 1 })

	missing := watchName(d, name)
	first.Close() // its znode goes at once: with a crash it would after the session's time-out
	one.stop()
	d.eventually("the second master leads", func() bool { return slices.Equal(d.addresses("leader.mesos"), []string{"127.0.0.12"}) })
	for i := 1; i <= 3; i++ {
		asked := two.questions()
		d.eventually("the new leader is asked", func() bool { return two.questions() >= asked+2 })
		two.serve(recorded(t, fmt.Sprintf("zk/new-leader-state-%d.json", i)))
	}
	asked := two.questions()
	d.eventually("the new leader is asked", func() bool { return two.questions() >= asked+2 })
	if n := missing(); n != 0 {
		t.Errorf("%s was missing from %d answers while the leader changed", name, n)
	}

	// ZooKeeper is gone: what is known stays, and goes on to be asked for.
	missing = watchName(d, name)
	z.kill()
	d.eventually("rollcall notices", func() bool { return strings.Contains(d.output(), "the connection to ZooKeeper is lost") })
	asked = two.questions()
	d.eventually("the master is asked without ZooKeeper", func() bool { return two.questions() >= asked+2 })
	if got := d.addresses("leader.mesos"); !slices.Equal(got, []string{"127.0.0.12"}) {
		t.Errorf("without ZooKeeper the leader is %v", got)
	}

	// It is back: the next election is seen.
	z.start()
	d.eventually("rollcall notices", func() bool {
		return strings.Contains(d.output(), "ZooKeeper tells of the Mesos masters again")
	})
	if n := missing(); n != 0 {
		t.Errorf("%s was missing from %d answers while ZooKeeper was away", name, n)
	}
	three := newReplayMaster(t, "127.0.0.13")
	three.serve(recorded(t, "state-2-one-task/state.json"))
	third := z.client()
	register(t, third, three.address)
	second.Close()
	d.eventually("the third master leads", func() bool { return slices.Equal(d.addresses("leader.mesos"), []string{"127.0.0.13"}) })
	d.eventually("its tasks are known", func() bool { return len(d.addresses("web.marathon.mesos")) == 1 })
}

// watchName asks for a name all the time, until the function it returns is called, which says how often there was no
// answer.
func watchName(d *daemon, name string) (missing func() int) {
	host, port, _ := strings.Cut(d.dns, ":")
	stop := make(chan struct{})
	var wait sync.WaitGroup
	n := 0
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			out, err := exec.Command("dig", "-p", port, "@"+host, "+short", "+tries=1", "+time=5", name).Output()
			if err != nil || strings.TrimSpace(string(out)) == "" {
				n++
			}
		}
	})
	return func() int {
		close(stop)
		wait.Wait()
		return n
	}
}
