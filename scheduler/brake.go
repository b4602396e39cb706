package scheduler

import "time"

// When many agents are lost at once it is rarely the agents: a network is cut, or the cluster has forgotten what it
// knew. To replace all their tasks would start a second copy of each. So replacement stops, until the agents are back
// or somebody who has looked says that they are gone (ConfirmLosses).
const (
	massLoss = 0.2         // of the agents that have tasks
	atOnce   = time.Minute // losses further apart are each one's own

	// askAgain is how long after an offer of an agent that was lost, or word that a task is not known, tasks are asked for
	// again: more agents may be coming back, and answers take a while.
	askAgain = 10 * time.Second
)

// ConfirmLosses says that the agents that are lost are gone: their tasks are replaced as if they had been lost one by
// one. Reply: how many agents these are, an int.
type ConfirmLosses struct{}

func (ConfirmLosses) event() {}

// MassLoss is the body of NoticeMassLoss.
type MassLoss struct {
	Agents int  `json:"agents"` // that are lost
	Of     int  `json:"of"`     // those that had tasks
	Held   bool `json:"held"`   // whether replacement waits
}

// NoticeMassLoss is given when replacement stops, and when it goes on. Marathon has no such event.
const NoticeMassLoss = "rollcall_mass_loss_event"

// Braked says how many agents are lost while the replacement of their tasks waits; 0: it does not.
func (s *State) Braked() int {
	if !s.braked {
		return 0
	}
	return s.losses.len()
}

// lost notes that an agent is not heard of any more. An engine without a master has no agents that it could lose sight
// of, and one that is confirmed to be gone is not lost again.
func (w *work) lost(agent AgentID) {
	if w.master == "" || agent == "" || !w.losses.get(string(agent)).IsZero() || !w.confirmed.get(string(agent)).IsZero() {
		return
	}
	if !w.braked {
		w.forgetLosses()
	}
	w.losses.put(string(agent), w.now)
	w.brake()
}

// brake holds replacement back if the losses that are noted are too many.
func (w *work) brake() {
	if n, of := w.losses.len(), w.agentsWithTasks(); !w.braked && n > 1 && float64(n) > massLoss*float64(of) {
		w.braked = true
		w.notify(NoticeMassLoss, MassLoss{Agents: n, Of: of, Held: true})
	}
}

// recallLosses notes after a restart which agents were lost together, as far as their tasks are not replaced: of losses
// within one span of atOnce those that are the most.
func (w *work) recallLosses() {
	if w.master == "" {
		return
	}
	since := map[AgentID]time.Time{}
	for _, i := range w.instances.under("") {
		if i.Condition == Unreachable && !i.waitsForEver() {
			since[i.AgentID] = i.Since.Time()
		}
	}
	var most []AgentID
	for _, last := range since {
		var together []AgentID
		for agent, at := range since {
			if age := last.Sub(at); age >= 0 && age < atOnce {
				together = append(together, agent)
			}
		}
		if len(together) > len(most) {
			most = together
		}
	}
	for _, agent := range most {
		w.losses.put(string(agent), since[agent])
	}
	w.brake()
}

// forgetLosses drops those that are too old to be part of a loss of many.
func (w *work) forgetLosses() {
	for agent, at := range w.losses.commit().under("") {
		if w.now.Sub(at) >= atOnce {
			w.losses.remove(agent)
			w.back.remove(agent)
		}
	}
}

// returning is how far an agent that was lost has come back.
type returning int

const (
	notBack     returning = iota
	backUnasked           // it has made an offer; its tasks are to be asked for
	backAsked
)

// returned notes that an agent has made an offer. If it was lost, what became of its tasks is asked for: the cluster may
// have said that it does not know them because it did not know the agent yet. The agent counts as lost until then.
func (w *work) returned(agent AgentID) {
	if w.losses.get(string(agent)).IsZero() || w.back.get(string(agent)) != notBack {
		return
	}
	w.back.put(string(agent), backUnasked)
	w.reconcileSoon()
}

// reconcileSoon has tasks asked for earlier than usual.
func (w *work) reconcileSoon() {
	at := w.now.Add(askAgain)
	if t := w.deadlines.get(timer{kind: timerReconcile}.subject()); t.at.IsZero() || t.at.After(at) {
		w.setTimer(timerReconcile, "", 0, at)
	}
}

