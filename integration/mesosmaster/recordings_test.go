package mesosmaster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recorded opens a file of the recordings of a real cluster.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "testdata", "mesos", name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: the recordings are not there: ", err)
	}
	return data
}

// shape collects the members of a JSON value with the kinds of their values; items of lists are one.
func shape(prefix string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		out[prefix] = "object"
		for key, member := range v {
			shape(prefix+"."+key, member, out)
		}
	case []any:
		out[prefix] = "list"
		for _, item := range v {
			shape(prefix+"[]", item, out)
		}
	default:
		out[prefix] = fmt.Sprintf("%T", v)
	}
}

// eventShapes are the shapes of events by type, those of updates by state and reason as well.
func eventShapes(t *testing.T, events [][]byte, into map[string]map[string]string) {
	t.Helper()
	for _, data := range events {
		var e map[string]any
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatalf("%v in %.200s", err, data)
		}
		kind := e["type"].(string)
		if u, ok := e["update"].(map[string]any); ok {
			status := u["status"].(map[string]any)
			kind += fmt.Sprintf(" %v %v", status["state"], status["reason"])
		}
		if into[kind] == nil {
			into[kind] = map[string]string{}
		}
		shape("", e, into[kind])
	}
}

func lines(data []byte) [][]byte {
	return slices.DeleteFunc(bytes.Split(data, []byte("\n")), func(l []byte) bool { return len(l) == 0 })
}

// client is a framework that a test has in its hands.
type client struct {
	t        *testing.T
	master   *Master
	id       string
	stream   string
	response *http.Response
	in       *bufio.Reader
	seen     [][]byte
}

