package integration

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"rollcall/integration/mesosmaster"
)

// Agents that are lost have their tasks replaced; one that comes back does not run a task too many for long.
func TestAgentsLostOnMesos(t *testing.T) {
	require(t, "dig")
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 3,
		"constraints": [["hostname", "MAX_PER", "2"]]}`)
	tasks := d.running("/a", 3)
	lost := tasks[0]
	for _, a := range c.agents {
		if c.Tasks()[lost.ID] == a.ID() {
			a.Cut()
			defer a.Return()
		}
	}
	d.eventually("DNS does not lead to the lost agent", func() bool { return !slices.Contains(d.addresses("a.marathon.mesos"), lost.Host) })
	d.eventually("the task is replaced", func() bool {
		now := d.tasks("/a")
		return len(now) == 3 && !slices.Contains(taskIDs(now), lost.ID)
	})
	for _, a := range c.agents {
		a.Return()
	}
	d.eventually("the task that came back is killed", func() bool { return len(c.Tasks()) == 3 && c.Tasks()[lost.ID] == "" })
}

// Where many agents are lost at once, their tasks are not replaced before somebody says that they are gone.
func TestMassLossOnMesos(t *testing.T) {
	c := newStandIn(t, mesosmaster.Options{})
	d := startOnMesos(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 6}`)
	d.running("/a", 6) // two on each agent, since they are spread
	var losses struct {
		Agents int
		Held   bool
	}
	c.agents[0].Cut()
	c.agents[1].Cut()
	d.eventually("the brake is on", func() bool { d.get("/rollcall/losses", &losses); return losses.Held && losses.Agents == 2 })
	// The first loss may have been by itself for a moment; what the second one took is not replaced.
	if n := len(d.tasks("/a")); n > 4 {
		t.Errorf("%d tasks run", n)
	}
	d.must(http.StatusOK, http.MethodPost, "/rollcall/losses/confirm", "")
	d.running("/a", 6)
	d.get("/rollcall/losses", &losses)
	if losses.Held {
		t.Error("the brake is still on")
	}
}

// Resources that are reserved for a role of the framework are used, first of all; agents under maintenance are not.
func TestRolesAndMaintenanceOnMesos(t *testing.T) {
	c := mesosmaster.NewCluster(mesosmaster.Options{})
	t.Cleanup(c.Close)
	m, err := c.StartMaster("127.0.0.11")
	if err != nil {
		t.Fatal(err)
	}
	c.Elect(m)
	reserved := c.AddAgent(mesosmaster.AgentOptions{IP: "127.0.0.1", Reserved: []mesosmaster.Reserve{{Role: "dev", CPUs: 2, Mem: 1024}}})
	away := c.AddAgent(mesosmaster.AgentOptions{IP: "127.0.0.2"})
	away.Maintain(time.Now(), time.Hour)
	conf := newMesosConfig(t.TempDir(), m.Address())
	conf["scheduler"].(map[string]any)["mesos"] = map[string]any{"roles": []string{"dev"}}
	d := start(t, conf)
	app := func(id string, cpus float64, more string) {
		d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(`{"id": %q, "cmd": "sleep 1000", "cpus": %g, "mem": 32%s}`, id, cpus, more))
	}
	app("/both", 3.5, "") // 2 reserved ones and 1.5 of the others
	d.running("/both", 1)
	app("/rest", 0.5, `, "acceptedResourceRoles": ["*"]`)
	d.running("/rest", 1)
	app("/none", 0.5, `, "acceptedResourceRoles": ["dev"]`)
	d.eventually("the queue says why not", func() bool {
		q := d.queued("/none")
		return q != nil && q.declined("InsufficientCpus") > 0
	})
	for id, agent := range c.Tasks() {
		if agent != reserved.ID() {
			t.Errorf("%s runs on an agent that is away", id)
		}
	}
}

// declined is how many of the newest offers were refused for a reason.
func (q *queueItem) declined(reason string) int {
	for _, r := range q.ProcessedOffersSummary.RejectSummaryLastOffers {
		if r.Reason == reason {
			return r.Declined
		}
	}
	return 0
}
