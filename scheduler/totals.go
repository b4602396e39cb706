package scheduler

import (
	"iter"
	"slices"
)

// Totals count what a core has done since it began: where several rollcalls share a state, since this one leads. They
// are what Marathon's counters count (Marathon reference, section 22), and are not persisted.
type Totals struct {
	Deployments    int // begun
	Dismissed      int // refused, because too many were under way
	Launched       int // tasks
	OffersReceived int
	OffersUsed     int
	OffersDeclined int

	statuses [len(taskStates)]int // by state
}

// taskStates are all that there are, in the order of a task's life.
var taskStates = [...]TaskState{TaskStaging, TaskStarting, TaskRunning, TaskKilling, TaskFinished, TaskFailed, TaskKilled,
	TaskError, TaskLost, TaskDropped, TaskUnreachable, TaskGone, TaskGoneByOperator, TaskUnknown}

// Totals returns what was done up to this state.
func (s *State) Totals() Totals { return s.totals }

// Statuses yields each state of tasks with the number of statuses that told of it.
func (t Totals) Statuses() iter.Seq2[TaskState, int] {
	return func(yield func(TaskState, int) bool) {
		for n, state := range taskStates {
			if !yield(state, t.statuses[n]) {
				return
			}
		}
	}
}

func (t *Totals) status(state TaskState) {
	if n := slices.Index(taskStates[:], state); n >= 0 {
		t.statuses[n]++
	}
}
