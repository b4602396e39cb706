package mesos

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
)

// wireTask is a task in the state document.
type wireTask struct {
	ID        string
	Name      string
	SlaveID   string `json:"slave_id"`
	State     string
	Statuses  []wireStatus
	Resources struct{ Ports string }
	Discovery *wireDiscovery
	Labels    []wireLabel
}

// wireStatus is a status in the state document.
type wireStatus struct {
	State           string
	Timestamp       float64
	ContainerStatus struct {
		NetworkInfos []wireNetworkInfo `json:"network_infos"`
	} `json:"container_status"`
	Labels []wireLabel
}

type wireLabel struct{ Key, Value string }

// ownLabels are the labels that are kept of a task.
func ownLabels(labels []wireLabel) map[string]string {
	var own map[string]string
	for _, l := range labels {
		if strings.HasPrefix(l.Key, LabelPrefix) {
			if own == nil {
				own = make(map[string]string)
			}
			own[l.Key] = l.Value
		}
	}
	return own
}

// wireNetworkInfo is a NetworkInfo, the same in the state document and in the v1 API.
type wireNetworkInfo struct {
	IPAddresses []struct {
		IPAddress string `json:"ip_address"`
	} `json:"ip_addresses"`
	IPAddress string `json:"ip_address"` // before Mesos 0.26
}

// wireDiscovery is a DiscoveryInfo, the same in the state document and in the v1 API.
type wireDiscovery struct {
	Name  string
	Ports struct {
		Ports []wireDiscoveryPort
	}
}

type wireDiscoveryPort struct {
	Number   json.RawMessage
	Name     string
	Protocol string
}

// discovery reports false when a port had to be left out.
func (w *wireDiscovery) discovery() (_ *Discovery, ok bool) {
	d, ok := &Discovery{Name: w.Name}, true
	for _, p := range w.Ports.Ports {
		number := 0
		if len(p.Number) > 0 && string(p.Number) != "null" {
			var err error
			if number, err = strconv.Atoi(string(p.Number)); err != nil {
				ok = false
				continue
			}
		}
		d.Ports = append(d.Ports, DiscoveryPort{Number: number, Name: p.Name, Protocol: p.Protocol})
	}
	return d, ok
}

// The status labels in which containerizers once told a task's address.
const (
	labelDocker = "Docker.NetworkSettings.IPAddress"
	labelMesos  = "MesosContainerizer.NetworkSettings.IPAddress"
)

// runningAddresses are the addresses in the newest status of a running task, the first of those equally new. Others
// are not looked at, even when that one has no address.
func runningAddresses(statuses []wireStatus) Addresses {
	var newest *wireStatus
	for i := range statuses {
		s := &statuses[i]
		if s.State == TaskRunning && s.Timestamp > -1 && (newest == nil || s.Timestamp > newest.Timestamp) {
			newest = s
		}
	}
	if newest == nil {
		return Addresses{}
	}
	return addresses(newest.ContainerStatus.NetworkInfos, newest.Labels)
}

// addresses are those of one status. What is no address is left out.
func addresses(infos []wireNetworkInfo, labels []wireLabel) Addresses {
	var a Addresses
	add := func(to *[]netip.Addr, text string) {
		if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			*to = append(*to, addr)
		}
	}
	for _, info := range infos {
		if len(info.IPAddresses) == 0 {
			add(&a.NetInfo, info.IPAddress)
		}
		for _, ip := range info.IPAddresses {
			add(&a.NetInfo, ip.IPAddress)
		}
	}
	for _, l := range labels {
		switch l.Key {
		case labelDocker:
			add(&a.Docker, l.Value)
		case labelMesos:
			add(&a.Mesos, l.Value)
		}
	}
	return a
}

// maxPorts is how many ports of a task are taken. It is more than there are; a damaged range could have billions.
const maxPorts = 1 << 16

// parsePorts expands ranges, "[31000-31002, 31005-31005]". A reversed one is empty. It reports false when something
// had to be left out.
func parsePorts(text string) (ports []int, ok bool) {
	if text == "" {
		return nil, true
	}
	inner, opened := strings.CutPrefix(strings.TrimSpace(text), "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened || !closed {
		return nil, false
	}
	ok = true
	if strings.TrimSpace(inner) == "" {
		return nil, true
	}
	for piece := range strings.SplitSeq(inner, ",") {
		first, last, _ := strings.Cut(strings.TrimSpace(piece), "-")
		begin, beginErr := strconv.ParseUint(first, 10, 32)
		end, endErr := strconv.ParseUint(last, 10, 32)
		if beginErr != nil || endErr != nil {
			ok = false
			continue
		}
		for port := begin; port <= end; port++ {
			if len(ports) == maxPorts {
				return ports, false
			}
			ports = append(ports, int(port))
		}
	}
	return ports, ok
}
