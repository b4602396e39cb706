package scheduler

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// taskInfo is the task of an instance that was just given a place.
func (w *work) taskInfo(i *Instance, app *App) TaskInfo {
	t := TaskInfo{
		ID: i.TaskID(), Name: app.ID.Hostname(), FrameworkID: w.frameworkID, AgentID: i.AgentID,
		Resources: Resources{CPUs: app.CPUs, Mem: app.Mem, Disk: app.Disk, GPUs: app.GPUs, Ports: portSet(i.HostPorts)},
		Shell:     app.Cmd, Args: app.Args, User: app.User, Env: environment(i, app, w.roleEnforced(app.ID)), Secrets: app.secretSources(), Fetch: app.Fetch,
		Networks: app.Networks, TTY: app.TTY != nil && *app.TTY, Labels: app.Labels, Discovery: discovery(i, app),
	}
	if app.Container != nil {
		c := *app.Container
		c.PortMappings = slices.Clone(c.PortMappings)
		for n := range c.PortMappings {
			m := &c.PortMappings[n]
			if m.HostPort != nil {
				m.HostPort = &i.HostPorts[n]
			}
			if m.ContainerPort == 0 {
				m.ContainerPort = i.EffectivePort(n)
			}
		}
		t.Container = &c
	}
	if n := slices.IndexFunc(app.HealthChecks, func(c HealthCheck) bool { return c.Protocol.ByAgent() }); n >= 0 {
		c := app.HealthChecks[n]
		if c.Port == nil {
			index := 0
			if c.PortIndex != nil {
				index = *c.PortIndex
			}
			if index < len(app.Ports()) {
				port := i.EffectivePort(index)
				c.Port = &port
			}
		}
		t.HealthCheck = &c
	}
	if app.TaskKillGracePeriod != nil {
		grace := time.Duration(*app.TaskKillGracePeriod) * time.Second
		t.Kill = &grace
	}
	return t
}

func portSet(ports []int) PortRange {
	var out PortRange
	for _, p := range held(ports) {
		out = append(out, Range{p, p})
	}
	return out.normal()
}

