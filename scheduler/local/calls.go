package local

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"rollcall/scheduler"
)

// makeOffers offers what is free on each agent that has no offer out.
func (r *run) makeOffers(now time.Time) {
	if r.adopting > 0 {
		return
	}
	var offers []scheduler.Offer
	var listening []netip.AddrPort
	for _, l := range r.ledgers {
		if !l.due(now) {
			continue
		}
		if offers == nil {
			listening = listeners()
		}
		offers = append(offers, l.makeOffer(scheduler.OfferID("local-O"+uuid.NewString()), listening))
		offers[len(offers)-1].NoContainers = r.dockerDown
	}
	if len(offers) > 0 {
		r.send(scheduler.OffersReceived{Offers: offers})
	}
}

func (r *run) offering(offer scheduler.OfferID) *ledger {
	for _, l := range r.ledgers {
		if offer != "" && l.offer == offer {
			return l
		}
	}
	return nil
}

func (r *run) accept(offer scheduler.OfferID, tasks []scheduler.TaskInfo) {
	l := r.offering(offer)
	for _, info := range tasks {
		r.launch(l, info)
	}
	if l != nil {
		l.close()
	}
}

// launch takes one task on the offer of a ledger, nil when the offer is not valid any more.
func (r *run) launch(l *ledger, info scheduler.TaskInfo) {
	if r.tasks[info.ID] != nil {
		return // it is there already, and is told of by its own statuses
	}
	if _, over := r.ended[info.ID]; over {
		r.refuse(info, scheduler.TaskDropped, "REASON_INVALID_OFFERS", "a task of this id ran before; ids are used once")
		return
	}
	switch {
	case l == nil:
		r.refuse(info, scheduler.TaskDropped, "REASON_INVALID_OFFERS", "the offer is no longer valid")
		return
	case runsContainer(info) && r.docker == nil:
		r.refuse(info, scheduler.TaskFailed, "REASON_CONTAINER_LAUNCH_FAILED", dockerIsOff)
		return
	case !runsContainer(info) && wantsContainer(info):
		r.refuse(info, scheduler.TaskFailed, "REASON_CONTAINER_LAUNCH_FAILED",
			"volumes and networks of its own need a container image; a plain process has the agent's files and network")
		return
	}
	if err := l.take(info); err != nil {
		r.refuse(info, scheduler.TaskError, "REASON_TASK_INVALID", err.Error())
		return
	}
	dir := taskDir(filepath.Join(r.options.Dir, "tasks", dirName(info.ID)))
	t := &task{keeper: newKeeper(r, dir, r.specOf(info)), spoken: true}
	r.enter(t)
	r.report(t, scheduler.TaskStatus{TaskID: info.ID, AgentID: info.AgentID, State: scheduler.TaskStaging, Timestamp: time.Now()})
	r.unstarted = append(r.unstarted, t.keeper)
}

// startKeepers starts what was launched since.
func (r *run) startKeepers(ctx context.Context) {
	for _, k := range r.unstarted {
		k.start(ctx, (*keeper).launch)
	}
	r.unstarted = nil
}

// refuse answers a task that is not launched. Like the master's answers in Mesos this is said once.
func (r *run) refuse(info scheduler.TaskInfo, state scheduler.TaskState, reason, message string) {
	r.send(scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: info.ID, AgentID: info.AgentID, State: state,
		Timestamp: time.Now(), Reason: reason, Message: message}})
}

func (r *run) specOf(info scheduler.TaskInfo) spec {
	info.FrameworkID = r.framework
	s := spec{
		Task: info, Grace: r.options.Grace,
		Bell:       bellPath(r.options.Dir, dirName(info.ID)),
		Command:    append([]string{"rollcall"}, r.options.SupervisorArgs...),
		Cgroup:     r.cgroup.within(dirName(info.ID)),
		LogMaxSize: r.options.LogMaxSize, LogFiles: r.options.LogFiles,
		FetchTimeout: r.options.FetchTimeout, FetchMaxSize: r.options.FetchMaxSize,
	}
	if info.Kill != nil {
		s.Grace = *info.Kill
	}
	if l := r.ledger(info.AgentID); l != nil {
		s.Address = l.Address
	}
	if runsContainer(info) {
		s.Container = &containerSpec{Docker: r.docker.host, PullTimeout: r.options.PullTimeout, DNS: r.options.DNS,
			NoLimits: r.options.NoCgroups}
		r.warnOfNetwork(info)
	}
	return s
}

func (r *run) decline(offer scheduler.OfferID, refuse time.Duration) {
	if l := r.offering(offer); l != nil {
		l.decline(time.Now().Add(refuse))
	}
}

func (r *run) revive() {
	for _, l := range r.ledgers {
		l.renew()
	}
}

func (r *run) kill(ref scheduler.TaskRef) {
	if t := r.tasks[ref.TaskID]; t != nil && !t.status.State.Terminal() {
		select {
		case t.keeper.kills <- killRequest{}:
		default: // it was asked already
		}
		return
	}
	r.answer(ref)
}

func (r *run) reconcile(refs []scheduler.TaskRef) {
	listed := make(map[scheduler.TaskID]bool, len(refs))
	for _, ref := range refs {
		listed[ref.TaskID] = true
		r.answer(ref)
	}
	for id, t := range r.tasks {
		if !listed[id] && t.spoken {
			r.send(scheduler.StatusReceived{Status: t.status})
		}
	}
}

// answer tells a task's present status. A task being adopted will tell it by itself in a moment. Of a task that may
// run but cannot be read nothing is said: it would be started a second time.
func (r *run) answer(ref scheduler.TaskRef) {
	t, over := r.tasks[ref.TaskID], r.ended[ref.TaskID]
	switch {
	case t != nil && !t.spoken, r.unreadable[dirName(ref.TaskID)]:
	case t != nil:
		r.send(scheduler.StatusReceived{Status: t.status})
	case over.State != "":
		r.send(scheduler.StatusReceived{Status: over})
	default:
		r.send(scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: ref.TaskID, AgentID: ref.AgentID,
			State: scheduler.TaskUnknown, Timestamp: time.Now(), Reason: "REASON_RECONCILIATION",
			Message: fmt.Sprintf("Reconciliation: Task %s is unknown to the agent", ref.TaskID)}})
	}
}
