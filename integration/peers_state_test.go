package integration

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"rollcall/integration/mesosmaster"
)

// A record is gone from the shared state. Whoever is elected notices, and does not lead; nobody ends, no task is touched,
// and DNS goes on. When the record is back somebody leads, without a word from anybody.
func TestStateThatNobodyCanUse(t *testing.T) {
	z := startZooKeeper(t)
	c := newStandIn(t, mesosmaster.Options{})
	registerMaster(t, z, c.Leader())
	p := &peers{t: t}
	for range 2 {
		p.all = append(p.all, start(t, newPeerConfig(t, z)))
	}
	leader := p.leader(p.all...)
	book := filepath.Join(t.TempDir(), "ledger")
	app := strings.TrimSuffix(ledgerApp("/a", book, 3), "}") + `, "constraints": [["hostname", "UNIQUE"]]}`
	leader.must(http.StatusCreated, http.MethodPost, "/v2/apps", app)
	leader.running("/a", 3)
	before, pids := taskIDs(leader.tasks("/a")), c.PIDs()
	var watchers []*watcher
	for _, d := range p.all {
		d.eventually("it has the names", func() bool { return len(d.addresses("a.marathon.mesos")) == 3 })
		watchers = append(watchers, watch(t, d.dns, "a.marathon.mesos", 3))
	}

	conn := z.client()
	node, value := aRecord(t, conn, "/rollcall/state/version")
	if err := conn.Delete(node, -1); err != nil {
		t.Fatal(err)
	}
	leader.must(http.StatusOK, http.MethodDelete, "/v2/leader", "")
	for _, d := range p.all {
		d.eventually("it does not lead", func() bool {
			return strings.Contains(d.output(), "this rollcall does not lead: the state cannot be used") &&
				d.metric("rollcall_peers_state_refused") == "1" && d.metric("rollcall_peers_leading") == "0"
		})
		const reason = "the state is damaged, which its log tells more of"
		if status, _, body := d.request(http.MethodGet, "/v2/apps", ""); status != http.StatusBadGateway || !strings.Contains(string(body), reason) {
			t.Errorf("apps while nobody leads: %d %s", status, body)
		}
		if status, _, body := d.request(http.MethodGet, "/readyz", ""); status != http.StatusOK || !strings.Contains(string(body), reason) {
			t.Errorf("/readyz while nobody leads: %d %s", status, body)
		}
	}
	for _, w := range watchers {
		w.end(t, "while nobody leads")
	}

	if _, err := conn.Create(node, value, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	leader = p.leader(p.all...)
	if diff := cmp.Diff(before, taskIDs(leader.tasks("/a"))); diff != "" {
		t.Errorf("tasks (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(pids, c.PIDs()); diff != "" {
		t.Errorf("processes (-before +after):\n%s", diff)
	}
	for _, d := range p.all {
		d.eventually("all is well", func() bool { return d.metric("rollcall_peers_state_refused") == "0" })
		if n := strings.Count(d.output(), "this rollcall does not lead"); n != 1 {
			t.Errorf("%s says %d times that it does not lead", d.api, n)
		}
	}
}

// aRecord is a record of a kind, as ZooKeeper has it.
func aRecord(t *testing.T, conn *zk.Conn, kind string) (node string, value []byte) {
	t.Helper()
	buckets, _, err := conn.Children(kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range slices.Sorted(slices.Values(buckets)) {
		names, _, err := conn.Children(kind + "/" + bucket)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) > 0 {
			node = kind + "/" + bucket + "/" + names[0]
			if value, _, err = conn.Get(node); err != nil {
				t.Fatal(err)
			}
			return node, value
		}
	}
	t.Fatalf("there is no record below %s", kind)
	return "", nil
}
