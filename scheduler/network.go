package scheduler

import (
	"encoding/json"
	"iter"
	"slices"
)

// NetworkMode is how a task is connected.
type NetworkMode string

const (
	NetworkHost      NetworkMode = "host"
	NetworkBridge    NetworkMode = "container/bridge"
	NetworkContainer NetworkMode = "container"
)

// Network is one network an app asks for; only container networks have a name.
type Network struct {
	Mode   NetworkMode       `json:"mode"`
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// PortDefinition is a port on the host network. Port is the service port and, with requirePorts, the host port too;
// 0 asks for a free service port.
type PortDefinition struct {
	Port     int               `json:"port"`
	Name     string            `json:"name,omitempty"`
	Protocol string            `json:"protocol"` // "tcp", "udp" or "udp,tcp"
	Labels   map[string]string `json:"labels,omitempty"`
}

// Container is what an app runs in.
type Container struct {
	Type         ContainerType `json:"type"`
	Docker       *Docker       `json:"docker,omitempty"`
	PortMappings []PortMapping `json:"portMappings,omitzero"` // off the host network only
	Volumes      []Volume      `json:"volumes"`
}

// ContainerType is Marathon's word for who runs the container.
type ContainerType string

const (
	ContainerDocker ContainerType = "DOCKER"
	ContainerMesos  ContainerType = "MESOS"
)

// Docker is the image and its options.
type Docker struct {
	Image          string      `json:"image"`
	ForcePullImage bool        `json:"forcePullImage"`
	Privileged     bool        `json:"privileged"`
	Parameters     []Parameter `json:"parameters"`
}

// Parameter is an option of "docker run".
type Parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ServicePort is the number by which load balancers know a port; 0 asks for a free one. Its JSON is a number, or null for
// NoServicePort.
type ServicePort int

// NoServicePort is the service port of mappings that are to have none, and so take none of the range.
const NoServicePort ServicePort = -1

// MarshalJSON implements json.Marshaler.
func (p ServicePort) MarshalJSON() ([]byte, error) {
	if p == NoServicePort {
		return []byte("null"), nil
	}
	return json.Marshal(int(p))
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *ServicePort) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*p = NoServicePort
		return nil
	}
	return json.Unmarshal(data, (*int)(p))
}

// PortMapping is a port of a container. HostPort nil means that it is not published on the agent, 0 any port of
// the agent, another number that port. ContainerPort 0 equals the host port.
type PortMapping struct {
	ContainerPort int               `json:"containerPort"`
	HostPort      *int              `json:"hostPort,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Name          string            `json:"name,omitempty"`
	Protocol      string            `json:"protocol"`
	ServicePort   ServicePort       `json:"servicePort"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
}

// Volume is a path of the host, or (relative) of the sandbox, inside the container.
type Volume struct {
	ContainerPath string `json:"containerPath"`
	HostPath      string `json:"hostPath,omitempty"`
	Mode          string `json:"mode"` // "RO" or "RW"
}

// Image is the container image that the app's tasks run in, "" for none.
func (a *App) Image() string {
	if a.Container == nil || a.Container.Docker == nil {
		return ""
	}
	return a.Container.Docker.Image
}

// Port is one port that an app asks for, whichever network it is on, in the order of definitions or mappings.
type Port struct {
	Name          string
	Protocol      string // "tcp", "udp" or "udp,tcp"
	Labels        map[string]string
	ServicePort   ServicePort
	ContainerPort int  // 0: equals the host port; also for the host network
	HostPort      int  // the fixed host port, 0 for any
	Published     bool // has a host port; false only for mappings of a container network without hostPort
	Mapped        bool // is a port mapping, i.e. off the host network
	// NetworkNames are the networks that a mapping is for; none: all that the app is on.
	NetworkNames []string
}

// HostNetwork says whether the app's tasks share the agent's network.
func (a *App) HostNetwork() bool {
	return len(a.Networks) == 0 || a.Networks[0].Mode == NetworkHost
}

// Ports lists the ports the app asks for.
func (a *App) Ports() []Port {
	if a.HostNetwork() {
		ports := make([]Port, 0, len(a.PortDefinitions))
		for _, d := range a.PortDefinitions {
			p := Port{Name: d.Name, Protocol: d.Protocol, Labels: d.Labels, ServicePort: ServicePort(d.Port), Published: true}
			if a.RequirePorts {
				p.HostPort = d.Port
			}
			ports = append(ports, p)
		}
		return ports
	}
	if a.Container == nil {
		return nil
	}
	ports := make([]Port, 0, len(a.Container.PortMappings))
	for _, m := range a.Container.PortMappings {
		p := Port{Name: m.Name, Protocol: m.Protocol, Labels: m.Labels, ServicePort: m.ServicePort,
			ContainerPort: m.ContainerPort, Mapped: true, NetworkNames: m.NetworkNames}
		if m.HostPort != nil {
			p.Published, p.HostPort = true, *m.HostPort
		}
		ports = append(ports, p)
	}
	return ports
}

// ServicePorts lists the app's service ports in the order of its ports, NoServicePort where a port has none.
func (a *App) ServicePorts() []ServicePort { return slices.Collect(a.servicePorts()) }

func (a *App) servicePorts() iter.Seq[ServicePort] {
	return func(yield func(ServicePort) bool) {
		if a.HostNetwork() {
			for _, d := range a.PortDefinitions {
				if !yield(ServicePort(d.Port)) {
					return
				}
			}
			return
		}
		if a.Container == nil {
			return
		}
		for _, m := range a.Container.PortMappings {
			if !yield(m.ServicePort) {
				return
			}
		}
	}
}
