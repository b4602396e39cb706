package scheduler

import (
	"strconv"
	"time"
)

// timerKind says what is due when a timer fires.
type timerKind uint8

const (
	timerLaunch      timerKind = iota // key: instance; it should be running by now
	timerKill                         // key: instance; it is drained, or to be told again to end although its agent is lost
	timerKillRetry                    // key: task; its kill should have shown effect by now
	timerCheck                        // key: instance, n: health check to make
	timerReadiness                    // key: instance; readiness check to make
	timerInactive                     // key: instance; unreachable for long enough to be replaced
	timerExpunge                      // key: instance; unreachable for long enough to be forgotten
	timerDelay                        // key: app; its backoff is over
	timerStable                       // key: app; it ran for so long that its backoff is forgotten
	timerReconcile                    // all tasks
	timerDeployment                   // key: deployment; it should be done by now
	timerFirstStatus                  // key: instance; its launch does not count as under way any more
	timerReplacement                  // key: condemned instance; another should have taken its place
)

// timer is something that becomes due. There is at most one for each subject (kind, key and n).
type timer struct {
	kind timerKind
	key  string
	n    int
	at   time.Time
}

// subject begins with the key, so that all timers of an instance are together.
func (t timer) subject() string {
	return t.key + timersSuffix + string(rune('a'+t.kind)) + strconv.Itoa(t.n)
}

// timersSuffix ends the key in a timer's subject; no key has it within.
const timersSuffix = "|"

// order sorts timers by when they are due.
func (t timer) order() string {
	due := uint64(t.at.UnixNano())
	return string([]byte{byte(due >> 56), byte(due >> 48), byte(due >> 40), byte(due >> 32), byte(due >> 24), byte(due >> 16),
		byte(due >> 8), byte(due)}) + t.subject()
}

// setTimer sets or moves the timer of a subject.
func (w *work) setTimer(kind timerKind, key string, n int, at time.Time) {
	w.clearTimer(kind, key, n)
	t := timer{kind, key, n, at}
	w.timers.put(t.order(), t)
	w.deadlines.put(t.subject(), t)
}

func (w *work) clearTimer(kind timerKind, key string, n int) {
	if t := w.deadlines.get(timer{kind: kind, key: key, n: n}.subject()); !t.at.IsZero() {
		w.dropTimer(t)
	}
}

func (w *work) dropTimer(t timer) {
	w.timers.remove(t.order())
	w.deadlines.remove(t.subject())
}

// clearInstanceTimers drops all timers of an instance whose task is over.
func (w *work) clearInstanceTimers(i *Instance) {
	for _, t := range w.deadlines.under(string(i.ID) + timersSuffix) {
		w.dropTimer(t)
	}
}

// fireTimers fires what is due, the longest due first. What is left wakes the next step at once.
func (w *work) fireTimers() {
	for range w.limits.Timers {
		_, t, ok := w.timers.first()
		if !ok || t.at.After(w.now) {
			return
		}
		w.clearTimer(t.kind, t.key, t.n)
		w.fire(t)
	}
}

func (w *work) fire(t timer) {
	switch t.kind {
	case timerReconcile:
		w.reconcile()
		return
	case timerDelay:
		w.revive = true
		return
	case timerDeployment:
		w.timeOut(DeploymentID(t.key))
		return
	case timerFirstStatus:
		w.underway.remove(t.key)
		return
	case timerStable:
		w.delays.remove(t.key)
		return
	case timerKillRetry:
		w.killTask(w.kills.get(t.key).task)
		return
	}
	i := w.instances.get(t.key)
	if i == nil {
		return
	}
	switch t.kind {
	case timerLaunch:
		w.kill(i, "Task did not start within the launch timeout")
	case timerKill:
		w.callKill(i)
	case timerCheck:
		w.probeHealth(i, t.n)
	case timerReadiness:
		w.probeReadiness(i)
	case timerReplacement:
		w.replacementDue(i)
	case timerInactive:
		if !w.braked { // else release sets them again
			w.becomeInactive(i)
		}
	case timerExpunge:
		if !w.braked {
			w.expunge(i)
		}
	}
}
