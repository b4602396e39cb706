package mesos

import (
	"slices"
	"sync"
)

// Except is a Sink in front of another one that leaves out the tasks of one framework, and the framework itself: who
// answers for a framework's tasks already must not have them told a second time. The zero value, with Next set, leaves
// out nothing. Its methods may be called from any goroutine.
type Except struct {
	Next Sink
	// Named leaves out all frameworks of this name too, for those who cannot know the id; "" none.
	Named string

	mu        sync.Mutex      // also taken while Next is told
	framework string          // the id of what is left out; "": nothing
	named     map[string]bool // the ids of frameworks by the name of Named
	began     bool            // Next was told of the cluster
}

var _ Sink = (*Except)(nil)

// Leave names, by its id, the framework that is left out from now on; "" leaves out nothing. It is to be called before
// the framework launches a task: tasks that were told of earlier stay until the next Reset.
func (e *Except) Leave(frameworkID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.framework == frameworkID {
		return
	}
	e.framework = frameworkID
	if e.began && frameworkID != "" {
		e.Next.Apply(Change{FrameworksGone: []string{frameworkID}})
	}
}

// Reset implements Sink.
func (e *Except) Reset(s State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.began = true
	s.Tasks, s.Frameworks = e.without(s.Tasks, s.Frameworks)
	e.Next.Reset(s)
}

// Apply implements Sink.
func (e *Except) Apply(c Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.Tasks, c.Frameworks = e.without(c.Tasks, c.Frameworks)
	if !c.empty() {
		e.Next.Apply(c)
	}
}

// without leaves out what is to be left out. What was handed on stays as it is.
func (e *Except) without(tasks []Task, frameworks []Framework) ([]Task, []Framework) {
	for _, f := range frameworks {
		if e.Named != "" && f.Name == e.Named {
			if e.named == nil {
				e.named = map[string]bool{}
			}
			e.named[f.ID] = true
		}
	}
	if e.framework == "" && len(e.named) == 0 {
		return tasks, frameworks
	}
	ours := func(t Task) bool { return e.isOurs(t.FrameworkID) }
	if slices.ContainsFunc(tasks, ours) {
		tasks = slices.DeleteFunc(slices.Clone(tasks), ours)
	}
	self := func(f Framework) bool { return e.isOurs(f.ID) }
	if slices.ContainsFunc(frameworks, self) {
		frameworks = slices.DeleteFunc(slices.Clone(frameworks), self)
	}
	return tasks, frameworks
}

func (e *Except) isOurs(frameworkID string) bool {
	return e.framework != "" && frameworkID == e.framework || e.named[frameworkID]
}
