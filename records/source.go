package records

import (
	"maps"
	"slices"
)

// source is what one source has said.
type source struct {
	tasks      map[string]*heldTask      // by key
	agents     map[string]*heldAgent     // by id
	frameworks map[string]*heldFramework // by key
	masters    Masters
}

func newSource() *source {
	return &source{
		tasks:      make(map[string]*heldTask),
		agents:     make(map[string]*heldAgent),
		frameworks: make(map[string]*heldFramework),
	}
}

// give gives the records of everything that the source has said.
func (s *source) give(n *namer, c *changes) {
	n.masters(&s.masters, c.giverFor(claimant{}, +1))
	for _, f := range s.frameworks {
		n.framework(&f.framework, c.giverFor(f.framework.claimant(), +1))
	}
	for _, a := range s.agents {
		if a.agent != nil {
			n.agent(a.agent, c.giverFor(claimant{}, +1))
		}
	}
	for _, t := range s.tasks {
		if t.published {
			c.task(n, t.task, t.agent.agent, +1)
		}
	}
}

// heldTask is a task and whether its records are out.
type heldTask struct {
	task      *Task // never changed, only replaced
	agent     *heldAgent
	order     uint64
	published bool
	pending   bool // its records have been taken back, or never given, by the update that is going on
	gone      bool
}

// heldAgent is an agent together with its tasks, some of which may be known before it is.
type heldAgent struct {
	agent *Agent // nil when not known; never changed, only replaced
	tasks map[*heldTask]struct{}
}

type heldFramework struct {
	framework Framework
	order     uint64
}

// updater carries one update of one source through: first it takes back the records of everything that the update
// touches, with what was known when they were given; then it changes what is known; in the end it gives the records
// of the tasks that it touched and that still are to be published.
type updater struct {
	*source
	zone    *Zone
	changes *changes
	touched []*heldTask
}

func (s *source) update(z *Zone, u Update, c *changes) {
	w := &updater{source: s, zone: z, changes: c}
	if u.Reset {
		u = s.withoutTheRest(u)
	}
	w.updateFrameworks(u)
	w.updateTasks(u)
	w.updateAgents(u)
	if u.Masters != nil && !s.masters.equal(u.Masters) {
		z.namer.masters(&s.masters, c.giverFor(claimant{}, -1))
		s.masters = *u.Masters
		z.namer.masters(&s.masters, c.giverFor(claimant{}, +1))
	}
	for _, t := range w.touched {
		t.pending = false
		if !t.gone {
			w.publish(t)
		}
	}
}

// withoutTheRest turns a reset into the removal of everything that the update does not bring itself, so that what it
// brings unchanged is not touched.
func (s *source) withoutTheRest(u Update) Update {
	u.TasksGone, u.AgentsGone = slices.Clip(u.TasksGone), slices.Clip(u.AgentsGone)
	u.FrameworksGone = slices.Clip(u.FrameworksGone)
	for key := range s.tasks {
		u.TasksGone = append(u.TasksGone, key)
	}
	for id, a := range s.agents {
		if a.agent != nil {
			u.AgentsGone = append(u.AgentsGone, id)
		}
	}
	for key := range s.frameworks {
		u.FrameworksGone = append(u.FrameworksGone, key)
	}
	if u.Masters == nil {
		u.Masters = &Masters{}
	}
	return u
}

func (w *updater) updateTasks(u Update) {
	stay := make(map[string]bool, len(u.Tasks))
	for i := range u.Tasks {
		stay[u.Tasks[i].key()] = true
	}
	for _, key := range u.TasksGone {
		if t := w.tasks[key]; t != nil && !stay[key] {
			w.touch(t)
			t.gone = true
			delete(w.tasks, key)
			w.leave(t)
		}
	}
	for _, task := range u.Tasks {
		t := w.tasks[task.key()]
		if t == nil {
			w.zone.order++
			t = &heldTask{order: w.zone.order}
			w.tasks[task.key()] = t
		} else if t.task.equal(&task) {
			continue
		}
		w.touch(t)
		w.leave(t)
		t.task = &task
		t.agent = w.agentNamed(task.AgentID)
		t.agent.tasks[t] = struct{}{}
	}
}

// leave takes a task off its agent, and forgets an agent that only its tasks had named.
func (w *updater) leave(t *heldTask) {
	if t.agent == nil {
		return
	}
	delete(t.agent.tasks, t)
	if t.agent.agent == nil && len(t.agent.tasks) == 0 {
		delete(w.agents, t.task.AgentID)
	}
	t.agent = nil
}

func (w *updater) agentNamed(id string) *heldAgent {
	a := w.agents[id]
	if a == nil {
		a = &heldAgent{tasks: make(map[*heldTask]struct{})}
		w.agents[id] = a
	}
	return a
}

func (w *updater) updateAgents(u Update) {
	stay := make(map[string]bool, len(u.Agents))
	for i := range u.Agents {
		stay[u.Agents[i].ID] = true
	}
	for _, id := range u.AgentsGone {
		if a := w.agents[id]; a != nil && a.agent != nil && !stay[id] {
			w.setAgent(a, nil)
			if len(a.tasks) == 0 {
				delete(w.agents, id)
			}
		}
	}
	for _, agent := range u.Agents {
		if a := w.agentNamed(agent.ID); a.agent == nil || !a.agent.equal(&agent) {
			w.setAgent(a, &agent)
		}
	}
}

func (w *updater) setAgent(a *heldAgent, agent *Agent) {
	for t := range maps.Keys(a.tasks) {
		w.touch(t)
	}
	if a.agent != nil {
		w.zone.namer.agent(a.agent, w.changes.giverFor(claimant{}, -1))
	}
	a.agent = agent
	if agent != nil {
		w.zone.namer.agent(agent, w.changes.giverFor(claimant{}, +1))
	}
}

func (w *updater) updateFrameworks(u Update) {
	stay := make(map[string]bool, len(u.Frameworks))
	for i := range u.Frameworks {
		stay[u.Frameworks[i].key()] = true
	}
	for _, key := range u.FrameworksGone {
		if f := w.frameworks[key]; f != nil && !stay[key] {
			w.zone.namer.framework(&f.framework, w.changes.giverFor(f.framework.claimant(), -1))
			delete(w.frameworks, key)
		}
	}
	for _, framework := range u.Frameworks {
		f := w.frameworks[framework.key()]
		if f == nil {
			w.zone.order++
			f = &heldFramework{order: w.zone.order}
			w.frameworks[framework.key()] = f
		} else if f.framework.equal(&framework) {
			continue
		} else {
			w.zone.namer.framework(&f.framework, w.changes.giverFor(f.framework.claimant(), -1))
		}
		f.framework = framework
		w.zone.namer.framework(&f.framework, w.changes.giverFor(f.framework.claimant(), +1))
	}
}

// touch takes back the records of a task. It must come before what they were made of changes.
func (w *updater) touch(t *heldTask) {
	if t.pending {
		return
	}
	t.pending = true
	w.touched = append(w.touched, t)
	if t.published {
		t.published = false
		w.changes.task(&w.zone.namer, t.task, t.agent.agent, -1)
	}
}

// publish gives the records of a task if it is to have any.
func (w *updater) publish(t *heldTask) {
	if t.task.State != taskRunning || t.agent.agent == nil {
		return
	}
	t.published = true
	w.changes.task(&w.zone.namer, t.task, t.agent.agent, +1)
}
