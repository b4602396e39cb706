package scheduler

import (
	"fmt"
	"slices"
)

// startDeployment begins to carry a plan out. One without steps is over at once.
func (w *work) startDeployment(p *Plan, rollback bool) {
	d := &Deployment{Plan: p, Started: w.ts, Rollback: rollback}
	if len(p.Steps) == 0 {
		w.notify(NoticeDeploymentSuccess, DeploymentEnd{ID: p.ID, Plan: p.summary()})
		return
	}
	w.totals.Deployments++
	for _, app := range p.AffectedApps() {
		w.locks.put(string(app), p.ID)
		w.dirty[app] = true
	}
	w.putDeployment(d)
	w.save(KindDeployment, string(d.Plan.ID))
	w.limitTime(d, w.now)
	w.enterStep(d, 0)
}

func (w *work) putDeployment(d *Deployment) { w.deployments.put(string(d.Plan.ID), d) }

// enterStep goes to step n: all its actions are to be done.
func (w *work) enterStep(d *Deployment, n int) {
	next := *d
	next.Step, next.pending = n, newTree[Action]()
	pending := next.pending.draft()
	for _, a := range d.Plan.Steps[n].Actions {
		pending.put(string(a.App), a)
		w.dirty[a.App] = true
	}
	next.pending = pending.commit()
	w.putDeployment(&next)
	w.notify(NoticeDeploymentInfo, DeploymentProgress{Plan: d.Plan.summary(), CurrentStep: d.Plan.Steps[n]})
}

// driveTouched drives the apps that were touched, those first that an earlier step left, as far as the limits let it.
func (w *work) driveTouched() {
	queue, queued := w.undriven, map[PathID]bool{}
	for _, app := range queue {
		queued[app] = true
	}
	for left := w.limits.Changes - w.adopted; ; { // a step that takes in a large update has done enough
		touched := slices.DeleteFunc(sortedKeys(w.dirty), func(app PathID) bool { return queued[app] })
		clear(w.dirty)
		queue = slices.Concat(queue, touched)
		if len(queue) == 0 || left <= 0 {
			w.undriven = queue
			return
		}
		for _, app := range touched {
			queued[app] = true
		}
		for len(queue) > 0 && left > 0 {
			app, before := queue[0], len(w.changed)
			queue = queue[1:]
			delete(queued, app)
			w.drive(app)
			left -= 1 + len(w.changed) - before
		}
	}
}

// drive brings an app nearer to what is wanted of it: by its deployment's action, or if no deployment holds it, to
// its number of instances.
func (w *work) drive(app PathID) {
	d := w.deployments.get(string(w.locks.get(string(app))))
	if d == nil {
		w.keep(app)
		return
	}
	action := d.pending.get(string(app))
	if action.App == "" {
		if !d.actsLater(app) {
			w.keep(app) // its part is done: it is held there while others are waited for
		}
		return
	}
	if !w.act(action) {
		return
	}
	next := *d
	pending := d.pending.draft()
	pending.remove(string(app))
	next.pending = pending.commit()
	w.putDeployment(&next)
	if next.pending.len() > 0 {
		return
	}
	w.notify(NoticeStepSuccess, DeploymentProgress{Plan: d.Plan.summary(), CurrentStep: d.Plan.Steps[d.Step]})
	if d.Step+1 < len(d.Plan.Steps) {
		w.enterStep(&next, d.Step+1)
		return
	}
	w.endDeployment(&next)
	w.notify(NoticeDeploymentSuccess, DeploymentEnd{ID: d.Plan.ID, Plan: d.Plan.summary()})
}

// actsLater says whether a step to come has an action on an app.
func (d *Deployment) actsLater(app PathID) bool {
	for _, step := range d.Plan.Steps[d.Step+1:] {
		if slices.ContainsFunc(step.Actions, func(a Action) bool { return a.App == app }) {
			return true
		}
	}
	return false
}

