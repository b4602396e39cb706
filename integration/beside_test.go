package integration

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
)

// With the local engine and masters, the names of the apps and of the cluster's tasks are there beside each other.
func TestLocalSchedulerBesideAMesosCluster(t *testing.T) {
	require(t, "dig")
	master := newReplayMaster(t, "127.0.0.11")
	master.serve(recorded(t, "state-2-one-task/state.json"))
	dir := t.TempDir()
	c := newConfig(dir)
	c["masters"], c["refreshSeconds"] = []string{master.address}, 1
	c["scheduler"].(map[string]any)["framework"] = "here"
	c["scheduler"].(map[string]any)["dataDir"] = filepath.Join(dir, "data")
	d := start(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/own", "cmd": "sleep 1000", "cpus": 0.01, "mem": 32}`)
	d.eventually("the app runs", func() bool { return len(d.addresses("own.here.mesos")) == 1 })
	d.eventually("the cluster is known", func() bool { return len(d.addresses("web.marathon.mesos")) == 1 })
	if got := d.addresses("leader.mesos"); !slices.Equal(got, []string{"127.0.0.11"}) {
		t.Errorf("the leader is %v, not the master", got)
	}

	// The cluster loses its tasks; the app is not of it.
	var state map[string]any
	if err := json.Unmarshal(recorded(t, "state-2-one-task/state.json"), &state); err != nil {
		t.Fatal(err)
	}
	state["frameworks"] = []any{}
	empty, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	master.serve(empty)
	asked := master.questions()
	d.eventually("the master is asked", func() bool { return master.questions() >= asked+2 })
	d.eventually("the task is gone", func() bool { return len(d.addresses("web.marathon.mesos")) == 0 })
	if got := d.addresses("own.here.mesos"); len(got) != 1 {
		t.Errorf("the app is at %v", got)
	}
}
