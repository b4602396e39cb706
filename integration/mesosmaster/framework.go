package mesosmaster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// framework is a scheduler, as the leading master knows it.
type framework struct {
	id         string
	info       object // its FrameworkInfo; nil while it has not come back
	roles      []string
	stream     *stream // nil: not connected
	suppressed bool
	filters    map[string]time.Time // agents that are not offered until then
	registered time.Time
	cancel     func() // breaks the stream's connection
}

// framework returns a framework, which may not have come back yet.
func (m *Master) framework(id string) *framework {
	f := m.frameworks[id]
	if f == nil {
		f = &framework{id: id, filters: map[string]time.Time{}}
		m.frameworks[id] = f
	}
	return f
}

func (f *framework) send(event object) {
	if f.stream != nil {
		f.stream.send(event)
	}
}

func (f *framework) breakStream() {
	f.cancel()
	f.stream = nil
}

// call is what is read of a call.
type call struct {
	Type        string  `json:"type"`
	FrameworkID wrapped `json:"framework_id"`
	Subscribe   struct {
		FrameworkInfo frameworkInfo `json:"framework_info"`
		info          object        // the same, whole
	} `json:"subscribe"`
	Accept struct {
		OfferIDs   []wrapped `json:"offer_ids"`
		Operations []struct {
			Type   string `json:"type"`
			Launch struct {
				TaskInfos []taskInfo `json:"task_infos"`
			} `json:"launch"`
		} `json:"operations"`
		Filters filters `json:"filters"`
	} `json:"accept"`
	Decline struct {
		OfferIDs []wrapped `json:"offer_ids"`
		Filters  filters   `json:"filters"`
	} `json:"decline"`
	Kill struct {
		TaskID  wrapped `json:"task_id"`
		AgentID wrapped `json:"agent_id"`
	} `json:"kill"`
	Acknowledge struct {
		AgentID wrapped `json:"agent_id"`
		TaskID  wrapped `json:"task_id"`
		UUID    string  `json:"uuid"`
	} `json:"acknowledge"`
	Reconcile struct {
		Tasks []struct {
			TaskID  wrapped `json:"task_id"`
			AgentID wrapped `json:"agent_id"`
		} `json:"tasks"`
	} `json:"reconcile"`
}

// filters refuse resources for a while: 5 s where the framework does not say.
type filters struct {
	RefuseSeconds *json.Number `json:"refuse_seconds"`
}

func (f filters) until() time.Time {
	refuse := 5.0
	if f.RefuseSeconds != nil {
		if n, err := f.RefuseSeconds.Float64(); err == nil && n >= 0 {
			refuse = min(n, 365*24*60*60)
		}
	}
	return time.Now().Add(duration(refuse))
}

