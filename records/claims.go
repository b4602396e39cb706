package records

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Collision is a name that several give records to which do not know of each other: tasks with different names, or of
// different frameworks, that come to the same name, or a framework that is called as something else is. All of the
// records are there.
type Collision struct {
	Name    string   // absolute
	Between []string // who gives the name records, in words
}

// claimant is who gives a name its records. All tasks that one framework calls the same are one claimant: that they
// share a name is what the name is for. The zero value stands for the names that are fixed.
type claimant struct {
	key, framework string // of the framework: its key, and its name
	task           string // the name of the tasks, as the source worded it; "" for the framework itself
}

func taskClaimant(t *Task) claimant {
	return claimant{cmp.Or(t.FrameworkKey, t.Framework), t.Framework, t.sourceName()}
}

func (f *Framework) claimant() claimant { return claimant{key: f.key(), framework: f.Name} }

func (b claimant) String() string {
	switch {
	case b == claimant{}:
		return "a name that is always there"
	case b.task == "":
		return fmt.Sprintf("framework %q (%s)", b.framework, b.key)
	}
	return fmt.Sprintf("task %q of framework %q (%s)", b.task, b.framework, b.key)
}

// claim is a claimant's on a name.
type claim struct {
	owner string
	by    claimant
}

// claims knows for each name who claims it, and how often.
type claims struct {
	sole   map[string]soleClaim          // nearly all names
	shared map[string]map[claimant]int32 // names with several claimants
}

type soleClaim struct {
	by    claimant
	count int32
}

func newClaims() *claims {
	return &claims{sole: make(map[string]soleClaim), shared: make(map[string]map[claimant]int32)}
}

// apply takes in net changes. It returns the names that have got one more claimant than there was.
func (c *claims) apply(changed map[claim]int32) []Collision {
	var names []string
	for claim, times := range changed {
		if times != 0 && c.change(claim.owner, claim.by, times) {
			names = append(names, claim.owner)
		}
	}
	slices.Sort(names)
	var out []Collision
	for _, name := range slices.Compact(names) {
		if by := c.shared[name]; by != nil { // not if the other one has gone by the same update
			out = append(out, newCollision(name, by))
		}
	}
	return out
}

// change reports whether the name has several claimants, of which this one is new.
func (c *claims) change(owner string, by claimant, times int32) bool {
	if all := c.shared[owner]; all != nil {
		before := all[by]
		if all[by] = before + times; all[by] == 0 {
			delete(all, by)
		}
		if len(all) == 1 {
			for by, count := range all {
				c.sole[owner] = soleClaim{by, count}
			}
			delete(c.shared, owner)
		}
		return before == 0
	}
	sole, claimed := c.sole[owner]
	switch {
	case !claimed:
		c.sole[owner] = soleClaim{by, times}
	case sole.by != by:
		c.shared[owner] = map[claimant]int32{sole.by: sole.count, by: times}
		delete(c.sole, owner)
		return true
	case sole.count+times == 0:
		delete(c.sole, owner)
	default:
		c.sole[owner] = soleClaim{by, sole.count + times}
	}
	return false
}

func newCollision(name string, by map[claimant]int32) Collision {
	c := Collision{Name: name}
	for b := range maps.Keys(by) {
		c.Between = append(c.Between, b.String())
	}
	slices.Sort(c.Between)
	return c
}
