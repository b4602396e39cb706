package mesos

import "slices"

// candidates are the masters to ask, one after the other: the leader first. The others redirect to the one that they
// believe to lead.
func (m Masters) candidates() []string {
	if m.Leader == "" {
		return m.All
	}
	out := make([]string, 0, len(m.All)+1)
	out = append(out, m.Leader)
	for _, master := range m.All {
		if !slices.Contains(out, master) {
			out = append(out, master)
		}
	}
	return out
}
