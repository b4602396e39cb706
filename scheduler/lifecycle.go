package scheduler

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// instancesOf lists an app's instances, by id.
func (w *work) instancesOf(app PathID) []*Instance {
	return slices.DeleteFunc(w.instances.under(instancePrefix(app)), func(i *Instance) bool { return i.AppID != app })
}

// putInstance replaces an instance. The record is saved; for what is not persisted use touchInstance.
func (w *work) putInstance(i *Instance) {
	w.touchInstance(i)
	w.save(KindInstance, string(i.ID))
	w.dirty[i.AppID] = true
}

func (w *work) touchInstance(i *Instance) {
	before := w.instances.get(string(i.ID))
	w.reweigh(before, i)
	w.followKill(before, i)
	w.instances.put(string(i.ID), i)
	w.changed[i.ID] = true
}

func (w *work) removeInstance(i *Instance) {
	w.underway.remove(string(i.ID))
	w.clearInstanceTimers(i)
	before := w.instances.get(string(i.ID))
	w.reweigh(before, nil)
	w.followKill(before, nil)
	w.instances.remove(string(i.ID))
	w.changed[i.ID] = true
	w.save(KindInstance, string(i.ID))
	w.dirty[i.AppID] = true
	w.makesRoom(i.AppID)
}

// makesRoom asks for offers because an app that waits may have been kept from launching by an instance that is gone.
func (w *work) makesRoom(app PathID) {
	if w.queue.get(string(app)) != nil && !w.delayed(app) {
		w.revive = true
	}
}

// schedule adds instances of an app that wait for offers.
func (w *work) schedule(app *App, count int) {
	for range count {
		id := InstanceID(instancePrefix(app.ID) + w.uuid())
		i := &Instance{ID: id, AppID: app.ID, AppVersion: app.Version, App: app, Goal: GoalRunning,
			Condition: Scheduled, Since: w.ts}
		w.putInstance(i)
		w.notifyInstance(i)
	}
	if count > 0 {
		w.enqueue(app)
	}
}

// reschedule has an instance whose task is over wait for another one, under the app's present definition.
func (w *work) reschedule(i *Instance, app *App) {
	n := &Instance{ID: i.ID, AppID: i.AppID, AppVersion: app.Version, App: app, Goal: GoalRunning,
		Condition: Scheduled, Since: w.ts, Incarnation: i.Incarnation, Index: i.Index}
	w.putInstance(n)
	w.enqueue(app)
}

func (w *work) enqueue(app *App) {
	if w.queue.get(string(app.ID)) == nil {
		w.queue.put(string(app.ID), newLaunchQueue(w.ts))
	}
	if !w.delayed(app.ID) {
		w.revive = true
	}
}

// decommission ends an instance for good: its task is killed first if it has one.
func (w *work) decommission(i *Instance, why string) {
	if !i.Condition.Active() || i.Condition == Unreachable || i.Condition == UnreachableInactive {
		if i.Condition.Active() {
			w.callKill(i) // should its agent be there after all
		}
		w.removeInstance(i) // should a task of it be heard of again, it is killed
		return
	}
	if i.Goal == GoalDecommissioned {
		return // it was told to end; what is left is repeated by its timer
	}
	n := *i
	n.Goal = GoalDecommissioned
	w.kill(&n, why)
}

// kill ends an instance's task. The instance leaves discovery before the engine hears of it.
func (w *work) kill(i *Instance, why string) {
	if !i.Condition.Active() {
		return
	}
	if i.Condition == Killing {
		w.putInstance(i) // it is told to end already; what is left is repeated by its timer
		return
	}
	n := *i
	if n.Condition != Unreachable && n.Condition != UnreachableInactive {
		n.Condition, n.Since = Killing, w.ts
	}
	w.clearInstanceTimers(i)
	if n.Condition != Killing {
		w.setUnreachableTimers(&n, w.now)
	}
	w.putInstance(&n)
	w.effects.Withdrawn = append(w.effects.Withdrawn, n.ID)
	if h := i.Healthy(); i.Condition == Running && i.Ready && n.Condition == Killing && i.App.DrainSeconds > 0 && (h == nil || *h) {
		w.setTimer(timerKill, string(n.ID), 0, n.drained())
	} else {
		w.callKill(&n)
	}
	if i.Condition != n.Condition {
		w.notifyInstance(&n)
	}
}

// drained is when an instance that is being ended has been out of discovery for long enough to get SIGTERM.
func (i *Instance) drained() time.Time {
	return i.Since.Time().Add(seconds(float64(i.App.DrainSeconds)))
}

// waitsForEver says whether an instance is on a lost agent and not to be replaced, however long that lasts.
func (i *Instance) waitsForEver() bool {
	return i.Condition == Unreachable && i.App.UnreachableStrategy.Disabled
}

func (w *work) notifyInstance(i *Instance) {
	w.notify(NoticeInstanceChanged, InstanceChanged{InstanceID: i.ID, Condition: i.Condition, RunSpecID: i.AppID,
		AgentID: i.AgentID, Host: i.Hostname, RunSpecVersion: i.AppVersion})
}

// surplus chooses which of an app's instances go when it is scaled down: those that serve nobody first, then by the
// app's kill selection, so that what GROUP_BY constraints spread stays spread (Marathon reference 15.2 and 7).
func surplus(app *App, instances []*Instance, count int) []*Instance {
	pool := slices.Clone(instances)
	rank := func(i *Instance) int {
		h := i.Healthy()
		switch {
		case !i.Condition.Active() && i.Condition != Scheduled, i.Condition == UnreachableInactive,
			i.Condition == Unreachable, i.Condition == Killing:
			return 1
		case i.Condition == Scheduled:
			return 2
		case i.Condition == Provisioned, i.Condition == Staging:
			return 3
		case i.Condition == Starting:
			return 4
		case !i.done() || h != nil && !*h:
			return 5
		case outdated(i, app):
			return 6
		}
		return 7
	}
	slices.SortStableFunc(pool, func(a, b *Instance) int {
		byStart := cmp.Compare(b.StartedAt, a.StartedAt)
		if app.KillSelection == OldestFirst {
			byStart = -byStart
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), byStart, strings.Compare(string(a.ID), string(b.ID)))
	})
	var chosen []*Instance
	for _, c := range app.Constraints {
		if c.Operator == GroupBy {
			chosen = append(chosen, fullest(c, pool, count-len(chosen))...)
			pool = slices.DeleteFunc(pool, func(i *Instance) bool { return slices.Contains(chosen, i) })
		}
	}
	return append(chosen, pool[:min(len(pool), count-len(chosen))]...)
}

// fullest picks up to count instances, each from the group that is the fullest at its turn, as long as the groups
// differ in size.
func fullest(c Constraint, pool []*Instance, count int) []*Instance {
	groups := map[string][]*Instance{}
	for _, i := range pool {
		if v, ok := i.place().field(c.Field); ok && i.Condition.Active() {
			groups[v] = append(groups[v], i)
		}
	}
	var out []*Instance
	for len(out) < count && len(groups) > 0 {
		most, least := "", -1
		for _, v := range sortedKeys(groups) {
			if most == "" || len(groups[v]) > len(groups[most]) {
				most = v
			}
			if least < 0 || len(groups[v]) < least {
				least = len(groups[v])
			}
		}
		if len(groups[most]) == least {
			return out
		}
		out = append(out, groups[most][0])
		groups[most] = groups[most][1:]
	}
	return out
}
