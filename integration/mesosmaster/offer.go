package mesosmaster

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// offer is resources that a framework was offered and has not answered for.
type offer struct {
	id        string
	framework *framework
	agent     *Agent
	role      string
	resources []resource
	inverse   bool
}

// allocate offers what is free. A framework gets what is reserved for a role of its, and what is nobody's for its
// first role.
func (m *Master) allocate() {
	busy := map[string]bool{}
	for _, o := range m.offers {
		if !o.inverse {
			busy[o.agent.id] = true
		}
	}
	now := time.Now()
	for _, id := range slices.Sorted(maps.Keys(m.frameworks)) {
		f := m.frameworks[id]
		if f.stream == nil || f.suppressed || len(f.roles) == 0 {
			continue
		}
		var offers []object
		for _, a := range m.agents {
			if busy[a.id] || now.Before(f.filters[a.id]) {
				continue
			}
			for role, resources := range f.share(a.free()) {
				busy[a.id] = true
				o := &offer{id: offerID(m), framework: f, agent: a, role: role, resources: resources}
				m.offers[o.id] = o
				offers = append(offers, o.v1())
			}
		}
		if len(offers) > 0 {
			f.send(object{"type": "OFFERS", "offers": object{"offers": offers}})
		}
	}
}

// share is what of free resources is offered to a framework, by role.
func (f *framework) share(free []resource) map[string][]resource {
	out := map[string][]resource{}
	for _, r := range free {
		role := f.roles[0]
		if len(r.Reservations) > 0 {
			if role = reservedFor(r); !slices.Contains(f.roles, role) {
				continue
			}
		}
		out[role] = append(out[role], r)
	}
	maps.DeleteFunc(out, func(_ string, resources []resource) bool {
		return !slices.ContainsFunc(resources, func(r resource) bool {
			return r.Name == "cpus" && r.Scalar.Value >= 0.01 || r.Name == "mem" && r.Scalar.Value >= 32
		})
	})
	return out
}

func (o *offer) v1() object {
	a := o.agent
	out := object{
		"id": value(o.id), "framework_id": value(o.framework.id), "agent_id": value(a.id), "hostname": a.options.IP, "url": a.url(),
		"resources": allocated(o.resources, o.role), "attributes": a.attributes(), "allocation_info": object{"role": o.role},
	}
	if d := a.domain(); d != nil {
		out["domain"] = d
	}
	if a.away != nil {
		out["unavailability"] = a.away.v1()
	}
	return out
}

func (w *window) v1() object {
	return object{"start": nanoseconds(w.start), "duration": object{"nanoseconds": w.duration.Nanoseconds()}}
}

// takeOffer ends an offer; nil: it is not one, or not one any more.
func (m *Master) takeOffer(f *framework, id string) *offer {
	o := m.offers[id]
	if o == nil || o.framework != f || o.inverse {
		return nil
	}
	delete(m.offers, id)
	return o
}

// voidOffers ends a framework's offers without telling it.
func (m *Master) voidOffers(f *framework) {
	maps.DeleteFunc(m.offers, func(_ string, o *offer) bool { return o.framework == f })
}

// rescind takes the offers of an agent back.
func (m *Master) rescind(a *Agent) {
	for id, o := range m.offers {
		if o.agent != a {
			continue
		}
		delete(m.offers, id)
		if o.inverse {
			o.framework.send(object{"type": "RESCIND_INVERSE_OFFER", "rescind_inverse_offer": object{"inverse_offer_id": value(id)}})
		} else {
			o.framework.send(object{"type": "RESCIND", "rescind": object{"offer_id": value(id)}})
		}
	}
}

// accept launches tasks on offers, or says why not.
func (m *Master) accept(f *framework, c *call) {
	say := func(t *taskInfo, state, reason string, err error) {
		f.send(update(object{"task_id": value(t.TaskID.Value), "state": state, "agent_id": value(t.AgentID.Value),
			"source": "SOURCE_MASTER", "reason": reason, "timestamp": seconds(time.Now()), "message": err.Error()}))
	}
	a, role, left, invalid := m.useOffers(f, c.Accept.OfferIDs)
	for _, operation := range c.Accept.Operations {
		if operation.Type != "LAUNCH" {
			continue
		}
		for _, info := range operation.Launch.TaskInfos {
			if invalid != nil {
				say(&info, "TASK_DROPPED", "REASON_INVALID_OFFERS", fmt.Errorf("Task launched with invalid offers: %w", invalid)) //nolint:staticcheck // Mesos's words
				continue
			}
			if err := info.validate(a, f, role, left); err != nil {
				m.cluster.refused++
				say(&info, "TASK_ERROR", "REASON_TASK_INVALID", err)
				continue
			}
			left, _ = subtract(left, info.Resources)
			info.Resources = unallocated(info.Resources)
			t := &task{agent: a, framework: f.id, role: role, info: info, state: "TASK_STAGING", container: newID()}
			a.addTask(t)
			m.toOperators(object{"type": "TASK_ADDED", "task_added": object{"task": t.v1()}})
			t.launch()
		}
	}
	if a != nil {
		f.filters[a.id] = c.Accept.Filters.until()
	}
}

// useOffers ends offers that tasks are launched on: all of them, whether they go together or not.
func (m *Master) useOffers(f *framework, ids []wrapped) (a *Agent, role string, resources []resource, invalid error) {
	if len(ids) == 0 {
		return nil, "", nil, errors.New("No offers specified") //nolint:staticcheck // Mesos's words, as below
	}
	for n, id := range ids {
		o := m.takeOffer(f, id.Value)
		switch {
		case o == nil && slices.Contains(ids[:n], id):
			invalid = fmt.Errorf("Duplicate offer %s in offer list", id.Value)
		case o == nil:
			invalid = fmt.Errorf("Offer %s is no longer valid", id.Value)
		case a == nil:
			a, role, resources = o.agent, o.role, o.resources
		case o.role != role:
			invalid = fmt.Errorf("Aggregated offers must be allocated to the same role. Offer %s uses role '%s' but another is using role '%s'",
				id.Value, o.role, role)
		case o.agent != a:
			invalid = fmt.Errorf("Aggregated offers must belong to one single agent. Offer %s uses agent %s and agent %s", id.Value, o.agent.id, a.id)
		default:
			resources = slices.Concat(resources, o.resources)
		}
	}
	return a, role, merge(resources), invalid
}

// unallocated drops what only offers say of resources.
func unallocated(resources []resource) []resource {
	out := slices.Clone(resources)
	for n := range out {
		out[n].Allocation = nil
	}
	return out
}

// planMaintenance tells frameworks with inverse offers; what is offered of the agent is offered anew.
func (m *Master) planMaintenance(a *Agent) {
	m.rescind(a)
	for _, f := range m.frameworks {
		if f.stream == nil {
			continue
		}
		o := &offer{id: offerID(m), framework: f, agent: a, inverse: true}
		m.offers[o.id] = o
		f.send(object{"type": "INVERSE_OFFERS", "inverse_offers": object{"inverse_offers": []object{{"id": value(o.id),
			"url": a.url(), "framework_id": value(f.id), "agent_id": value(a.id), "unavailability": a.away.v1()}}}})
	}
}
