package local

import "rollcall/scheduler"

// Capacity is what an agent has in all, and whether there is such an agent. It may be called from any goroutine.
func (e *Engine) Capacity(id scheduler.AgentID) (scheduler.Resources, bool) {
	for _, a := range e.options.Agents {
		if a.ID == id {
			return newLedger(a, e.machine).total, true
		}
	}
	return scheduler.Resources{}, false
}
