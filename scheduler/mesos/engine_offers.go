package mesos

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"

	"rollcall/scheduler"
)

// offerPool holds the offers that the core was told of and has not answered.
type offerPool struct {
	mu     sync.Mutex
	offers map[scheduler.OfferID]*heldOffer
}

// heldOffer is one offer to the core: those of Mesos for one agent and one role that came together.
type heldOffer struct {
	ids       []string
	resources []v1Resource // shrink with each task
}

// add takes offers in, and returns what the core is told. Those of the same agent for the same role, which come when
// an agent gets several things back at once, are one: a task may use them all together.
func (p *offerPool) add(offers []v1Offer, region string) []scheduler.Offer {
	type place struct{ agent, role string }
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offers == nil {
		p.offers = map[scheduler.OfferID]*heldOffer{}
	}
	var out []scheduler.Offer
	at := map[place]int{}
	for n := range offers {
		o := &offers[n]
		key := place{o.AgentID.Value, o.Allocation.Role}
		index, together := at[key]
		if !together {
			index = len(out)
			at[key] = index
			out = append(out, o.offer(region))
			p.offers[out[index].ID] = &heldOffer{}
		}
		held := p.offers[out[index].ID]
		held.ids = append(held.ids, o.ID.Value)
		held.resources = append(held.resources, slices.DeleteFunc(o.Resources, func(r v1Resource) bool { return !r.usable() })...)
		out[index].Resources, out[index].Reserved = held.sum()
	}
	return out
}

// offer is an offer in the core's words, but for its resources. Region is the master's.
func (o *v1Offer) offer(region string) scheduler.Offer {
	out := scheduler.Offer{
		ID: scheduler.OfferID(o.ID.Value), AgentID: scheduler.AgentID(o.AgentID.Value), Hostname: o.Hostname,
		Address: o.address(), Attributes: map[string]string{}, Region: o.Domain.region(), Zone: o.Domain.zone(),
		Role: o.Allocation.Role,
	}
	for n := range o.Attributes {
		out.Attributes[o.Attributes[n].Name] = o.Attributes[n].text()
	}
	out.Remote = region != "" && out.Region != "" && out.Region != region
	if u := o.Unavailability; u != nil {
		out.Maintenance = &scheduler.Period{Start: u.Start.moment()}
		if u.Duration != nil {
			out.Maintenance.End = out.Maintenance.Start.Add(u.Duration.duration())
		}
	}
	return out
}

// remove takes an offer that the core answers; nil: it is not valid any more.
func (p *offerPool) remove(id scheduler.OfferID) *heldOffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.offers[id]
	delete(p.offers, id)
	return held
}

// rescind takes back an offer of Mesos: the core's offer that it belongs to, "" when that was answered already, and
// the others in it.
func (p *offerPool) rescind(id string) (offer scheduler.OfferID, rest []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for offer, held := range p.offers {
		if n := slices.Index(held.ids, id); n >= 0 {
			delete(p.offers, offer)
			return offer, slices.Delete(slices.Clone(held.ids), n, n+1)
		}
	}
	return "", nil
}

// usable says whether a task may simply have a resource. Disks with a source or a volume, revocable and shared
// resources, those of providers, and those that a framework marked as its own are for who asks for them.
func (r *v1Resource) usable() bool {
	for _, special := range []json.RawMessage{r.Disk, r.Revocable, r.Shared, r.Provider} {
		if isSet(special) {
			return false
		}
	}
	var reservations []v1Reservation
	if isSet(r.Reservations) && json.Unmarshal(r.Reservations, &reservations) != nil {
		return false
	}
	if isSet(r.Reservation) {
		var one v1Reservation
		if json.Unmarshal(r.Reservation, &one) != nil {
			return false
		}
		reservations = append(reservations, one)
	}
	return !slices.ContainsFunc(reservations, func(r v1Reservation) bool { return r.Labels != nil && len(r.Labels.Labels) > 0 })
}

func (r *v1Resource) reserved() bool {
	return isSet(r.Reservations) && string(r.Reservations) != "[]" || r.Role != "" && r.Role != "*"
}

func isSet(member json.RawMessage) bool { return len(member) > 0 && string(member) != "null" }

func (r *v1Resource) amount() float64 {
	if r.Scalar == nil {
		return 0
	}
	return r.Scalar.Value
}

