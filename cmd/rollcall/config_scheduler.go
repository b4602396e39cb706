package main

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rollcall/scheduler/local"
)

// maxAgents is how many agents one machine may pretend to be.
const maxAgents = 64

// read reads the object "scheduler" over the defaults in s.
func (s *schedulerConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	n.readStrict(s.fields())
	s.nameAgents()
	s.checkAgents(n.report)
	s.checkExposure(n.path, n.report)
	return ""
}

func (s *schedulerConfig) fields() []field {
	const host = "an IP address or a host name"
	return append([]field{
		{name: "engine", set: oneOf(&s.Engine, engineLocal, engineMesos)},
		{name: "framework", set: textThat(&s.Framework, "text with at least one letter or digit", isFrameworkName)},
		{name: "listener", set: textThat(&s.Listener, host, isHost)},
		{name: "port", set: wholeNumber(&s.Port, 0, math.MaxUint16)},
		{name: "dataDir", set: textThat(&s.DataDir, "the path of a directory", isPath)},
		{name: "zk", secret: true, set: textThat(&s.ZK, "text of the form zk://host1:2181,host2:2181/path", isStateURL)},
		{name: "zkSessionTimeout", set: duration(&s.ZKSessionTimeout, time.Second)},
		{name: "hostname", set: orDefault(textThat(&s.Hostname, host, isHost))},
		{name: "servicePorts", set: s.ServicePorts.read},
		{name: "killsInFlight", set: wholeNumber(&s.KillsInFlight, 1, 100_000)},
		{name: "allUnhealthy", set: oneOf(&s.AllUnhealthy, answerAll, answerNone)},
		{name: "local", set: s.Local.read},
		{name: "mesos", set: s.Mesos.read},
	}, s.API.fields()...)
}

func (f *frameworkConfig) fields() []field {
	return []field{
		{name: "roles", set: f.setRoles},
		{name: "user", set: text(&f.User)},
		{name: "failoverTimeout", set: duration(&f.FailoverTimeout, time.Minute)},
		{name: "checkpoint", set: boolean(&f.Checkpoint)},
		{name: "gpus", set: boolean(&f.GPUs)},
		{name: "frameworkRemoved", set: oneOf(&f.Removed, removedStop, removedReregister)},
	}
}

func (f *frameworkConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	n.readStrict(f.fields())
	return ""
}

// setRoles takes roles as Mesos does (its documentation, "Roles").
func (f *frameworkConfig) setRoles(n node) string {
	var roles []string
	if allowed := texts(&roles)(n); allowed != "" {
		return allowed
	}
	if len(roles) == 0 {
		n.report.problem(n.path, "the list is empty; it takes at least one role, such as \"*\"")
	}
	for i, role := range roles {
		switch path := indexed(n.path, i); {
		case !isRole(role):
			n.report.problem(path, "%s is not a Mesos role: text without blanks, slashes at its ends, or elements that are "+
				"empty or begin with \"-\" or \".\"", quoteBrief(role))
		case slices.Index(roles, role) < i:
			n.report.problem(path, "%s is in the list already", quoteBrief(role))
		}
	}
	f.Roles = roles
	return ""
}

func isRole(role string) bool {
	for element := range strings.SplitSeq(role, "/") {
		if element == "" || element[0] == '-' || element[0] == '.' || element == "*" && role != "*" {
			return false
		}
	}
	return !strings.ContainsFunc(role, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' })
}

func isPath(text string) bool { return text != "" && !strings.ContainsRune(text, 0) }

func isDocker(text string) bool {
	scheme, rest, ok := strings.Cut(text, "://")
	return text == "" || text == local.DockerOff || ok && rest != "" && (scheme == "unix" || scheme == "tcp")
}

func isStateURL(text string) bool { return text == "" || isZooKeeper(text) }

// isFrameworkName wants a character that is left when the name becomes a DNS label.
func isFrameworkName(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return c != '-' && isNameCharacter(c) })
}

// orDefault lets empty text mean what leaving the key out means, so that a complete file can show every key.
func orDefault(set func(node) string) func(node) string {
	return func(n node) string {
		if n.value.kind == jsonString && n.value.text == "" {
			return ""
		}
		return set(n)
	}
}

func (r *portRange) fields() []field {
	return []field{
		{name: "min", set: wholeNumber(&r.Min, 1, math.MaxUint16)},
		{name: "max", set: wholeNumber(&r.Max, 1, math.MaxUint16)},
	}
}

func (r *portRange) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object with min and max"
	}
	n.readStrict(r.fields())
	if r.Min > r.Max {
		n.report.problem(n.path, "min %d is above max %d", r.Min, r.Max)
	}
	return ""
}

