package mesosmaster

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

func lower(kind string) string { return strings.ToLower(kind) }

func (m *Master) toOperators(event object) {
	if len(m.operators) == 0 {
		return
	}
	data := framed(event)
	for s := range m.operators {
		s.put(data)
	}
}

// operatorUpdate tells operators of a status as update does.
func (m *Master) operatorUpdate(t *task, state string, status any) {
	m.toOperators(object{"type": "TASK_UPDATED", "task_updated": object{"framework_id": value(t.framework), "status": status, "state": state}})
}

// serveOperator serves the v1 operator API, as far as rollcall uses it.
func (m *Master) serveOperator(w http.ResponseWriter, r *http.Request, body []byte) {
	var c struct{ Type string }
	if err := json.Unmarshal(body, &c); err != nil {
		plain(w, http.StatusBadRequest, "Failed to parse body into JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch c.Type {
	case "GET_MASTER":
		m.serveJSON(w, func() object {
			return object{"type": "GET_MASTER", "get_master": object{"master_info": m.info(), "start_time": seconds(m.started),
				"elected_time": seconds(m.started)}}
		})
	case "SUBSCRIBE":
		s := newStream()
		m.cluster.mu.Lock()
		state := m.v1()
		s.send(object{"type": "HEARTBEAT"})
		m.operators[s] = true
		m.cluster.mu.Unlock()
		// A large state takes long to write; the cluster goes on meanwhile.
		s.begin(object{"type": "SUBSCRIBED", "subscribed": object{"get_state": state,
			"heartbeat_interval_seconds": m.cluster.options.Heartbeat.Seconds()}})
		stop := make(chan struct{})
		go m.beat(s, stop)
		s.serve(w, r, m.cluster.options.Cut)
		close(stop)
		m.cluster.mu.Lock()
		delete(m.operators, s)
		m.cluster.mu.Unlock()
	default:
		plain(w, http.StatusBadRequest, "Failed to validate master::Call: Expecting 'type' to be present")
	}
}

// v1 is the state as GET_STATE has it.
func (m *Master) v1() object {
	tasks, unreachable, ended := []object{}, []object{}, []object{}
	frameworks, agents, recovered := []object{}, []object{}, []object{}
	for _, id := range slices.Sorted(maps.Keys(m.agents)) {
		a := m.agents[id]
		agents = append(agents, a.v1())
		for _, t := range a.tasks {
			tasks = append(tasks, t.v1())
		}
	}
	for _, a := range m.unreached {
		for _, t := range a.tasks {
			unreachable = append(unreachable, t.v1())
		}
	}
	for _, t := range m.ended {
		ended = append(ended, t.v1())
	}
	for _, id := range slices.Sorted(maps.Keys(m.frameworks)) {
		if f := m.frameworks[id]; f.info != nil {
			frameworks = append(frameworks, f.v1())
		}
	}
	for id := range m.recovered {
		recovered = append(recovered, object{"id": value(id)})
	}
	return object{
		"get_tasks":      object{"tasks": tasks, "unreachable_tasks": unreachable, "completed_tasks": ended},
		"get_executors":  object{"executors": []object{}},
		"get_frameworks": object{"frameworks": frameworks, "completed_frameworks": []object{}},
		"get_agents":     object{"agents": agents, "recovered_agents": recovered},
	}
}

func (f *framework) v1() object {
	return object{"framework_info": f.info, "active": f.stream != nil, "connected": f.stream != nil, "recovered": false,
		"registered_time": nanoseconds(f.registered), "reregistered_time": nanoseconds(f.registered),
		"unregistered_time": object{"nanoseconds": 0}}
}

func (a *Agent) v1() object {
	return object{
		"agent_info": object{"hostname": a.options.IP, "port": a.port(), "resources": a.total(), "attributes": a.attributes(),
			"id": value(a.id), "checkpoint": true},
		"active": true, "deactivated": false, "version": "1.12.0", "pid": a.pid(),
		"registered_time": nanoseconds(time.Now()), "total_resources": a.total(),
		"capabilities": []object{{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}},
	}
}

func (a *Agent) url() object {
	return object{"scheme": "http", "address": object{"hostname": a.options.IP, "ip": a.options.IP, "port": a.port()}, "path": "/slave(1)"}
}

func (a *Agent) attributes() []object {
	out := []object{}
	for _, name := range slices.Sorted(maps.Keys(a.options.Attributes)) {
		out = append(out, object{"name": name, "type": "TEXT", "text": value(a.options.Attributes[name])})
	}
	return out
}

func (a *Agent) domain() object {
	if a.options.Region == "" {
		return nil
	}
	return object{"fault_domain": object{"region": object{"name": a.options.Region}, "zone": object{"name": a.options.Zone}}}
}

func (t *task) v1() object {
	out := object{
		"name": t.info.Name, "task_id": value(t.info.TaskID.Value), "framework_id": value(t.framework), "agent_id": value(t.agent.id),
		"state": t.state, "resources": allocated(t.info.Resources, t.role),
	}
	if len(t.statuses) > 0 {
		statuses := make([]json.RawMessage, len(t.statuses))
		for n, s := range t.statuses {
			statuses[n] = s.status
		}
		out["statuses"] = statuses
	}
	for name, member := range map[string]json.RawMessage{"labels": t.info.Labels, "discovery": t.info.Discovery, "container": t.info.Container} {
		if member != nil {
			out[name] = member
		}
	}
	return out
}

// state is the state document.
func (m *Master) state() object {
	out := m.summary()
	out["version"], out["id"], out["pid"], out["leader"] = "1.12.0", m.id, "master@"+m.Address(), "master@"+m.Address()
	out["leader_info"] = object{"id": m.id, "pid": "master@" + m.Address(), "port": m.address.Port(), "hostname": m.address.Addr().String()}
	out["start_time"], out["elected_time"] = seconds(m.started), seconds(m.started)
	recovered := []object{}
	for id := range m.recovered {
		recovered = append(recovered, object{"id": id})
	}
	out["recovered_slaves"] = recovered
	for _, f := range out["frameworks"].([]object) {
		id := f["id"].(string)
		tasks, unreachable, ended := []object{}, []object{}, []object{}
		for _, a := range m.agents {
			for _, t := range a.tasks {
				if t.framework == id {
					tasks = append(tasks, t.document())
				}
			}
		}
		for _, a := range m.unreached {
			for _, t := range a.tasks {
				if t.framework == id {
					unreachable = append(unreachable, t.document())
				}
			}
		}
		for _, t := range m.ended {
			if t.framework == id {
				ended = append(ended, t.document())
			}
		}
		f["tasks"], f["unreachable_tasks"], f["completed_tasks"] = tasks, unreachable, ended
	}
	out["completed_frameworks"] = []object{}
	return out
}

// summary is the state document without its tasks.
func (m *Master) summary() object {
	slaves, frameworks := []object{}, []object{}
	for _, id := range slices.Sorted(maps.Keys(m.agents)) {
		a := m.agents[id]
		slaves = append(slaves, object{"id": a.id, "hostname": a.options.IP, "port": a.port(), "attributes": a.options.Attributes,
			"pid": a.pid(), "active": true, "deactivated": false, "version": "1.12.0",
			"resources": document(a.total()), "registered_time": seconds(m.started)})
	}
	for _, id := range slices.Sorted(maps.Keys(m.frameworks)) {
		if f := m.frameworks[id]; f.info != nil {
			frameworks = append(frameworks, object{"id": f.id, "name": f.info["name"], "hostname": f.info["hostname"],
				"webui_url": f.info["webui_url"], "active": f.stream != nil, "connected": f.stream != nil, "recovered": false,
				"roles": f.roles, "user": f.info["user"], "failover_timeout": f.info["failover_timeout"]})
		}
	}
	return object{"hostname": m.address.Addr().String(), "slaves": slaves, "frameworks": frameworks}
}

func (t *task) document() object {
	statuses := []object{}
	for _, s := range t.statuses {
		container := t.containerStatus()
		delete(container, "executor_pid")
		statuses = append(statuses, object{"state": s.state, "timestamp": s.at, "container_status": container})
	}
	out := object{"id": t.info.TaskID.Value, "name": t.info.Name, "framework_id": t.framework, "executor_id": "",
		"slave_id": t.agent.id, "state": t.state, "resources": document(t.info.Resources), "statuses": statuses}
	if t.info.Discovery != nil {
		out["discovery"] = t.info.Discovery
	}
	return out
}

// document is how resources are in the state document.
func document(resources []resource) object {
	out := object{"cpus": 0.0, "mem": 0.0, "disk": 0.0, "gpus": 0.0}
	var ports []string
	for _, r := range resources {
		if r.Scalar != nil {
			sum, _ := out[r.Name].(float64)
			out[r.Name] = sum + r.Scalar.Value
			continue
		}
		for _, s := range r.Ranges.Range {
			ports = append(ports, fmt.Sprintf("%d-%d", s.Begin, s.End))
		}
	}
	if ports != nil {
		out["ports"] = "[" + strings.Join(ports, ", ") + "]"
	}
	return out
}

// reservedFor is the role that a resource is reserved for.
func reservedFor(r resource) string {
	var reservations []allocation
	if json.Unmarshal(r.Reservations, &reservations) != nil || len(reservations) == 0 {
		return ""
	}
	return reservations[len(reservations)-1].Role
}
