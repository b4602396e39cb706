package api

import (
	"rollcall/scheduler"
)

const maxPort = 65535

// ipAddressInput is the member ipAddress, by which Marathons before 1.5 asked for a container network.
type ipAddressInput struct {
	network  string
	labels   map[string]string
	mappings []scheduler.PortMapping // of discovery.ports; nil: not given

	discovery bool // is given
}

func (in *appInput) decodeNetworks(o *object) {
	if networks, ok := o.objects("networks"); ok {
		in.networksGiven = true
		for _, n := range networks {
			mode := string(scheduler.NetworkContainer)
			n.word("mode", &mode, string(scheduler.NetworkHost), string(scheduler.NetworkBridge),
				string(scheduler.NetworkContainer))
			network := scheduler.Network{Mode: scheduler.NetworkMode(mode)}
			n.text("name", &network.Name)
			n.textMap("labels", &network.Labels)
			n.end()
			in.app.Networks = append(in.app.Networks, network)
		}
	}
	ip, ok := o.object("ipAddress")
	if !ok {
		return
	}
	in.ipAddress = &ipAddressInput{}
	ip.text("networkName", &in.ipAddress.network)
	ip.textMap("labels", &in.ipAddress.labels)
	ip.ignore("groups")
	if discovery, ok := ip.object("discovery"); ok {
		in.ipAddress.discovery = true
		ports, ok := discovery.objects("ports")
		if ok {
			in.ipAddress.mappings = []scheduler.PortMapping{}
		}
		for _, p := range ports {
			mapping := scheduler.PortMapping{Protocol: "tcp"}
			p.integer("number", &mapping.ContainerPort, 0, maxPort)
			p.text("name", &mapping.Name)
			decodeTransport(p, &mapping.Protocol)
			p.textMap("labels", &mapping.Labels)
			p.end()
			in.ipAddress.mappings = append(in.ipAddress.mappings, mapping)
		}
		discovery.end()
	}
	ip.end()
}

// decodePorts reads portDefinitions, and the older ports; an empty array of either means no ports.
func (in *appInput) decodePorts(o *object) {
	if ports, ok := o.elements("ports"); ok && !tooMany(o, "ports", "ports", len(ports), maxPorts) {
		in.ports = make([]int, 0, len(ports))
		for _, p := range ports {
			if n, ok := in.r.integer(p.value, p.path, 0, maxPort); ok {
				in.ports = append(in.ports, n)
			}
		}
	}
	definitions, ok := o.objects("portDefinitions")
	if !ok || tooMany(o, "portDefinitions", "ports", len(definitions), maxPorts) {
		return
	}
	in.app.PortDefinitions = make([]scheduler.PortDefinition, 0, len(definitions))
	for _, d := range definitions {
		definition := scheduler.PortDefinition{Protocol: "tcp"}
		d.integer("port", &definition.Port, 0, maxPort)
		decodeTransport(d, &definition.Protocol)
		d.text("name", &definition.Name)
		d.textMap("labels", &definition.Labels)
		d.end()
		in.app.PortDefinitions = append(in.app.PortDefinitions, definition)
	}
}
