package mesos

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollcall/scheduler"
)

const (
	// reconcileAtOnce is how many tasks one RECONCILE asks for.
	reconcileAtOnce = 1000
	// The time until tasks are asked for again whose answer did not come: doubled each time. A newly elected master
	// says nothing of the tasks of an agent that has not come back to it yet.
	firstAskAgain = 15 * time.Second
	maxAskAgain   = 4 * time.Minute
)

// unanswered are the tasks that were asked for and not heard of since.
type unanswered struct {
	mu       sync.Mutex
	tasks    map[scheduler.TaskID]scheduler.AgentID
	answered bool // one of them was, since that was last asked
}

func (u *unanswered) ask(tasks []scheduler.TaskRef) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tasks == nil {
		u.tasks = map[scheduler.TaskID]scheduler.AgentID{}
	}
	for _, t := range tasks {
		u.tasks[t.TaskID] = t.AgentID
	}
}

func (u *unanswered) heard(task scheduler.TaskID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, asked := u.tasks[task]; asked {
		delete(u.tasks, task)
		u.answered = true
	}
}

// coming reports whether answers have come since it was last asked.
func (u *unanswered) coming() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	answered := u.answered
	u.answered = false
	return answered
}

func (u *unanswered) list() []scheduler.TaskRef {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]scheduler.TaskRef, 0, len(u.tasks))
	for id, agent := range u.tasks {
		out = append(out, scheduler.TaskRef{TaskID: id, AgentID: agent})
	}
	return out
}

// reconcile asks for tasks.
func (s *session) reconcile(tasks []scheduler.TaskRef) {
	for some := range slices.Chunk(tasks, reconcileAtOnce) {
		s.calls.put(reconcileCall(some))
	}
}

// askAgain asks for tasks again until each is heard of. While answers are coming, it does not: a large cluster's take
// their time.
func (s *session) askAgain(ctx context.Context) error {
	for pause := firstAskAgain; ; {
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		left := s.unanswered.list()
		if s.unanswered.coming() || len(left) == 0 {
			pause = firstAskAgain
			continue
		}
		s.options.Logger.Info("asking again for tasks that the Mesos master did not tell of", "tasks", len(left))
		s.reconcile(left)
		pause = min(2*pause, maxAskAgain)
	}
}
