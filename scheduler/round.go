package scheduler

import (
	"cmp"
	"iter"
)

// round is one walk through the apps that wait, by id, with the offers at hand. A step goes as far as its limits let
// it, and the next one goes on from there; so events and requests have their turn in between. An offer is declined at
// the end of a round that has shown it to every app: it is held for two rounds at most, unless tasks are launched.
//
// Apps that come late in a walk may find that those before them have taken what was offered. So the next walk begins
// with the first of them, and each app is the first within as many rounds as apps wait: none gets all offers for as
// long as it can use them.
type round struct {
	number  int
	first   PathID // the walk begins after it, and comes to it last
	after   PathID // the app that was looked at last; "" between two rounds
	next    PathID // what first is in the next round; "" as long as nobody has come too late
	used    bool   // something was launched
	waiting int    // about how many instances are still to be launched
	cut     bool   // an app could have had more: all offers are shown again in the next round
	revive  bool   // an app may have begun to wait after the walk came past it
}

// left yields the apps that wait and have not had their turn in the round, in the order of the walk.
func (r round) left(queue tree[*launchQueue]) iter.Seq[PathID] {
	wrapped := r.after != "" && r.after <= r.first
	return func(yield func(PathID) bool) {
		walk := func(after, last PathID) bool { // last "": to the end
			for id := range queue.under("") {
				id := PathID(id)
				if last != "" && id > last {
					return true
				}
				if id > after && !yield(id) {
					return false
				}
			}
			return true
		}
		if wrapped {
			walk(r.after, r.first)
		} else if walk(max(r.after, r.first), "") && r.first != "" {
			walk("", r.first)
		}
	}
}

// heldOffer is an offer at hand.
type heldOffer struct {
	Offer
	round int // the first in which every app sees it
}

// bid is an offer while instances are placed on it.
type bid struct {
	offer Offer // its resources shrink with each task
	tasks []TaskInfo
	used  bool
}

// table is what a step has for the apps that wait.
type table struct {
	offers   []*heldOffer // by id
	bids     []*bid       // the same; nil where no app has looked
	order    []int        // in which apps look at them
	front    int          // so many of them are enough for what may be launched: they are used first
	turn     int          // which of those is looked at next
	launches int          // left
	looks    int          // left
	cut      bool
}

// frontLeast is over how many agents, if there are so many, an app is spread that has no constraints.
const frontLeast = 16

// next is the n-th bid that an app looks at. Apps begin where the one before ended, so that they spread. An offer that
// is used is gone afterwards, so where much waits a step fills some of them, each with its share of what waits.
func (t *table) next(n int) *bid {
	if n < t.front {
		n = t.turn % t.front
		t.turn++
	}
	at := t.order[n]
	if t.bids[at] == nil {
		t.bids[at] = &bid{offer: t.offers[at].Offer}
	}
	return t.bids[at]
}

// hold keeps an offer until it is used, declined or rescinded.
func (w *work) hold(o Offer) {
	first := w.round.number
	if w.round.after != "" {
		first++
	}
	w.offers.put(string(o.ID), &heldOffer{o, first})
}

// setTable lays out the offers at hand in random order.
func (w *work) setTable() *table {
	offers := w.offers.under("")
	t := &table{offers: offers, bids: make([]*bid, len(offers)), order: w.random.Perm(len(offers)),
		launches: w.limits.Launches, looks: w.limits.Looks}
	if w.round.after == "" {
		for id := range w.queue.commit().under("") {
			if app := w.apps.get(id); app != nil {
				w.round.waiting += app.Instances
			}
		}
	}
	t.front = len(t.bids)
	if w.round.waiting > t.launches {
		t.front = min(t.front, max(frontLeast, t.front*t.launches/w.round.waiting))
	}
	return t
}

// match goes on with the round, unless the engine has enough to do, and takes part of the offers at hand to their end:
// those that are used, and after the round those that no app wanted.
func (w *work) match() {
	if _, _, any := w.offers.first(); !any {
		w.round.next = cmp.Or(w.round.next, w.round.after) // those that are left come first
		w.endRound()
		return
	}
	if w.full() {
		return
	}
	t := w.setTable()
	last, done := w.round.after, true
	for id := range w.round.left(w.queue.commit()) {
		if t.launches <= 0 || t.looks <= 0 {
			done = false
			break
		}
		if app := w.apps.get(string(id)); app != nil && !w.delayed(id) {
			before := t.launches
			w.place(app, t)
			switch {
			case t.launches < before:
				w.round.used = true
			case w.round.used && w.round.next == "":
				w.round.next = last
			}
		}
		last = id
	}
	waiting := w.queue.len() > 0
	w.round.cut = w.round.cut || t.cut
	over := done && !w.round.cut
	for n, o := range t.offers {
		switch b := t.bids[n]; {
		case b != nil && b.used:
			w.effects.Calls = append(w.effects.Calls, acceptCall{o.ID, b.tasks})
			w.totals.OffersUsed++
			w.totals.Launched += len(b.tasks)
		case over && (o.round <= w.round.number || !waiting):
			w.effects.Calls = append(w.effects.Calls, declineCall{o.ID, w.limits.DeclineFor})
			w.totals.OffersDeclined++
		default:
			continue
		}
		w.offers.remove(string(o.ID))
	}
	if done {
		w.endRound()
	} else {
		w.round.after = last
		w.round.waiting -= w.limits.Launches - t.launches
		w.round.revive = w.round.revive || w.revive
	}
	if !waiting && !w.revive {
		w.effects.Calls = append(w.effects.Calls, suppressCall{})
	}
}

// endRound asks again for the offers that the round declined, if an app may have missed them.
func (w *work) endRound() {
	w.revive = w.revive || w.round.revive && w.queue.len() > 0
	w.round = round{number: w.round.number + 1, first: cmp.Or(w.round.next, w.round.first)}
}
