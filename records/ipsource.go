package records

import (
	"net/netip"
	"slices"
)

// ipSource is a place in Mesos's state where a task's addresses may be found.
type ipSource struct {
	name  string // as in Options.IPSources
	addrs func(t *Task, a *Agent) []netip.Addr
}

var ipSources = [...]ipSource{
	{"host", func(_ *Task, a *Agent) []netip.Addr { return a.Addrs }},
	{"mesos", func(t *Task, _ *Agent) []netip.Addr { return t.Addresses.Mesos }},
	{"docker", func(t *Task, _ *Agent) []netip.Addr { return t.Addresses.Docker }},
	{"netinfo", func(t *Task, _ *Agent) []netip.Addr { return t.Addresses.NetInfo }},
}

func ipSourceNames() []string {
	names := make([]string, len(ipSources))
	for i, s := range ipSources {
		names[i] = s.name
	}
	return names
}

// ipSourcesNamed gives the sources of the names, which must have been validated, in their order.
func ipSourcesNamed(names []string) []ipSource {
	var sources []ipSource
	for _, name := range names {
		i := slices.IndexFunc(ipSources[:], func(s ipSource) bool { return s.name == name })
		sources = append(sources, ipSources[i])
	}
	return sources
}

// taskAddrs are all addresses of the first source that has any.
func (n *namer) taskAddrs(t *Task, a *Agent) []netip.Addr {
	for _, s := range n.ipSources {
		if addrs := usable(s.addrs(t, a)); len(addrs) > 0 {
			return addrs
		}
	}
	return nil
}

// usable are the addresses that A and AAAA records can hold. It returns its argument when that is all of them.
func usable(addrs []netip.Addr) []netip.Addr {
	if !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !a.IsValid() || a != plain(a) }) {
		return addrs
	}
	var out []netip.Addr
	for _, a := range addrs {
		if a.IsValid() {
			out = append(out, plain(a))
		}
	}
	return out
}

// plain is the address as a record holds it: an IPv4-mapped one is IPv4, and an IPv6 one has no zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// sameAddrs reports whether two lists hold the same addresses in any order.
func sameAddrs(a, b []netip.Addr) bool {
	in := func(list []netip.Addr) func(netip.Addr) bool {
		return func(x netip.Addr) bool { return !slices.Contains(list, x) }
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}
