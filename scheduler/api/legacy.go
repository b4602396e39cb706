package api

import (
	"net/url"
	"path"
	"slices"

	"rollcall/scheduler"
)

// Forms of app definitions that newer Marathons no longer write, but that every tutorial and chart of their time
// uses (Marathon reference 6.1, 6.2, 26).

// archives are the endings of files that are unpacked when they come from uris.
var archives = []string{".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zip"}

// convertFetch turns uris into fetch: unlike there, only archives are unpacked.
func (in *appInput) convertFetch() {
	for _, uri := range in.uris {
		in.app.Fetch = append(in.app.Fetch, scheduler.Fetch{URI: uri, Extract: isArchive(uri)})
	}
}

func isArchive(uri string) bool {
	name := uri
	if u, err := url.Parse(uri); err == nil && u.Path != "" {
		name = u.Path
	}
	ext := path.Ext(name)
	if ext == ".bz2" || ext == ".xz" {
		return path.Ext(name[:len(name)-len(ext)]) == ".tar"
	}
	return slices.Contains(archives, ext)
}

// convertNetworks turns docker.network and ipAddress into networks, and moves their ports to the container.
func (in *appInput) convertNetworks() {
	a, old := in.app, in.container
	if old.network != "" && in.networksGiven {
		in.r.refuse(in.path, "must not specify both container.docker.network and networks")
		return
	}
	if in.ipAddress != nil && in.networksGiven {
		in.r.refuse(in.path, "must not specify both networks and ipAddress")
		return
	}
	if in.ipAddress != nil && (len(in.ports) > 0 || len(a.PortDefinitions) > 0) {
		in.r.refuse(in.path, "cannot specify both an IP address and port")
		return
	}
	if in.ipAddress != nil && in.ipAddress.discovery && in.docker() {
		in.r.refuse(in.at("ipAddress"), "ipAddress/discovery is not allowed for Docker containers")
	}
	if a.Container != nil && len(a.Container.PortMappings) > 0 && len(old.mappings) > 0 {
		in.r.refuse(in.at("container"), "cannot specify both portMappings and docker.portMappings")
	}
	switch old.network {
	case "HOST":
		a.Networks = []scheduler.Network{{Mode: scheduler.NetworkHost}}
	case "BRIDGE":
		a.Networks = []scheduler.Network{{Mode: scheduler.NetworkBridge}}
	case "USER":
		a.Networks = []scheduler.Network{{Mode: scheduler.NetworkContainer}}
	case "NONE":
		a.Networks = []scheduler.Network{{Mode: scheduler.NetworkHost}}
		a.PortDefinitions = []scheduler.PortDefinition{}
		in.ports, in.container.mappings = nil, nil
		docker := a.Container.Docker
		docker.Parameters = append(docker.Parameters, scheduler.Parameter{Key: "network", Value: "none"})
	}
	if in.ipAddress != nil && old.network != "HOST" && old.network != "BRIDGE" && old.network != "NONE" {
		a.Networks = []scheduler.Network{{Mode: scheduler.NetworkContainer, Name: in.ipAddress.network,
			Labels: in.ipAddress.labels}}
	}
	if a.Container != nil && a.Container.PortMappings == nil {
		a.Container.PortMappings = in.container.mappings
	}
	if in.ipAddress != nil && in.ipAddress.mappings != nil && !in.docker() {
		container := in.needContainer()
		if container.PortMappings == nil {
			container.PortMappings = in.ipAddress.mappings
		}
	}
}

func (in *appInput) docker() bool {
	return in.app.Container != nil && in.app.Container.Type == scheduler.ContainerDocker
}

// needContainer gives the app something to hold port mappings.
func (in *appInput) needContainer() *scheduler.Container {
	if in.app.Container == nil {
		in.app.Container = &scheduler.Container{Type: scheduler.ContainerMesos, Volumes: []scheduler.Volume{}}
	}
	return in.app.Container
}

// convertPorts turns ports into portDefinitions. Both may be given when their numbers are equal, as they are in what
// Marathons before 1.5 wrote.
func (in *appInput) convertPorts() {
	if in.ports == nil {
		return
	}
	seen := map[int]bool{}
	for _, p := range in.ports {
		if p != 0 && seen[p] {
			in.r.refuse(in.path, "ports must be unique")
			return
		}
		seen[p] = true
	}
	if in.app.PortDefinitions != nil {
		numbers := make([]int, len(in.app.PortDefinitions))
		for i, d := range in.app.PortDefinitions {
			numbers[i] = d.Port
		}
		if !slices.Equal(numbers, in.ports) {
			in.r.refuse(in.at("ports"), "cannot specify both ports and port definitions")
		}
		return
	}
	in.app.PortDefinitions = make([]scheduler.PortDefinition, len(in.ports))
	for i, p := range in.ports {
		in.app.PortDefinitions[i] = scheduler.PortDefinition{Port: p, Protocol: "tcp"}
	}
	if slices.Equal(in.ports, []int{0}) {
		in.app.PortDefinitions[0].Name = "default"
	}
}
