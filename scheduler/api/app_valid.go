package api

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollcall/scheduler"
)

// validate refuses apps in normal form that break Marathon's rules (Marathon reference 5 to 7, 14).
func (in *appInput) validate() {
	in.validateCommand()
	in.validateFetch()
	in.validateSecrets()
	in.validateNetworks()
	in.validatePorts()
	in.validateHealthChecks()
	in.validateReadinessChecks()
	in.validateStrategies()
	in.validateExtensions()
	for i, d := range in.app.Dependencies {
		if err := d.Validate(); err != nil {
			in.r.refuse(fmt.Sprintf("%s(%d)", in.at("dependencies"), i), "%s", err)
		}
	}
}

func (in *appInput) validateCommand() {
	a := in.app
	runs := a.Container != nil && (a.Container.Type == scheduler.ContainerMesos ||
		a.Container.Docker != nil && a.Container.Docker.Image != "")
	if (a.Cmd != "" && len(a.Args) > 0) || (a.Cmd == "" && len(a.Args) == 0 && !runs) {
		in.r.refuse(in.path, "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
	}
}

func (in *appInput) validateFetch() {
	for i, f := range in.app.Fetch {
		if strings.ContainsAny(f.URI, " \t\r\n\"<>\\^`{|}") {
			in.r.refuse(fmt.Sprintf("%s(%d)", in.at("fetch"), i), "URI has invalid syntax.")
		}
	}
}

func (in *appInput) validateNetworks() {
	count := map[scheduler.NetworkMode]int{}
	path, said, names := in.at("networks"), map[string]bool{}, map[string]bool{}
	refuse := func(text string) { // once
		if !said[text] {
			in.r.refuse(path, "%s", text)
		}
		said[text] = true
	}
	for _, n := range in.app.Networks {
		count[n.Mode]++
		switch {
		case n.Mode == scheduler.NetworkHost && (n.Name != "" || len(n.Labels) > 0):
			refuse("Host networks may not have names or labels")
		case n.Mode == scheduler.NetworkBridge && n.Name != "":
			refuse("Bridge networks may not have names")
		case n.Mode == scheduler.NetworkContainer && n.Name == "":
			refuse("Network name must be specified when container network is selected.")
		case n.Mode == scheduler.NetworkContainer && names[n.Name]:
			refuse("Duplicate networks are not allowed")
		}
		names[n.Name] = true
	}
	if len(count) > 1 || count[scheduler.NetworkHost] > 1 || count[scheduler.NetworkBridge] > 1 {
		in.r.refuse(path,
			"May specify a single host network, single bridge network, or else 1-to-n container networks")
	}
	if in.docker() && count[scheduler.NetworkContainer] > 1 {
		in.r.refuse(in.path, "may only specify a single container network when using the Docker container engine")
	}
	in.validateNetworkNames()
}

// validateNetworkNames checks what mappings say of the networks they are for.
func (in *appInput) validateNetworkNames() {
	if in.app.HostNetwork() {
		return
	}
	var known []string
	for _, n := range in.app.Networks {
		if n.Mode == scheduler.NetworkContainer {
			known = append(known, n.Name)
		}
	}
	for i, m := range in.app.Container.PortMappings {
		path := fmt.Sprintf("%s(%d)", in.at("container/portMappings"), i)
		for n, name := range m.NetworkNames {
			if !slices.Contains(known, name) {
				in.r.refuse(fmt.Sprintf("%s/networkNames(%d)", path, n), "is not one of (%s)", strings.Join(known, ","))
			}
		}
		if len(in.app.Networks) > 1 && m.HostPort != nil && len(m.NetworkNames) != 1 {
			in.r.refuse(path, "networkNames must be a single item list when hostPort is specified and more than 1 container network is defined")
		}
	}
}

func (in *appInput) validatePorts() {
	a := in.app
	where := in.at("portDefinitions")
	if !a.HostNetwork() {
		where = in.at("container/portMappings")
	}
	numbers, names, hostPorts := map[scheduler.ServicePort]bool{}, map[string]bool{}, map[int]bool{}
	for _, p := range a.Ports() {
		if a.HostNetwork() && p.ServicePort != 0 && numbers[p.ServicePort] {
			in.r.refuse(where, "Ports must be unique.")
		}
		if p.HostPort != 0 && hostPorts[p.HostPort] && !a.HostNetwork() {
			in.r.refuse(where, "each hostPort may be asked for once: %d", p.HostPort)
		}
		if p.Name != "" && names[p.Name] {
			in.r.refuse(where, "Port names must be unique.")
		}
		numbers[p.ServicePort], names[p.Name], hostPorts[p.HostPort] = true, true, true
	}
}

func (in *appInput) validateHealthChecks() {
	ports, byMesos := len(in.app.Ports()), 0
	for i, h := range in.app.HealthChecks {
		path := fmt.Sprintf("%s(%d)", in.at("healthChecks"), i)
		if h.Protocol == scheduler.ProtocolCommand {
			if h.Command == nil || h.Command.Value == "" {
				in.r.refuse(path, "a health check of protocol COMMAND needs command.value")
			}
			continue
		}
		if h.Protocol.ByAgent() {
			byMesos++
		}
		if h.Command != nil {
			in.r.refuse(path, "command is for health checks of protocol COMMAND only")
		}
		if h.Port != nil && h.PortIndex != nil {
			in.r.refuse(path, "HealthCheck must specify either a port or a portIndex")
		}
		if h.IPProtocol == "IPv6" && !(in.docker() && h.Protocol.ByAgent()) {
			in.r.refuse(path, "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks")
		}
		if h.Port == nil && (h.PortIndex == nil || *h.PortIndex >= ports) {
			in.r.refuse(path,
				"Health check port indices must address an element of the ports array or container port mappings.")
		}
	}
	if byMesos > 1 {
		in.r.refuse(in.at("healthChecks"), "AppDefinition can contain at most one Mesos health check")
	}
}

func (in *appInput) validateReadinessChecks() {
	if len(in.app.ReadinessChecks) > 1 {
		in.r.refuse(in.at("readinessChecks"), "an app may have at most one readiness check")
	}
	names := map[string]bool{}
	for _, p := range in.app.Ports() {
		names[p.Name] = p.Name != ""
	}
	for i, c := range in.app.ReadinessChecks {
		path := fmt.Sprintf("%s(%d)", in.at("readinessChecks"), i)
		if !names[c.PortName] {
			in.r.refuse(path+"/portName", "No port definition reference for portName %s", c.PortName)
		}
		if c.TimeoutSeconds >= c.IntervalSeconds {
			in.r.refuse(path+"/timeoutSeconds", "must be less than intervalSeconds")
		}
	}
}

func (in *appInput) validateStrategies() {
	a := in.app
	if in.singleInstance() {
		if a.Instances > 1 {
			in.r.refuse(in.path, "Single instance app may only have one instance")
		}
		if a.UpgradeStrategy.MinimumHealthCapacity != 0 {
			in.r.refuse(in.at("upgradeStrategy/minimumHealthCapacity"), "must be 0 with the label %s", singleInstanceLabel)
		}
		if a.UpgradeStrategy.MaximumOverCapacity != 0 {
			in.r.refuse(in.at("upgradeStrategy/maximumOverCapacity"), "must be 0 with the label %s", singleInstanceLabel)
		}
	}
	if u := a.UnreachableStrategy; u.InactiveAfterSeconds > u.ExpungeAfterSeconds {
		in.r.refuse(in.at("unreachableStrategy"), "inactiveAfterSeconds must not exceed expungeAfterSeconds")
	}
}

// isValue is what a constraint of operator IS may compare with.
var isValue = regexp.MustCompile(`^[a-zA-Z0-9_/.-]*$`)

func validateConstraint(r *reader, path string, c scheduler.Constraint) {
	if c.Field == "" {
		r.refuse(path, "the first field must name hostname, @region, @zone or an attribute")
	}
	switch c.Operator {
	case scheduler.Unique:
		if c.Value != "" {
			r.refuse(path, "UNIQUE does not accept a value")
		}
	case scheduler.Cluster:
	case scheduler.GroupBy:
		if n, err := strconv.Atoi(c.Value); c.Value != "" && (err != nil || n < 1) {
			r.refuse(path, "GROUP BY must define an integer value or else no value at all")
		}
	case scheduler.MaxPer:
		if n, err := strconv.Atoi(c.Value); err != nil || n < 0 {
			r.refuse(path, "MAX_PER requires an integer value")
		}
	case scheduler.Like, scheduler.Unlike:
		validatePattern(r, path, c.Value)
	case scheduler.Is:
		if !isValue.MatchString(c.Value) {
			r.refuse(path, "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)")
		}
	default:
		r.refuse(path, "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS")
	}
}

// javaOnly finds what Java's regular expressions have and ours, which take time linear in the text, have not.
var javaOnly = regexp.MustCompile(`\(\?(=|!|<=|<!|>)|\\[1-9]|\\k<|[*+?}]\+`)

func validatePattern(r *reader, path, pattern string) {
	if pattern == "" {
		r.refuse(path, "LIKE and UNLIKE require a non-empty, regular expression value")
		return
	}
	if len(pattern) > maxPattern {
		r.refuse(path, "a regular expression may have at most %d characters", maxPattern)
		return
	}
	_, err := regexp.Compile(pattern)
	if err == nil {
		_, err = regexp.Compile("^(?:" + pattern + ")$") // as it is used: on the whole value
	}
	switch {
	case err == nil:
	case javaOnly.MatchString(pattern):
		r.refuse(path, "'%s' uses look-around, a back reference or a possessive quantifier, "+
			"which regular expressions here (RE2) do not have", pattern)
	default:
		r.refuse(path, "is not a valid regular expression: %s",
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
}
