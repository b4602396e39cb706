package integration

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"rollcall/integration/mesosmaster"
)

// standInCluster is a stand-in Mesos cluster of one leading master and three agents, 127.0.0.1 to 127.0.0.3, on racks r1
// to r3, whose tasks are processes.
type standInCluster struct {
	*mesosmaster.Cluster
	agents []*mesosmaster.Agent
}

func newStandIn(t *testing.T, o mesosmaster.Options) *standInCluster {
	t.Helper()
	o.Processes, o.Dir = true, t.TempDir()
	c := &standInCluster{Cluster: mesosmaster.NewCluster(o)}
	t.Cleanup(c.Close)
	t.Cleanup(func() {
		if n := c.Refused(); n > 0 {
			t.Errorf("the master refused %d tasks as they were", n)
		}
	})
	c.Elect(c.master(t, "127.0.0.11"))
	for n := range 3 {
		c.agents = append(c.agents, c.AddAgent(mesosmaster.AgentOptions{IP: fmt.Sprintf("127.0.0.%d", n+1),
			Attributes: map[string]string{"rack": fmt.Sprintf("r%d", n+1)}}))
	}
	return c
}

func (c *standInCluster) master(t *testing.T, ip string) *mesosmaster.Master {
	t.Helper()
	m, err := c.StartMaster(ip)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newMesosConfig is a rollcall that runs its tasks on a cluster.
func newMesosConfig(dir string, masters ...string) config {
	c := newConfig(dir)
	c["masters"] = masters
	c["scheduler"] = map[string]any{"port": 0, "dataDir": filepath.Join(dir, "data"), "engine": "mesos"}
	return c
}

// startOnMesos runs a rollcall on a cluster.
func startOnMesos(t *testing.T, c *standInCluster) *daemon {
	t.Helper()
	return start(t, newMesosConfig(t.TempDir(), c.Leader().Address()))
}

// webApp is an app that serves HTTP at $HOST:$PORT0.
func webApp(id string, instances int, more string) string {
	return fmt.Sprintf(`{"id": %q, "cmd": "echo ok > index.html; exec busybox httpd -f -p $HOST:$PORT0", "cpus": 0.1, "mem": 32, "instances": %d,
		"portDefinitions": [{"port": 0, "name": "http", "labels": {"VIP_0": "/web:80"}}]%s}`, id, instances, more)
}

// running waits until as many tasks of an app run, and DNS has as many addresses.
func (d *daemon) running(app string, instances int) []task {
	d.t.Helper()
	d.eventually(fmt.Sprintf("%d tasks of %s run", instances, app), func() bool { return len(d.tasks(app)) == instances })
	return d.tasks(app)
}

// registerMaster writes a master's znodes once the ensemble serves.
func registerMaster(t *testing.T, z *zooKeeperEnsemble, m *mesosmaster.Master) *zk.Conn {
	t.Helper()
	z.serve()
	deadline := time.Now().Add(patience)
	for {
		session, err := m.Register(z.clients, "/mesos")
		if err == nil {
			return session
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
