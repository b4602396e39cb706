package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// master is a Mesos master with the tasks of all names that are asked for. It tells of them, and of what changes, by the
// events of its operator API.
type master struct {
	*httptest.Server
	events chan string // to the one who has subscribed
}

func newMaster() *master {
	m := &master{events: make(chan string)}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	return m
}

func (m *master) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing makes it another call
	switch {
	case r.URL.Path != "/api/v1":
		http.NotFound(w, r)
	case strings.Contains(string(body), "GET_MASTER"):
		host, port, _ := strings.Cut(m.Listener.Addr().String(), ":")
		fmt.Fprintf(w, `{"type":"GET_MASTER","get_master":{"master_info":{"id":"m","address":{"ip":%q,"port":%s}}}}`, host, port)
	case strings.Contains(string(body), "SUBSCRIBE"):
		for event := snapshot(); ; {
			fmt.Fprintf(w, "%d\n%s", len(event), event)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case event = <-m.events:
			}
		}
	}
}

// changes is how many times a second a task starts or ends, each of which changes changedNames names.
const (
	changedNames = 8
	changes      = 1000 / changedNames
)

// change lets names change until the function that it returns is called.
func (m *master) change() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / changes)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			id := fmt.Sprintf("changing.%d", i/2)
			event := object{"type": "TASK_ADDED", "task_added": object{"task": task("changing", id, 31000, 0)}}
			if i%2 == 1 {
				event = object{"type": "TASK_UPDATED", "task_updated": object{"framework_id": value("f"), "state": "TASK_FINISHED",
					"status": object{"task_id": value(id), "state": "TASK_FINISHED", "timestamp": i}}}
			}
			select {
			case m.events <- encode(event):
			case <-ctx.Done():
				if i%2 == 0 {
					return // nothing is left behind
				}
				m.events <- encode(event)
				return
			}
			<-tick.C
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

type object = map[string]any

func value(id string) object { return object{"value": id} }

func encode(event object) string {
	out, err := json.Marshal(event)
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return string(out)
}

// task is a running task with a port, as events have it.
func task(name, id string, port, agent int) object {
	return object{"name": name, "task_id": value(id), "framework_id": value("f"), "state": "TASK_RUNNING",
		"agent_id": value(fmt.Sprintf("cluster-S%d", agent%agents)),
		"resources": []object{{"name": "ports", "type": "RANGES",
			"ranges": object{"range": []object{{"begin": port, "end": port}}}}}}
}

// snapshot is the event with which a subscription begins.
func snapshot() string {
	var slaves, tasks []object
	for i := range agents {
		ip := fmt.Sprintf("10.0.%d.%d", i/100, i%100+1)
		slaves = append(slaves, object{"agent_info": object{"id": value(fmt.Sprintf("cluster-S%d", i)), "hostname": ip, "port": 5051},
			"pid": "slave(1)@" + ip + ":5051", "active": true})
	}
	add := func(app string, i, agent int) {
		tasks = append(tasks, object(task(app, fmt.Sprintf("%s.%d", app, i), 31000+i, agent)))
	}
	for i := range addressNames {
		for j := range i%3 + 1 {
			add(fmt.Sprintf("app-%d", i), j, i+j*7)
		}
	}
	for i := range serviceNames {
		for j := range 3 {
			add(fmt.Sprintf("service-%d", i), j, i+j*7)
		}
	}
	return encode(object{"type": "SUBSCRIBED", "subscribed": object{"heartbeat_interval_seconds": 86400, "get_state": object{
		"get_agents":     object{"agents": slaves},
		"get_frameworks": object{"frameworks": []object{{"framework_info": object{"id": value("f"), "name": "marathon"}, "active": true}}},
		"get_tasks":      object{"tasks": tasks}}}})
}
