package scheduler

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// status takes in what the engine says of a task.
func (w *work) status(s TaskStatus) {
	if s.Ack != "" {
		w.effects.Calls = append(w.effects.Calls, acknowledgeCall{s})
	}
	i := w.instances.get(string(InstanceIDOf(s.TaskID)))
	if i == nil || i.TaskID() != s.TaskID || !i.Condition.Active() {
		w.strangeStatus(s)
		return
	}
	w.underway.remove(string(i.ID))
	if state := mapLost(s); !w.forgotten(i, s, state) {
		w.follow(i, s, state)
	}
}

// follow has an instance follow a status of its task.
func (w *work) follow(i *Instance, s TaskStatus, state TaskState) {
	before := *i
	switch {
	case state.Terminal():
		w.ended(i, s, state)
	case state == TaskUnreachable:
		w.unreachable(i, s)
	default:
		w.alive(i, s, state)
	}
	if after := w.instances.get(string(i.ID)); after == nil || after.Condition != before.Condition {
		w.notifyStatus(&before, s, state)
		if after != nil {
			w.notifyInstance(after)
		} else {
			before.Condition = Condition(conditionWord(state))
			w.notifyInstance(&before)
		}
	}
}

// strangeStatus deals with a task that nobody wants: one that runs is killed.
func (w *work) strangeStatus(s TaskStatus) {
	if s.State == TaskUnreachable {
		w.killed(s.TaskID)
		return
	}
	if s.State == TaskKilling {
		return
	}
	if !s.State.Terminal() {
		if was := w.state.Instance(InstanceIDOf(s.TaskID)); was != nil && was.TaskID() == s.TaskID {
			w.effects.Withdrawn = append(w.effects.Withdrawn, was.ID) // it ended in this very step
		}
		w.killTask(TaskRef{s.TaskID, s.AgentID})
		return
	}
	w.killed(s.TaskID)
	if id := InstanceIDOf(s.TaskID); id != "" && s.State != TaskUnknown {
		safe, _, _ := strings.Cut(string(id), ".instance-")
		w.notify(NoticeUnknownTerminated, UnknownTerminated{InstanceID: id,
			RunSpecID: PathID("/" + strings.ReplaceAll(safe, "_", "/")), Condition: conditionWord(s.State)})
	}
}

// mapLost turns TASK_LOST, which older masters send, into what it means (Marathon reference 12.2).
func mapLost(s TaskStatus) TaskState {
	if s.State == TaskGoneByOperator {
		return TaskGone
	}
	if s.State != TaskLost {
		return s.State
	}
	switch {
	case s.Reason == "REASON_TASK_UNKNOWN",
		s.Reason == "REASON_RECONCILIATION" && strings.HasPrefix(s.Message, "Task is unknown to the"):
		return TaskUnknown
	case s.Reason == "REASON_RECONCILIATION", s.Reason == "REASON_SLAVE_DISCONNECTED", s.Reason == "REASON_SLAVE_REMOVED",
		s.Reason == "REASON_AGENT_DISCONNECTED", s.Reason == "REASON_AGENT_REMOVED": // the same, in the v1 API
		return TaskUnreachable
	}
	return TaskGone
}

// alive follows a task that exists.
func (w *work) alive(i *Instance, s TaskStatus, state TaskState) {
	w.found(i)
	n := *i
	if len(s.Addresses) > 0 {
		n.Addresses = s.Addresses
	}
	switch {
	case i.Condition == Killing, i.Goal == GoalDecommissioned:
		// It is on its way out; word of it from before the kill changes nothing.
		n.Condition = Killing
	case i.Condition == Running && (state == TaskStaging || state == TaskStarting):
		// Late word from before it ran.
	case state == TaskStaging:
		n.Condition = Staging
	case state == TaskStarting:
		n.Condition = Starting
	case state == TaskKilling:
		n.Condition = Killing
	case state == TaskRunning:
		n.Condition = Running
	}
	if n.Condition != i.Condition {
		n.Since = w.ts
	}
	if n.Condition == Running && n.StartedAt == 0 {
		n.StartedAt = w.ts
	}
	switch {
	case n.Condition == i.Condition && slices.Equal(n.Addresses, i.Addresses):
	case n.Condition == Running:
		n.Condemned = 0 // its checks begin anew
		w.clearInstanceTimers(i)
		w.putInstance(&n)
		w.beginChecks(&n)
		w.rebaseDelay(n.App)
	case n.Condition == Killing:
		w.clearInstanceTimers(i)
		w.putInstance(&n)
		w.effects.Withdrawn = append(w.effects.Withdrawn, n.ID)
		w.callKill(&n)
	default:
		w.putInstance(&n)
		w.setTimer(timerLaunch, string(n.ID), 0, w.now.Add(w.limits.LaunchTimeout))
	}
	if s.Healthy != nil && n.Condition == Running {
		w.agentHealth(n.ID, *s.Healthy, s.Message)
	}
}

// ended deals with a task that is over: the instance waits for another one, or is forgotten.
func (w *work) ended(i *Instance, s TaskStatus, state TaskState) {
	w.clearInstanceTimers(i)
	unhealthy := diedUnhealthy(i, s)
	launched := s.Reason != ReasonMasterDisconnected
	failed := launched && i.Goal == GoalRunning && i.App.rests(state) == "" && (unhealthy || i.Condition != Killing && backsOff(state))
	if launched && (unhealthy || i.Condition != Killing) {
		w.recordFailure(i, s, state, unhealthy)
	}
	app := w.apps.get(string(i.AppID))
	if app != nil && failed && !outdated(i, app) {
		w.addDelay(app)
	}
	if i.Goal == GoalDecommissioned || app == nil || outdated(i, app) && w.replacing(app) {
		w.removeInstance(i)
		return
	}
	if as := i.App.rests(state); as != "" {
		w.rest(i, as)
		return
	}
	w.reschedule(i, app)
}

