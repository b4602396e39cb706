package scheduler

import (
	"net"
	"slices"
	"strconv"
	"time"
)

// beginChecks sets an instance that runs up to be checked (Marathon reference 14.3 and 14.4).
func (w *work) beginChecks(i *Instance) {
	for n, c := range i.App.HealthChecks {
		if !c.Protocol.ByAgent() {
			w.setTimer(timerCheck, string(i.ID), n, w.now.Add(min(interval(c), w.limits.FirstCheckWithin)))
		}
	}
	if !i.Ready && len(i.App.ReadinessChecks) > 0 {
		w.setTimer(timerReadiness, string(i.ID), 0, w.now)
	}
}

// interval is how often a check is made, at most once a second.
func interval(c HealthCheck) time.Duration {
	return time.Duration(max(1, c.IntervalSeconds)) * time.Second
}

// probeHealth asks for a health check to be made and sets the time of the next.
func (w *work) probeHealth(i *Instance, n int) {
	if i.Condition != Running || n >= len(i.App.HealthChecks) {
		return
	}
	c := i.App.HealthChecks[n]
	p := Probe{Instance: i.ID, Task: i.TaskID(), Check: n, Protocol: c.Protocol, Path: pathOr(c.Path), Asked: w.now,
		Timeout: time.Duration(max(1, c.TimeoutSeconds)) * time.Second, Ignore1xx: c.IgnoreHTTP1xx}
	w.awaitProbe(timerCheck, p, interval(c))
	var ok bool
	switch {
	case c.Port != nil:
		p.Address, ok = net.JoinHostPort(i.reachableAt(0), strconv.Itoa(*c.Port)), true
	case c.PortIndex != nil:
		p.Address, ok = i.portAddress(*c.PortIndex)
	default:
		p.Address, ok = i.portAddress(0)
	}
	if ok {
		w.effects.Probes = append(w.effects.Probes, p)
	}
}

func (w *work) probeReadiness(i *Instance) {
	if i.Condition != Running || i.Ready || len(i.App.ReadinessChecks) == 0 {
		return
	}
	c := i.App.ReadinessChecks[0]
	p := Probe{Instance: i.ID, Task: i.TaskID(), Readiness: true, Protocol: c.Protocol, Path: pathOr(c.Path), Asked: w.now,
		Timeout: time.Duration(max(1, c.TimeoutSeconds)) * time.Second, ReadyOn: c.HTTPStatusCodesForReady}
	w.awaitProbe(timerReadiness, p, readinessInterval(c))
	n := slices.IndexFunc(i.App.Ports(), func(p Port) bool { return p.Name == c.PortName })
	var ok bool
	if p.Address, ok = i.portAddress(n); ok {
		w.effects.Probes = append(w.effects.Probes, p)
	}
}

// probeLost is how long after its time-out a probe without a result counts as lost.
const probeLost = 10 * time.Second

// awaitProbe has the next probe wait for the result of this one: probes of one check never overlap, however slow the
// network is.
func (w *work) awaitProbe(kind timerKind, p Probe, every time.Duration) {
	w.setTimer(kind, string(p.Instance), p.Check, w.now.Add(max(every, p.Timeout+probeLost)))
}

// nextProbe sets the time of the next probe, now that there is a result: an interval after this one was asked for.
func (w *work) nextProbe(kind timerKind, p Probe, every time.Duration) {
	at := p.Asked.Add(every)
	if at.Before(w.now) {
		at = w.now
	}
	w.setTimer(kind, string(p.Instance), p.Check, at)
}

func readinessInterval(c ReadinessCheck) time.Duration {
	return time.Duration(max(1, c.IntervalSeconds)) * time.Second
}

