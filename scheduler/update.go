package scheduler

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
)

// update changes the root group and starts the deployment that follows it.
func (w *work) update(u Update) (*Deployed, error) {
	d := w.newDraft()
	if err := u.Change(d); err != nil {
		return nil, err
	}
	plan, err := w.plan(d)
	if err != nil {
		w.notify(NoticeGroupFailed, GroupChange{GroupID: d.changedGroup(), Version: d.version, Reason: err.Error()})
		return nil, err
	}
	if u.DryRun {
		return &Deployed{Version: d.version, Deployment: plan.ID, Plan: plan}, nil
	}
	if err := w.admit(plan, u.Force); err != nil {
		w.notify(NoticeGroupFailed, GroupChange{GroupID: d.changedGroup(), Version: d.version, Reason: err.Error()})
		return nil, err
	}
	for _, id := range u.Post.Apps {
		if app := d.App(id); app != nil {
			w.notify(NoticeAPIPost, APIPost{u.Post.ClientIP, u.Post.URI, app})
		}
	}
	w.adopt(d, plan)
	w.notify(NoticeGroupSuccess, GroupChange{GroupID: d.changedGroup(), Version: d.version})
	w.startDeployment(plan, u.rollback)
	return &Deployed{Version: d.version, Deployment: plan.ID, Plan: plan}, nil
}

func (w *work) newDraft() *Draft {
	return &Draft{
		version: w.nextVersion(), state: w.commit(), apps: w.apps.commit().draft(), groups: w.groups.commit().draft(),
		touched: map[PathID]bool{}, regroup: map[PathID]bool{}, restart: map[PathID]bool{},
		renewed: map[PathID]bool{},
	}
}

// nextVersion is now, or a millisecond after the newest version: versions never repeat.
func (w *work) nextVersion() Timestamp { return max(w.ts, w.version+1) }

// plan finishes the draft (versions, service ports), checks it and plans the way to it.
func (w *work) plan(d *Draft) (*Plan, error) {
	p := &Plan{ID: DeploymentID(w.uuid()), Version: d.version, Before: map[PathID]*App{}, After: map[PathID]*App{},
		GroupsBefore: map[PathID]*Group{}, GroupsAfter: map[PathID]*Group{}}
	var ports *servicePortPool
	for _, id := range sortedKeys(d.touched) {
		before, after := w.apps.get(string(id)), d.App(id)
		if after != nil && after.lacksServicePorts() {
			if ports == nil {
				ports = newServicePortPool(w.limits.ServicePorts, w.apps.under(""), d.apps.under(""))
			}
			var err error
			if after, err = w.withServicePorts(after, before, ports); err != nil {
				return nil, err
			}
		}
		restart := (d.restart[id] || d.renewed[id]) && after != nil && before != nil
		switch {
		case before == nil && after == nil:
			continue
		case before != nil && after != nil && !restart && sameDefinition(before, after):
			d.apps.put(string(id), before)
			continue
		case after != nil:
			after = versioned(after, before, d.version, restart)
			d.apps.put(string(id), after)
			p.After[id] = after
		}
		if before != nil {
			p.Before[id] = before
		}
	}
	p.affected = p.AffectedApps()
	for id := range d.regroup {
		before, after := w.groups.get(string(id)), d.groups.get(string(id))
		if before != nil {
			p.GroupsBefore[id] = before
		}
		if after != nil {
			p.GroupsAfter[id] = after
		}
	}
	if err := checkIDs(d, p); err != nil {
		return nil, err
	}
	layers, err := layersOf(d, p)
	if err != nil {
		return nil, err
	}
	p.Steps = steps(p, layers)
	return p, nil
}

// versioned returns the app with its version and what it says of it. Only instances changed: the definition counts
// as scaled; anything else, or a restart, counts as changed (Marathon reference, section 9).
func versioned(a, before *App, v Timestamp, restart bool) *App {
	n := *a
	n.Version = v
	n.VersionInfo = VersionInfo{LastScalingAt: v, LastConfigChangeAt: v}
	if before != nil && restart {
		n.VersionInfo.LastScalingAt = before.VersionInfo.LastScalingAt
	}
	if before != nil && !restart && onlyScaled(before, a) {
		n.VersionInfo.LastConfigChangeAt = before.VersionInfo.LastConfigChangeAt
	}
	return &n
}

func sameDefinition(a, b *App) bool { return a.Instances == b.Instances && onlyScaled(a, b) }

// onlyScaled says whether two definitions are equal but for their instances and versions. What is absent and what is
// empty is the same where their JSON is.
func onlyScaled(a, b *App) bool {
	bare := func(a *App) *App {
		n := *a
		n.Instances, n.Version, n.VersionInfo = 0, 0, VersionInfo{}
		return &n
	}
	switch a, b := bare(a), bare(b); {
	case a.Cmd != b.Cmd || a.CPUs != b.CPUs || a.Mem != b.Mem || a.Image() != b.Image(): // what changes most
		return false
	case reflect.DeepEqual(a, b):
		return true
	default:
		return bytes.Equal(encode(a), encode(b))
	}
}

