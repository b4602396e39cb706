package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/scheduler"
)

// cluster is a core without loop, store or engine: requests are handled at once, and tests play the engine.
type cluster struct {
	t      testing.TB
	mu     sync.Mutex
	core   *scheduler.Core
	now    time.Time
	events *Events
	api    *API
}

func newCluster(t testing.TB, change ...func(*Options)) *cluster {
	c := &cluster{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.core = scheduler.NewCore(scheduler.DefaultLimits(), scheduler.NewState(), [32]byte{1})
	c.events = NewEvents(100, c.now)
	o := Options{Scheduler: c, Events: c.events, Now: c.time, Leader: "rollcall.example:8080", Version: "1.2.3", BuildRef: "abc",
		DefaultNetworkName: "dcos", Sandboxes: sandboxes{}, Resolver: oneName{}}
	for _, f := range change {
		f(&o)
	}
	c.events = o.Events
	c.api = New(o)
	c.step(scheduler.Registered{FrameworkID: "framework-1"})
	return c
}

func (c *cluster) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *cluster) State() *scheduler.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.State()
}

func (c *cluster) Do(_ context.Context, request scheduler.Event) (any, error) {
	replies := c.step(request)
	return replies[0].Value, replies[0].Err
}

// step handles events; a second passes.
func (c *cluster) step(events ...scheduler.Event) []scheduler.Reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	effects := c.core.Step(c.now, events...)
	c.now = c.now.Add(time.Second)
	c.events.Publish(effects.State, effects.Changed, effects.Notices)
	return effects.Replies
}

// offer makes offers of n agents.
func (c *cluster) offer(n int) {
	var offers []scheduler.Offer
	for i := range n {
		offers = append(offers, scheduler.Offer{ID: scheduler.OfferID(fmt.Sprintf("offer-%d-%d", c.time().Unix(), i)),
			AgentID: scheduler.AgentID(fmt.Sprintf("agent-%d", i)), Hostname: fmt.Sprintf("agent%d.example", i),
			Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Attributes: map[string]string{"rack": "a"},
			Resources: scheduler.Resources{CPUs: 4, Mem: 4096, Disk: 10000,
				Ports: scheduler.PortRange{{Begin: 31000, End: 31003}}}})
	}
	c.step(scheduler.OffersReceived{Offers: offers})
}

// report sends a status for each task that is in a condition.
func (c *cluster) report(in scheduler.Condition, state scheduler.TaskState, message string) {
	var events []scheduler.Event
	for i := range c.State().AllInstances() {
		if i.Condition == in {
			events = append(events, scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: i.TaskID(),
				AgentID: i.AgentID, State: state, Timestamp: c.time(), Message: message}})
		}
	}
	c.step(events...)
}

// health answers the first health check of each running task.
func (c *cluster) health(healthy bool) {
	outcome := scheduler.ProbeFailed
	if healthy {
		outcome = scheduler.ProbeSucceeded
	}
	var events []scheduler.Event
	for i := range c.State().AllInstances() {
		if i.Condition == scheduler.Running {
			events = append(events, scheduler.Probed{Probe: scheduler.Probe{Instance: i.ID, Task: i.TaskID()},
				Outcome: outcome, Cause: "connection refused"})
		}
	}
	c.step(events...)
}

// request sends a request past the network.
func (c *cluster) request(method, target, body string, header ...string) *http.Response {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	return w.Result()
}

// status sends a request and returns the answer's status and body.
func (c *cluster) status(method, target, body string, header ...string) (int, string) {
	answer := c.request(method, target, body, header...)
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

func (c *cluster) must(want int, method, target, body string) string {
	c.t.Helper()
	status, answer := c.status(method, target, body)
	if status != want {
		c.t.Fatalf("%s %s = %d %s, want %d", method, target, status, answer, want)
	}
	return answer
}

func unmarshal[T any](t testing.TB, data string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatalf("reading %s: %v", data, err)
	}
	return v
}
