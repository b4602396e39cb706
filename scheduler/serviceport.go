package scheduler

import "fmt"

// assignServicePorts gives each service port of an app that is 0 a number: first those the app had before, then the
// lowest that no app uses (Marathon reference 6.4). It changes the app.
func (w *work) assignServicePorts(app, before *App, used map[int]bool) error {
	mine := map[int]bool{}
	missing := 0
	for p := range app.servicePorts() {
		mine[p] = true
		if p == 0 {
			missing++
		}
	}
	if missing == 0 {
		return nil
	}
	var free []int
	if before != nil {
		for p := range before.servicePorts() {
			if p != 0 && !mine[p] {
				free = append(free, p)
				mine[p] = true
			}
		}
	}
	for p := w.limits.ServicePorts.Begin; len(free) < missing && p <= w.limits.ServicePorts.End; p++ {
		if !used[p] && !mine[p] {
			free = append(free, p)
		}
	}
	if len(free) < missing {
		return &InvalidError{[]Problem{{Path: "/portDefinitions", Errors: []string{fmt.Sprintf(
			"no free service port is left in %d-%d: give the ports numbers, or widen scheduler.servicePorts",
			w.limits.ServicePorts.Begin, w.limits.ServicePorts.End)}}}}
	}
	app.setServicePorts(free)
	for _, p := range free[:missing] {
		used[p] = true
	}
	return nil
}

// setServicePorts replaces the service ports that are 0, in order.
func (a *App) setServicePorts(free []int) {
	if a.HostNetwork() {
		for n := range a.PortDefinitions {
			if p := &a.PortDefinitions[n]; p.Port == 0 {
				p.Port, free = free[0], free[1:]
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

// usedServicePorts is every service port of some apps.
func usedServicePorts(apps []*App) map[int]bool {
	used := map[int]bool{}
	for _, a := range apps {
		for p := range a.servicePorts() {
			used[p] = true
		}
	}
	return used
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
