package records

import (
	"crypto/sha1"
	"encoding/base32"
	"net/netip"
	"strconv"
	"strings"
)

// record is one record as the namer words it, in Mesos-DNS's spelling: its names are dotted labels with a dot at the
// end, in the case they were given in, and need not be valid. An SRV record has a target and a port, an address
// record has an address.
type record struct {
	owner  string
	addr   netip.Addr
	target string
	port   int
	added  bool // Mesos-DNS does not have it
	ptr    bool // it is a PTR record, which has a target and no port
	// outside says that the owner is not in the zone.
	outside bool
}

func (r record) isSRV() bool { return r.target != "" && !r.ptr }

// namer says which records a task, an agent, a framework and the masters have. It is a pure function of its fields
// and its arguments: asked again with the same arguments it gives the same records, which is how a zone takes back
// what it has published.
type namer struct {
	domain    string // with a dot at the end
	rule      labelRule
	ipSources []ipSource
	reverse   []netip.Prefix // networks that have reverse zones
}

func newNamer(o Options) namer {
	n := namer{domain: o.Domain + ".", rule: rfc1123, ipSources: ipSourcesNamed(o.IPSources),
		reverse: o.ReverseZones}
	if o.EnforceRFC952 {
		n.rule = rfc952
	}
	return n
}

// hashEncoding is z-base-32 (Zooko O'Whielacronx, "human-oriented base-32 encoding").
var hashEncoding = base32.NewEncoding("ybndrfg8ejkmcpqxot1uwisza345h769").WithPadding(base32.NoPadding)

// hashLen is how many characters of the hash go into a name: 25 bits.
const hashLen = 5

// taskHash tells apart the tasks of one name on one agent.
func taskHash(id string) string {
	sum := sha1.Sum([]byte(id))
	return hashEncoding.EncodeToString(sum[:])[:hashLen]
}

// agentSuffix is the part of an agent's id that goes into names: what follows the last dash, usually "s12".
func agentSuffix(id string) string {
	return strings.ToLower(id[strings.LastIndexByte(id, '-')+1:])
}

// task gives the records of a task that runs on the agent.
func (n *namer) task(t *Task, a *Agent, emit func(record)) {
	label, verbatim := n.taskNames(t)
	if verbatim != "" {
		n.taskAs(verbatim, t, a, emit)
	}
	n.taskAs(label, t, a, emit)
	n.taskPTR(label, t, a, emit)
}

// taskNames are the names that a task goes by. Of one with DiscoveryInfo Mesos-DNS once took the name as it is, and
// never gave that up; users rely on either. verbatim is "" where there is none but the label.
func (n *namer) taskNames(t *Task) (label, verbatim string) {
	name := t.sourceName()
	if label = n.rule.label(name); t.isDiscoverable() && label != name {
		verbatim = name
	}
	return label, verbatim
}

// taskOwners gives the names that a task shares with those that are called the same, and ought to share with no other.
func (n *namer) taskOwners(t *Task, emit func(owner string)) {
	tail := "." + n.rule.fragment(t.Framework) + "." + n.domain
	label, verbatim := n.taskNames(t)
	if verbatim != "" {
		emit(verbatim + tail)
	}
	if label != "" {
		emit(label + tail)
	}
}

// taskPTR names the addresses that are a task's own by its canonical name. Those that it shares with everything else on
// its agent are named as the agent's.
func (n *namer) taskPTR(name string, t *Task, a *Agent, emit func(record)) {
	addrs := n.taskAddrs(t, a)
	if len(n.reverse) == 0 || name == "" || sameAddrs(addrs, usable(a.Addrs)) {
		return
	}
	n.emitPTRs(addrs, n.instance(name, t)+"."+n.rule.fragment(t.Framework)+"."+n.domain, emit)
}

// instance is the label of one task among those of its name.
func (n *namer) instance(name string, t *Task) string {
	return name + "-" + taskHash(t.ID) + "-" + agentSuffix(t.AgentID)
}

// isDiscoverable reports whether a task is named by its DiscoveryInfo.
func (t *Task) isDiscoverable() bool { return t.Discovery != nil && t.Discovery.Name != "" }

// sourceName is the name that a task is named by.
func (t *Task) sourceName() string {
	if t.isDiscoverable() {
		return t.Discovery.Name
	}
	return t.Name
}

