package scheduler

import "slices"

// slack lets sums of fractions of CPUs meet their total in spite of floating point.
const slack = 1e-6

func (w *work) offered(o Offer) {
	a := &Agent{ID: o.AgentID, Hostname: o.Hostname, Address: o.Address, Attributes: o.Attributes, Region: o.Region, Zone: o.Zone, Remote: o.Remote}
	if known := w.agents.get(string(o.AgentID)); known == nil || !known.equal(a) {
		w.agents.put(string(o.AgentID), a)
		w.moreAgents = true
	}
	w.hold(o)
	w.returned(o.AgentID)
}

// place launches what waits of one app.
func (w *work) place(app *App, t *table) {
	var waiting []*Instance
	matchers := make([]*matcher, len(app.Constraints))
	size := w.size(app)
	for n, c := range app.Constraints {
		matchers[n] = newMatcher(c, size)
	}
	if app.OnePerAgent {
		matchers = append(matchers, newMatcher(Constraint{agentField, Unique, ""}, size))
	}
	instances := w.instancesOf(app.ID)
	t.looks -= len(instances)
	free := newIndexes(app, instances)
	for _, i := range instances {
		switch {
		case i.Condition == Scheduled:
			waiting = append(waiting, i)
		case (i.Condition.Active() || app.OnePerAgent && i.Condition.Over()) && !outdated(i, app):
			for _, m := range matchers {
				if m != nil && (i.Condition != UnreachableInactive || !m.bounds()) {
					m.add(i.place())
				}
			}
		}
	}
	may := min(len(waiting), room(app, size, instances))
	later := waiting[may:] // when others have ended
	waiting = waiting[:may]
	if len(waiting) == 0 {
		return
	}
	lq := w.queue.get(string(app.ID)).clone()
	ports := app.Ports()
	var again []*bid // those that were used: the next round begins with them
	try := func(b *bid) {
		t.looks--
		refused, hostPorts := w.refuse(app, ports, matchers, &b.offer)
		lq.processed++
		if len(refused.reasons) > 0 {
			lq.refused(b.offer, refused, w.ts)
			return
		}
		lq.lastUsed = w.ts
		delete(lq.newest, b.offer.AgentID)
		w.launch(free.give(waiting[0]), app, ports, hostPorts, b)
		for _, m := range matchers {
			m.add(b.offer.place())
		}
		waiting = waiting[1:]
		t.launches--
		again = append(again, b)
	}
	laps := func() {
		for len(waiting) > 0 && len(again) > 0 && t.launches > 0 {
			lap := again
			again = nil
			for _, b := range lap {
				if len(waiting) > 0 && t.launches > 0 {
					try(b)
				}
			}
		}
	}
	for n := range t.order {
		if n == t.front && len(matchers) == 0 {
			laps() // it may have several of its tasks on one of them
		}
		if len(waiting) == 0 || t.launches == 0 {
			break
		}
		try(t.next(n))
	}
	laps()
	t.cut = t.cut || len(waiting) > 0 && t.launches == 0
	if len(waiting) == 0 && len(later) == 0 {
		w.queue.remove(string(app.ID))
	} else {
		w.queue.put(string(app.ID), lq)
	}
}

// room is how many tasks more an app may have now. Those that are being ended count until they have ended, so that
// there are never more than the instances and what maximumOverCapacity adds; lost ones count until they are given up.
func room(app *App, size int, instances []*Instance) int {
	present, healthy, old := 0, 0, false
	for _, i := range instances {
		if !i.Condition.Active() || i.Condition == UnreachableInactive {
			continue
		}
		present++
		old = old || outdated(i, app)
		if i.done() {
			healthy++
		}
	}
	most := restartCapacity(size, app.UpgradeStrategy, -1).most
	if old {
		most = restartCapacity(size, app.UpgradeStrategy, healthy).most
	}
	return max(0, most-present)
}

// refusal is why an offer does not do, in the order of Reasons.
type refusal struct {
	reasons    []Reason
	constraint Constraint // the one that is not fulfilled
}

// refuse says why an offer does not do for an app; no reasons mean that it does, with the host ports to use.
func (w *work) refuse(app *App, ports []Port, matchers []*matcher, o *Offer) (refusal, []int) {
	if o.Role != "" && app.Role != o.Role || !app.unreserved() && !app.reserved(o.Role) {
		return refusal{reasons: []Reason{UnfulfilledRole}}, nil // nothing of it is the app's
	}
	var reasons []Reason
	var constraint Constraint
	if o.Remote && !app.asksForRegions() {
		reasons = append(reasons, UnfulfilledConstraint) // agents of another region are for apps that ask for regions
	}
	for n, m := range matchers {
		if len(reasons) == 0 && (m == nil || !m.accepts(o.place())) {
			reasons = append(reasons, UnfulfilledConstraint)
			if m != nil {
				constraint = m.Constraint
			} else {
				constraint = app.Constraints[n]
			}
		}
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
		return refusal{reasons, constraint}, nil
	}
	hostPorts, ok := assignHostPorts(ports, room.Ports, w.random)
	if !ok {
		return refusal{reasons: []Reason{InsufficientPorts}}, nil
	}
	if o.NoContainers != "" && app.Image() != "" {
		return refusal{reasons: []Reason{ContainerEngineUnavailable}}, nil
	}
	return refusal{}, hostPorts
}

// asksForRegions says whether agents of other regions than the master's may be used.
func (a *App) asksForRegions() bool {
	return slices.ContainsFunc(a.Constraints, func(c Constraint) bool { return c.Field == "@region" })
}

// launch gives an instance a task on an offer.
func (w *work) launch(i *Instance, app *App, ports []Port, hostPorts []int, b *bid) {
	o := &b.offer
	n := *i
	n.App, n.AppVersion = app, app.Version
	n.Condition, n.Since, n.StagedAt, n.StartedAt = Provisioned, w.ts, w.ts, 0
	n.Incarnation++
	n.Adopted = ""
	n.AgentID, n.Hostname, n.Address = o.AgentID, o.Hostname, o.Address
	n.Attributes, n.Region, n.Zone = o.Attributes, o.Region, o.Zone
	n.HostPorts, n.Generated = hostPorts, w.generatePorts(ports, hostPorts)
	n.Addresses, n.Health, n.ReadyReply = nil, nil, nil
	n.Ready = len(app.ReadinessChecks) == 0 || w.locks.get(string(app.ID)) == "" // checks of readiness are a deployment's
	w.putInstance(&n)
	w.underway.put(string(n.ID), n.TaskID())

	task := w.taskInfo(&n, app)
	task.Resources, task.Reserved = o.take(app, task.Resources)
	b.tasks, b.used = append(b.tasks, task), true
}

// launchesSent begins the time that tasks have to start.
func (w *work) launchesSent(tasks []TaskID) {
	for _, id := range tasks {
		i := w.instances.get(string(InstanceIDOf(id)))
		if i == nil || w.underway.get(string(i.ID)) != id {
			continue // its first status was quicker, or it is over
		}
		w.setTimer(timerFirstStatus, string(i.ID), 0, w.now.Add(w.limits.FirstStatusWithin))
		if i.Condition == Provisioned {
			w.setTimer(timerLaunch, string(i.ID), 0, w.now.Add(w.limits.LaunchTimeout))
		}
	}
}

// full says whether what waits has to wait until more is heard of what was launched: decisions would otherwise run far
// ahead of a cluster that takes launches slowly, and of the statuses that are still to be handled.
func (w *work) full() bool { return w.queue.len() > 0 && w.underway.len() >= w.limits.Underway }

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
