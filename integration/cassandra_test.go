package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// cassandraGroup is shaped as the group of seed 001: two seeds and a node, one on each agent, that listen where
// Cassandra does and find the seeds by name. The programs stand in for Cassandra's; the entrypoint is the seed's.
const cassandraGroup = `{
  "id": "/ctrlpkw",
  "groups": [{
    "id": "/ctrlpkw/db",
    "apps": [{
      "id": "/ctrlpkw/db/cassandra-seed",
      "cmd": "exec python3 -m http.server --bind $HOST $PORT0",
      "constraints": [["hostname", "UNIQUE"]],
      "ports": [9042], "requirePorts": true,
      "env": {"SEED": "cassandra-seed.db.ctrlpkw.marathon.mesos"},
      "cpus": 0.1, "mem": 64, "instances": 2,
      "healthChecks": [{"protocol": "TCP", "gracePeriodSeconds": 30, "intervalSeconds": 1, "portIndex": 0,
        "timeoutSeconds": 5, "maxConsecutiveFailures": 30}],
      "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.2}
    }, {
      "id": "/ctrlpkw/db/cassandra",
      "cmd": "SEED=$(echo $(dig +short -p DNSPORT @DNSHOST $SEED) | tr ' ' ','); echo seeds=$SEED; exec python3 -m http.server --bind $HOST $PORT0",
      "constraints": [["hostname", "UNIQUE"]],
      "ports": [9042], "requirePorts": true,
      "dependencies": ["/ctrlpkw/db/cassandra-seed"],
      "env": {"SEED": "cassandra-seed.db.ctrlpkw.marathon.mesos"},
      "cpus": 0.1, "mem": 64, "instances": 1,
      "healthChecks": [{"protocol": "TCP", "gracePeriodSeconds": 30, "intervalSeconds": 1, "portIndex": 0,
        "timeoutSeconds": 5, "maxConsecutiveFailures": 30}],
      "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.2}
    }]
  }]
}`

func TestCassandraGroup(t *testing.T) {
	require(t, "dig", "python3")
	d := start(t, newConfig(t.TempDir()))
	host, port, _ := strings.Cut(d.dns, ":")
	d.must(http.StatusCreated, http.MethodPost, "/v2/groups",
		strings.NewReplacer("DNSPORT", port, "DNSHOST", host).Replace(cassandraGroup))

	const node, seeds = "/ctrlpkw/db/cassandra", "cassandra-seed.db.ctrlpkw.marathon.mesos"
	d.eventually("the node runs", func() bool { return len(d.tasks(node)) == 1 })
	found := d.addresses(seeds)
	if len(found) != 2 || found[0] == found[1] {
		t.Fatalf("the seeds are found at %v", found)
	}
	if dashed := d.addresses("cassandra-seed-db-ctrlpkw.marathon.mesos"); !sameSet(dashed, found) {
		t.Errorf("under the name with dashes: %v", dashed)
	}
	d.eventually("the node's entrypoint got both seeds", func() bool {
		line, ok := strings.CutPrefix(d.sandboxFile(d.tasks(node)[0].ID, "stdout"), "seeds=")
		return ok && sameSet(strings.Split(strings.TrimSpace(strings.SplitN(line, "\n", 2)[0]), ","), found)
	})

	d.eventually("the deployment is over", func() bool { return d.deployments() == 0 })
	// Six under UNIQUE on three agents: one is there, and two agents have the port taken by seeds. The rest waits, and
	// the queue says why.
	d.must(http.StatusOK, http.MethodPut, "/v2/apps"+node, `{"instances": 6}`)
	d.eventually("the queue tells why the rest waits", func() bool {
		q := d.queued(node)
		return q != nil && q.Count == 5 && q.Delay.Overdue && q.rejected("UnfulfilledConstraint") == 1 &&
			q.rejected("InsufficientPorts") == 2
	})
	if got := len(d.tasks(node)); got != 1 {
		t.Errorf("%d nodes run", got)
	}
	if n := d.deployments(); n != 1 {
		t.Errorf("%d deployments are under way", n)
	}
}

// deployments counts those under way.
func (d *daemon) deployments() int {
	d.t.Helper()
	var all []struct{ ID string }
	d.get("/v2/deployments", &all)
	return len(all)
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// queueItem is what tests read of an entry of GET /v2/queue.
type queueItem struct {
	App   struct{ ID string }
	Count int
	Delay struct {
		TimeLeftSeconds int
		Overdue         bool
	}
	ProcessedOffersSummary struct {
		RejectSummaryLastOffers []struct {
			Reason   string
			Declined int
		}
	}
}

func (q *queueItem) rejected(reason string) int {
	for _, r := range q.ProcessedOffersSummary.RejectSummaryLastOffers {
		if r.Reason == reason {
			return r.Declined
		}
	}
	return 0
}

// queued is an app's entry in the launch queue, nil when it has none.
func (d *daemon) queued(app string) *queueItem {
	d.t.Helper()
	var all struct{ Queue []queueItem }
	d.get("/v2/queue", &all)
	for _, q := range all.Queue {
		if q.App.ID == app {
			return &q
		}
	}
	return nil
}
