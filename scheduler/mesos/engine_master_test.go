package mesos

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// schedulerMaster is a master of the scheduler API that a test has in its hands.
type schedulerMaster struct {
	*httptest.Server
	calls chan v1Call // all but SUBSCRIBE
	asked chan string // the framework ids of SUBSCRIBEs

	mu       sync.Mutex
	answer   func(v1Call) (int, string) // to a call; nil: 202
	redirect string
	refuse   *refusal // of a SUBSCRIBE; nil: none
	hangUp   bool     // on who subscribes
	first    []string // what a stream begins with; nil: SUBSCRIBED
	streams  []chan string
}

// refusal is how a SUBSCRIBE is refused.
type refusal struct {
	status int
	text   string
}

func newSchedulerMaster(t *testing.T) *schedulerMaster {
	m := &schedulerMaster{calls: make(chan v1Call, 100), asked: make(chan string, 100)}
	m.Server = httptest.NewServer(m)
	t.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

func (m *schedulerMaster) address() string { return strings.TrimPrefix(m.URL, "http://") }

func (m *schedulerMaster) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *schedulerMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var c v1Call
	err := json.Unmarshal(body, &c)
	m.mu.Lock()
	answer, redirect, first, hangUp, refuse := m.answer, m.redirect, m.first, m.hangUp, m.refuse
	m.mu.Unlock()
	switch {
	case redirect != "":
		w.Header().Set("Location", "//"+redirect+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case err != nil || r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusUnsupportedMediaType)
	case c.Type != callSubscribe:
		status, text := http.StatusAccepted, ""
		if r.Header.Get("Mesos-Stream-Id") == "" || c.FrameworkID == nil {
			status, text = http.StatusBadRequest, "no Mesos-Stream-Id"
		} else if answer != nil {
			status, text = answer(c)
		}
		w.WriteHeader(status)
		io.WriteString(w, text) //nolint:errcheck // the client sees
		m.calls <- c
	case refuse != nil:
		w.WriteHeader(refuse.status)
		io.WriteString(w, refuse.text) //nolint:errcheck // the client sees
	default:
		m.asked <- c.FrameworkID.text()
		if hangUp {
			panic(http.ErrAbortHandler)
		}
		events := make(chan string, 100)
		m.mu.Lock()
		m.streams = append(m.streams, events)
		w.Header().Set("Mesos-Stream-Id", fmt.Sprint(len(m.streams)))
		m.mu.Unlock()
		if first == nil {
			first = []string{subscribedAs("f-0000")}
		}
		for _, e := range first {
			io.WriteString(w, framed(e)) //nolint:errcheck // likewise
		}
		w.(http.Flusher).Flush()
		if strings.Contains(first[0], "ERROR") {
			return
		}
		for {
			select {
			case e, ok := <-events:
				if !ok {
					return
				}
				io.WriteString(w, framed(e)) //nolint:errcheck // likewise
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func subscribedAs(id string) string {
	return fmt.Sprintf(`{"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":%q},"heartbeat_interval_seconds":15,
		"master_info":{"address":{"ip":"127.0.0.1","port":1},"domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"a"}}}}}}`, id)
}

// last is the stream that began last.
func (m *schedulerMaster) last() chan string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams[len(m.streams)-1]
}

// call is the next call, of a kind; "": any.
func (m *schedulerMaster) call(t *testing.T, kind string) v1Call {
	t.Helper()
	for {
		select {
		case c := <-m.calls:
			if c.Type == kind || kind == "" {
				return c
			}
			t.Fatalf("the call is %s, not %s", c.Type, kind)
		case <-time.After(30 * time.Second):
			t.Fatalf("no call %s", kind)
		}
	}
}

// subscriptions is how many streams there were.
func (m *schedulerMaster) subscriptions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.streams)
}

const offerOfOne = `{"type":"OFFERS","offers":{"offers":[{"id":{"value":"O1"},"agent_id":{"value":"S1"},"hostname":"h",
	"url":{"address":{"ip":"10.0.0.1"}},"allocation_info":{"role":"*"},"domain":{"fault_domain":{"region":{"name":"us"},"zone":{"name":"b"}}},
	"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"allocation_info":{"role":"*"}},
	{"name":"mem","type":"SCALAR","scalar":{"value":100},"allocation_info":{"role":"*"}},
	{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31009}]},"allocation_info":{"role":"*"}}]}]}}`

func statusUpdate(task, state, uuid string) string {
	return fmt.Sprintf(`{"type":"UPDATE","update":{"status":{"task_id":{"value":%q},"state":%q,"agent_id":{"value":"S1"},"uuid":%q}}}`, task, state, uuid)
}