// replacing says whether old instances of an app that end are not to be started again: it is being brought to a newer
// definition now, or nothing holds it, and what is missing is started under the newest.
func (w *work) replacing(app *App) bool {
	d := w.deployments.get(string(w.locks.get(string(app.ID))))
	return d == nil || d.pending.get(string(app.ID)).Kind == RestartApplication
}

// endDeployment lets go of a deployment's apps.
func (w *work) endDeployment(d *Deployment) {
	w.deployments.remove(string(d.Plan.ID))
	w.clearTimer(timerDeployment, string(d.Plan.ID), 0)
	w.save(KindDeployment, string(d.Plan.ID))
	for _, app := range d.Plan.AffectedApps() {
		w.locks.remove(string(app))
		w.dirty[app] = true
		for _, i := range w.instancesOf(app) {
			if !i.Ready && i.Condition == Running {
				n := *i
				n.Ready = true
				w.clearTimer(timerReadiness, string(n.ID), 0)
				w.putInstance(&n)
			}
		}
	}
}

// abandon ends a deployment before it is done; its apps stay as they are.
func (w *work) abandon(d *Deployment, why string) {
	w.endDeployment(d)
	w.notify(NoticeStepFailure, DeploymentProgress{Plan: d.Plan.summary(), CurrentStep: d.Plan.Steps[d.Step]})
	w.notify(NoticeDeploymentFailed, DeploymentEnd{ID: d.Plan.ID, Plan: d.Plan.summary(), Reason: why})
}

func (p *Plan) summary() PlanSummary {
	return PlanSummary{ID: p.ID, Version: p.Version, Steps: append([]Step{}, p.Steps...), Plan: p} // none is [], not null
}

// act does what can be done now for an action and says whether the action is done. It may be called at any time and
// any number of times: it looks only at how things are.
func (w *work) act(a Action) bool {
	app := w.apps.get(string(a.App))
	switch {
	case a.Kind == StartApplication:
		return true
	case a.Kind == StopApplication && app == nil:
		return w.stop(a.App)
	case app == nil:
		return true
	case a.Kind == RestartApplication, a.Kind == ScaleApplication && app.Instances > 0 && w.hasOutdated(app):
		return w.replace(app)
	case a.Kind == ScaleApplication:
		return w.scale(app)
	}
	return true
}

// hasOutdated says whether instances from before the app's last config change are to be kept running: an earlier
// deployment was ended before it replaced them.
func (w *work) hasOutdated(app *App) bool {
	return slices.ContainsFunc(wanted(w.instancesOf(app.ID)), func(i *Instance) bool { return outdated(i, app) })
}

// stop ends all instances of an app that was removed.
func (w *work) stop(app PathID) bool {
	instances := w.instancesOf(app)
	for _, i := range instances {
		w.decommission(i, "App was removed")
	}
	if len(w.instancesOf(app)) > 0 {
		return false
	}
	w.forgetApp(app)
	w.notify(NoticeAppTerminated, AppTerminated{AppID: app})
	return true
}

func (w *work) forgetApp(app PathID) {
	w.forgetDelay(app)
	w.queue.remove(string(app))
	w.failures.remove(string(app))
	w.save(KindFailure, string(app))
	for _, a := range w.versions.under(versionPrefix(app)) {
		w.versions.remove(versionKey(app, a.Version))
		w.save(KindVersion, versionKey(app, a.Version))
	}
}

// wanted lists the instances that count: those meant to run and not given up for lost.
func wanted(instances []*Instance) []*Instance {
	return slices.DeleteFunc(slices.Clone(instances), func(i *Instance) bool {
		return i.Goal != GoalRunning || i.Condition == UnreachableInactive
	})
}

// scale brings an app to its number of instances, whichever version they run.
func (w *work) scale(app *App) bool {
	count := 0
	for _, i := range w.adjust(app) {
		switch {
		case i.Goal == GoalDecommissioned:
			return false
		case i.Condition == UnreachableInactive:
		case !i.done():
			return false
		default:
			count++
		}
	}
	return count == w.size(app)
}

