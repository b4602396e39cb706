package scheduler

import (
	"cmp"
	"slices"
)

// slack lets sums of fractions of CPUs meet their total in spite of floating point.
const slack = 1e-6

// bid is an offer while instances are placed on it.
type bid struct {
	offer Offer // its resources shrink with each task
	tasks []TaskInfo
	used  bool
}

func (w *work) offered(o Offer) {
	a := &Agent{ID: o.AgentID, Hostname: o.Hostname, Address: o.Address, Attributes: o.Attributes, Region: o.Region, Zone: o.Zone}
	if known := w.agents.get(string(o.AgentID)); known == nil || !known.equal(a) {
		w.agents.put(string(o.AgentID), a)
	}
	w.offers.put(string(o.ID), o)
	w.found(o.AgentID)
}

// match uses the offers at hand up: each app that waits places its instances, one on each offer in turn, so that
// they spread; what is left is declined.
func (w *work) match() {
	offers := w.offers.under("")
	if len(offers) == 0 {
		return
	}
	bids := make([]*bid, len(offers))
	for n, at := range w.random.Perm(len(offers)) {
		bids[n] = &bid{offer: offers[at]}
		w.offers.remove(string(offers[at].ID))
	}
	for id := range w.queue.commit().under("") {
		if app := w.apps.get(id); app != nil && !w.delayed(app.ID) {
			w.place(app, bids)
		}
	}
	slices.SortFunc(bids, func(a, b *bid) int { return cmp.Compare(a.offer.ID, b.offer.ID) })
	for _, b := range bids {
		if b.used {
			w.effects.Calls = append(w.effects.Calls, acceptCall{b.offer.ID, b.tasks})
		} else {
			w.effects.Calls = append(w.effects.Calls, declineCall{b.offer.ID, w.limits.DeclineFor})
		}
	}
	if w.queue.commit().len() == 0 && !w.revive {
		w.effects.Calls = append(w.effects.Calls, suppressCall{})
	}
}

// place launches what waits of one app.
func (w *work) place(app *App, bids []*bid) {
	var waiting []*Instance
	matchers := make([]*matcher, len(app.Constraints))
	for n, c := range app.Constraints {
		matchers[n] = newMatcher(c, app.Instances)
	}
	for _, i := range w.instancesOf(app.ID) {
		switch {
		case i.Condition == Scheduled:
			waiting = append(waiting, i)
		case i.Condition != UnreachableInactive && !outdated(i, app):
			for _, m := range matchers {
				if m != nil {
					m.add(i.place())
				}
			}
		}
	}
	if len(waiting) == 0 {
		return
	}
	lq := w.queue.get(string(app.ID)).clone()
	ports := app.Ports()
	candidates := slices.Clone(bids)
	for len(waiting) > 0 && len(candidates) > 0 {
		candidates = slices.DeleteFunc(candidates, func(b *bid) bool {
			if len(waiting) == 0 {
				return true
			}
			reasons, hostPorts := w.refuse(app, ports, matchers, &b.offer)
			lq.processed++
			if len(reasons) > 0 {
				lq.refused(b.offer, reasons, w.ts)
				return true
			}
			lq.lastUsed = w.ts
			delete(lq.newest, b.offer.AgentID)
			w.launch(waiting[0], app, ports, hostPorts, b)
			for _, m := range matchers {
				m.add(b.offer.place())
			}
			waiting = waiting[1:]
			return false
		})
	}
	if len(waiting) == 0 {
		w.queue.remove(string(app.ID))
	} else {
		w.queue.put(string(app.ID), lq)
	}
}

// refuse says why an offer does not do for an app, in the order of Reasons; none means that it does, with the host
// ports to use.
func (w *work) refuse(app *App, ports []Port, matchers []*matcher, o *Offer) ([]Reason, []int) {
	if o.Role != "" && app.Role != o.Role || !app.unreserved() && !app.reserved(o.Role) {
		return []Reason{UnfulfilledRole}, nil // nothing of it is the app's
	}
	var reasons []Reason
	if !fulfils(app, matchers, o) {
		reasons = append(reasons, UnfulfilledConstraint)
	}
	if o.Maintenance.covers(w.now) {
		reasons = append(reasons, AgentMaintenance)
	}
	room := o.room(app)
	if room.CPUs+slack < app.CPUs {
		reasons = append(reasons, InsufficientCpus)
	}
	if room.Mem+slack < app.Mem {
		reasons = append(reasons, InsufficientMemory)
	}
	if room.Disk+slack < app.Disk {
		reasons = append(reasons, InsufficientDisk)
	}
	if room.GPUs < app.GPUs {
		reasons = append(reasons, InsufficientGpus)
	}
	if len(reasons) > 0 {
		return reasons, nil
	}
	hostPorts, ok := assignHostPorts(ports, room.Ports, w.random)
	if !ok {
		return []Reason{InsufficientPorts}, nil
	}
	if o.NoContainers != "" && app.Image() != "" {
		return []Reason{ContainerEngineUnavailable}, nil
	}
	return nil, hostPorts
}

// fulfils says whether an offer meets an app's constraints. Agents of another region than the master's are only for
// apps that have one on regions.
func fulfils(app *App, matchers []*matcher, o *Offer) bool {
	if o.Remote && !slices.ContainsFunc(app.Constraints, func(c Constraint) bool { return c.Field == "@region" }) {
		return false
	}
	return !slices.ContainsFunc(matchers, func(m *matcher) bool { return m == nil || !m.accepts(o.place()) })
}

// launch gives an instance a task on an offer.
func (w *work) launch(i *Instance, app *App, ports []Port, hostPorts []int, b *bid) {
	o := &b.offer
	n := *i
	n.App, n.AppVersion = app, app.Version
	n.Condition, n.Since, n.StagedAt, n.StartedAt = Provisioned, w.ts, w.ts, 0
	n.Incarnation++
	n.AgentID, n.Hostname, n.Address = o.AgentID, o.Hostname, o.Address
	n.Attributes, n.Region, n.Zone = o.Attributes, o.Region, o.Zone
	n.HostPorts, n.Generated = hostPorts, w.generatePorts(ports, hostPorts)
	n.Addresses, n.Health, n.Ready, n.ReadyReply = nil, nil, len(app.ReadinessChecks) == 0, nil
	w.putInstance(&n)
	w.setTimer(timerLaunch, string(n.ID), 0, w.now.Add(w.limits.LaunchTimeout))

	task := w.taskInfo(&n, app)
	task.Resources, task.Reserved = o.take(app, task.Resources)
	b.tasks, b.used = append(b.tasks, task), true
}

// generatePorts makes up container ports for mappings that have neither a container port nor a host port.
func (w *work) generatePorts(ports []Port, hostPorts []int) []int {
	var out []int
	for n, p := range ports {
		if p.Mapped && p.ContainerPort == 0 && hostPorts[n] == 0 {
			if out == nil {
				out = make([]int, len(ports))
			}
			out[n] = 1025 + w.random.IntN(65536-1025)
		}
	}
	return out
}

// outdated says whether an instance runs, or would run, a definition from before the app's last config change.
func outdated(i *Instance, app *App) bool {
	return i.AppVersion < app.VersionInfo.LastConfigChangeAt
}
