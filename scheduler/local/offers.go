package local

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"rollcall/scheduler"
)

// slack lets sums of fractions of CPUs meet their total in spite of floating point.
const slack = 1e-6

// ledger is one agent's book of resources: what it has, what its live tasks hold, and the one offer that is out.
// It knows no clock and no socket.
type ledger struct {
	Agent
	total scheduler.Resources
	held  map[scheduler.TaskID]scheduler.Resources

	offer   scheduler.OfferID // the offer that is out, "" for none
	offered scheduler.Resources
	changed bool // since that offer was made: however it is answered, another one is due
	quiet   bool // nothing is to be offered before until
	until   time.Time
}

func newLedger(a Agent, machine scheduler.Resources) *ledger {
	total := machine
	total.Ports = a.Ports
	if a.CPUs > 0 {
		total.CPUs = a.CPUs
	}
	if a.Mem > 0 {
		total.Mem = a.Mem
	}
	if a.Disk > 0 {
		total.Disk = a.Disk
	}
	return &ledger{Agent: a, total: total, held: map[scheduler.TaskID]scheduler.Resources{}}
}

// hold books a task's resources. They are offered no more until release.
func (l *ledger) hold(task scheduler.TaskID, r scheduler.Resources) { l.held[task] = r }

// release gives a task's resources back and has them offered at once.
func (l *ledger) release(task scheduler.TaskID) {
	if _, ok := l.held[task]; ok {
		delete(l.held, task)
		l.renew()
	}
}

// renew has another offer made at once, or when the one that is out has been answered: whoever declines that one does
// not know what changed since.
func (l *ledger) renew() { l.quiet, l.changed = false, l.offer != "" }

// free is what can be offered, apart from ports that others listen on.
func (l *ledger) free(taken []int) scheduler.Resources {
	free := l.total
	for _, r := range l.held {
		free.CPUs -= r.CPUs
		free.Mem -= r.Mem
		free.Disk -= r.Disk
		free.Ports = free.Ports.Without(numbers(r.Ports)...)
	}
	free.CPUs, free.Mem, free.Disk = max(0, free.CPUs), max(0, free.Mem), max(0, free.Disk)
	free.Ports = free.Ports.Without(taken...)
	return free
}

// due says whether an offer is to be made now.
func (l *ledger) due(now time.Time) bool {
	return l.offer == "" && (!l.quiet || !now.Before(l.until))
}

// deadline is when an offer becomes due by time alone; zero for never.
func (l *ledger) deadline() time.Time {
	if l.offer != "" || !l.quiet {
		return time.Time{}
	}
	return l.until
}

// makeOffer offers what is free.
func (l *ledger) makeOffer(id scheduler.OfferID, listening []netip.AddrPort) scheduler.Offer {
	l.quiet, l.until = false, time.Time{}
	free := l.free(takenOn(l.Address, listening))
	l.offer, l.offered = id, free
	return scheduler.Offer{ID: id, AgentID: l.ID, Hostname: l.Hostname, Address: l.Address, Attributes: l.Attributes,
		Region: l.Region, Zone: l.Zone, Resources: free}
}

// close takes the offer back; another one is due at once.
func (l *ledger) close() {
	l.offer, l.offered, l.quiet, l.changed = "", scheduler.Resources{}, false, false
}

// decline takes the offer back and keeps quiet until a time, or until renew, which may have been called already.
func (l *ledger) decline(until time.Time) {
	quiet := !l.changed
	l.close()
	l.quiet, l.until = quiet, until
}

// take books a task on the offer that is out, which shrinks by as much. An error says why it does not fit.
func (l *ledger) take(task scheduler.TaskInfo) error {
	want, have := task.Resources, l.offered
	switch {
	case task.AgentID != l.ID:
		return fmt.Errorf("task is for agent %q but the offer is of agent %q", task.AgentID, l.ID)
	case want.CPUs > have.CPUs+slack, want.Mem > have.Mem+slack, want.Disk > have.Disk+slack, want.GPUs > have.GPUs:
		return fmt.Errorf("task uses more resources than the offer has left (cpus %g of %g, mem %g of %g, disk %g of %g, gpus %d of %d)",
			want.CPUs, have.CPUs, want.Mem, have.Mem, want.Disk, have.Disk, want.GPUs, have.GPUs)
	}
	ports := numbers(want.Ports)
	if i := slices.IndexFunc(ports, func(p int) bool { return !have.Ports.Contains(p) }); i >= 0 {
		return fmt.Errorf("port %d is not in the offer", ports[i])
	}
	l.hold(task.ID, want)
	l.offered.CPUs -= want.CPUs
	l.offered.Mem -= want.Mem
	l.offered.Disk -= want.Disk
	l.offered.GPUs -= want.GPUs
	l.offered.Ports = have.Ports.Without(ports...)
	return nil
}

// numbers lists each port of a set.
func numbers(set scheduler.PortRange) []int {
	out := make([]int, 0, set.Len())
	for _, r := range set {
		for port := r.Begin; port <= r.End; port++ {
			out = append(out, port)
		}
	}
	return out
}