// fields are the keys of "local". What all agents have goes to shared, and the agents themselves are left in agents
// until that is complete.
func (l *localConfig) fields(shared *agentConfig, agents *node) []field {
	return append(shared.sharedFields(), []field{
		{name: "agents", set: func(n node) string { *agents = n; return "" }},
		{name: "cgroups", set: oneOf(&l.Cgroups, "auto", "off")},
		{name: "user", set: text(&l.User)},
		{name: "fetchTimeout", set: duration(&l.FetchTimeout, time.Second)},
		{name: "docker", set: textThat(&l.Docker, "\"off\", or an address of the form unix:///path or tcp://host:port", isDocker)},
		{name: "networks", set: subnets(&l.Networks)},
		{name: "pullTimeout", set: duration(&l.PullTimeout, time.Second)},
		{name: "dns", set: oneOf(&l.DNS, "auto", "off")},
		{name: "sandboxMaxAge", set: duration(&l.SandboxMaxAge, time.Minute)},
		{name: "sandboxMaxSize", set: mebibytes(&l.SandboxMaxBytes, 0, 1<<40)},
		{name: "logMaxSize", set: mebibytes(&l.LogMaxBytes, 1, 1<<40)},
		{name: "logFiles", set: wholeNumber(&l.LogFiles, 1, 1000)},
	}...)
}

func (l *localConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	shared := defaultAgent()
	agents := node{value: &jsonValue{kind: jsonNumber, text: "1"}, path: joinPath(n.path, "agents"), report: n.report}
	n.readStrict(l.fields(&shared, &agents))
	return l.readAgents(agents, shared)
}

func (l *localConfig) readAgents(n node, shared agentConfig) string {
	count := 1
	switch n.value.kind {
	case jsonNumber:
		if allowed := wholeNumber(&count, 1, maxAgents)(n); allowed != "" {
			n.refuse(allowed)
		}
		l.Agents = numberedAgents(count, shared)
	case jsonList:
		if count = len(n.value.items); count < 1 || count > maxAgents {
			n.report.problem(n.path, "a list of %d agents; it takes 1 to %d", count, maxAgents)
			return ""
		}
		l.Agents = numberedAgents(count, shared)
		for i, item := range n.items() {
			if item.value.kind != jsonObject {
				item.refuse("an object")
				continue
			}
			item.readStrict(l.Agents[i].fields())
		}
	default:
		n.refuse(fmt.Sprintf("%s, nor a list of so many agents", wholeNumberText(1, maxAgents)))
	}
	return ""
}

// sharedFields are the keys that "local" has for all agents and each agent for itself.
func (a *agentConfig) sharedFields() []field {
	return []field{
		{name: "ports", set: portRanges(&a.Ports)},
		{name: "cpus", set: amount(&a.CPUs)},
		{name: "mem", set: amount(&a.Mem)},
		{name: "disk", set: amount(&a.Disk)},
		{name: "attributes", set: addAttributes(&a.Attributes)},
	}
}

func (a *agentConfig) fields() []field {
	return append(a.sharedFields(), []field{
		{name: "hostname", set: orDefault(textThat(&a.Hostname, "an IP address or a host name", isHost))},
		{name: "address", set: orDefault(unicastAddress(&a.Address))},
		{name: "region", set: text(&a.Region)},
		{name: "zone", set: text(&a.Zone)},
	}...)
}

// numberedAgents returns count agents like shared. Several have the addresses 127.0.1.1, 127.0.1.2 and so on, so that
// each can hold the same ports; one alone takes the machine's.
func numberedAgents(count int, shared agentConfig) []agentConfig {
	agents := make([]agentConfig, count)
	for i := range agents {
		agents[i] = shared
		agents[i].Attributes = maps.Clone(shared.Attributes)
		if count > 1 {
			agents[i].Address = loopbackAgent(i)
		}
	}
	return agents
}

func loopbackAgent(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}) }

// nameAgents gives agents without a host name one that resolves: their address, or the machine's name.
func (s *schedulerConfig) nameAgents() {
	for i := range s.Local.Agents {
		a := &s.Local.Agents[i]
		switch {
		case a.Hostname != "":
		case a.Address.IsValid():
			a.Hostname = a.Address.String()
		default:
			a.Hostname = s.Hostname
		}
	}
}

