package mesosmaster

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Master is a master. What it knows it has learned since it was elected.
type Master struct {
	cluster *Cluster
	id      string
	address netip.AddrPort
	server  *http.Server
	dead    bool
	started time.Time

	// Since it was elected.
	frameworks map[string]*framework
	agents     map[string]*Agent
	recovered  map[string]bool // agents that have not come back yet
	offers     map[string]*offer
	unreached  map[string]*Agent
	ended      []*task // as in completed_tasks, the newest 1,000
	operators  map[*stream]bool
	repeated   time.Time // when updates were last looked through
	nextID     int
	nextAgent  int
	offersMade int
}

// StartMaster starts a master that does not lead, at an address of 127.0.0.0/8 with a free port.
func (c *Cluster) StartMaster(ip string) (*Master, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, err
	}
	m := &Master{cluster: c, id: newID(), started: time.Now(), address: netip.MustParseAddrPort(listener.Addr().String())}
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	c.mu.Lock()
	c.masters = append(c.masters, m)
	c.mu.Unlock()
	go m.server.Serve(listener) //nolint:errcheck // it ends with Kill
	return m, nil
}

// Address is where the master serves, "host:port".
func (m *Master) Address() string { return m.address.String() }

// begin forgets everything, as a process that has just been elected knows nothing.
func (m *Master) begin() {
	m.id = newID()
	m.frameworks, m.agents, m.recovered = map[string]*framework{}, map[string]*Agent{}, map[string]bool{}
	m.offers, m.unreached, m.operators = map[string]*offer{}, map[string]*Agent{}, map[*stream]bool{}
	m.ended = nil
}

// Kill ends the master as SIGKILL does: its connections break. Nobody leads until Elect.
func (m *Master) Kill() {
	m.cluster.mu.Lock()
	if m.cluster.leader == m {
		m.cluster.leader = nil
	}
	m.dead = true
	m.cluster.mu.Unlock()
	m.server.Close()
}

// BreakStreams cuts the connections of all streams, as a network does.
func (m *Master) BreakStreams() {
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	for _, f := range m.frameworks {
		if f.stream != nil {
			f.breakStream()
		}
	}
}

