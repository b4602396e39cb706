package local

import (
	"fmt"
	"net/netip"

	"rollcall/scheduler"
)

// ContainerDNS is what containers find in /etc/resolv.conf. The zero value leaves that to Docker.
type ContainerDNS struct {
	Server netip.AddrPort `json:"server,omitzero"` // where DNS is served; unspecified: on every address of the machine
	Search []string       `json:"search,omitempty"`
}

// dnsPort is the only one that resolv.conf can mean.
const dnsPort = 53

// nameserver is the DNS server for containers on a network, whose gateway is this machine as the containers see it
// (invalid where it has none). The server is invalid when containers there cannot reach it, and an error says why.
func (c ContainerDNS) nameserver(mode scheduler.NetworkMode, gateway netip.Addr) (netip.Addr, error) {
	server := c.Server.Addr().Unmap()
	switch {
	case !c.Server.IsValid():
		return netip.Addr{}, nil
	case c.Server.Port() != dnsPort:
		return netip.Addr{}, fmt.Errorf("DNS is served on port %d, and resolv.conf can only name servers on port %d", c.Server.Port(), dnsPort)
	case mode == scheduler.NetworkHost && server.IsUnspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	case mode == scheduler.NetworkHost:
		return server, nil
	case server.IsLoopback():
		return netip.Addr{}, fmt.Errorf("DNS is served on %s, which containers on networks of their own cannot reach", server)
	case server.IsUnspecified() && !gateway.IsValid():
		return netip.Addr{}, fmt.Errorf("their network has no gateway, by which containers could reach DNS")
	case server.IsUnspecified():
		return gateway, nil
	}
	return server, nil
}

// networkMode is how a task is connected.
func networkMode(task scheduler.TaskInfo) scheduler.NetworkMode {
	if len(task.Networks) == 0 {
		return scheduler.NetworkHost
	}
	return task.Networks[0].Mode
}