// taskAs gives the records of a task under one of its names.
func (n *namer) taskAs(name string, t *Task, a *Agent, emit func(record)) {
	var (
		tail       = "." + n.rule.fragment(t.Framework) + "." + n.domain
		slaveTail  = "." + n.rule.fragment(t.Framework) + ".slave." + n.domain
		instance   = n.instance(name, t)
		canonical  = instance + tail
		slave      = instance + slaveTail
		taskAddrs  = n.taskAddrs(t, a)
		agentAddrs = usable(a.Addrs)
	)
	emitAddrs(name+tail, taskAddrs, emit)
	emitAddrs(canonical, taskAddrs, emit)
	emitAddrs(name+slaveTail, agentAddrs, emit)
	emitAddrs(slave, agentAddrs, emit)

	for _, port := range t.Ports {
		for _, proto := range bothProtocols {
			emit(record{owner: "_" + name + "._" + proto + slaveTail, target: slave, port: port})
		}
	}
	if !t.isDiscoverable() {
		for _, port := range t.Ports {
			for _, proto := range bothProtocols {
				emit(record{owner: "_" + name + "._" + proto + tail, target: slave, port: port})
			}
		}
		return
	}
	onAgent := sameAddrs(taskAddrs, agentAddrs)
	for _, port := range t.Discovery.Ports {
		target := canonical
		if !port.Container && !onAgent {
			target = slave
		}
		for _, proto := range n.protocols(port.Protocol) {
			service := "_" + name + "._" + proto.label + tail
			emit(record{owner: service, target: target, port: port.Number, added: proto.added})
			if l := n.rule.label(port.Name); l != "" {
				emit(record{owner: "_" + l + "." + service, target: target, port: port.Number, added: proto.added})
			}
		}
	}
}

// protocol is a label of SRV names, without the underscore.
type protocol struct {
	label string
	added bool // Mesos-DNS does not have it
}

// bothProtocols are those of a port that names none.
var bothProtocols = [...]string{"tcp", "udp"}

// protocols gives the labels that a port's protocol stands for. A list such as "udp,tcp" stands for each of its
// members and also for "udptcp", which is all that Mesos-DNS makes of it.
func (n *namer) protocols(text string) []protocol {
	whole := n.rule.label(text)
	if whole == "" {
		return []protocol{{label: bothProtocols[0]}, {label: bothProtocols[1]}}
	}
	protos := []protocol{{label: whole}}
	if strings.Contains(text, ",") {
		for member := range strings.SplitSeq(text, ",") {
			if l := n.rule.label(member); l != "" && l != whole {
				protos = append(protos, protocol{label: l, added: true})
			}
		}
	}
	return protos
}

// agent gives the records of an agent.
func (n *namer) agent(a *Agent, emit func(record)) {
	host := "slave." + n.domain
	emitAddrs(host, usable(a.Addrs), emit)
	n.emitPTRs(usable(a.Addrs), host, emit)
	if a.Port != 0 {
		emit(record{owner: "_slave._tcp." + n.domain, target: host, port: a.Port})
	}
}

// framework gives the records of a framework.
func (n *namer) framework(f *Framework, emit func(record)) {
	host := n.rule.fragment(f.Name) + "." + n.domain
	emitAddrs(host, usable(f.Addrs), emit)
	if f.Port != 0 {
		emit(record{owner: "_framework._tcp." + host, target: host, port: f.Port})
	}
}

// masters gives the records of the leader and of the list of masters, which it numbers: a master whose address
// another one before it has already has gets no number, unless it leads. A leader that is not in the list gets the
// number after the last.
func (n *namer) masters(m *Masters, emit func(record)) {
	seen := make(map[netip.Addr]bool)
	add := func(a netip.Addr) bool {
		if seen[a] {
			return false
		}
		seen[a] = true
		emitAddrs("master."+n.domain, []netip.Addr{a}, emit)
		return true
	}
	next := 0
	number := func(a netip.Addr) {
		emitAddrs("master"+strconv.Itoa(next)+"."+n.domain, []netip.Addr{a}, emit)
		next++
	}
	numbered := !m.Leader.IsValid() // the leader, if there is one
	if m.Leader.IsValid() {
		host, addr := "leader."+n.domain, plain(m.Leader.Addr())
		emitAddrs(host, []netip.Addr{addr}, emit)
		for _, proto := range bothProtocols {
			emit(record{owner: "_leader._" + proto + "." + n.domain, target: host, port: int(m.Leader.Port())})
		}
		add(addr)
	}
	for _, master := range m.All {
		leads := m.Leader.IsValid() && master == m.Leader
		if !master.IsValid() || leads && numbered {
			continue
		}
		if addr := plain(master.Addr()); add(addr) || leads {
			number(addr)
			numbered = numbered || leads
		}
	}
	if !numbered {
		number(plain(m.Leader.Addr()))
	}
}

// server gives the addresses of the zone's own name server, whose name may lie outside the zone.
func (n *namer) server(mname string, listen []netip.Addr, emit func(record)) {
	outside := mname != n.domain && !strings.HasSuffix(mname, "."+n.domain)
	for _, a := range usable(listen) {
		emit(record{owner: mname, addr: a, outside: outside})
	}
}

func emitAddrs(owner string, addrs []netip.Addr, emit func(record)) {
	for _, a := range addrs {
		emit(record{owner: owner, addr: a})
	}
}