// diedUnhealthy says whether a task ended while its health checks said that it should. Marathon does not count that
// as a failure and relies on offers to come slowly; where they come at once, an app that never gets healthy would be
// started without end.
func diedUnhealthy(i *Instance, s TaskStatus) bool {
	h := i.Healthy()
	return h != nil && !*h || s.Healthy != nil && !*s.Healthy
}

// backsOff says whether an end of this kind holds the app back (Marathon reference, section 13).
func backsOff(state TaskState) bool {
	switch state {
	case TaskFailed, TaskFinished, TaskError, TaskGone, TaskDropped:
		return true
	}
	return false
}

func (w *work) recordFailure(i *Instance, s TaskStatus, state TaskState, unhealthy bool) {
	switch state {
	case TaskFinished, TaskKilled, TaskUnknown:
		if !unhealthy {
			return
		}
	}
	w.failures.put(string(i.AppID), &TaskFailure{AppID: i.AppID, Host: i.Hostname, Message: s.Message, State: s.State,
		TaskID: s.TaskID, Timestamp: TimestampOf(s.Timestamp), Version: i.AppVersion, SlaveID: i.AgentID})
	w.save(KindFailure, string(i.AppID))
}

// unreachable begins to wait for a task whose agent is not heard of.
func (w *work) unreachable(i *Instance, s TaskStatus) {
	if i.Condition == Unreachable || i.Condition == UnreachableInactive {
		return
	}
	n := *i
	n.Condition, n.Since, n.Condemned = Unreachable, w.ts, 0
	if n.Goal == GoalDecommissioned {
		w.removeInstance(i) // its end was asked for: nobody waits for it, and should its task come back, it is killed
		w.effects.Withdrawn = append(w.effects.Withdrawn, i.ID)
		return
	}
	if !s.Timestamp.IsZero() && s.Timestamp.Before(w.now) {
		n.Since = TimestampOf(s.Timestamp)
	}
	w.clearInstanceTimers(i)
	w.putInstance(&n)
	w.effects.Withdrawn = append(w.effects.Withdrawn, n.ID)
	w.setUnreachableTimers(&n, w.now)
	w.lost(i.AgentID)
}

// setUnreachableTimers sets when an unreachable instance is replaced and when it is forgotten, neither before earliest.
func (w *work) setUnreachableTimers(i *Instance, earliest time.Time) {
	strategy := i.App.UnreachableStrategy
	if strategy.Disabled {
		return
	}
	set := func(kind timerKind, after int) {
		at := i.Since.Time().Add(seconds(float64(after)))
		if at.Before(earliest) {
			at = earliest
		}
		w.setTimer(kind, string(i.ID), 0, at)
	}
	set(timerInactive, strategy.InactiveAfterSeconds)
	set(timerExpunge, strategy.ExpungeAfterSeconds)
}

// becomeInactive lets an unreachable instance be replaced; it may still come back.
func (w *work) becomeInactive(i *Instance) {
	if i.Condition != Unreachable {
		return
	}
	n := *i
	n.Condition = UnreachableInactive
	w.putInstance(&n)
	w.makesRoom(n.AppID)
	w.notifyInstance(&n)
}

// expunge forgets an unreachable instance; should its task come back, it is killed.
func (w *work) expunge(i *Instance) {
	if i.Condition == Unreachable || i.Condition == UnreachableInactive {
		w.removeInstance(i)
	}
}

func (w *work) notifyStatus(i *Instance, s TaskStatus, state TaskState) {
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = i.Addresses
	}
	if len(addresses) == 0 && i.Address.IsValid() {
		addresses = []netip.Addr{i.Address}
	}
	if state == TaskUnknown {
		state = s.State
	}
	w.notify(NoticeStatusUpdate, StatusUpdate{SlaveID: i.AgentID, TaskID: s.TaskID, TaskStatus: state,
		Message: s.Message, AppID: i.AppID, Host: i.Hostname, IPAddresses: WireAddresses(addresses),
		Ports: held(i.HostPorts), Version: i.AppVersion})
}

// WireAddresses puts addresses in Marathon's form.
func WireAddresses(addresses []netip.Addr) []Address {
	out := make([]Address, len(addresses))
	for n, a := range addresses {
		out[n] = Address{IPAddress: a.String(), Protocol: "IPv4"}
		if a.Is6() && !a.Is4In6() {
			out[n].Protocol = "IPv6"
		}
	}
	return out
}

// conditionWord is Marathon's word for the condition of a task in a state: TASK_FINISHED is "Finished".
func conditionWord(state TaskState) string {
	word := strings.ToLower(strings.TrimPrefix(string(state), "TASK_"))
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

// Serving says whether clients may be sent to an instance: its task runs, is not about to end, and has passed its
// readiness check where it has one. Health is told apart by Healthy.
func (i *Instance) Serving() bool {
	return i.Condition == Running && i.Goal == GoalRunning && i.Ready
}

// RunningSince is when the instance's task began to run; the zero time when it does not.
func (i *Instance) RunningSince() time.Time {
	if i.StartedAt == 0 || i.Condition != Running {
		return time.Time{}
	}
	return i.StartedAt.Time()
}
