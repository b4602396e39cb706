package scheduler

import (
	"math"
	"slices"
)

// capacity bounds a rolling restart (Marathon reference, section 11).
type capacity struct {
	minHealthy int // healthy instances, old and new, to be kept
	most       int // instances there may be at all
}

// restartCapacity computes the bounds for an app of which healthy instances are healthy now. When they leave no room
// to move, one instance more is allowed. The arithmetic is Marathon's, on doubles.
func restartCapacity(instances int, u UpgradeStrategy, healthy int) capacity {
	n := float64(instances)
	c := capacity{minHealthy: int(math.Ceil(n * u.MinimumHealthCapacity)), most: int(math.Floor(n * (1 + u.MaximumOverCapacity)))}
	if c.minHealthy == c.most && c.most <= healthy {
		c.most++
	}
	return c
}

// replace brings the instances of an app from older definitions to its present one, within the bounds of its upgrade
// strategy, and says whether none of the old is left.
func (w *work) replace(app *App) bool {
	all, size := w.instancesOf(app.ID), w.size(app)
	var fresh, old []*Instance
	healthy, satisfied := 0, 0
	for _, i := range all {
		if i.Condition == UnreachableInactive && outdated(i, app) {
			w.decommission(i, "Replaced by a newer version") // should it come back
		}
	}
	for _, i := range wanted(all) {
		if i.done() {
			healthy++
		}
		switch {
		case !outdated(i, app):
			fresh = append(fresh, i)
			if i.done() {
				satisfied++
			}
		case i.Condition == Scheduled || i.Condition.Over():
			w.removeInstance(i)
		case i.waitsForEver() && app.UnreachableStrategy.Disabled:
			// A second one beside it is what it was told never to have. A definition that says otherwise gives it up.
		default:
			old = append(old, i)
		}
	}
	if excess := len(fresh) - size; excess > 0 {
		for _, i := range surplus(app, fresh, excess) {
			w.decommission(i, "Scaled down")
		}
		return false
	}
	bounds := restartCapacity(size, app.UpgradeStrategy, healthy)
	// Old instances go as far as enough healthy ones stay, and as new ones have taken their place.
	kill := min(len(old), max(0, healthy-bounds.minHealthy, len(old)-(size-satisfied)))
	slices.SortStableFunc(old, unhealthyFirst)
	for _, i := range old[:kill] {
		w.decommission(i, "Replaced by a newer version")
	}
	if len(fresh) < size && len(all) >= bounds.most {
		w.makeRoom(old[kill:], size-len(fresh)-kill)
	}
	present := 0
	for _, i := range w.instancesOf(app.ID) {
		if i.Condition != UnreachableInactive {
			present++
		}
	}
	w.schedule(app, max(0, min(size-len(fresh), bounds.most-present)))
	w.dequeue(app.ID, w.instancesOf(app.ID))
	return satisfied == size && present == size
}

// makeRoom ends up to count old instances that serve nobody: without room for new ones an app whose old version is
// broken could never be mended.
func (w *work) makeRoom(old []*Instance, count int) {
	for _, i := range old {
		h := i.Healthy()
		if count > 0 && (i.Condition != Running || h != nil && !*h) {
			w.decommission(i, "Made room for a newer version")
			count--
		}
	}
}

// unhealthyFirst orders instances by who makes room: those that serve nobody first.
func unhealthyFirst(a, b *Instance) int { return boolRank(a.done()) - boolRank(b.done()) }

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