// info is the MasterInfo.
func (m *Master) info() object {
	ip := m.address.Addr().As4()
	return object{
		"id": m.id, "ip": uint32(ip[0]) | uint32(ip[1])<<8 | uint32(ip[2])<<16 | uint32(ip[3])<<24, "port": m.address.Port(),
		"pid": "master@" + m.Address(), "hostname": m.address.Addr().String(), "version": "1.12.0",
		"address":      object{"hostname": m.address.Addr().String(), "ip": m.address.Addr().String(), "port": m.address.Port()},
		"capabilities": []object{{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {"type": "QUOTA_V2"}},
	}
}

// ServeHTTP implements http.Handler.
func (m *Master) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := "/" + strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "master/")
	m.cluster.mu.Lock()
	leader := m.cluster.leader
	m.cluster.mu.Unlock()
	if leader == nil {
		plain(w, http.StatusServiceUnavailable, "No leader elected")
		return
	}
	if leader != m {
		w.Header().Set("Location", "//"+leader.Address()+"/master"+path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	switch path {
	case "/api/v1/scheduler", "/api/v1":
		m.serveAPI(w, r, path == "/api/v1")
	case "/state":
		m.serveJSON(w, m.state)
	case "/slaves":
		m.serveJSON(w, func() object {
			out := object{"slaves": m.summary()["slaves"], "recovered_slaves": []object{}}
			if id := r.URL.Query().Get("slave_id"); id != "" {
				out["slaves"] = slices.DeleteFunc(out["slaves"].([]object), func(a object) bool { return a["id"] != id })
			}
			return out
		})
	case "/state-summary":
		m.serveJSON(w, m.summary)
	default:
		http.NotFound(w, r)
	}
}

func (m *Master) serveJSON(w http.ResponseWriter, of func() object) {
	m.cluster.mu.Lock()
	document := of()
	m.cluster.mu.Unlock()
	data := appendJSON(nil, document) // which takes long if it is large; the cluster goes on meanwhile
	w.Header().Set("Content-Type", "application/json")
	w.Write(data) //nolint:errcheck // the client sees
}

func (m *Master) serveAPI(w http.ResponseWriter, r *http.Request, operator bool) {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		plain(w, http.StatusMethodNotAllowed, fmt.Sprintf("405 Method Not Allowed. Expecting one of { 'POST' }, but received '%s'.", r.Method))
	case r.Header.Get("Content-Type") == "":
		plain(w, http.StatusBadRequest, "Expecting 'Content-Type' to be present")
	case r.Header.Get("Content-Type") != "application/json":
		plain(w, http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of application/json or application/x-protobuf")
	case operator:
		m.serveOperator(w, r, body)
	default:
		m.serveScheduler(w, r, body)
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	io.WriteString(w, text) //nolint:errcheck // the client sees
}

// register takes an agent in, with its tasks.
func (m *Master) register(a *Agent) {
	if a.id == "" {
		a.id = fmt.Sprintf("%s-S%d", m.id, m.nextAgent)
		m.nextAgent++
	}
	delete(m.recovered, a.id)
	delete(m.unreached, a.id)
	m.agents[a.id], a.unreachable = a, false
	for _, t := range a.tasks {
		m.framework(t.framework)
		m.toOperators(object{"type": "TASK_ADDED", "task_added": object{"task": t.v1()}})
	}
	m.toOperators(object{"type": "AGENT_ADDED", "agent_added": object{"agent": a.v1()}})
	for _, t := range a.tasks {
		m.deliver(t)
	}
}

// unreachable is an agent that does not answer any more.
func (m *Master) unreachable(a *Agent) {
	if m.agents[a.id] == nil {
		return
	}
	delete(m.agents, a.id)
	m.unreached[a.id], a.unreachable = a, true
	m.rescind(a)
	now := time.Now()
	for _, t := range a.tasks {
		if terminal(t.state) {
			continue
		}
		status := m.say(t, "TASK_UNREACHABLE", "REASON_AGENT_REMOVED", "health check timed out")
		delete(status, "container_status")
		status["unreachable_time"] = nanoseconds(now)
		m.toFramework(t.framework, update(status))
		m.operatorUpdate(t, "TASK_UNREACHABLE", status)
	}
	m.agentFailed(a)
}

// comeBack is an unreachable agent that is heard of again.
func (m *Master) comeBack(a *Agent) {
	_, known := m.unreached[a.id]
	m.register(a)
	if !known {
		return
	}
	for _, t := range a.tasks {
		if !terminal(t.state) {
			status := m.say(t, t.state, "REASON_AGENT_REREGISTERED", "Unreachable agent re-reregistered")
			m.toFramework(t.framework, update(status))
		}
	}
}

func (m *Master) markGone(a *Agent) {
	delete(m.agents, a.id)
	delete(m.unreached, a.id)
	m.rescind(a)
	for _, t := range a.tasks {
		if terminal(t.state) {
			continue
		}
		status := m.say(t, "TASK_GONE_BY_OPERATOR", "REASON_AGENT_REMOVED_BY_OPERATOR", "Agent has been marked gone")
		delete(status, "container_status")
		m.toFramework(t.framework, update(status))
		m.operatorUpdate(t, "TASK_GONE_BY_OPERATOR", status)
	}
	m.agentFailed(a)
}

func (m *Master) agentFailed(a *Agent) {
	for _, f := range m.frameworks {
		f.send(object{"type": "FAILURE", "failure": object{"agent_id": value(a.id)}})
	}
}

// say is a status of the master's own, which nobody has to acknowledge.
func (m *Master) say(t *task, state, reason, message string) object {
	status := t.status(state)
	status["source"], status["reason"], status["message"] = "SOURCE_MASTER", reason, message
	return status
}

// update is an UPDATE of a status, which is an object or one that has been written.
func update(status any) object {
	return object{"type": "UPDATE", "update": object{"status": status}}
}

// deliver sends a task's oldest update that is not acknowledged.
func (m *Master) deliver(t *task) {
	if len(t.pending) == 0 || m.agents[t.agent.id] == nil || t.agent.cut {
		return
	}
	t.sent = time.Now()
	event := update(t.pending[0].status)
	m.toFramework(t.framework, event)
	if f := m.frameworks[t.framework]; m.cluster.options.Late > 0 && f != nil && f.stream != nil {
		stream := f.stream
		time.AfterFunc(rand.N(m.cluster.options.Late), func() { stream.send(event) })
	}
}

// repeatUpdates sends those again that nobody has acknowledged for long.
func (m *Master) repeatUpdates() {
	if time.Since(m.repeated) < m.cluster.options.Retry/5 {
		return
	}
	m.repeated = time.Now()
	for _, a := range m.agents {
		for _, t := range a.tasks {
			if len(t.pending) > 0 && time.Since(t.sent) > m.cluster.options.Retry {
				m.deliver(t)
			}
		}
	}
}

func (m *Master) toFramework(id string, event object) {
	if f := m.frameworks[id]; f != nil {
		f.send(event)
	}
}