func subscribe(t *testing.T, m *Master, id string, roles ...string) *client {
	t.Helper()
	info := object{"user": "root", "name": "test", "failover_timeout": 604800.0, "roles": roles, "hostname": "h",
		"checkpoint": true, "webui_url": "http://h", "capabilities": []object{{"type": "PARTITION_AWARE"}, {"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}}}
	call := object{"type": "SUBSCRIBE", "subscribe": object{"framework_info": info}}
	if id != "" {
		info["id"], call["framework_id"] = value(id), value(id)
	}
	body, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post("http://"+m.Address()+"/api/v1/scheduler", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	c := &client{t: t, master: m, stream: response.Header.Get("Mesos-Stream-Id"), response: response, in: bufio.NewReader(response.Body)}
	if response.StatusCode != http.StatusOK || c.stream == "" {
		t.Fatalf("SUBSCRIBE: %s", response.Status)
	}
	return c
}

// next is the next event.
func (c *client) next() object {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		c.t.Fatal(err)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(c.in, data); err != nil {
		c.t.Fatal(err)
	}
	c.seen = append(c.seen, data)
	var e object
	if err := json.Unmarshal(data, &e); err != nil {
		c.t.Fatal(err)
	}
	if s, ok := e["subscribed"].(object); ok {
		if id, ok := s["framework_id"].(object); ok {
			c.id = id["value"].(string)
		}
	}
	return e
}

// until reads events to the first of a type that fits.
func (c *client) until(kind string, fits func(object) bool) object {
	c.t.Helper()
	for {
		if e := c.next(); e["type"] == kind && (fits == nil || fits(e)) {
			return e
		}
	}
}

// status reads to an update with a state.
func (c *client) status(state string) object {
	c.t.Helper()
	e := c.until("UPDATE", func(e object) bool { return e["update"].(object)["status"].(object)["state"] == state })
	return e["update"].(object)["status"].(object)
}

// call makes a call that has to be answered with a status.
func (c *client) call(want int, call object) string {
	c.t.Helper()
	call["framework_id"] = value(c.id)
	body, err := json.Marshal(call)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+c.master.Address()+"/api/v1/scheduler", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.stream != "" {
		r.Header.Set("Mesos-Stream-Id", c.stream)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != want {
		c.t.Fatalf("%v: %s: %s", call["type"], response.Status, text)
	}
	return string(text)
}

func launch(offer, agent, id string, extra object) object {
	info := object{"name": "n", "task_id": value(id), "agent_id": value(agent), "command": object{"value": "sleep 1000", "shell": true},
		"resources": []object{{"name": "cpus", "type": "SCALAR", "scalar": object{"value": 0.1}},
			{"name": "mem", "type": "SCALAR", "scalar": object{"value": 32}},
			{"name": "ports", "type": "RANGES", "ranges": object{"range": []object{{"begin": 31000, "end": 31000}}}}},
		"discovery": object{"visibility": "FRAMEWORK", "name": "n", "ports": object{"ports": []object{{"number": 31000, "name": "http", "protocol": "tcp"}}}},
		"labels":    object{"labels": []object{{"key": "a", "value": "b"}}}}
	maps.Copy(info, extra)
	return object{"type": "ACCEPT", "accept": object{"offer_ids": []object{value(offer)},
		"operations": []object{{"type": "LAUNCH", "launch": object{"task_infos": []object{info}}}}, "filters": object{"refuse_seconds": 0.0}}}
}

func (c *client) acknowledge(status object) {
	c.t.Helper()
	c.call(http.StatusAccepted, object{"type": "ACKNOWLEDGE", "acknowledge": object{"agent_id": status["agent_id"],
		"task_id": status["task_id"], "uuid": status["uuid"]}})
}

// offer reads to the next offer.
func (c *client) offer() (id, agent string) {
	c.t.Helper()
	o := c.until("OFFERS", nil)["offers"].(object)["offers"].([]any)[0].(object)
	return o["id"].(object)["value"].(string), o["agent_id"].(object)["value"].(string)
}

func newTestCluster(t *testing.T, o Options, agents ...AgentOptions) (*Cluster, *Master) {
	t.Helper()
	c := NewCluster(o)
	t.Cleanup(c.Close)
	m, err := c.StartMaster("127.0.0.11")
	if err != nil {
		t.Fatal(err)
	}
	c.Elect(m)
	for _, a := range agents {
		c.AddAgent(a)
	}
	return c, m
}

// What the stand-in says has the shape of what real masters said: no member that theirs do not have, none of another
// kind, and none missing that all of theirs have.
func TestEventsHaveTheShapeOfRecordedOnes(t *testing.T) {
	real := map[string]map[string]string{}
	for _, name := range []string{"scheduler/lifecycle.events.jsonl", "scheduler/rescind-inverse-failure.events.jsonl"} {
		eventShapes(t, lines(recorded(t, name)), real)
	}
	cluster, m := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1", Attributes: map[string]string{"rack": "r1"}, Region: "eu", Zone: "a"})
	c := subscribe(t, m, "", "*")
	offer, agent := c.offer()
	c.call(http.StatusAccepted, launch(offer, agent, "t", nil))
	c.acknowledge(c.status("TASK_STARTING"))
	c.acknowledge(c.status("TASK_RUNNING"))
	c.call(http.StatusAccepted, object{"type": "RECONCILE", "reconcile": object{"tasks": []object{{"task_id": value("t")}}}})
	c.status("TASK_RUNNING")
	c.call(http.StatusAccepted, object{"type": "RECONCILE", "reconcile": object{"tasks": []object{{"task_id": value("x")}, {"task_id": value("x"), "agent_id": value(agent)}}}})
	c.status("TASK_UNKNOWN")
	c.status("TASK_GONE")
	c.call(http.StatusAccepted, launch(offer, agent, "late", nil))
	c.status("TASK_DROPPED")
	cluster.agents[0].Maintain(time.Now().Add(time.Hour), time.Minute)
	c.until("INVERSE_OFFERS", nil)
	c.offer()
	cluster.agents[0].Cut()
	c.status("TASK_UNREACHABLE")
	c.until("FAILURE", nil)
	cluster.agents[0].Return()
	c.status("TASK_RUNNING")
	c.call(http.StatusAccepted, object{"type": "KILL", "kill": object{"task_id": value("t")}})
	c.acknowledge(c.status("TASK_KILLED"))

	ours := map[string]map[string]string{}
	eventShapes(t, c.seen, ours)
	// Present in some recordings only, or of executors that the stand-in does not have.
	optional := []string{"executor_ids", "domain", "message", "unavailability", "labels", "container_status", "executor_id", "data",
		"failure.status", "update.status.agent_id"}
	for _, kind := range slices.Sorted(maps.Keys(ours)) {
		was := real[kind]
		if was == nil {
			t.Errorf("no recording has %s", kind)
			continue
		}
		compare(t, kind, was, ours[kind], optional)
	}
	for _, kind := range []string{"SUBSCRIBED", "HEARTBEAT", "OFFERS", "RESCIND", "INVERSE_OFFERS", "FAILURE", "UPDATE TASK_UNREACHABLE REASON_AGENT_REMOVED"} {
		if ours[kind] == nil {
			t.Errorf("the stand-in never said %s", kind)
		}
	}
}

func compare(t *testing.T, kind string, real, ours map[string]string, optional []string) {
	t.Helper()
	for path, is := range ours {
		if was, ok := real[path]; !ok || was != is && is != "<nil>" {
			t.Errorf("%s: %s is %s, and %q in the recordings", kind, path, is, was)
		}
	}
	for path := range real {
		if _, ok := ours[path]; !ok && !slices.ContainsFunc(optional, func(o string) bool { return strings.Contains(path, "."+o) }) {
			t.Errorf("%s: %s is missing", kind, path)
		}
	}
}

// So do the events of the operator API, and the members of the state document that the stand-in has.
func TestStateHasTheShapeOfRecordedOnes(t *testing.T) {
	real := map[string]map[string]string{}
	eventShapes(t, lines(recorded(t, "operator/events-session.events.jsonl")), real)
	cluster, m := newTestCluster(t, Options{}, AgentOptions{IP: "127.0.0.1", Attributes: map[string]string{"rack": "r1", "zone": "z1", "os": "debian"}})
	operator := &client{t: t, master: m}
	response, err := http.Post("http://"+m.Address()+"/api/v1", "application/json", strings.NewReader(`{"type":"SUBSCRIBE"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Mesos-Stream-Id") != "" {
		t.Error("an operator's stream has an id")
	}
	operator.in = bufio.NewReader(response.Body)
	c := subscribe(t, m, "", "*")
	offer, agent := c.offer()
	c.call(http.StatusAccepted, launch(offer, agent, "t", nil))
	operator.until("TASK_ADDED", nil)
	operator.until("TASK_UPDATED", nil)
	var state any
	get := func(path string) any {
		t.Helper()
		response, err := http.Get("http://" + m.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&state); err != nil {
			t.Fatal(err)
		}
		return state
	}
	ours, was := map[string]string{}, map[string]string{}
	shape("", get("/master/state"), ours)
	var document any
	if err := json.Unmarshal(recorded(t, "state-2-one-task/state.json"), &document); err != nil {
		t.Fatal(err)
	}
	shape("", document, was)
	for path, is := range ours {
		if was[path] != is && !strings.HasPrefix(path, ".slaves[].attributes.") {
			t.Errorf("state: %s is %s, and %q in the recording", path, is, was[path])
		}
	}
	cluster.Teardown()
	operator.until("FRAMEWORK_REMOVED", nil)
	shapes := map[string]map[string]string{}
	eventShapes(t, operator.seen, shapes)
	for _, kind := range slices.Sorted(maps.Keys(shapes)) {
		for path, is := range shapes[kind] {
			if got, ok := real[kind][path]; !ok || got != is {
				t.Errorf("%s: %s is %s, and %q in the recordings", kind, path, is, got)
			}
		}
	}
}
