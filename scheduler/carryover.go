package scheduler

import "slices"

// carryOver lets instances stay that run an app's new definition already: those that a deployment which is undone had
// not replaced yet. Where the constraints do not allow two generations side by side, those that serve stay.
func (w *work) carryOver(before, after *App) {
	if before.VersionInfo.LastConfigChangeAt == after.VersionInfo.LastConfigChangeAt {
		return
	}
	earlier := func(a *App) bool { return onlyScaled(a, after) }
	if !slices.ContainsFunc(w.versions.under(versionPrefix(after.ID)), earlier) {
		return // the definitions of all instances are kept: none can run this one
	}
	same := map[*App]bool{}
	runsIt := func(i *Instance) bool {
		if _, known := same[i.App]; !known {
			same[i.App] = onlyScaled(i.App, after)
		}
		return same[i.App] && i.Goal == GoalRunning
	}
	var bounds []*matcher
	for _, c := range after.Constraints {
		// The order in which GROUP_BY without a number accepts places is not known any more.
		if m := newMatcher(c, w.size(after)); m != nil && (c.Operator != GroupBy || m.given) {
			bounds = append(bounds, m)
		}
	}
	if after.OnePerAgent {
		bounds = append(bounds, newMatcher(Constraint{agentField, Unique, ""}, 0))
	}
	instances := w.instancesOf(after.ID)
	slices.SortStableFunc(instances, func(a, b *Instance) int { return boolRank(b.done()) - boolRank(a.done()) })
	for _, i := range instances {
		full := func(m *matcher) bool { return !m.accepts(i.place()) }
		if !runsIt(i) || i.AgentID != "" && slices.ContainsFunc(bounds, full) {
			continue
		}
		if i.AgentID != "" {
			for _, m := range bounds {
				m.add(i.place())
			}
		}
		n := *i
		n.App, n.AppVersion = after, after.Version
		w.putInstance(&n)
	}
}
