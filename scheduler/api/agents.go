package api

import (
	"net/http"
	"net/netip"

	"rollcall/scheduler"
)

// agentView is an agent as GET /rollcall/agents writes it. Marathon has no such endpoint: its users look at Mesos.
type agentView struct {
	ID         scheduler.AgentID `json:"id"`
	Hostname   string            `json:"hostname"`
	Address    netip.Addr        `json:"address,omitzero"`
	Attributes map[string]string `json:"attributes"`
	Region     string            `json:"region,omitempty"`
	Zone       string            `json:"zone,omitempty"`
	Tasks      int               `json:"tasks"`
	Used       resourcesView     `json:"used"`            // by this scheduler's tasks
	Total      *resourcesView    `json:"total,omitempty"` // that there is; nil: not known
}

// Capacities tells how much agents have.
type Capacities interface {
	// Capacity is what an agent has in all, whoever uses it, and whether that is known. It may be called from any
	// goroutine.
	Capacity(scheduler.AgentID) (scheduler.Resources, bool)
}

type resourcesView struct {
	CPUs float64 `json:"cpus"`
	Mem  float64 `json:"mem"`  // MiB
	Disk float64 `json:"disk"` // MiB
}

// listAgents answers GET /rollcall/agents: the agents that have made offers, and what they run.
func (a *API) listAgents(w http.ResponseWriter, r *http.Request) error {
	state := a.state()
	agents := []agentView{}
	at := map[scheduler.AgentID]int{}
	for agent := range state.Agents() {
		at[agent.ID] = len(agents)
		v := agentView{ID: agent.ID, Hostname: agent.Hostname, Address: agent.Address, Attributes: agent.Attributes,
			Region: agent.Region, Zone: agent.Zone}
		if a.o.Capacities != nil {
			if c, known := a.o.Capacities.Capacity(agent.ID); known {
				v.Total = &resourcesView{c.CPUs, c.Mem, c.Disk}
			}
		}
		if v.Attributes == nil {
			v.Attributes = map[string]string{}
		}
		agents = append(agents, v)
	}
	for i := range state.AllInstances() {
		n, known := at[i.AgentID]
		if !known || !i.Condition.Active() {
			continue
		}
		agents[n].Tasks++
		if i.App != nil {
			agents[n].Used.CPUs += i.App.CPUs
			agents[n].Used.Mem += i.App.Mem
			agents[n].Used.Disk += i.App.Disk
		}
	}
	return respond(w, r, http.StatusOK, map[string]any{"agents": agents})
}
