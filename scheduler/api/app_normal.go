package api

import "rollcall/scheduler"

// singleInstanceLabel marks apps that must never run twice, not even during an upgrade.
const singleInstanceLabel = "MARATHON_SINGLE_INSTANCE_APP"

// normalise brings what was read into the form that Marathon writes: older forms converted, and every default that
// depends on other members filled in (Marathon reference 5.1, 6).
func (in *appInput) normalise(s appSettings) {
	in.convertFetch()
	in.convertNetworks()
	in.convertPorts()
	in.normaliseNetworks(s)
	if in.app.HostNetwork() {
		in.normaliseHostPorts()
	} else {
		in.normaliseMappings()
	}
	in.normaliseHealthChecks()
	in.normaliseStrategies()
	for _, d := range in.dependencies {
		in.app.Dependencies = append(in.app.Dependencies, scheduler.ResolvePathID(d, in.app.ID.Parent()))
	}
	if len(in.app.Args) == 0 {
		in.app.Args = nil
	}
}

func (in *appInput) normaliseNetworks(s appSettings) {
	a := in.app
	if len(a.Networks) == 0 {
		a.Networks = []scheduler.Network{{Mode: scheduler.NetworkHost}}
	}
	for i := range a.Networks {
		if n := &a.Networks[i]; n.Mode == scheduler.NetworkContainer && n.Name == "" {
			n.Name = s.defaultNetwork
		}
	}
}

func (in *appInput) normaliseHostPorts() {
	a := in.app
	if a.PortDefinitions == nil {
		a.PortDefinitions = []scheduler.PortDefinition{{Protocol: "tcp", Name: "default"}}
	}
	if a.Container != nil {
		a.Container.PortMappings = nil
	}
}

func (in *appInput) normaliseMappings() {
	a := in.app
	container := in.needContainer()
	a.RequirePorts = false
	if container.PortMappings == nil {
		container.PortMappings = []scheduler.PortMapping{{Name: "default", Protocol: "tcp"}}
	}
	for len(container.PortMappings) < len(a.PortDefinitions) {
		container.PortMappings = append(container.PortMappings, scheduler.PortMapping{Protocol: "tcp"})
	}
	a.PortDefinitions = nil
	if a.Networks[0].Mode != scheduler.NetworkBridge {
		return
	}
	for i := range container.PortMappings {
		if m := &container.PortMappings[i]; m.HostPort == nil {
			m.HostPort = new(int)
		}
	}
}

func (in *appInput) normaliseHealthChecks() {
	ports := len(in.app.Ports())
	for i := range in.app.HealthChecks {
		h := &in.app.HealthChecks[i]
		if h.Protocol == scheduler.ProtocolCommand {
			continue
		}
		if h.Port == nil && h.PortIndex == nil && ports > 0 {
			h.PortIndex = new(int)
		}
		if h.Path == "" && isHTTP(h.Protocol) {
			h.Path = "/"
		}
	}
}

func isHTTP(p scheduler.Protocol) bool {
	switch p {
	case scheduler.ProtocolHTTP, scheduler.ProtocolHTTPS, scheduler.ProtocolMesosHTTP, scheduler.ProtocolMesosHTTPS:
		return true
	}
	return false
}

func (in *appInput) normaliseStrategies() {
	if in.singleInstance() && !in.upgradeGiven {
		in.app.UpgradeStrategy = scheduler.UpgradeStrategy{}
	}
}

func (in *appInput) singleInstance() bool {
	return in.app.Labels[singleInstanceLabel] == "true"
}
