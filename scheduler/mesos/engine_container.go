package mesos

import (
	"slices"
	"strings"

	"rollcall/scheduler"
)

// bridgeNetwork is the CNI network that a Mesos container on Marathon's "container/bridge" network joins: the default
// of Marathon's --mesos_bridge_name.
const bridgeNetwork = "mesos-bridge"

// v1ContainerInfo is what a task runs in.
type v1ContainerInfo struct {
	Type         string          `json:"type"` // DOCKER or MESOS
	Docker       *v1DockerInfo   `json:"docker,omitempty"`
	Mesos        *v1MesosInfo    `json:"mesos,omitempty"`
	Volumes      []v1Volume      `json:"volumes,omitempty"`
	NetworkInfos []v1NetworkInfo `json:"network_infos,omitempty"`
	TTY          *struct{}       `json:"tty_info,omitempty"` // without a size of its window
}

type v1DockerInfo struct {
	Image          string          `json:"image"`
	Network        string          `json:"network"` // HOST, BRIDGE or USER
	PortMappings   []v1PortMapping `json:"port_mappings,omitempty"`
	Privileged     bool            `json:"privileged"`
	Parameters     []v1Parameter   `json:"parameters,omitempty"`
	ForcePullImage bool            `json:"force_pull_image"`
}

type v1Parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type v1MesosInfo struct {
	Image *v1Image `json:"image,omitempty"`
}

type v1Image struct {
	Type   string  `json:"type"` // DOCKER
	Docker v1Named `json:"docker"`
	Cached bool    `json:"cached"`
}

type v1Named struct {
	Name string `json:"name"`
}

type v1Volume struct {
	ContainerPath string `json:"container_path"`
	HostPath      string `json:"host_path,omitempty"`
	Mode          string `json:"mode"`
}

type v1NetworkInfo struct {
	Addresses    []struct{}      `json:"ip_addresses"` // each {} asks for any address
	Name         string          `json:"name"`
	Labels       *v1Labels       `json:"labels,omitempty"`
	PortMappings []v1PortMapping `json:"port_mappings,omitempty"`
}

type v1PortMapping struct {
	HostPort      int    `json:"host_port"`
	ContainerPort int    `json:"container_port"`
	Protocol      string `json:"protocol,omitempty"`
}

// taskIDLabel is the label by which whoever looks at a Docker container finds its task, as in Marathon's.
const taskIDLabel = "MESOS_TASK_ID"

// containerInfo is nil for a plain process on the agent's network that has no terminal.
func containerInfo(t *scheduler.TaskInfo) *v1ContainerInfo {
	out := containerWithoutTTY(t)
	if t.TTY {
		if out == nil {
			out = &v1ContainerInfo{Type: string(scheduler.ContainerMesos), Mesos: &v1MesosInfo{}}
		}
		out.TTY = &struct{}{}
	}
	return out
}

func containerWithoutTTY(t *scheduler.TaskInfo) *v1ContainerInfo {
	mode := networkMode(t)
	if t.Container == nil {
		if mode == scheduler.NetworkHost {
			return nil
		}
		// Only the Mesos containerizer joins a plain process to a network.
		return &v1ContainerInfo{Type: string(scheduler.ContainerMesos), Mesos: &v1MesosInfo{}, NetworkInfos: networkInfos(t, nil)}
	}
	out := &v1ContainerInfo{Type: string(t.Container.Type)}
	for _, v := range t.Container.Volumes {
		out.Volumes = append(out.Volumes, v1Volume{v.ContainerPath, v.HostPath, v.Mode})
	}
	if t.Container.Type == scheduler.ContainerMesos {
		out.Mesos = &v1MesosInfo{}
		if d := t.Container.Docker; d != nil && d.Image != "" {
			out.Mesos.Image = &v1Image{Type: "DOCKER", Docker: v1Named{d.Image}, Cached: !d.ForcePullImage}
		}
		if mode != scheduler.NetworkHost {
			out.NetworkInfos = networkInfos(t, t.Container.PortMappings)
		}
		return out
	}
	out.Docker = dockerInfo(t, mode)
	if mode == scheduler.NetworkContainer {
		out.NetworkInfos = networkInfos(t, nil) // Docker itself publishes the ports
	}
	return out
}

func dockerInfo(t *scheduler.TaskInfo, mode scheduler.NetworkMode) *v1DockerInfo {
	out := &v1DockerInfo{Network: "HOST"}
	switch mode {
	case scheduler.NetworkBridge:
		out.Network = "BRIDGE"
	case scheduler.NetworkContainer:
		out.Network = "USER"
	}
	if out.Network != "HOST" {
		out.PortMappings = portMappings(t.Container.PortMappings, "")
	}
	if d := t.Container.Docker; d != nil {
		out.Image, out.Privileged, out.ForcePullImage = d.Image, d.Privileged, d.ForcePullImage
		for _, p := range d.Parameters {
			out.Parameters = append(out.Parameters, v1Parameter(p))
		}
	}
	out.Parameters = append(out.Parameters, v1Parameter{"label", taskIDLabel + "=" + string(t.ID)})
	return out
}

func networkMode(t *scheduler.TaskInfo) scheduler.NetworkMode {
	if len(t.Networks) == 0 {
		return scheduler.NetworkHost
	}
	return t.Networks[0].Mode
}

// networkInfos are the networks that a container joins, each with the mappings that are for it.
func networkInfos(t *scheduler.TaskInfo, mappings []scheduler.PortMapping) []v1NetworkInfo {
	var out []v1NetworkInfo
	for _, n := range t.Networks {
		info := v1NetworkInfo{Addresses: []struct{}{{}}, Name: n.Name, Labels: labelsOf(n.Labels), PortMappings: portMappings(mappings, n.Name)}
		if n.Mode == scheduler.NetworkBridge {
			info.Name = bridgeNetwork
		}
		out = append(out, info)
	}
	return out
}

// portMappings are those that have a host port and are for a network, one for each protocol.
func portMappings(mappings []scheduler.PortMapping, network string) []v1PortMapping {
	var out []v1PortMapping
	for _, m := range mappings {
		if m.HostPort == nil || len(m.NetworkNames) > 0 && network != "" && !slices.Contains(m.NetworkNames, network) {
			continue
		}
		for protocol := range strings.SplitSeq(m.Protocol, ",") {
			out = append(out, v1PortMapping{HostPort: *m.HostPort, ContainerPort: m.ContainerPort, Protocol: protocol})
		}
	}
	return out
}
