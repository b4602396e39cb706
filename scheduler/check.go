package scheduler

import (
	"cmp"
	"encoding/json"
)

// Protocol is the kind of a health or readiness check.
type Protocol string

const (
	ProtocolHTTP       Protocol = "HTTP"
	ProtocolHTTPS      Protocol = "HTTPS"
	ProtocolTCP        Protocol = "TCP"
	ProtocolCommand    Protocol = "COMMAND"
	ProtocolMesosHTTP  Protocol = "MESOS_HTTP"
	ProtocolMesosHTTPS Protocol = "MESOS_HTTPS"
	ProtocolMesosTCP   Protocol = "MESOS_TCP"
)

// ByAgent says whether the engine runs checks of this kind and reports their results in task statuses; the others
// are run by the scheduler itself.
func (p Protocol) ByAgent() bool {
	switch p {
	case ProtocolCommand, ProtocolMesosHTTP, ProtocolMesosHTTPS, ProtocolMesosTCP:
		return true
	}
	return false
}

// HealthCheck is Marathon's health check. All times are in seconds.
type HealthCheck struct {
	Protocol               Protocol `json:"protocol"`
	Path                   string   `json:"path,omitempty"` // HTTP kinds; "" means "/"
	PortIndex              *int     `json:"portIndex,omitempty"`
	Port                   *int     `json:"port,omitempty"` // instead of PortIndex
	Command                *Command `json:"command,omitempty"`
	GracePeriodSeconds     int      `json:"gracePeriodSeconds"`
	IntervalSeconds        int      `json:"intervalSeconds"`
	TimeoutSeconds         int      `json:"timeoutSeconds"`
	MaxConsecutiveFailures int      `json:"maxConsecutiveFailures"`
	DelaySeconds           int      `json:"delaySeconds"` // checks run by the agent
	IgnoreHTTP1xx          bool     `json:"ignoreHttp1xx,omitempty"`
	IPProtocol             string   `json:"ipProtocol,omitempty"` // "IPv6"; "" means "IPv4", and is written so
}

// ipv4 is written for checks that do not ask for IPv6.
const ipv4 = "IPv4"

// MarshalJSON implements json.Marshaler: like Marathon it writes what is the default of a check, too.
func (c HealthCheck) MarshalJSON() ([]byte, error) {
	type members HealthCheck
	v := struct {
		members
		IgnoreHTTP1xx *bool  `json:"ignoreHttp1xx,omitempty"`
		IPProtocol    string `json:"ipProtocol"`
	}{members(c), nil, cmp.Or(c.IPProtocol, ipv4)}
	if c.Protocol == ProtocolHTTP || c.Protocol == ProtocolHTTPS {
		v.IgnoreHTTP1xx = &c.IgnoreHTTP1xx
	}
	return json.Marshal(v)
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *HealthCheck) UnmarshalJSON(data []byte) error {
	type members HealthCheck
	if err := json.Unmarshal(data, (*members)(c)); err != nil {
		return err
	}
	if c.IPProtocol == ipv4 { // else the check would be another one than that of an app that does not say so
		c.IPProtocol = ""
	}
	return nil
}

// Command is a shell command of a COMMAND check.
type Command struct {
	Value string `json:"value"`
}

// ReadinessCheck tells, during deployments only, when a running task may take its predecessor's place.
type ReadinessCheck struct {
	Name                    string   `json:"name"`
	Protocol                Protocol `json:"protocol"` // HTTP or HTTPS
	Path                    string   `json:"path"`
	PortName                string   `json:"portName"`
	IntervalSeconds         int      `json:"intervalSeconds"`
	TimeoutSeconds          int      `json:"timeoutSeconds"`
	HTTPStatusCodesForReady []int    `json:"httpStatusCodesForReady"`
	PreserveLastResponse    bool     `json:"preserveLastResponse"`
}
