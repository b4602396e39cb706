package scheduler

import (
	"iter"
	"slices"
)

// agentField is the constraint field that holds an agent's id. It is rollcall's own.
const agentField = "@agent"

// Size is how many instances an app is to have: those of its definition, or with OnePerAgent as many as there are
// agents that its constraints allow.
func (s *State) Size(app *App) int {
	return app.size(values(s.agents.under("")), s.Instances(app.ID))
}

func (w *work) size(app *App) int {
	if !app.OnePerAgent {
		return app.Instances
	}
	return app.size(slices.Values(w.agents.under("")), slices.Values(w.instancesOf(app.ID)))
}

// size counts the agents for an app that is to run on each. An agent that is known only by an instance on it counts as
// well: after a restart agents are heard of one by one, and nothing may be ended for want of word of them.
func (a *App) size(agents iter.Seq[*Agent], instances iter.Seq[*Instance]) int {
	if !a.OnePerAgent || a.Instances == 0 {
		return a.Instances
	}
	var fixed []*matcher
	for _, c := range a.Constraints {
		switch c.Operator {
		case Like, Unlike, Is, Cluster:
			if c.Operator != Cluster || c.Value != "" {
				fixed = append(fixed, newMatcher(c, 0))
			}
		}
	}
	on := map[AgentID]bool{}
	add := func(id AgentID, p place) {
		for _, m := range fixed {
			if m == nil || !m.accepts(p) {
				return
			}
		}
		on[id] = true
	}
	for agent := range agents {
		if !agent.Remote || a.asksForRegions() {
			add(agent.ID, agent.place())
		}
	}
	for i := range instances {
		if i.AgentID != "" && i.Goal == GoalRunning && i.Condition != UnreachableInactive {
			add(i.AgentID, i.place())
		}
	}
	return len(on)
}

// agentsChanged has the apps looked at again that follow the agents.
func (w *work) agentsChanged() {
	for _, app := range w.followers.under("") {
		w.dirty[app] = true
	}
}
