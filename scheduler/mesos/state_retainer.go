package mesos

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// ReregisterTimeout is how long a newly elected master waits for agents to come back before it takes them for
// unreachable: the default of its flag --agent_reregister_timeout.
const ReregisterTimeout = 10 * time.Minute

// Retainer is a Sink in front of another one. It keeps what a newly elected master does not know yet: such a master
// gives an empty state at first, then one with the agents that it has to hear from again and none of their tasks, then
// one agent more at a time, while all of the tasks run on.
//
// After the leader has changed, an agent that the new one does not have is kept with its tasks for as long as the
// master lists it as recovered, or, while the master has no agent at all or does not tell, for ReregisterTimeout. A
// task that the master remembers as ended is not kept, nor is one whose agent is back without it.
type Retainer struct {
	next Sink
	log  *slog.Logger

	// What the next sink knows.
	leader, masterID string
	agents           map[string]Agent
	frameworks       map[string]Framework
	tasks            map[TaskKey]Task

	until time.Time // when the new leader has to have heard from its agents; zero: it has
	kept  int       // tasks, by the last state
}

var _ Sink = (*Retainer)(nil)

// NewRetainer returns a Retainer in front of next.
func NewRetainer(next Sink, log *slog.Logger) *Retainer { return &Retainer{next: next, log: log} }

// Reset implements Sink.
func (r *Retainer) Reset(s State) {
	if r.leader != "" && (s.Leader != r.leader || s.MasterID != r.masterID) {
		r.until = time.Now().Add(ReregisterTimeout)
	}
	if !r.until.IsZero() {
		s = r.retain(s)
	}
	r.leader, r.masterID = s.Leader, s.MasterID
	r.agents = make(map[string]Agent, len(s.Agents))
	r.frameworks = make(map[string]Framework, len(s.Frameworks))
	r.tasks = make(map[TaskKey]Task, len(s.Tasks))
	r.add(Change{Agents: s.Agents, Frameworks: s.Frameworks, Tasks: s.Tasks})
	r.next.Reset(s)
}

// Apply implements Sink. A framework that is renamed, or that comes after its tasks, brings them with it.
func (r *Retainer) Apply(c Change) {
	for _, key := range c.TasksGone {
		delete(r.tasks, key)
	}
	for _, id := range c.AgentsGone {
		delete(r.agents, id)
	}
	for _, id := range c.FrameworksGone {
		delete(r.frameworks, id)
	}
	if ids := r.renamed(c.Frameworks); len(ids) > 0 {
		c.Tasks = slices.Clip(c.Tasks)
		for key, t := range r.tasks {
			if ids[key.FrameworkID] {
				c.Tasks = slices.Insert(c.Tasks, 0, t)
			}
		}
	}
	r.add(c)
	r.next.Apply(c)
}

// renamed are the ids of frameworks that have another name than before.
func (r *Retainer) renamed(frameworks []Framework) map[string]bool {
	ids := make(map[string]bool)
	for _, f := range frameworks {
		if old, ok := r.frameworks[f.ID]; !ok || old.Name != f.Name {
			ids[f.ID] = true
		}
	}
	return ids
}

func (r *Retainer) add(c Change) {
	for _, a := range c.Agents {
		r.agents[a.ID] = a
	}
	for _, f := range c.Frameworks {
		r.frameworks[f.ID] = f
	}
	for _, t := range c.Tasks {
		r.tasks[t.Key()] = t
	}
}

// retain adds to a new leader's state what it does not know yet.
func (r *Retainer) retain(s State) State {
	missing := r.missing(s)
	if len(missing) == 0 {
		if len(s.Agents) > 0 || !time.Now().Before(r.until) {
			r.log.Info("the new leading master knows its agents", "leader", s.Leader, "agents", len(s.Agents))
			r.until, r.kept = time.Time{}, 0
		}
		return s
	}
	said := make(map[TaskKey]bool, len(s.Ended)+len(s.Tasks))
	for _, key := range s.Ended {
		said[key] = true
	}
	for i := range s.Tasks {
		said[s.Tasks[i].Key()] = true
	}
	// Frameworks come back with their agents, or by themselves.
	frameworks := make(map[string]bool, len(s.Frameworks)+len(s.Completed))
	for _, f := range s.Frameworks {
		frameworks[f.ID] = true
	}
	completed := make(map[string]bool, len(s.Completed))
	for _, id := range s.Completed {
		completed[id] = true
	}
	s.Agents, s.Frameworks, s.Tasks = slices.Clip(s.Agents), slices.Clip(s.Frameworks), slices.Clip(s.Tasks)
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		s.Agents = append(s.Agents, r.agents[id])
	}
	for _, id := range slices.Sorted(maps.Keys(r.frameworks)) {
		if !frameworks[id] && !completed[id] {
			s.Frameworks = append(s.Frameworks, r.frameworks[id])
		}
	}
	var kept []Task
	for key, t := range r.tasks {
		if missing[t.AgentID] && !said[key] && !completed[key.FrameworkID] {
			kept = append(kept, t)
		}
	}
	slices.SortFunc(kept, func(a, b Task) int { return strings.Compare(a.ID, b.ID) })
	s.Tasks = append(s.Tasks, kept...)
	if r.kept != len(kept) {
		r.log.Info("the new leading master has not heard from all of its agents yet; their tasks are kept",
			"leader", s.Leader, "agents", len(missing), "tasks", len(kept))
		r.kept = len(kept)
	}
	return s
}

// missing are the agents that a new leader's state lacks and that may still come back.
func (r *Retainer) missing(s State) map[string]bool {
	recovered := make(map[string]bool, len(s.Recovered))
	for _, id := range s.Recovered {
		recovered[id] = true
	}
	back := make(map[string]bool, len(s.Agents))
	for _, a := range s.Agents {
		back[a.ID] = true
	}
	// A master that has no agent, and none to come, may not have read yet which there are; and old ones do not tell.
	silent := s.Recovered == nil || len(s.Recovered) == 0 && len(s.Agents) == 0
	wait := silent && time.Now().Before(r.until)
	missing := make(map[string]bool)
	for id := range r.agents {
		if !back[id] && (recovered[id] || wait) {
			missing[id] = true
		}
	}
	return missing
}
