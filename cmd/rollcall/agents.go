package main

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"rollcall/scheduler"
	"rollcall/scheduler/local"
)

// lookUp finds the addresses of a host name; net.Resolver.LookupNetIP is one.
type lookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)

// lookUpWithin bounds a look-up at start.
const lookUpWithin = 2 * time.Second

// localAgents are the agents of the configuration as the engine takes them. A command that listens does so on $HOST,
// which is the agent's host name: where that does not lead to the agent's address, nobody finds what listens. So an
// agent that was given neither gets its address for a name then (Debian has the machine's name at 127.0.1.1); one that
// was given a name keeps it, with a warning.
func localAgents(c *schedulerConfig, find lookUp, log *slog.Logger) []local.Agent {
	var out []local.Agent
	for _, a := range c.Local.Agents {
		agent := local.Agent{Hostname: a.Hostname, Address: a.Address, Attributes: a.Attributes, CPUs: a.CPUs,
			Mem: a.Mem, Disk: a.Disk, Region: a.Region, Zone: a.Zone}
		for _, r := range a.Ports {
			agent.Ports = append(agent.Ports, scheduler.Range{Begin: int(r.Min), End: int(r.Max)})
		}
		given := a.Address.IsValid() || a.Hostname != c.Hostname
		if !agent.Address.IsValid() {
			agent.Address = machineAddrs()[0]
		}
		if !leadsTo(find, agent.Hostname, agent.Address) {
			if given {
				log.Warn("the agent's host name does not lead to its address: commands that listen on $HOST will not be found",
					"hostname", agent.Hostname, "address", agent.Address)
			} else {
				log.Info("this machine's name does not lead to its address: tasks get the address as $HOST",
					"hostname", agent.Hostname, "address", agent.Address)
				agent.Hostname = agent.Address.String()
			}
		}
		out = append(out, agent)
	}
	return out
}

// leadsTo says whether a host name, or an address as text, stands for an address.
func leadsTo(find lookUp, host string, addr netip.Addr) bool {
	if literal, err := netip.ParseAddr(host); err == nil {
		return literal.Unmap() == addr
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookUpWithin)
	defer cancel()
	found, err := find(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(found, func(a netip.Addr) bool { return a.Unmap() == addr })
}
