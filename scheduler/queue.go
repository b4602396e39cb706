package scheduler

import (
	"iter"
	"maps"
	"time"
)

// Reason is why an offer was refused, in Marathon's words and in the order in which they are looked at.
type Reason string

const (
	UnfulfilledRole       Reason = "UnfulfilledRole"
	UnfulfilledConstraint Reason = "UnfulfilledConstraint"
	NoReservationFound    Reason = "NoCorrespondingReservationFound"
	AgentMaintenance      Reason = "AgentMaintenance"
	InsufficientCpus      Reason = "InsufficientCpus"
	InsufficientMemory    Reason = "InsufficientMemory"
	InsufficientDisk      Reason = "InsufficientDisk"
	InsufficientGpus      Reason = "InsufficientGpus"
	InsufficientPorts     Reason = "InsufficientPorts"
	DeclinedScarce        Reason = "DeclinedScarceResources"

	// ContainerEngineUnavailable is rollcall's own: Offer.NoContainers says why.
	ContainerEngineUnavailable Reason = "ContainerEngineUnavailable"
)

// Reasons lists every reason, in the order of the funnel of GET /v2/queue.
func Reasons() []Reason {
	return []Reason{UnfulfilledRole, UnfulfilledConstraint, NoReservationFound, AgentMaintenance, InsufficientCpus,
		InsufficientMemory, InsufficientDisk, InsufficientGpus, InsufficientPorts, DeclinedScarce,
		ContainerEngineUnavailable}
}

// Queued is an app with instances that wait to be launched.
type Queued struct {
	App        *App
	Count      int           // instances that wait
	Since      Timestamp     // when the app began to wait
	Delay      time.Duration // how long its backoff still lasts; 0: it waits for a fitting offer
	Processed  int           // offers looked at
	Unused     int           // of them, those refused
	LastUnused Timestamp
	LastUsed   Timestamp
	// RejectedLast counts, by reason, the newest offer of each agent; RejectedSince all offers since the app waits.
	RejectedLast  map[Reason]int
	RejectedSince map[Reason]int
	Offers        []UnusedOffer // the newest refused offer of each agent, at most unusedOffersKept
}

// UnusedOffer is an offer that was refused, and why.
type UnusedOffer struct {
	Offer      Offer
	Reasons    []Reason
	Constraint Constraint // the first that it does not fulfil, for UnfulfilledConstraint
	At         Timestamp
}

// launchQueue is what is known of an app that waits to be launched.
type launchQueue struct {
	since      Timestamp
	processed  int
	unused     int
	lastUnused Timestamp
	lastUsed   Timestamp
	rejected   map[Reason]int // since the app waits
	newest     map[AgentID]UnusedOffer
}

// unusedOffersKept bounds what an app that waits remembers of the offers it refused.
const unusedOffersKept = 100

// Queue yields the apps that have instances to launch, by id.
func (s *State) Queue(now time.Time) iter.Seq[Queued] {
	return func(yield func(Queued) bool) {
		for id := range s.queue.under("") {
			if q, ok := s.Queued(PathID(id), now); ok && !yield(q) {
				return
			}
		}
	}
}

// Queued tells of one app that has instances to launch; false when it has none.
func (s *State) Queued(app PathID, now time.Time) (Queued, bool) {
	lq, a := s.queue.get(string(app)), s.App(app)
	if lq == nil || a == nil {
		return Queued{}, false
	}
	q := Queued{App: a, Since: lq.since, Processed: lq.processed, Unused: lq.unused, LastUnused: lq.lastUnused,
		LastUsed: lq.lastUsed, RejectedSince: lq.rejected, RejectedLast: map[Reason]int{}}
	for i := range s.Instances(app) {
		if i.Condition == Scheduled {
			q.Count++
		}
	}
	if d := s.delays.get(string(app)); d != nil {
		q.Delay = max(0, d.deadline.Sub(now))
	}
	for _, agent := range sortedKeys(lq.newest) {
		u := lq.newest[agent]
		q.RejectedLast[u.Reasons[0]]++
		q.Offers = append(q.Offers, u)
	}
	return q, q.Count > 0
}

func newLaunchQueue(since Timestamp) *launchQueue {
	return &launchQueue{since: since, rejected: map[Reason]int{}, newest: map[AgentID]UnusedOffer{}}
}

// clone copies what refused changes.
func (q *launchQueue) clone() *launchQueue {
	c := *q
	c.rejected, c.newest = maps.Clone(q.rejected), maps.Clone(q.newest)
	return &c
}

// refused remembers an offer that did not do.
func (q *launchQueue) refused(o Offer, r refusal, at Timestamp) {
	q.unused++
	q.lastUnused = at
	q.rejected[r.reasons[0]]++
	if _, known := q.newest[o.AgentID]; known || len(q.newest) < unusedOffersKept {
		q.newest[o.AgentID] = UnusedOffer{o, r.reasons, r.constraint, at}
	}
}