// checkIDs refuses an app where a group is.
func checkIDs(d *Draft, p *Plan) error {
	for _, id := range sortedKeys(p.After) {
		if d.Group(id) != nil {
			return sameIdentifier(id)
		}
	}
	for _, id := range sortedKeys(p.GroupsAfter) {
		if d.App(id) != nil {
			return sameIdentifier(id)
		}
	}
	return nil
}

func sameIdentifier(id PathID) error {
	return &InvalidError{[]Problem{{Path: "/", Errors: []string{
		"Groups and Applications may not have the same identifier.", fmt.Sprintf("Both would be called '%s'.", id)}}}}
}

// admit refuses a plan that conflicts with deployments under way, or with force ends them.
func (w *work) admit(p *Plan, force bool) error {
	conflicts := map[DeploymentID]bool{}
	for _, app := range p.AffectedApps() {
		if id := w.locks.get(string(app)); id != "" {
			conflicts[id] = true
		}
	}
	ids := sortedKeys(conflicts)
	if len(ids) > 0 && !force {
		return &LockedError{ids}
	}
	running := w.deployments.under("")
	if len(p.Steps) > 0 && len(running)-len(ids) >= w.limits.MaxDeployments {
		w.totals.Dismissed++
		return ErrTooManyDeployments
	}
	for _, id := range ids {
		w.abandon(w.deployments.get(string(id)), "canceled by a forced update")
	}
	return nil
}

// adopt makes the draft the root group.
func (w *work) adopt(d *Draft, p *Plan) {
	w.remember(p)
	w.adopted += len(p.AffectedApps())
	w.version = d.version
	w.save(KindMeta, metaVersion)
	w.apps, w.groups = d.apps.commit().draft(), d.groups.commit().draft()
	for _, id := range p.AffectedApps() {
		if after := p.After[id]; after != nil && after.OnePerAgent {
			w.followers.put(string(id), id)
		} else {
			w.followers.remove(string(id))
		}
	}
	for _, id := range p.AffectedApps() { // in order: neighbours in a tree share what is copied
		before, after := p.Before[id], p.After[id]
		if after == nil {
			continue
		}
		key := versionKey(id, after.Version)
		if before != nil && !d.restart[id] {
			w.carryOver(before, after)
		}
		w.versions.put(key, after)
		w.save(KindVersion, key)
		w.save(KindApp, string(id))
		if before == nil || before.VersionInfo.LastConfigChangeAt != after.VersionInfo.LastConfigChangeAt {
			w.forgetDelay(id)
			if w.queue.get(string(id)) != nil {
				w.queue.put(string(id), newLaunchQueue(w.ts)) // what the old definition refused the new one may take
			}
		}
		w.pruneVersions(id)
	}
	for id := range p.Before {
		if p.After[id] == nil { // at once: another update may make an app of that id before the plan gets to it
			w.save(KindApp, string(id))
			for _, i := range w.instancesOf(id) {
				w.decommission(i, "App was removed")
			}
		}
	}
	for _, id := range p.AffectedApps() {
		w.notifyChecks(p.Before[id], p.After[id])
	}
	for id := range maps.All(p.GroupsBefore) {
		w.save(KindGroup, string(id))
	}
	for id := range maps.All(p.GroupsAfter) {
		w.save(KindGroup, string(id))
	}
}

// notifyChecks tells of health checks that come and go with a change of an app; either may be nil.
func (w *work) notifyChecks(before, after *App) {
	same := before != nil && after != nil && before.VersionInfo.LastConfigChangeAt == after.VersionInfo.LastConfigChangeAt
	if same {
		return
	}
	if before != nil && len(before.HealthChecks) > 0 {
		w.notify(NoticeRemoveHealthCheck, HealthCheckRemoved{AppID: before.ID})
	}
	if after != nil {
		for _, c := range after.HealthChecks {
			w.notify(NoticeAddHealthCheck, HealthCheckAdded{AppID: after.ID, HealthCheck: c, Version: after.Version})
		}
	}
}

// pruneVersions forgets an app's oldest versions beyond the number kept, but for those that instances still run.
func (w *work) pruneVersions(id PathID) {
	versions := w.versions.under(versionPrefix(id))
	excess := len(versions) - w.limits.VersionsKept
	if excess <= 0 {
		return
	}
	inUse := map[Timestamp]bool{}
	for _, i := range w.instancesOf(id) {
		inUse[i.AppVersion] = true
	}
	for _, a := range versions[:excess] {
		if !inUse[a.Version] {
			w.versions.remove(versionKey(id, a.Version))
			w.save(KindVersion, versionKey(id, a.Version))
		}
	}
}

// changedGroup is the group that a change is told to be of: the innermost that holds everything changed.
func (d *Draft) changedGroup() PathID {
	var common PathID
	narrow := func(g PathID) {
		if common == "" {
			common = g
		}
		for !g.Within(common) {
			common = common.Parent()
		}
	}
	for id := range d.touched {
		narrow(id.Parent())
	}
	if common == "" {
		for id := range d.regroup {
			narrow(id)
		}
	}
	if common == "" {
		return Root
	}
	return common
}
