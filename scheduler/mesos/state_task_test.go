package mesos

import (
	"encoding/json"
	"fmt"
	"testing"
)

// Addresses are those of one status alone: the newest in which the task runs, whatever it lacks.
func TestRunningAddresses(t *testing.T) {
	const running, info = `"state": "TASK_RUNNING"`, `"container_status": {"network_infos": [{"ip_address": "%s"}]}`
	status := func(more, addr string) string {
		return "{" + running + ", " + fmt.Sprintf(info, addr) + more + "}"
	}
	for name, tt := range map[string]struct{ statuses, want string }{
		"none":                   {`[]`, "[] [] []"},
		"the newest":             {`[` + status(`, "timestamp": 1`, "10.0.0.1") + `,` + status(`, "timestamp": 2`, "10.0.0.2") + `]`, "[10.0.0.2] [] []"},
		"the first of equals":    {`[` + status(`, "timestamp": 1`, "10.0.0.1") + `,` + status(`, "timestamp": 1`, "10.0.0.2") + `]`, "[10.0.0.1] [] []"},
		"no time is 0":           {`[` + status(``, "10.0.0.1") + `,` + status(`, "timestamp": 0.5`, "10.0.0.2") + `]`, "[10.0.0.2] [] []"},
		"0 is before half":       {`[` + status(`, "timestamp": -0.5`, "10.0.0.1") + `,` + status(``, "10.0.0.2") + `]`, "[10.0.0.2] [] []"},
		"-1 is never":            {`[` + status(`, "timestamp": -1`, "10.0.0.1") + `]`, "[] [] []"},
		"the newest has none":    {`[` + status(`, "timestamp": 1`, "10.0.0.1") + `, {` + running + `, "timestamp": 2}]`, "[] [] []"},
		"another state is newer": {`[` + status(`, "timestamp": 1`, "10.0.0.1") + `, {"state": "TASK_KILLING", "timestamp": 2}]`, "[10.0.0.1] [] []"},
		"a list and the old field": {`[{` + running + `, "container_status": {"network_infos": [
			{"ip_addresses": [{"ip_address": "10.0.0.1"}, {"ip_address": "no address"}, {"ip_address": "fd00::1"}], "ip_address": "10.0.0.9"},
			{"ip_addresses": [], "ip_address": "10.0.0.2"}, {"ip_address": "010.0.0.3"}]}}]`, "[10.0.0.1 fd00::1 10.0.0.2] [] []"},
		"labels": {`[{` + running + `, "labels": [{"key": "Docker.NetworkSettings.IPAddress", "value": "172.17.0.1"},
			{"key": "MesosContainerizer.NetworkSettings.IPAddress", "value": "172.18.0.1"}, {"key": "docker.networksettings.ipaddress", "value": "172.17.0.9"}]}]`,
			"[] [172.17.0.1] [172.18.0.1]"},
	} {
		var statuses []wireStatus
		if err := json.Unmarshal([]byte(tt.statuses), &statuses); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a := runningAddresses(statuses)
		if got := fmt.Sprint(a.NetInfo, a.Docker, a.Mesos); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
