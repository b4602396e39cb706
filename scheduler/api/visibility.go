package api

import (
	"iter"

	"rollcall/scheduler"
)

// visible leaves the apps that a user may read.
func visible(u *User, apps iter.Seq[*scheduler.App]) iter.Seq[*scheduler.App] {
	return func(yield func(*scheduler.App) bool) {
		for app := range apps {
			if u.mayRead(app) && !yield(app) {
				return
			}
		}
	}
}

// visibleInstances leaves the instances of apps that a user may read.
func visibleInstances(u *User, instances iter.Seq[*scheduler.Instance]) iter.Seq[*scheduler.Instance] {
	return func(yield func(*scheduler.Instance) bool) {
		for i := range instances {
			if u.may(roleRead, i.AppID) && !yield(i) {
				return
			}
		}
	}
}

// hears says whether a user may know of a notice: of what it is about he may read all.
func (u *User) hears(n scheduler.Notice) bool {
	if u.may(roleRead, scheduler.Root) {
		return true
	}
	about, ok := subjectsOf(n.Body)
	if !ok {
		return false
	}
	for _, id := range about {
		if !u.may(roleRead, id) {
			return false
		}
	}
	return true
}

// subjectsOf lists the apps and groups that a notice is about. It does not know those that are about the server or
// other users.
func subjectsOf(body any) (ids []scheduler.PathID, known bool) {
	switch b := body.(type) {
	case scheduler.StatusUpdate:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.InstanceChanged:
		return []scheduler.PathID{b.RunSpecID}, true
	case scheduler.InstanceHealthChanged:
		return []scheduler.PathID{b.RunSpecID}, true
	case scheduler.UnknownTerminated:
		return []scheduler.PathID{b.RunSpecID}, true
	case scheduler.AppTerminated:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.HealthCheckAdded:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.HealthCheckRemoved:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.FailedHealthCheck:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.HealthStatusChanged:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.UnhealthyKill:
		return []scheduler.PathID{b.AppID}, true
	case scheduler.GroupChange:
		return []scheduler.PathID{b.GroupID}, true
	case scheduler.DeploymentProgress:
		return b.Plan.Plan.AffectedApps(), true
	case scheduler.DeploymentEnd:
		return b.Plan.Plan.AffectedApps(), true
	case scheduler.Breaker:
		return []scheduler.PathID{b.App}, true
	case scheduler.APIPost:
		return []scheduler.PathID{b.App.ID}, true
	case scheduler.SchedulerRegistered, scheduler.SchedulerDisconnected:
		return nil, true
	}
	return nil, false
}
