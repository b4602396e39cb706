package scheduler

import (
	"fmt"
	"slices"
)

// servicePortPool knows which service ports are in use.
type servicePortPool struct {
	used map[ServicePort]bool
	next ServicePort // all of the range before it are in use
	last ServicePort
}

func newServicePortPool(r Range, apps ...[]*App) *servicePortPool {
	pool := &servicePortPool{used: map[ServicePort]bool{}, next: ServicePort(r.Begin), last: ServicePort(r.End)}
	for _, some := range apps {
		for _, a := range some {
			for p := range a.servicePorts() {
				pool.used[p] = true
			}
		}
	}
	return pool
}

// take returns the lowest free port; false when there is none.
func (pool *servicePortPool) take() (ServicePort, bool) {
	for ; pool.next <= pool.last; pool.next++ {
		if !pool.used[pool.next] {
			pool.used[pool.next] = true
			return pool.next, true
		}
	}
	return 0, false
}

// withServicePorts returns the app with a number for each service port that is 0: first those that it had before, then
// the lowest that no app uses (Marathon reference 6.4). The pool knows all the ports that it has by itself, and had.
func (w *work) withServicePorts(app, before *App, pool *servicePortPool) (*App, error) {
	mine := map[ServicePort]bool{}
	missing := 0
	for p := range app.servicePorts() {
		mine[p] = true
		if p == 0 {
			missing++
		}
	}
	var free []ServicePort
	if before != nil {
		for p := range before.servicePorts() {
			if p != 0 && p != NoServicePort && !mine[p] {
				free = append(free, p)
				mine[p] = true
			}
		}
	}
	for len(free) < missing {
		p, ok := pool.take()
		if !ok {
			return nil, &InvalidError{[]Problem{{Path: "/portDefinitions", Errors: []string{fmt.Sprintf(
				"no free service port is left in %d-%d: give the ports numbers, or widen scheduler.servicePorts",
				w.limits.ServicePorts.Begin, w.limits.ServicePorts.End)}}}}
		}
		free = append(free, p)
	}
	n := *app
	n.PortDefinitions = slices.Clone(app.PortDefinitions)
	if app.Container != nil {
		container := *app.Container
		container.PortMappings = slices.Clone(container.PortMappings)
		n.Container = &container
	}
	n.setServicePorts(free)
	return &n, nil
}

// setServicePorts replaces the service ports that are 0, in order.
func (a *App) setServicePorts(free []ServicePort) {
	if a.HostNetwork() {
		for n := range a.PortDefinitions {
			if p := &a.PortDefinitions[n]; p.Port == 0 {
				p.Port, free = int(free[0]), free[1:]
			}
		}
		return
	}
	for n := range a.Container.PortMappings {
		if m := &a.Container.PortMappings[n]; m.ServicePort == 0 {
			m.ServicePort, free = free[0], free[1:]
		}
	}
}

// lacksServicePorts says whether any service port is still to be chosen.
func (a *App) lacksServicePorts() bool {
	for p := range a.servicePorts() {
		if p == 0 {
			return true
		}
	}
	return false
}
