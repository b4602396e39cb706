package scheduler

import (
	"math"
	"slices"
)

// minus is what is left of r when s is taken out of it.
func (r Resources) minus(s Resources) Resources {
	r.CPUs -= s.CPUs
	r.Mem -= s.Mem
	r.Disk -= s.Disk
	r.GPUs -= s.GPUs
	for _, p := range s.Ports {
		for port := p.Begin; port <= p.End; port++ {
			r.Ports = r.Ports.Without(port)
		}
	}
	return r
}

func (r Resources) plus(s Resources) Resources {
	r.CPUs += s.CPUs
	r.Mem += s.Mem
	r.Disk += s.Disk
	r.GPUs += s.GPUs
	if len(s.Ports) > 0 {
		r.Ports = r.Ports.Union(s.Ports)
	}
	return r
}

func (r Resources) empty() bool {
	return r.CPUs == 0 && r.Mem == 0 && r.Disk == 0 && r.GPUs == 0 && len(r.Ports) == 0
}

// common is as much of s as r has. Mesos counts thousandths.
func (r Resources) common(s Resources) Resources {
	least := func(a, b float64) float64 { return math.Floor(max(min(a, b), 0)*1000+slack) / 1000 }
	if r.empty() {
		return Resources{}
	}
	out := Resources{CPUs: least(r.CPUs, s.CPUs), Mem: least(r.Mem, s.Mem), Disk: least(r.Disk, s.Disk), GPUs: min(r.GPUs, s.GPUs)}
	for _, p := range s.Ports {
		for port := p.Begin; port <= p.End; port++ {
			if r.Ports.Contains(port) {
				out.Ports = append(out.Ports, Range{port, port})
			}
		}
	}
	out.Ports = out.Ports.normal()
	return out
}

// unreserved says whether an app may use resources that are nobody's, reserved whether those that are its role's.
func (a *App) unreserved() bool {
	return len(a.AcceptedResourceRoles) == 0 || slices.Contains(a.AcceptedResourceRoles, "*")
}

func (a *App) reserved(role string) bool {
	return len(a.AcceptedResourceRoles) == 0 || slices.Contains(a.AcceptedResourceRoles, role)
}

// room is what of an offer an app may use.
func (o *Offer) room(a *App) Resources {
	var out Resources
	if a.unreserved() {
		out = o.Resources
	}
	if a.reserved(o.Role) {
		out = out.plus(o.Reserved)
	}
	return out
}

// take takes what a task needs out of an offer, what is reserved first: nobody else can use that.
func (o *Offer) take(a *App, needed Resources) (unreserved, reserved Resources) {
	if a.reserved(o.Role) {
		reserved = o.Reserved.common(needed)
	}
	unreserved = needed.minus(reserved)
	o.Reserved = o.Reserved.minus(reserved)
	o.Resources = o.Resources.minus(unreserved)
	return unreserved, reserved
}