func (m *Master) serveScheduler(w http.ResponseWriter, r *http.Request, body []byte) {
	var c call
	if err := checkCall(r, body, &c); err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	if c.Type == "SUBSCRIBE" {
		m.subscribe(w, r, &c)
		return
	}
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	f, id := m.frameworks[c.FrameworkID.Value], r.Header.Get("Mesos-Stream-Id")
	switch {
	case f == nil || f.info == nil:
		plain(w, http.StatusBadRequest, "Framework cannot be found")
	case f.stream == nil:
		plain(w, http.StatusForbidden, "Framework is not subscribed")
	case id == "":
		plain(w, http.StatusBadRequest, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")
	case id != f.stream.id:
		plain(w, http.StatusBadRequest, fmt.Sprintf("The stream ID '%s' included in this request didn't match the stream ID "+
			"currently associated with framework ID %s", id, f.id))
	default:
		m.cluster.record(r, &c)
		m.call(f, &c)
		w.WriteHeader(http.StatusAccepted)
	}
}

// subscribe begins a stream. One that the framework had before ends.
func (m *Master) subscribe(w http.ResponseWriter, r *http.Request, c *call) {
	info := &c.Subscribe.FrameworkInfo
	s := newStream()
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Mesos-Stream-Id"] = []string{s.id}
	m.cluster.mu.Lock()
	id := info.ID.Value
	if m.cluster.leader != m || m.dead {
		m.cluster.mu.Unlock()
		plain(w, http.StatusServiceUnavailable, "No leader elected")
		return
	}
	if err := m.refuse(info); err != nil {
		m.cluster.mu.Unlock()
		s.send(object{"type": "ERROR", "error": object{"message": err.Error()}})
		s.end()
		s.serve(w, r, m.cluster.options.Cut)
		return
	}
	if id == "" {
		id = fmt.Sprintf("%s-%04d", m.id, m.nextID)
		m.nextID++
	}
	m.cluster.record(r, c)
	m.connect(m.framework(id), s, c.Subscribe.info, info.Roles, w)
	m.cluster.mu.Unlock()

	stop := make(chan struct{})
	go m.beat(s, stop)
	s.serve(w, r, m.cluster.options.Cut)
	close(stop)
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	if f := m.frameworks[id]; f != nil && f.stream == s {
		f.stream = nil
		m.voidOffers(f)
	}
}

// refuse says why a framework may not subscribe.
func (m *Master) refuse(info *frameworkInfo) error {
	if err := info.validate(); err != nil {
		return err
	}
	if m.cluster.removed[info.ID.Value] {
		return errors.New("Framework has been removed") //nolint:staticcheck // Mesos's words
	}
	f := m.frameworks[info.ID.Value]
	if was := ""; f != nil && f.info != nil {
		if was, _ = f.info["principal"].(string); was != info.Principal {
			return errors.New("Changing framework's principal is not allowed.") //nolint:staticcheck // likewise
		}
	}
	return nil
}

// connect makes a stream that of a framework.
func (m *Master) connect(f *framework, s *stream, info object, roles []string, w http.ResponseWriter) {
	added := f.info == nil
	if f.stream != nil {
		f.send(object{"type": "ERROR", "error": object{"message": "Framework failed over"}})
		f.stream.end()
	}
	m.voidOffers(f)
	info["id"] = value(f.id)
	f.stream, f.info, f.roles, f.suppressed, f.registered = s, info, roles, false, time.Now()
	f.filters = map[string]time.Time{}
	controller := http.NewResponseController(w)
	f.cancel = func() { controller.SetWriteDeadline(time.Unix(1, 0)) } //nolint:errcheck // the stream ends one way or the other
	f.send(object{"type": "SUBSCRIBED", "subscribed": object{"framework_id": value(f.id),
		"heartbeat_interval_seconds": m.cluster.options.Heartbeat.Seconds(), "master_info": m.info()}})
	f.send(object{"type": "HEARTBEAT"})
	kind := "FRAMEWORK_UPDATED"
	if added {
		kind = "FRAMEWORK_ADDED"
	}
	m.toOperators(object{"type": kind, lower(kind): object{"framework": f.v1()}})
	for _, a := range m.agents {
		for _, t := range a.tasks {
			if t.framework == f.id {
				m.deliver(t)
			}
		}
	}
	m.allocate()
}

// beat sends heartbeats.
func (m *Master) beat(s *stream, stop <-chan struct{}) {
	tick := time.NewTicker(m.cluster.options.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.send(object{"type": "HEARTBEAT"})
		case <-stop:
			return
		}
	}
}

// call does what a framework asks for.
func (m *Master) call(f *framework, c *call) {
	switch c.Type {
	case "ACCEPT":
		m.accept(f, c)
	case "DECLINE":
		for _, id := range c.Decline.OfferIDs {
			if o := m.takeOffer(f, id.Value); o != nil {
				f.filters[o.agent.id] = c.Decline.Filters.until()
			}
		}
	case "REVIVE":
		f.suppressed, f.filters = false, map[string]time.Time{}
		m.allocate()
	case "SUPPRESS":
		f.suppressed = true
	case "KILL":
		m.kill(f, c.Kill.TaskID.Value, c.Kill.AgentID.Value)
	case "ACKNOWLEDGE":
		a := m.agents[c.Acknowledge.AgentID.Value]
		if a == nil {
			return
		}
		if t := a.tasks[c.Acknowledge.TaskID.Value]; t != nil && len(t.pending) > 0 && t.pending[0].uuid == c.Acknowledge.UUID {
			t.pending = t.pending[1:]
			m.deliver(t)
			if terminal(t.state) && len(t.pending) == 0 {
				a.removeTask(t)
				m.remember(t)
			}
		}
	case "RECONCILE":
		for _, t := range c.Reconcile.Tasks {
			m.reconcile(f, t.TaskID.Value, t.AgentID.Value)
		}
		if len(c.Reconcile.Tasks) == 0 {
			for _, a := range m.agents {
				for id, t := range a.tasks {
					if t.framework == f.id && !terminal(t.state) {
						m.reconcile(f, id, a.id)
					}
				}
			}
		}
	case "TEARDOWN":
		m.teardown(f)
	}
}

