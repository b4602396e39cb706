package scheduler

import (
	"cmp"
	"iter"
	"time"
)

// Breaker says that so many instances turned unhealthy at once that the checks are more likely at fault than the
// instances: none is killed for its health while it is open, and after BreakerPatience one of an app at a time.
type Breaker struct {
	App       PathID    `json:"appId"` // Root: of all apps together
	Since     Timestamp `json:"since"`
	Checked   int       `json:"checked"`   // running instances with results of checks that may kill
	Unhealthy int       `json:"unhealthy"` // of them, those that were healthy before
}

// A breaker opens when more than half of at least so many instances turned unhealthy.
const (
	breakerLeastOfApp = 3
	breakerLeastOfAll = 10
)

// BreakerPatience is how long a breaker keeps every instance alive.
const BreakerPatience = 10 * time.Minute

// Breakers yields the breakers that are open, that of all apps first.
func (s *State) Breakers() iter.Seq[*Breaker] { return values(s.breakers.under("")) }

// tally counts instances for the breaker of all apps.
type tally struct{ checked, unhealthy int }

// weight is what an instance counts. Only checks that the core may kill for are looked at. An instance that never was
// healthy did not turn unhealthy: a version that does not work is no reason to mistrust the checks.
func (i *Instance) weight() tally {
	if i == nil || i.Condition != Running || i.App == nil || len(i.Health) < len(i.App.HealthChecks) {
		return tally{}
	}
	var t tally
	for n, c := range i.App.HealthChecks {
		if r := i.Health[n]; r.Known() && c.MaxConsecutiveFailures > 0 && !c.Protocol.ByAgent() {
			t.checked = 1
			if !r.Alive && r.FirstSuccess != 0 {
				t.unhealthy = 1
			}
		}
	}
	return t
}

func (t tally) trips(least int) bool { return t.checked >= least && 2*t.unhealthy > t.checked }

// reweigh keeps the tally when an instance is replaced by another, nil when it is gone.
func (w *work) reweigh(before, after *Instance) {
	was, is := before.weight(), after.weight()
	if was == is {
		return
	}
	w.tally.checked += is.checked - was.checked
	w.tally.unhealthy += is.unhealthy - was.unhealthy
	w.reweighed[cmp.Or(after, before).AppID] = true
}

// weighHealth opens and closes the breakers that an app's health bears upon.
func (w *work) weighHealth(app PathID) {
	if !w.reweighed[app] {
		return
	}
	delete(w.reweighed, app)
	var own tally
	for _, i := range w.instancesOf(app) {
		t := i.weight()
		own.checked += t.checked
		own.unhealthy += t.unhealthy
	}
	w.weigh(app, own, breakerLeastOfApp)
	w.weigh(Root, w.tally, breakerLeastOfAll)
}

func (w *work) weigh(key PathID, t tally, least int) {
	open := w.breakers.get(string(key))
	switch {
	case t.trips(least):
		b := &Breaker{App: key, Since: w.ts, Checked: t.checked, Unhealthy: t.unhealthy}
		if open != nil {
			b.Since = open.Since
		}
		w.breakers.put(string(key), b)
		if open == nil {
			w.notify(NoticeBreakerOpened, *b)
		}
	case open != nil:
		w.breakers.remove(string(key))
		w.notify(NoticeBreakerClosed, Breaker{App: key, Since: open.Since, Checked: t.checked, Unhealthy: t.unhealthy})
	}
}

// mayKillUnhealthy says whether an instance may be killed for its health. One that never was healthy may: a breaker
// protects those that turned.
func (w *work) mayKillUnhealthy(i *Instance) bool {
	if i.weight().unhealthy == 0 {
		return true
	}
	since := w.ts + 1
	for _, key := range []PathID{Root, i.AppID} {
		if b := w.breakers.get(string(key)); b != nil {
			since = min(since, b.Since)
			if w.now.Sub(b.Since.Time()) < BreakerPatience {
				return false
			}
		}
	}
	if since > w.ts {
		return true // none is open
	}
	for _, other := range w.instancesOf(i.AppID) {
		if h := other.Healthy(); other.weight().unhealthy == 0 && (h == nil || !*h) {
			return false // the one before has not come back yet
		}
	}
	return true
}