// followLosses goes on with agents that are back and tasks in doubt, as all tasks are asked for. Those that were asked for
// before have been told of by now.
func (w *work) followLosses() {
	for agent, how := range w.back.commit().under("") {
		if how == backAsked {
			w.foundAgent(agent)
			continue
		}
		w.back.put(agent, backAsked)
		w.reconcileSoon()
	}
	for task := range w.doubted.commit().under("") {
		if i := w.instances.get(string(InstanceIDOf(TaskID(task)))); i == nil || i.TaskID() != TaskID(task) {
			w.doubted.remove(task) // it is over
		}
	}
}

// found notes that an agent is heard of, by one of its tasks. One that was started after others of that agent were lost says
// nothing of those, and of an agent that is back all are asked for.
func (w *work) found(i *Instance) {
	agent := string(i.AgentID)
	w.confirmed.remove(agent)
	since := w.losses.get(agent)
	if !since.IsZero() && w.back.get(agent) == notBack && i.StagedAt.Time().Before(since) {
		w.foundAgent(agent)
	}
}

func (w *work) foundAgent(agent string) {
	w.losses.remove(agent)
	w.back.remove(agent)
	n, of := w.losses.len(), w.agentsWithTasks()
	if w.braked && float64(n) <= massLoss*float64(of) {
		w.release(n, of, w.now.Add(atOnce)) // the others may follow
	}
}

// confirmLosses has the tasks of lost agents replaced. Those that the cluster does not know are asked for once more, so that
// they end now; there are apps that wait for an agent for ever.
func (w *work) confirmLosses() int {
	n := w.losses.len()
	if !w.braked {
		return n
	}
	w.confirmed = w.losses
	w.release(n, w.agentsWithTasks(), w.now)
	w.reconcile()
	return n
}

// release lets replacement go on, of unreachable instances not before earliest.
func (w *work) release(n, of int, earliest time.Time) {
	w.braked, w.losses, w.back = false, newTree[time.Time]().draft(), newTree[returning]().draft()
	for _, i := range w.instances.under("") {
		if i.Condition == Unreachable || i.Condition == UnreachableInactive {
			w.setUnreachableTimers(i, earliest)
		}
	}
	w.notify(NoticeMassLoss, MassLoss{Agents: n, Of: of})
}

// agentsWithTasks counts the agents of all instances, those included that are lost. It is counted once a step.
func (w *work) agentsWithTasks() int {
	if w.agentsCounted == 0 {
		agents := map[AgentID]bool{}
		for _, i := range w.instances.under("") {
			if i.Condition.Active() {
				agents[i.AgentID] = true
			}
		}
		w.agentsCounted = len(agents)
	}
	return w.agentsCounted
}

// forgotten says whether a status means that the cluster knows neither a task nor its agent: word of that waits until
// all events of the step are handled, so that it shows whether many are forgotten at once. Of a task of an agent that it knows
// it says that the task is gone, and that is so.
func (w *work) forgotten(i *Instance, s TaskStatus, state TaskState) bool {
	delete(w.unknown, s.TaskID) // there is newer word
	if w.master == "" || i.Condition == Killing || i.Goal != GoalRunning || s.Reason != "REASON_RECONCILIATION" || state != TaskUnknown {
		w.doubted.remove(string(s.TaskID))
		return false
	}
	if w.back.get(string(i.AgentID)) != notBack {
		return false // a master of before TASK_GONE
	}
	if w.doubt(s.TaskID) {
		return true
	}
	w.unknown[s.TaskID] = s
	w.lost(i.AgentID)
	return true
}

// doubt says whether to ask once more before it is believed that the cluster does not know a task: a master that has lost
// its memory knows agents, and their tasks, when they have come back to it.
func (w *work) doubt(task TaskID) bool {
	since := w.doubted.get(string(task))
	if since.IsZero() {
		w.doubted.put(string(task), w.now)
		w.reconcileSoon()
		return true
	}
	if w.now.Sub(since) < askAgain {
		return true
	}
	w.doubted.remove(string(task))
	return false
}

// settleForgotten ends the tasks that the cluster does not know. While replacement waits, they count as unreachable.
func (w *work) settleForgotten() {
	for _, id := range sortedKeys(w.unknown) {
		s := w.unknown[id]
		i := w.instances.get(string(InstanceIDOf(id)))
		if i == nil || i.TaskID() != id || !i.Condition.Active() {
			continue
		}
		if w.braked {
			w.follow(i, s, TaskUnreachable)
		} else {
			w.follow(i, s, mapLost(s))
		}
	}
}
