package resolver

import (
	"slices"
	"sync/atomic"
	"time"
)

// exploreEvery is how many questions pass before one also goes to a server that is not the best, to see how it does. The
// client gets the answer of the best one, so that nobody pays for it but the servers.
const exploreEvery = 16

// maxTrials is how many questions may wait for a group of servers none of which answers: enough to find out when one is
// back, few enough not to take the room of questions for other servers.
const maxTrials = 8

// group are the servers for the names of a zone, or for all that have none of their own.
type group struct {
	servers []*upstream // as the operator lists them
	limit   int32       // questions that may wait, so that those for other groups have room; 0: no limit
	count   atomic.Uint32
	waiting atomic.Int32 // questions
}

// order are the servers in the order to be asked: the fastest first, those that do not answer last. Those whose
// questions come back are left out.
func (g *group) order(now time.Time) []*upstream {
	type ranked struct {
		*upstream
		standing standing
	}
	var list []ranked
	for _, u := range g.servers {
		if !u.loops(now) {
			list = append(list, ranked{u, u.standing()})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return int(a.standing - b.standing) })
	out := make([]*upstream, len(list))
	for i, r := range list {
		out[i] = r.upstream
	}
	return out
}

// explore chooses a server that gets the question as well, only to see how it does; nil: none. order is the order of
// this question.
func (g *group) explore(order []*upstream, now time.Time) *upstream {
	for _, u := range order[min(1, len(order)):] {
		if u.takesTrial(now) {
			return u
		}
	}
	if g.count.Add(1)%exploreEvery != 0 {
		return nil
	}
	var longest *upstream // not asked
	for _, u := range order[min(1, len(order)):] {
		if !u.isDown() && (longest == nil || u.askedBefore(longest)) {
			longest = u
		}
	}
	return longest
}

func (u *upstream) askedBefore(other *upstream) bool {
	return u.lastAskedAt().Before(other.lastAskedAt())
}

func (u *upstream) lastAskedAt() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lastAsked
}

// enter takes a place among the questions that wait for the servers. It reports false when too many wait, or when none of
// the servers answers and enough questions wait to find out whether one does again. Whoever entered has to leave.
func (g *group) enter(order []*upstream) bool {
	waiting := g.waiting.Add(1)
	if g.limit > 0 && waiting > g.limit || waiting > maxTrials && !slices.ContainsFunc(order, func(u *upstream) bool { return !u.isDown() }) {
		g.waiting.Add(-1)
		return false
	}
	return true
}

func (g *group) leave() { g.waiting.Add(-1) }