func pathOr(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// portAddress is where port n of an instance is reached from here.
func (i *Instance) portAddress(n int) (string, bool) {
	if n < 0 || n >= len(i.App.Ports()) {
		return "", false
	}
	return net.JoinHostPort(i.reachableAt(n), strconv.Itoa(i.EffectivePort(n))), true
}

// reachableAt is the host under which port n is reached: the agent for host ports, else the task's own address.
func (i *Instance) reachableAt(n int) string {
	onAgent := i.App.HostNetwork() || n < len(i.HostPorts) && i.HostPorts[n] != 0
	if !onAgent && len(i.Addresses) > 0 {
		return i.Addresses[0].String()
	}
	if i.Address.IsValid() {
		return i.Address.String()
	}
	return i.Hostname
}

// probed takes in a probe's result, unless the task it was made of is over.
func (w *work) probed(e Probed) {
	i := w.instances.get(string(e.Probe.Instance))
	if i == nil || i.TaskID() != e.Probe.Task || i.Condition != Running {
		return
	}
	if e.Probe.Readiness {
		w.ready(i, e)
		return
	}
	if e.Probe.Check >= len(i.App.HealthChecks) {
		return
	}
	w.nextProbe(timerCheck, e.Probe, interval(i.App.HealthChecks[e.Probe.Check]))
	if e.Outcome != ProbeIgnored {
		w.health(i, e.Probe.Check, e.Outcome == ProbeSucceeded, e.Cause)
	}
}

// ready takes in the result of a readiness check. Once ready, a task stays it: the check is over then.
func (w *work) ready(i *Instance, e Probed) {
	if i.Ready || len(i.App.ReadinessChecks) == 0 {
		return
	}
	w.nextProbe(timerReadiness, e.Probe, readinessInterval(i.App.ReadinessChecks[0]))
	n := *i
	n.Ready = e.Outcome == ProbeSucceeded
	if i.App.ReadinessChecks[0].PreserveLastResponse {
		n.ReadyReply = e.Reply
	}
	if n.Ready {
		w.clearTimer(timerReadiness, string(n.ID), 0)
		w.putInstance(&n)
	} else {
		w.touchInstance(&n)
	}
}

// agentHealth takes in the result of the check that the agent runs. It runs one; should the app have more of its kind,
// its result stands for them.
func (w *work) agentHealth(id InstanceID, healthy bool, cause string) {
	for n, c := range w.instances.get(string(id)).App.HealthChecks {
		if c.Protocol.ByAgent() {
			w.health(w.instances.get(string(id)), n, healthy, cause)
		}
	}
}

// health counts the result of check n and kills when there were too many failures in a row (Marathon reference 14.3).
func (w *work) health(i *Instance, n int, healthy bool, cause string) {
	c := i.App.HealthChecks[n]
	results := make([]HealthResult, len(i.App.HealthChecks))
	copy(results, i.Health)
	for k := range results {
		results[k].InstanceID = i.ID
	}
	r := &results[n]
	failuresBefore := r.ConsecutiveFailures
	if healthy {
		r.Alive, r.LastSuccess, r.ConsecutiveFailures = true, w.ts, 0
		if r.FirstSuccess == 0 {
			r.FirstSuccess = w.ts
		}
	} else {
		w.notify(NoticeFailedHealthCheck, FailedHealthCheck{AppID: i.AppID, TaskID: i.ID, InstanceID: i.ID, HealthCheck: c})
		inGrace := r.FirstSuccess == 0 && w.now.Before(i.RunningSince().Add(time.Duration(c.GracePeriodSeconds)*time.Second))
		if inGrace {
			return
		}
		r.Alive, r.LastFailure, r.LastFailureCause = false, w.ts, cause
		r.ConsecutiveFailures++
	}
	before := i.Healthy()
	next := *i
	next.Health = results
	w.touchInstance(&next)
	if !sameHealth(before, next.Healthy()) {
		w.dirty[i.AppID] = true
		w.notifyHealth(&next, n)
	}

	w.weighHealth(i.AppID)
	tooMany := !healthy && c.MaxConsecutiveFailures > 0 && failuresBefore >= c.MaxConsecutiveFailures
	switch h := next.Healthy(); {
	case tooMany && !c.Protocol.ByAgent() && w.mayKillUnhealthy(&next):
		w.endUnhealthy(&next)
	case next.Condemned != 0 && h != nil && *h:
		w.pardon(&next)
	}
}

func sameHealth(a, b *bool) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

func (w *work) notifyHealth(i *Instance, n int) {
	w.notify(NoticeHealthStatusChanged, HealthStatusChanged{AppID: i.AppID, InstanceID: i.ID, TaskID: i.TaskID(),
		Version: i.AppVersion, Alive: i.Health[n].Alive})
	w.notify(NoticeInstanceHealth, InstanceHealthChanged{InstanceID: i.ID, RunSpecID: i.AppID, Healthy: i.Healthy(),
		RunSpecVersion: i.AppVersion})
}
