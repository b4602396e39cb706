package integration

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rollcall/integration/mesosmaster"
)

// startSecureZooKeeper runs one server that takes TLS alone, from clients with a certificate, and returns its address.
func startSecureZooKeeper(t *testing.T, files certificates) string {
	t.Helper()
	requireZooKeeper(t)
	dir := t.TempDir()
	var store []byte
	for _, file := range []string{files.key, files.cert} {
		pem, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		store = append(store, pem...)
	}
	port := freePorts(t, 1)[0]
	config := fmt.Sprintf("tickTime=500\ndataDir=%[1]s\nsecureClientPort=%[2]s\nsecureClientPortAddress=127.0.0.1\nadmin.enableServer=false\n"+
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\nssl.keyStore.location=%[1]s/store.pem\nssl.keyStore.type=PEM\n"+
		"ssl.trustStore.location=%[3]s\nssl.trustStore.type=PEM\n", dir, port, files.authority)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "store.pem"), store, 0o600),
		os.WriteFile(filepath.Join(dir, "zoo.cfg"), []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("java", "-Xmx96m", "-cp", zooKeeperJar+":/usr/share/java/netty-codec.jar", // which Debian's manifest lacks
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(dir, "zoo.cfg"))
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill() //nolint:errcheck // it may have ended
		c.Wait()         //nolint:errcheck // likewise
		if t.Failed() {
			t.Logf("the log of ZooKeeper:\n%s", log.String())
		}
	})
	return net.JoinHostPort("127.0.0.1", port)
}

// Rollcalls that share a state in a ZooKeeper which takes TLS alone, and whose APIs do: all that they say to each other
// goes over TLS as well.
func TestPeersOverTLS(t *testing.T) {
	require(t, "dig")
	files := newCertificates(t)
	z := startSecureZooKeeper(t, files)
	c := newStandIn(t, mesosmaster.Options{})
	authority, err := os.ReadFile(files.authority)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	p := &peers{t: t}
	configured := func(secure map[string]any) config {
		conf := newMesosConfig(t.TempDir(), c.Leader().Address())
		conf["zkTLS"] = secure
		s := conf["scheduler"].(map[string]any)
		s["zk"], s["zkSessionTimeout"] = "zk://"+z+"/rollcall", peerSession
		s["tls"] = map[string]any{"certFile": files.cert, "keyFile": files.key}
		return conf
	}
	for range 2 {
		d := start(t, configured(map[string]any{"on": true, "caFile": files.authority, "certFile": files.cert, "keyFile": files.key}))
		d.client = client
		p.all = append(p.all, d)
	}
	leader := p.leader(p.all...)
	follower := p.others(leader)[0]
	follower.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "exec sleep 100000", "cpus": 0.01, "mem": 16, "instances": 2}`)
	follower.running("/a", 2)
	follower.eventually("the follower has the names", func() bool { return len(follower.addresses("a.marathon.mesos")) == 2 })
	if !strings.HasPrefix(leader.api, "https://") || !strings.Contains(follower.output(), "leader=https://") {
		t.Errorf("the leader is %s to the follower:\n%s", leader.api, follower.output())
	}
	w := watch(t, follower.dns, "a.marathon.mesos", 2)
	before := taskIDs(leader.tasks("/a"))
	leader.kill()
	if next := p.leader(follower); next != follower {
		t.Error("the other does not lead")
	}
	w.end(t, "meanwhile")
	if now := taskIDs(follower.running("/a", 2)); !slices.Equal(now, before) {
		t.Errorf("tasks were %v and are %v", before, now)
	}

	// Another authority's ZooKeeper is none to be trusted, and one without TLS is none at all.
	for why, secure := range map[string]map[string]any{
		"certificate signed by unknown authority": {"on": true, "caFile": newCertificates(t).authority, "certFile": files.cert, "keyFile": files.key},
		"could not connect to a server":           {"on": false},
	} {
		d := start(t, configured(secure))
		d.client = client
		d.eventually("it cannot take part: "+why, func() bool {
			return strings.Contains(d.output(), "no election: ZooKeeper does not answer") && strings.Contains(d.output(), why)
		})
		if status, _, body := d.request(http.MethodGet, "/v2/apps", ""); status != http.StatusBadGateway {
			t.Errorf("%s: %d %s", why, status, body)
		}
	}
}
