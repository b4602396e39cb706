package mesos

import (
	"maps"
	"slices"
	"strings"

	"rollcall/scheduler"
)

// v1TaskInfo is a task as it is launched.
type v1TaskInfo struct {
	Name        string           `json:"name"`
	TaskID      v1Value          `json:"task_id"`
	AgentID     v1Value          `json:"agent_id"`
	Resources   []v1Resource     `json:"resources"`
	Command     v1CommandInfo    `json:"command"`
	Container   *v1ContainerInfo `json:"container,omitempty"`
	HealthCheck *v1HealthCheck   `json:"health_check,omitempty"`
	KillPolicy  *v1KillPolicy    `json:"kill_policy,omitempty"`
	Labels      *v1Labels        `json:"labels,omitempty"`
	Discovery   v1DiscoveryInfo  `json:"discovery"`
}

type v1CommandInfo struct {
	Shell       bool           `json:"shell"`
	Value       string         `json:"value,omitempty"`
	Arguments   []string       `json:"arguments,omitempty"`
	User        string         `json:"user,omitempty"`
	Environment *v1Environment `json:"environment,omitempty"`
	URIs        []v1URI        `json:"uris,omitempty"`
}

type v1Environment struct {
	Variables []v1Variable `json:"variables"`
}

type v1Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type v1URI struct {
	Value      string `json:"value"`
	Executable bool   `json:"executable"`
	Extract    bool   `json:"extract"`
	Cache      bool   `json:"cache"`
	OutputFile string `json:"output_file,omitempty"`
}

type v1KillPolicy struct {
	GracePeriod v1Time `json:"grace_period"`
}

type v1DiscoveryInfo struct {
	Visibility string   `json:"visibility"`
	Name       string   `json:"name"`
	Ports      *v1Ports `json:"ports,omitempty"`
}

type v1Ports struct {
	Ports []v1Port `json:"ports"`
}

type v1Port struct {
	Number   int       `json:"number"`
	Name     string    `json:"name,omitempty"`
	Protocol string    `json:"protocol"`
	Labels   *v1Labels `json:"labels,omitempty"`
}

// taskInfo is a task in the form in which Marathon launches it, so that whatever reads the cluster's state, another
// Mesos-DNS for one, sees what it is used to. Its resources are those given.
func taskInfo(t *scheduler.TaskInfo, resources []v1Resource) v1TaskInfo {
	out := v1TaskInfo{
		Name: t.Name, TaskID: v1Value{string(t.ID)}, AgentID: v1Value{string(t.AgentID)}, Resources: resources,
		Command: commandInfo(t), Container: containerInfo(t), HealthCheck: healthCheck(t), Labels: labelsOf(t.Labels),
		Discovery: discoveryInfo(t),
	}
	if t.Kill != nil {
		out.KillPolicy = &v1KillPolicy{v1Time{v1Int(t.Kill.Nanoseconds())}}
	}
	return out
}

func commandInfo(t *scheduler.TaskInfo) v1CommandInfo {
	c := v1CommandInfo{User: t.User}
	switch {
	case t.Shell != "":
		c.Shell, c.Value = true, t.Shell
	case len(t.Args) > 0 && image(t) == "":
		// There is no entry point to hand arguments to: the first is the program, and, as execve has it, its own name.
		c.Value, c.Arguments = t.Args[0], t.Args
	default:
		c.Arguments = t.Args
	}
	if len(t.Env) > 0 {
		c.Environment = &v1Environment{}
		for _, name := range slices.Sorted(maps.Keys(t.Env)) {
			c.Environment.Variables = append(c.Environment.Variables, v1Variable{name, t.Env[name]})
		}
	}
	for _, f := range t.Fetch {
		c.URIs = append(c.URIs, v1URI{Value: f.URI, Executable: f.Executable, Extract: f.Extract, Cache: f.Cache,
			OutputFile: f.DestPath})
	}
	return c
}