// done says whether a deployment need wait for an instance no longer: it runs, and is healthy and ready as far as the
// definition that it runs has checks. One that is meant to end has ended.
func (i *Instance) done() bool {
	if i.App != nil && i.App.OneShot() {
		return i.Condition.Over()
	}
	if i.Condition != Running || !i.Ready {
		return false
	}
	if i.App == nil || len(i.App.HealthChecks) == 0 {
		return true
	}
	h := i.Healthy()
	return h != nil && *h
}

// adjust starts what is missing of an app and ends what is too much. It returns the instances that there are then.
func (w *work) adjust(app *App) []*Instance {
	instances := w.instancesOf(app.ID)
	present := w.endCondemned(app, wanted(instances))
	switch surplusCount := len(present) - w.size(app); {
	case surplusCount < 0:
		w.schedule(app, -surplusCount)
		return w.instancesOf(app.ID)
	case surplusCount > 0:
		for _, i := range surplus(app, present, surplusCount) {
			w.decommission(i, "Scaled down")
		}
		instances = w.instancesOf(app.ID)
	}
	w.dequeue(app.ID, instances)
	return instances
}

// dequeue drops the launch queue of an app that has nothing to launch.
func (w *work) dequeue(app PathID, instances []*Instance) {
	if !slices.ContainsFunc(instances, func(i *Instance) bool { return i.Condition == Scheduled }) {
		w.queue.remove(string(app))
	}
}

// keep holds an app that no deployment is working on to its number of instances.
func (w *work) keep(app PathID) {
	if a := w.apps.get(string(app)); a != nil {
		w.adjust(a)
	} else if len(w.instancesOf(app)) > 0 || len(w.versions.under(versionPrefix(app))) > 0 {
		w.stop(app)
	}
}

// cancelDeployment ends a deployment: with force it stays where it is, else what it changed is changed back.
func (w *work) cancelDeployment(c CancelDeployment) (any, error) {
	d := w.deployments.get(string(c.ID))
	if d == nil {
		return nil, fmt.Errorf("DeploymentPlan %s: %w", c.ID, ErrUnknownDeployment)
	}
	if c.Force {
		w.abandon(d, "canceled")
		return nil, nil
	}
	return w.update(Update{Force: true, Change: func(draft *Draft) error {
		undo(draft, d.Plan)
		return nil
	}})
}

// killTasks ends tasks at somebody's request.
func (w *work) killTasks(k KillTasks) (any, error) {
	killed := &Killed{}
	perApp := map[PathID]int{}
	seen := map[TaskID]bool{}
	for _, id := range k.Tasks {
		i := w.instances.get(string(InstanceIDOf(id)))
		if i == nil || i.TaskID() != id || i.Goal == GoalDecommissioned || seen[id] {
			continue
		}
		seen[id] = true
		killed.Instances = append(killed.Instances, i)
		perApp[i.AppID]++
	}
	if k.Scale && len(killed.Instances) > 0 {
		deployed, err := w.update(Update{Force: k.Force, Change: func(d *Draft) error {
			for app, count := range perApp {
				if a := d.App(app); a != nil {
					if a.OnePerAgent {
						return &InvalidError{[]Problem{{Path: "/instances", Errors: []string{fmt.Sprintf(
							"%s has onePerAgent: its instances follow the agents and cannot be lowered", app)}}}}
					}
					n := *a
					n.Instances = max(0, n.Instances-count)
					d.PutApp(&n)
				}
			}
			return nil
		}})
		if err != nil {
			return nil, err
		}
		killed.Deployed = deployed
	}
	for _, i := range killed.Instances {
		if k.Scale || k.Wipe {
			w.decommission(i, "Killed on request")
		} else {
			w.kill(i, "Killed on request")
		}
	}
	return killed, nil
}
