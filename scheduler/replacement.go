package scheduler

import (
	"slices"
	"time"
)

// An instance that turned unhealthy may still serve some of those who ask. Where its app has fewer healthy ones than
// minimumHealthCapacity wants, and maximumOverCapacity has room for another, that one is started first: the instance is
// condemned, and is killed when the others are enough without it. Should it get well before, it stays.

const (
	// replacementPlacedWithin is how long an instance is kept alive while nothing can be started in its place.
	replacementPlacedWithin = 10 * time.Second
	// replacementWellWithin is how long it is kept alive at all.
	replacementWellWithin = 5 * time.Minute
)

// endUnhealthy ends an instance for its health: at once, or when another has taken its place.
func (w *work) endUnhealthy(i *Instance) {
	switch {
	case i.Condemned != 0: // its end is decided
	case w.replacedFirst(i):
		n := *i
		n.Condemned = w.ts
		w.touchInstance(&n)
		w.dirty[i.AppID] = true
		w.setTimer(timerReplacement, string(i.ID), 0, w.now.Add(replacementPlacedWithin))
	default:
		w.killUnhealthy(i)
	}
}

// replacedFirst says whether another instance is to be started before this one is killed. A deployment sees to the
// capacity of its apps itself, an instance that never was healthy has nothing to lose, and where a breaker is open
// another would most likely fare no better.
func (w *work) replacedFirst(i *Instance) bool {
	app := w.apps.get(string(i.AppID))
	if app == nil || outdated(i, app) || app.OnePerAgent || app.OneShot() || w.locks.get(string(app.ID)) != "" ||
		w.delayed(app.ID) || i.weight().unhealthy == 0 || w.breakers.get(string(app.ID)) != nil || w.breakers.get(string(Root)) != nil {
		return false
	}
	instances, healthy := w.instancesOf(app.ID), 0
	for _, other := range instances {
		if other.done() {
			healthy++
		}
	}
	bounds := restartCapacity(app.Instances, app.UpgradeStrategy, -1)
	return healthy < bounds.minHealthy && len(instances) < bounds.most
}

// killUnhealthy kills an instance for its health. One that was condemned has been replaced, or nearly, and is forgotten.
func (w *work) killUnhealthy(i *Instance) {
	reason := ""
	for _, r := range i.Health {
		if !r.Alive && r.LastFailureCause != "" {
			reason = r.LastFailureCause
		}
	}
	w.notify(NoticeUnhealthyKill, UnhealthyKill{AppID: i.AppID, TaskID: i.TaskID(), InstanceID: i.ID,
		Version: i.AppVersion, Reason: reason, Host: i.Hostname, SlaveID: i.AgentID})
	if i.Condemned != 0 {
		w.decommission(i, reason)
	} else {
		w.kill(i, reason)
	}
}

// pardon lets a condemned instance live; if there are too many then, another goes.
func (w *work) pardon(i *Instance) *Instance {
	n := *i
	n.Condemned = 0
	w.clearTimer(timerReplacement, string(i.ID), 0)
	w.touchInstance(&n)
	w.dirty[i.AppID] = true
	return &n
}

// endCondemned ends the condemned among an app's instances if the others are enough, and returns those others.
func (w *work) endCondemned(app *App, instances []*Instance) []*Instance {
	condemned := func(i *Instance) bool { return i.Condemned != 0 }
	if !slices.ContainsFunc(instances, condemned) {
		return instances
	}
	healthy := 0
	for _, i := range instances {
		if i.done() && !condemned(i) {
			healthy++
		}
	}
	for _, i := range instances {
		if condemned(i) && healthy >= w.size(app) {
			w.killUnhealthy(i)
		}
	}
	return slices.DeleteFunc(instances, condemned)
}

// replacementDue looks at a condemned instance whose time is over: no other has been placed, or got well.
func (w *work) replacementDue(i *Instance) {
	if i.Condemned == 0 || i.Condition != Running {
		return
	}
	last := i.Condemned.Time().Add(replacementWellWithin)
	waits := slices.ContainsFunc(w.instancesOf(i.AppID), func(other *Instance) bool { return other.Condition == Scheduled })
	switch {
	case !w.mayKillUnhealthy(i):
		w.pardon(i) // by now the checks are mistrusted
	case !waits && w.now.Before(last):
		w.setTimer(timerReplacement, string(i.ID), 0, last)
	default:
		w.killUnhealthy(i)
	}
}
