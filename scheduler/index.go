package scheduler

// indexes gives instances their numbers.
type indexes struct {
	taken map[int]bool
	next  int
}

// newIndexes knows the numbers that an app's instances have. Those of older configs are not counted: during an upgrade
// a new instance has the number of an old one, whose place it takes.
func newIndexes(app *App, instances []*Instance) *indexes {
	x := &indexes{taken: map[int]bool{}}
	for _, i := range instances {
		if i.Incarnation > 0 && !outdated(i, app) {
			x.taken[i.Index] = true
		}
	}
	return x
}

// give returns an instance with a number: its own, or the smallest that is free.
func (x *indexes) give(i *Instance) *Instance {
	if i.Incarnation > 0 {
		return i
	}
	for x.taken[x.next] {
		x.next++
	}
	n := *i
	n.Index = x.next
	x.taken[x.next] = true
	return &n
}
