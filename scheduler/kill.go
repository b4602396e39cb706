package scheduler

import "fmt"

// As many kills as an engine or its agents can bear at a time are with the engine; the others wait for their turn, in
// the order in which they were asked for. Their instances are out of discovery already. A kill gives its place up when
// the task's end shows, or when its agent is not heard of.

// kill is a kill that was asked for and has not shown effect yet.
type kill struct {
	task TaskRef
	turn string // among those that wait; "" once the engine was told
}

// Kills are how many kills the engine was told of that have not shown effect yet, and how many wait for their turn.
func (s *State) Kills() (inFlight, waiting int) {
	return s.kills.len() - s.turns.len(), s.turns.len()
}

// killWaits says whether a task is to be killed when it is its turn.
func (s *State) killWaits(task TaskID) bool { return s.kills.get(string(task)).turn != "" }

// callKill tells the engine to kill, now and again until the task's end shows. On an agent that is not heard of nothing
// ends: such a kill is sent in case it is heard, and takes no place.
func (w *work) callKill(i *Instance) {
	task := TaskRef{i.TaskID(), i.AgentID}
	if i.Condition == Unreachable || i.Condition == UnreachableInactive {
		w.effects.Calls = append(w.effects.Calls, killCall{task})
		w.setTimer(timerKill, string(i.ID), 0, w.now.Add(w.limits.KillRetry))
		return
	}
	w.killTask(task)
}

// killTask has a task killed when it is its turn. Asked again, it repeats what the engine was told.
func (w *work) killTask(task TaskRef) {
	switch k := w.kills.get(string(task.TaskID)); {
	case k.turn != "":
	case k.task.TaskID == "" && (w.turns.len() > 0 || w.kills.len() >= w.limits.KillsInFlight):
		w.lastTurn++
		k = kill{task, fmt.Sprintf("%020d", w.lastTurn)}
		w.kills.put(string(task.TaskID), k)
		w.turns.put(k.turn, task.TaskID)
	default:
		w.tellKill(task)
	}
}

func (w *work) tellKill(task TaskRef) {
	w.kills.put(string(task.TaskID), kill{task: task})
	w.effects.Calls = append(w.effects.Calls, killCall{task})
	w.setTimer(timerKillRetry, string(task.TaskID), 0, w.now.Add(w.limits.KillRetry))
}

// killed takes note that nothing is to be killed any more where a task was.
func (w *work) killed(task TaskID) {
	k := w.kills.get(string(task))
	if k.task.TaskID == "" {
		return
	}
	w.kills.remove(string(task))
	w.turns.remove(k.turn)
	w.clearTimer(timerKillRetry, string(task), 0)
}

// followKill gives up the kill of an instance's task when the instance is replaced by another, nil when it is gone.
func (w *work) followKill(before, after *Instance) {
	if before == nil || w.kills.len() == 0 {
		return
	}
	same := after != nil && after.Incarnation == before.Incarnation && after.Condition.Active()
	if !same || after.Condition == Unreachable || after.Condition == UnreachableInactive {
		w.killed(before.TaskID())
	}
}

// nextKills tells the engine of the kills whose turn it is.
func (w *work) nextKills() {
	for w.turns.len() > 0 && w.kills.len()-w.turns.len() < w.limits.KillsInFlight {
		turn, task, _ := w.turns.first()
		w.turns.remove(turn)
		w.tellKill(w.kills.get(string(task)).task)
	}
}