// checkAgents wants agents that can be told apart by name, and that never offer a port twice.
func (s *schedulerConfig) checkAgents(r *report) {
	agents := s.Local.Agents
	for i, a := range agents {
		path := indexed("scheduler.local.agents", i)
		for j, b := range agents[:i] {
			if strings.EqualFold(a.Hostname, b.Hostname) {
				r.problem(path+".hostname", "%s is that of agents[%d] as well; each has to have its own",
					quoteBrief(a.Hostname), j)
			}
			if shared, ok := overlap(a.Ports, b.Ports); ok && a.Address == b.Address {
				r.problem(path+".ports", "%s is offered by agents[%d] as well, which has the same address; "+
					"give them different ports or addresses", shared, j)
			}
		}
	}
}

// overlap returns a range that lies in both lists.
func overlap(a, b []portRange) (portRange, bool) {
	for _, x := range a {
		for _, y := range b {
			if both := (portRange{max(x.Min, y.Min), min(x.Max, y.Max)}); both.Min <= both.Max {
				return both, true
			}
		}
	}
	return portRange{}, false
}

// unicastAddress takes the address of one machine.
func unicastAddress(dst *netip.Addr) func(node) string {
	return func(n node) string {
		addr, err := netip.ParseAddr(n.value.text)
		if n.value.kind != jsonString || err != nil || addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" {
			return "the IP address of one machine, such as \"192.0.2.1\""
		}
		*dst = addr.Unmap()
		return ""
	}
}

// addAttributes takes an object of texts; an agent's own attributes go over those that all have.
func addAttributes(dst *map[string]string) func(node) string {
	return textsByName("an attribute", func(_ node, name, text string) {
		if *dst == nil {
			*dst = make(map[string]string)
		}
		(*dst)[name] = text
	})
}

// subnets takes an object of networks: the subnet of each by its name, "" where that is left to Docker.
func subnets(dst *map[string]netip.Prefix) func(node) string {
	return textsByName("a network", func(child node, name, text string) {
		subnet, err := netip.ParsePrefix(text)
		if text != "" && (err != nil || subnet != subnet.Masked()) {
			child.refuse("empty or a subnet, such as \"10.88.0.0/24\"")
			return
		}
		if slices.Contains([]string{"host", "bridge", "none", "default"}, name) {
			child.report.problem(child.path, "is a network that Docker has itself")
			return
		}
		if *dst == nil {
			*dst = make(map[string]netip.Prefix)
		}
		(*dst)[name] = subnet
	})
}

// textsByName takes an object of texts whose names are free, each of them once; put gets them. what is such a text.
func textsByName(what string, put func(child node, name, text string)) func(node) string {
	return func(n node) string {
		if n.value.kind != jsonObject {
			return "an object of texts by name"
		}
		lines := make(map[string]int)
		for _, m := range n.value.members {
			child := n.member(m)
			first, again := lines[m.key]
			lines[m.key] = m.line
			switch {
			case again:
				child.refuseSecond(first, m.line)
			case m.key == "":
				n.report.problem(child.path, "%s has to have a name", what)
			case m.value.kind != jsonString:
				child.refuse("text; write it in quotes")
			default:
				put(child, m.key, m.value.text)
			}
		}
		return ""
	}
}

// portRanges takes ranges as Mesos writes them, "[1025-2180,2182-3887]", with or without the brackets; a single port
// stands for itself.
func portRanges(dst *[]portRange) func(node) string {
	return func(n node) string {
		ranges, ok := parsePortRanges(n.value.text)
		if n.value.kind != jsonString || !ok {
			return "text with ranges of ports from 1 to 65535, such as \"31000-32000\" or \"[1025-2180,2182-3887]\""
		}
		*dst = ranges
		return ""
	}
}

// parsePortRanges returns the ranges in order, with those merged that overlap or touch.
func parsePortRanges(text string) ([]portRange, bool) {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return nil, false
		}
	}
	var ranges []portRange
	for part := range strings.SplitSeq(text, ",") {
		low, high, found := strings.Cut(part, "-")
		if !found {
			high = low
		}
		from, ok1 := portNumber(strings.TrimSpace(low))
		to, ok2 := portNumber(strings.TrimSpace(high))
		if !ok1 || !ok2 || from > to {
			return nil, false
		}
		ranges = append(ranges, portRange{from, to})
	}
	slices.SortFunc(ranges, func(a, b portRange) int { return int(a.Min) - int(b.Min) })
	merged := ranges[:1]
	for _, r := range ranges[1:] {
		if last := &merged[len(merged)-1]; int(r.Min) <= int(last.Max)+1 {
			last.Max = max(last.Max, r.Max)
		} else {
			merged = append(merged, r)
		}
	}
	return merged, true
}
