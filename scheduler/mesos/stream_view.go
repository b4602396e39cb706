package mesos

import (
	"maps"
	"reflect"
	"slices"
)

// clusterView is a cluster as an event stream tells of it. It turns events into what they change. Events may say the
// same twice and come in any order: of what is not known yet, and of what is gone. It is not safe for concurrent use,
// and does nothing but remember.
type clusterView struct {
	tasks      map[TaskKey]*followedTask
	agents     map[string]Agent
	frameworks map[string]Framework // as the events tell of them: without pids
	pids       map[string]Endpoint  // of frameworks that have one
	incomplete bool                 // events told a part of something: a snapshot is wanted
}

// newClusterView starts with a snapshot. The pids are those that are known of frameworks.
func newClusterView(s *snapshot, pids map[string]Endpoint) *clusterView {
	v := &clusterView{
		tasks:      make(map[TaskKey]*followedTask, len(s.tasks)),
		agents:     make(map[string]Agent, len(s.state.Agents)),
		frameworks: make(map[string]Framework, len(s.state.Frameworks)),
		pids:       pids,
	}
	for i := range s.tasks {
		v.tasks[s.tasks[i].Key()] = &s.tasks[i]
	}
	for _, a := range s.state.Agents {
		v.agents[a.ID] = a
	}
	for _, f := range s.state.Frameworks {
		v.frameworks[f.ID] = f
	}
	return v
}

// initial is what the snapshot says: the tasks in the order of their frameworks.
func (v *clusterView) initial(s *snapshot) State {
	state := s.state
	state.Frameworks = make([]Framework, len(s.state.Frameworks))
	at := make(map[string]int, len(s.state.Frameworks))
	for i, f := range s.state.Frameworks {
		state.Frameworks[i], at[f.ID] = v.withPID(f), i
	}
	state.Tasks = make([]Task, len(s.tasks))
	for i := range s.tasks {
		state.Tasks[i] = s.tasks[i].Task
	}
	slices.SortStableFunc(state.Tasks, func(a, b Task) int { return at[a.FrameworkID] - at[b.FrameworkID] })
	return state
}

// withPID completes a framework. One without a pid is at the host name that it registered with.
func (v *clusterView) withPID(f Framework) Framework {
	if pid, ok := v.pids[f.ID]; ok {
		f.Endpoint = pid
	}
	return f
}

// apply takes in an event that is not a snapshot, and returns what it changes: nothing, for an event that says what is
// known.
func (v *clusterView) apply(e event) Change {
	switch e.kind {
	case eventTaskAdded:
		if e.task != nil {
			return v.addTask(e.task)
		}
	case eventTaskUpdated:
		if e.update != nil {
			return v.updateTask(e.update)
		}
	case eventAgentAdded:
		if a := e.agent; a != nil && v.agents[a.ID] != *a {
			v.agents[a.ID] = *a
			return Change{Agents: []Agent{*a}}
		}
	case eventAgentRemoved:
		if _, ok := v.agents[e.gone]; ok {
			delete(v.agents, e.gone)
			return Change{AgentsGone: []string{e.gone}}
		}
	case eventFrameworkAdded, eventFrameworkUpdated:
		if f := e.framework; f != nil && v.frameworks[f.ID] != *f {
			v.frameworks[f.ID] = *f
			return Change{Frameworks: []Framework{v.withPID(*f)}}
		}
	case eventFrameworkRemoved:
		return v.removeFramework(e.gone)
	}
	return Change{}
}

func (v *clusterView) addTask(t *followedTask) Change {
	key := t.Key()
	if hasEnded(t.State) {
		return v.removeTask(key)
	}
	known := v.tasks[key]
	v.tasks[key] = t
	if known != nil && reflect.DeepEqual(known.Task, t.Task) {
		return Change{}
	}
	return Change{Tasks: []Task{t.Task}}
}

// updateTask follows what the master does with a status: it replaces the newest of the task if the two have the same
// state, else it is added to them.
func (v *clusterView) updateTask(u *taskUpdate) Change {
	switch u.state {
	case "TASK_UNREACHABLE", "TASK_LOST", "TASK_GONE", "TASK_GONE_BY_OPERATOR":
		// Its agent may be gone, of which there is no event.
		v.incomplete = true
	}
	known := v.tasks[u.key]
	switch {
	case hasEnded(u.state), known == nil && u.state != TaskRunning:
		return v.removeTask(u.key)
	case known == nil:
		// An update does not say enough of a task: a snapshot does.
		v.incomplete = true
		return Change{}
	}
	t := *known // what was handed out stays as it is
	t.State = u.state
	if u.statusState == TaskRunning &&
		(known.lastState == TaskRunning || u.timestamp > known.runningAt || known.runningAt == 0) {
		t.Addresses, t.runningAt = u.addresses, u.timestamp
	}
	t.lastState = u.statusState
	v.tasks[u.key] = &t
	if t.State == known.State && reflect.DeepEqual(t.Addresses, known.Addresses) {
		return Change{}
	}
	return Change{Tasks: []Task{t.Task}}
}

// removeTask says that a task is gone even if it was not known: a new leader's snapshot may have been without it.
func (v *clusterView) removeTask(key TaskKey) Change {
	delete(v.tasks, key)
	return Change{TasksGone: []TaskKey{key}}
}

func (v *clusterView) removeFramework(id string) Change {
	if _, ok := v.frameworks[id]; !ok {
		return Change{}
	}
	delete(v.frameworks, id)
	delete(v.pids, id)
	change := Change{FrameworksGone: []string{id}}
	for key := range v.tasks {
		if key.FrameworkID == id {
			delete(v.tasks, key)
			change.TasksGone = append(change.TasksGone, key)
		}
	}
	return change
}

// setPIDs takes in the pids of all frameworks that have one.
func (v *clusterView) setPIDs(pids map[string]Endpoint) Change {
	before := maps.Clone(v.frameworks)
	for id, f := range before {
		before[id] = v.withPID(f)
	}
	v.pids = pids
	var change Change
	for id, f := range v.frameworks {
		if now := v.withPID(f); now != before[id] {
			change.Frameworks = append(change.Frameworks, now)
		}
	}
	return change
}

// hasEnded reports whether a task in a state never runs again (TaskState in mesos.proto).
func hasEnded(state string) bool {
	switch state {
	case "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
		"TASK_GONE_BY_OPERATOR":
		return true
	}
	return false
}

func (c *Change) empty() bool {
	return len(c.Tasks)+len(c.TasksGone)+len(c.Agents)+len(c.AgentsGone)+len(c.Frameworks)+len(c.FrameworksGone) == 0
}