// kill ends a task. One on an agent that is not there now is not answered.
func (m *Master) kill(f *framework, task, agent string) {
	if t := m.task(f, task); t != nil {
		t.kill()
		return
	}
	m.reconcile(f, task, agent)
}

func (m *Master) task(f *framework, id string) *task {
	if t := m.cluster.tasks[taskKey{f.id, id}]; t != nil && m.agents[t.agent.id] != nil {
		return t
	}
	return nil
}

// reconcile answers for one task. Nothing is said of those on an agent that has not come back to a new master.
func (m *Master) reconcile(f *framework, task, agent string) {
	answer := func(state, message string, agent string) object {
		status := object{"task_id": value(task), "state": state, "message": message, "source": "SOURCE_MASTER",
			"reason": "REASON_RECONCILIATION", "timestamp": seconds(time.Now())}
		if agent != "" {
			status["agent_id"] = value(agent)
		}
		return status
	}
	a := m.agents[agent]
	found := m.task(f, task)
	switch {
	case found != nil: // also one that has ended, until its last update is acknowledged
		state := found.state
		if len(found.pending) > 0 {
			state = found.pending[0].state
		}
		status := m.say(found, state, "REASON_RECONCILIATION", "Reconciliation: Latest task state")
		f.send(update(status))
	case m.recovered[agent], agent == "" && len(m.recovered) > 0: // it may be one of those that have not come back
	case m.unreached[agent] != nil:
		status := answer("TASK_UNREACHABLE", "Reconciliation: Task is unreachable", agent)
		status["unreachable_time"] = nanoseconds(time.Now())
		f.send(update(status))
	case a != nil:
		f.send(update(answer("TASK_GONE", "Reconciliation: Task is unknown to the agent", agent)))
	default:
		f.send(update(answer("TASK_UNKNOWN", "Reconciliation: Task is unknown", agent)))
	}
}

// remember keeps a task that has ended for the state.
func (m *Master) remember(t *task) {
	m.ended = append(m.ended, t)
	if len(m.ended) > 1000 {
		m.ended = slices.Clone(m.ended[len(m.ended)-1000:])
	}
}

// teardown removes a framework for good, with its tasks.
func (m *Master) teardown(f *framework) {
	m.voidOffers(f)
	for _, a := range m.agents {
		for _, t := range a.tasks {
			if t.framework != f.id {
				continue
			}
			m.operatorUpdate(t, "TASK_KILLED", m.say(t, "TASK_KILLED", "REASON_FRAMEWORK_REMOVED", "Framework "+f.id+" removed"))
			if t.process != nil {
				go t.process.end(0)
			}
			t.end("TASK_KILLED")
			a.removeTask(t)
		}
	}
	m.cluster.removed[f.id] = true
	delete(m.frameworks, f.id)
	if f.stream != nil {
		f.stream.end()
	}
	m.toOperators(object{"type": "FRAMEWORK_REMOVED", "framework_removed": object{"framework_info": f.info}})
}

// Teardown removes all frameworks, as an operator does.
func (c *Cluster) Teardown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader == nil {
		return
	}
	for _, f := range c.leader.frameworks {
		c.leader.teardown(f)
	}
}

// Frameworks are the ids of the frameworks that have been known to the leading master.
func (c *Cluster) Frameworks() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	if c.leader != nil {
		for id, f := range c.leader.frameworks {
			if f.info != nil {
				out = append(out, id)
			}
		}
	}
	return out
}
