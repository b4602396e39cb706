package mesosmaster

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The stand-in refuses what real masters refuse, in their words (scheduler/errors.jsonl, scheduler/failover.jsonl).
func TestCallsThatAreRefused(t *testing.T) {
	cluster, m := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1"})
	first := subscribe(t, m, "", "*")
	first.offer()
	post := func(contentType, body string) int {
		t.Helper()
		response, err := http.Post("http://"+m.Address()+"/api/v1/scheduler", contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if got := post("application/json; charset=utf-8", "{}"); got != http.StatusUnsupportedMediaType {
		t.Errorf("with a charset: %d", got)
	}
	if got := post("application/json", "{"); got != http.StatusBadRequest {
		t.Errorf("cut off: %d", got)
	}

	second := subscribe(t, m, first.id, "*")
	if e := first.until("ERROR", nil); e["error"].(object)["message"] != "Framework failed over" {
		t.Errorf("the first stream is told %v", e)
	}
	if _, err := first.in.ReadByte(); err != io.EOF {
		t.Errorf("the first stream ends with %v", err)
	}
	second.until("SUBSCRIBED", nil)
	if second.id != first.id {
		t.Errorf("%s became %s", first.id, second.id)
	}
	revive := object{"type": "REVIVE"}
	if got := first.call(http.StatusBadRequest, revive); !strings.Contains(got, "didn't match the stream ID") {
		t.Errorf("the first stream's call: %s", got)
	}
	second.call(http.StatusAccepted, revive)
	stranger := &client{t: t, master: m, id: "x", stream: "y"}
	if got := stranger.call(http.StatusBadRequest, revive); got != "Framework cannot be found" {
		t.Errorf("a stranger's call: %s", got)
	}

	cluster.Teardown()
	removed := subscribe(t, m, first.id, "*")
	if e := removed.next(); e["type"] != "ERROR" || e["error"].(object)["message"] != "Framework has been removed" {
		t.Errorf("after the teardown: %v", e)
	}
}

// Updates come again until they are acknowledged, and the next of a task only then.
func TestUpdatesWaitForTheirAcknowledgement(t *testing.T) {
	_, m := newTestCluster(t, Options{Retry: time.Millisecond}, AgentOptions{IP: "127.0.0.1"})
	c := subscribe(t, m, "", "*")
	offer, agent := c.offer()
	c.call(http.StatusAccepted, launch(offer, agent, "t", nil))
	update := c.status("TASK_STARTING")
	if again := c.status("TASK_STARTING"); again["uuid"] != update["uuid"] {
		t.Errorf("%v, then %v", update, again)
	}
	c.acknowledge(update)
	c.status("TASK_RUNNING")
}

// A new leader knows nothing, then agents one after the other; meanwhile it says nothing of the tasks of the others.
func TestNewLeader(t *testing.T) {
	cluster, old := newTestCluster(t, Options{Recovery: time.Hour}, AgentOptions{IP: "127.0.0.1"})
	c := subscribe(t, old, "", "*")
	offer, agent := c.offer()
	c.call(http.StatusAccepted, launch(offer, agent, "t", nil))
	next, err := cluster.StartMaster("127.0.0.12")
	if err != nil {
		t.Fatal(err)
	}
	status := func(m *Master) (int, string) {
		t.Helper()
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.Get("http://" + m.Address() + "/state")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode, response.Header.Get("Location")
	}
	if code, location := status(next); code != http.StatusTemporaryRedirect || location != "//"+old.Address()+"/master/state" {
		t.Errorf("%d to %q", code, location)
	}
	old.Kill()
	if code, _ := status(next); code != http.StatusServiceUnavailable {
		t.Errorf("without a leader: %d", code)
	}
	cluster.Elect(next)
	again := subscribe(t, next, c.id, "*")
	again.until("SUBSCRIBED", nil)
	reconcile := func(task, agent string) {
		again.call(http.StatusAccepted, object{"type": "RECONCILE", "reconcile": object{"tasks": []object{{"task_id": value(task), "agent_id": value(agent)}}}})
	}
	reconcile("t", agent)
	reconcile("other", "elsewhere")
	if e := again.until("UPDATE", nil); e["update"].(object)["status"].(object)["task_id"].(object)["value"] != "other" {
		t.Errorf("told of a task whose agent has not come back: %v", e)
	}
	if code, _ := status(next); code != http.StatusOK {
		t.Errorf("the new leader's state: %d", code)
	}
	cluster.mu.Lock()
	next.register(cluster.agents[0])
	cluster.mu.Unlock()
	if s := again.status("TASK_STARTING"); s["uuid"] == nil {
		t.Errorf("the update that nobody acknowledged is %v", s)
	}
}

// That an agent cannot be reached is in the registry, which a new leader reads.
func TestNewLeaderKnowsUnreachableAgents(t *testing.T) {
	cluster, old := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1"})
	c := subscribe(t, old, "", "*")
	offer, agent := c.offer()
	c.call(http.StatusAccepted, launch(offer, agent, "t", nil))
	cluster.agents[0].Cut()
	c.status("TASK_UNREACHABLE")
	next, err := cluster.StartMaster("127.0.0.12")
	if err != nil {
		t.Fatal(err)
	}
	old.Kill()
	cluster.Elect(next)
	again := subscribe(t, next, c.id, "*")
	again.until("SUBSCRIBED", nil)
	again.call(http.StatusAccepted, object{"type": "RECONCILE", "reconcile": object{"tasks": []object{{"task_id": value("t"), "agent_id": value(agent)}}}})
	again.status("TASK_UNREACHABLE")
	cluster.agents[0].Return()
	if s := again.status("TASK_STARTING"); s["uuid"] == nil {
		t.Errorf("when the agent is back: %v", s)
	}
}

// Of a task that has ended the master tells what the framework has not acknowledged, not that it does not know it.
func TestReconcileBeforeAcknowledgement(t *testing.T) {
	cluster, m := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1"})
	c := subscribe(t, m, "", "*")
	offer, agent := c.offer()
	c.call(http.StatusAccepted, launch(offer, agent, "t", nil))
	c.acknowledge(c.status("TASK_STARTING"))
	running := c.status("TASK_RUNNING")
	if err := cluster.Fail("t", "of itself"); err != nil {
		t.Fatal(err)
	}
	reconcile := object{"type": "RECONCILE", "reconcile": object{"tasks": []object{{"task_id": value("t")}}}}
	c.call(http.StatusAccepted, reconcile)
	if s := c.status("TASK_RUNNING"); s["reason"] != "REASON_RECONCILIATION" {
		t.Errorf("reconciled as %v", s)
	}
	c.acknowledge(running)
	failed := c.status("TASK_FAILED")
	c.call(http.StatusAccepted, reconcile)
	if s := c.status("TASK_FAILED"); s["reason"] != "REASON_RECONCILIATION" {
		t.Errorf("reconciled as %v", s)
	}
	c.acknowledge(failed)
	c.call(http.StatusAccepted, reconcile)
	c.status("TASK_UNKNOWN")
}
