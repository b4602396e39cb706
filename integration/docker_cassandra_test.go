package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const (
	cassandraSeed = "/ctrlpkw/db/cassandra-seed"
	cassandraNode = "/ctrlpkw/db/cassandra"
	cassandraName = "cassandra-seed.db.ctrlpkw.marathon.mesos"
)

// cassandraRuns waits for seed 001's database: two seeds and a node, all of which found the seeds.
func cassandraRuns(t *testing.T, d *daemon) {
	t.Helper()
	d.eventually("the seeds are found", func() bool { return len(d.addresses(cassandraName)) == 2 })
	seeds := d.addresses(cassandraName)
	d.eventually("all know the seeds", func() bool {
		tasks := slices.Concat(d.tasks(cassandraSeed), d.tasks(cassandraNode))
		return len(tasks) == 3 && !slices.ContainsFunc(tasks, func(k task) bool {
			return !sameSet(strings.Split(d.line(k.ID, "seeds="), ","), seeds)
		})
	})
	for _, k := range d.tasks(cassandraNode) {
		if slices.Contains(seeds, k.Host) {
			t.Errorf("the node is at %s, as a seed", k.Host)
		}
		d.eventually("it listens where Cassandra does", func() bool { return httpAt(t, k.Host+":9042") == k.ID })
	}
}

// cassandraNested is seed 001's database as it was posted: a group among apps.
func cassandraNested(t *testing.T, e *dockerEngine) {
	d := e.start("mesos")
	status, header, answer := d.request(http.MethodPost, "/v2/groups", string(seed(t, "001-cassandra-group-nested-apps.json")))
	if status != http.StatusCreated || !strings.Contains(header.Get("Warning"), "taken as one") {
		t.Fatalf("POST = %d, warning %q: %s", status, header.Get("Warning"), answer)
	}
	cassandraRuns(t, d)

	// More nodes than there are agents without a seed: the rest waits.
	d.eventually("the deployment is over", func() bool { return d.deployments() == 0 })
	d.must(http.StatusOK, http.MethodPut, "/v2/apps"+cassandraNode, string(seed(t, "001-scale-cassandra.json")))
	d.eventually("the queue tells why the rest waits", func() bool {
		q := d.queued(cassandraNode)
		return q != nil && q.Count == 5 && q.rejected("InsufficientPorts") == 2
	})
}

// cassandraCluster is all of seed 001: the database and the application that uses it.
func cassandraCluster(t *testing.T, e *dockerEngine) {
	d := e.start("mesos")
	d.must(http.StatusCreated, http.MethodPost, "/v2/groups", string(seed(t, "001-ctrlpkw_cluster.fixed.json")))
	cassandraRuns(t, d)
	const app = "/ctrlpkw/app/ctrlpkw"
	seeds := d.addresses(cassandraName)
	d.eventually("the application found its database", func() bool {
		tasks := d.tasks(app)
		return len(tasks) == 1 && sameSet(strings.Split(d.line(tasks[0].ID, "contacts="), ","), seeds)
	})
	d.eventually("all are healthy, and the deployment is over", func() bool { return d.deployments() == 0 })
	fields := d.dig("+short", "_ctrlpkw.app.ctrlpkw._tcp.marathon.mesos", "SRV")
	k := d.tasks(app)[0]
	if len(fields) == 0 {
		fields = d.dig("+short", "_ctrlpkw-app-ctrlpkw._tcp.marathon.mesos", "SRV")
	}
	if len(fields) != 4 || len(d.addresses(fields[3])) != 1 {
		t.Fatalf("the application's SRV record is %v", fields)
	}
	if got := httpAt(t, d.addresses(fields[3])[0]+":"+fields[2]); got != k.ID {
		t.Errorf("there, %q answers", got)
	}
}