// sum adds the resources up.
func (h *heldOffer) sum() (unreserved, reserved scheduler.Resources) {
	for n := range h.resources {
		r, to := &h.resources[n], &unreserved
		if r.reserved() {
			to = &reserved
		}
		switch r.Name {
		case "cpus":
			to.CPUs = thousandths(to.CPUs + r.amount())
		case "mem":
			to.Mem = thousandths(to.Mem + r.amount())
		case "disk":
			to.Disk = thousandths(to.Disk + r.amount())
		case "gpus":
			to.GPUs += int(r.amount())
		case "ports":
			to.Ports = to.Ports.Union(r.ports())
		}
	}
	return unreserved, reserved
}

// thousandths rounds as Mesos counts.
func thousandths(f float64) float64 { return math.Round(f*1000) / 1000 }

// take takes a task's resources out of the offer; with an error, which says what is missing, none of them.
func (h *heldOffer) take(t *scheduler.TaskInfo) ([]v1Resource, error) {
	before := slices.Clone(h.resources)
	out, err := h.takeAll(t)
	if err != nil {
		h.resources = before
	}
	return out, err
}

func (h *heldOffer) takeAll(t *scheduler.TaskInfo) ([]v1Resource, error) {
	var out []v1Resource
	for _, part := range []struct {
		needed   scheduler.Resources
		reserved bool
	}{{t.Reserved, true}, {t.Resources, false}} {
		for _, scalar := range []struct {
			name   string
			amount float64
		}{{"cpus", part.needed.CPUs}, {"mem", part.needed.Mem}, {"disk", part.needed.Disk}, {"gpus", float64(part.needed.GPUs)}} {
			taken, left := h.takeScalar(scalar.name, thousandths(scalar.amount), part.reserved)
			if left > 0 {
				return nil, fmt.Errorf("the offer has %v %s too few", left, scalar.name)
			}
			out = append(out, taken...)
		}
		taken, left := h.takePorts(part.needed.Ports, part.reserved)
		if left.Len() > 0 {
			return nil, fmt.Errorf("the offer lacks the ports %s", left)
		}
		out = append(out, taken...)
	}
	return out, nil
}

func (h *heldOffer) takeScalar(name string, needed float64, reserved bool) (taken []v1Resource, left float64) {
	for n := range h.resources {
		r := &h.resources[n]
		part := min(needed, thousandths(r.amount()))
		if r.Name != name || r.reserved() != reserved || part <= 0 {
			continue
		}
		piece := *r
		piece.Scalar, r.Scalar = &v1Scalar{part}, &v1Scalar{thousandths(r.amount() - part)}
		taken, needed = append(taken, piece), thousandths(needed-part)
	}
	return taken, needed
}

func (h *heldOffer) takePorts(needed scheduler.PortRange, reserved bool) (taken []v1Resource, left scheduler.PortRange) {
	for n := range h.resources {
		r := &h.resources[n]
		if r.Name != "ports" || r.reserved() != reserved || needed.Len() == 0 {
			continue
		}
		has, piece, ranges := r.ports(), *r, []v1Range(nil)
		for _, p := range needed {
			for port := p.Begin; port <= p.End; port++ {
				if has.Contains(port) {
					ranges = append(ranges, v1Range{v1Int(port), v1Int(port)})
				}
			}
		}
		if ranges == nil {
			continue
		}
		for _, p := range ranges {
			has, needed = has.Without(int(p.Begin)), needed.Without(int(p.Begin))
		}
		piece.Ranges, r.Ranges = &v1Ranges{joined(ranges)}, rangesOf(has)
		taken = append(taken, piece)
	}
	return taken, needed
}

// joined joins ranges of one port each, in ascending order, that touch.
func joined(ports []v1Range) []v1Range {
	var out []v1Range
	for _, p := range ports {
		if last := len(out) - 1; last >= 0 && out[last].End+1 == p.Begin {
			out[last].End = p.End
		} else {
			out = append(out, p)
		}
	}
	return out
}

func rangesOf(ports scheduler.PortRange) *v1Ranges {
	out := &v1Ranges{Range: []v1Range{}}
	for _, p := range ports {
		out.Range = append(out.Range, v1Range{v1Int(p.Begin), v1Int(p.End)})
	}
	return out
}