// discovery lists a task's ports as its DiscoveryInfo has them (Marathon reference 18.3).
func discovery(i *Instance, app *App) []DiscoveryPort {
	var out []DiscoveryPort
	for n, p := range app.Ports() {
		onAgent := n < len(i.HostPorts) && i.HostPorts[n] != 0
		for protocol := range strings.SplitSeq(p.Protocol, ",") {
			d := DiscoveryPort{Number: i.EffectivePort(n), Name: p.Name, Protocol: protocol, Labels: p.Labels}
			switch {
			case !p.Mapped:
				out = append(out, d)
			case onAgent:
				d.Labels = labelled(p.Labels, "network-scope", "host")
				out = append(out, d)
			default:
				d.Container = true
				for _, network := range app.networksOf(p) {
					d.Labels = labelled(p.Labels, "network-scope", "container")
					if network != "" {
						d.Labels["network-name"] = network
					}
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// networksOf are the names of the networks on which a port mapping is open in the container; a bridge has none.
func (a *App) networksOf(p Port) []string {
	if len(p.NetworkNames) > 0 {
		return p.NetworkNames
	}
	var out []string
	for _, n := range a.Networks {
		out = append(out, n.Name)
	}
	return out
}

// labelled returns labels with one more.
func labelled(labels map[string]string, key, value string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	out[key] = value
	return out
}

// DiscoveryPorts lists the ports of an instance's task as its DiscoveryInfo has them; none before it has a task.
func (i *Instance) DiscoveryPorts() []DiscoveryPort {
	if i.App == nil || !i.Condition.Active() {
		return nil
	}
	return discovery(i, i.App)
}

// longestLabel is the length from which Marathon leaves a label out of the environment.
const longestLabel = 512

// roleEnforced says whether the top-level group of an app wants one role of all its apps (Marathon reference 8.7).
func (w *work) roleEnforced(app PathID) bool {
	segments := app.Segments()
	if len(segments) < 2 {
		return false
	}
	top := w.groups.get("/" + segments[0])
	return top != nil && top.EnforceRole != nil && *top.EnforceRole
}

// environment is what Marathon sets for a task (Marathon reference, section 17); the app's own variables win.
func environment(i *Instance, app *App, roleEnforced bool) map[string]string {
	env := map[string]string{
		"MARATHON_APP_ID":            string(app.ID),
		"MARATHON_APP_VERSION":       app.Version.String(),
		"MARATHON_APP_RESOURCE_CPUS": decimal(app.CPUs),
		"MARATHON_APP_RESOURCE_MEM":  decimal(app.Mem),
		"MARATHON_APP_RESOURCE_DISK": decimal(app.Disk),
		"MARATHON_APP_RESOURCE_GPUS": strconv.Itoa(app.GPUs),
		"MARATHON_APP_INDEX":         strconv.Itoa(i.Index),
		"MESOS_TASK_ID":              string(i.TaskID()),
		"HOST":                       i.Hostname,
	}
	if app.Container != nil && app.Container.Docker != nil {
		env["MARATHON_APP_DOCKER_IMAGE"] = app.Container.Docker.Image
	}
	if roleEnforced {
		env["MARATHON_APP_ENFORCE_GROUP_ROLE"] = app.Role
	}
	var labels []string
	for _, key := range sortedKeys(app.Labels) {
		name := labelVariable(key)
		if len(app.Labels[key]) >= longestLabel || len(name) >= longestLabel || name == "" {
			continue
		}
		labels = append(labels, name)
		env["MARATHON_APP_LABEL_"+name] = app.Labels[key]
	}
	env["MARATHON_APP_LABELS"] = strings.Join(labels, " ")
	portVariables(env, i, app)
	own := make(map[string]string, len(app.Env))
	for name, value := range app.Env {
		own[name] = value.Text
		if app.ExpandEnv {
			own[name] = expand(value.Text, env)
		}
	}
	maps.Copy(env, own)
	for name, value := range app.Env {
		if value.Secret != "" {
			delete(env, name) // whoever launches the task fills it in
		}
	}
	return env
}

// reference is what stands for a variable in a text, or with one dollar sign more for itself.
var reference = regexp.MustCompile(`\$?\$\{[A-Za-z0-9_.-]+\}`)

// expand puts the values of variables into a text. What names none of them stays.
func expand(text string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		if value, ok := env[found[2:len(found)-1]]; ok {
			return value
		}
		return found
	})
}

func portVariables(env map[string]string, i *Instance, app *App) {
	var all []string
	for n, p := range app.Ports() {
		port := strconv.Itoa(i.EffectivePort(n))
		env[fmt.Sprintf("PORT%d", n)] = port
		declared := int(p.ServicePort)
		if p.Mapped {
			declared = p.ContainerPort
		}
		if declared == 0 {
			env["PORT_"+port] = port
		} else {
			env["PORT_"+strconv.Itoa(declared)] = port
		}
		if p.Name != "" {
			name := strings.ToUpper(p.Name)
			env["PORT_"+name] = port
			env["PORT_"+strings.ReplaceAll(name, "-", "_")] = port
		}
		if p.Published || len(i.Generated) > n && i.Generated[n] != 0 {
			all = append(all, port)
		}
	}
	if len(all) > 0 {
		env["PORT"], env["PORTS"] = all[0], strings.Join(all, ",")
	}
}

// decimal writes a number with at least one decimal, as Scala does.
func decimal(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// labelVariable turns a label's name into the end of a variable's: upper case, each run of other characters one
// underscore.
func labelVariable(key string) string {
	var b strings.Builder
	under := false
	for _, r := range strings.ToUpper(key) {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			b.WriteRune(r)
			under = false
		} else if !under {
			b.WriteByte('_')
			under = true
		}
	}
	return b.String()
}
