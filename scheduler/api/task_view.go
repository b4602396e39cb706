package api

import (
	"iter"
	"net/netip"
	"slices"

	"rollcall/scheduler"
)

// taskView is a task as GET writes it.
type taskView struct {
	AppID              scheduler.PathID         `json:"appId"`
	HealthCheckResults []scheduler.HealthResult `json:"healthCheckResults,omitempty"`
	Host               string                   `json:"host"`
	ID                 scheduler.TaskID         `json:"id"`
	IPAddresses        []scheduler.Address      `json:"ipAddresses,omitempty"`
	Ports              []int                    `json:"ports"`
	ServicePorts       []scheduler.ServicePort  `json:"servicePorts,omitempty"`
	SlaveID            scheduler.AgentID        `json:"slaveId,omitempty"`
	State              scheduler.TaskState      `json:"state"`
	StagedAt           scheduler.Timestamp      `json:"stagedAt,omitzero"`
	StartedAt          scheduler.Timestamp      `json:"startedAt,omitzero"`
	Version            scheduler.Timestamp      `json:"version,omitzero"`
	Region             string                   `json:"region,omitempty"`
	Zone               string                   `json:"zone,omitempty"`
	Role               string                   `json:"role,omitempty"`
}

// viewTasks lists the tasks of instances. An instance that waits for an offer has none: what it will run on, and so
// every address a reader could want of it, is not known.
func viewTasks(instances iter.Seq[*scheduler.Instance], servicePorts bool) []taskView {
	return slices.AppendSeq([]taskView{}, eachTask(instances, servicePorts))
}

// eachTask yields what viewTasks lists.
func eachTask(instances iter.Seq[*scheduler.Instance], servicePorts bool) iter.Seq[taskView] {
	return func(yield func(taskView) bool) {
		for i := range instances {
			if i.Condition.Active() && !yield(viewTask(i, servicePorts)) {
				return
			}
		}
	}
}

func viewTask(i *scheduler.Instance, servicePorts bool) taskView {
	v := taskView{AppID: i.AppID, Host: i.Hostname, ID: i.TaskID(), Ports: []int{}, SlaveID: i.AgentID,
		State: i.TaskState(), StagedAt: i.StagedAt, StartedAt: i.StartedAt, Version: i.AppVersion,
		Region: i.Region, Zone: i.Zone}
	for _, p := range i.HostPorts {
		if p != 0 {
			v.Ports = append(v.Ports, p)
		}
	}
	for _, h := range i.Health {
		if h.Known() {
			v.HealthCheckResults = append(v.HealthCheckResults, h)
		}
	}
	addresses := i.Addresses
	if len(addresses) == 0 && i.Address.IsValid() {
		addresses = []netip.Addr{i.Address}
	}
	for _, a := range addresses {
		v.IPAddresses = append(v.IPAddresses, viewAddress(a))
	}
	if i.App != nil {
		v.Role = i.App.Role
		if servicePorts {
			v.ServicePorts = i.App.ServicePorts()
		}
	}
	return v
}

func viewAddress(a netip.Addr) scheduler.Address {
	if a = a.Unmap(); a.Is4() {
		return scheduler.Address{IPAddress: a.String(), Protocol: "IPv4"}
	}
	return scheduler.Address{IPAddress: a.String(), Protocol: "IPv6"}
}