// discoveryInfo names a task and its ports (Marathon reference, section 18).
func discoveryInfo(t *scheduler.TaskInfo) v1DiscoveryInfo {
	d := v1DiscoveryInfo{Visibility: "FRAMEWORK", Name: t.Name}
	if len(t.Discovery) > 0 {
		d.Ports = &v1Ports{}
		for _, p := range t.Discovery {
			d.Ports.Ports = append(d.Ports.Ports, v1Port{p.Number, p.Name, p.Protocol, labelsOf(p.Labels)})
		}
	}
	return d
}

// image is the container image of a task, "" for none.
func image(t *scheduler.TaskInfo) string {
	if t.Container == nil || t.Container.Docker == nil {
		return ""
	}
	return t.Container.Docker.Image
}

// v1HealthCheck is a check that the executor makes.
type v1HealthCheck struct {
	Type                string         `json:"type"` // COMMAND, HTTP or TCP
	Command             *v1CommandInfo `json:"command,omitempty"`
	HTTP                *v1HTTPCheck   `json:"http,omitempty"`
	TCP                 *v1TCPCheck    `json:"tcp,omitempty"`
	DelaySeconds        float64        `json:"delay_seconds"`
	IntervalSeconds     float64        `json:"interval_seconds"`
	TimeoutSeconds      float64        `json:"timeout_seconds"`
	GracePeriodSeconds  float64        `json:"grace_period_seconds"`
	ConsecutiveFailures int            `json:"consecutive_failures"`
}

type v1HTTPCheck struct {
	Protocol string `json:"protocol,omitempty"` // IPv4 or IPv6
	Scheme   string `json:"scheme"`
	Port     int    `json:"port"`
	Path     string `json:"path,omitempty"`
}

type v1TCPCheck struct {
	Protocol string `json:"protocol,omitempty"`
	Port     int    `json:"port"`
}

// healthCheck is nil where there is none for the executor.
func healthCheck(t *scheduler.TaskInfo) *v1HealthCheck {
	c := t.HealthCheck
	if c == nil {
		return nil
	}
	out := &v1HealthCheck{
		DelaySeconds: float64(c.DelaySeconds), IntervalSeconds: float64(c.IntervalSeconds),
		TimeoutSeconds: float64(c.TimeoutSeconds), GracePeriodSeconds: float64(c.GracePeriodSeconds),
		ConsecutiveFailures: c.MaxConsecutiveFailures,
	}
	port, path := checkedPort(t), c.Path
	if path != "" && !strings.HasPrefix(path, "/") {
		path = "/" + path // without it the master refuses the task
	}
	switch c.Protocol {
	case scheduler.ProtocolCommand:
		out.Type, out.Command = "COMMAND", &v1CommandInfo{Shell: true}
		if c.Command != nil {
			out.Command.Value = c.Command.Value
		}
	case scheduler.ProtocolMesosTCP:
		out.Type, out.TCP = "TCP", &v1TCPCheck{Protocol: c.IPProtocol, Port: port}
	case scheduler.ProtocolMesosHTTP, scheduler.ProtocolMesosHTTPS:
		scheme := strings.ToLower(strings.TrimPrefix(string(c.Protocol), "MESOS_"))
		out.Type, out.HTTP = "HTTP", &v1HTTPCheck{Protocol: c.IPProtocol, Scheme: scheme, Port: port, Path: path}
	default:
		return nil
	}
	return out
}

// checkedPort is the port that the executor probes. It enters the network of the task's container for that, where a
// mapping's container port is open and its host port is not. A port that the app itself names is taken as it is.
func checkedPort(t *scheduler.TaskInfo) int {
	c := t.HealthCheck
	if c.PortIndex != nil && networkMode(t) != scheduler.NetworkHost && t.Container != nil &&
		*c.PortIndex < len(t.Container.PortMappings) {
		return t.Container.PortMappings[*c.PortIndex].ContainerPort
	}
	if c.Port != nil {
		return *c.Port
	}
	return 0
}
