package scheduler

import (
	"regexp"
	"strconv"
)

// place is where an instance runs or would run, as constraints see it.
type place struct {
	agent                  AgentID
	hostname, region, zone string
	attributes             map[string]string
}

func (i *Instance) place() place { return place{i.AgentID, i.Hostname, i.Region, i.Zone, i.Attributes} }
func (o *Offer) place() place    { return place{o.AgentID, o.Hostname, o.Region, o.Zone, o.Attributes} }
func (a *Agent) place() place    { return place{a.ID, a.Hostname, a.Region, a.Zone, a.Attributes} }

// field is the value of a constraint's field; false when the place lacks it.
func (p place) field(name string) (string, bool) {
	switch name {
	case "hostname", "@hostname":
		return p.hostname, true
	case agentField:
		return string(p.agent), true
	case "@region":
		return p.region, p.region != ""
	case "@zone":
		return p.zone, p.zone != ""
	}
	v, ok := p.attributes[name]
	return v, ok
}

// matcher decides a constraint of one app, given the places its instances have already (Marathon reference,
// section 7). Add tells it of each further one.
type matcher struct {
	Constraint
	instances int            // of the app
	number    int            // the value of GROUP_BY and MAX_PER
	given     bool           // GROUP_BY has a value
	pattern   *regexp.Regexp // of LIKE and UNLIKE
	counts    map[string]int // placed instances by the field's value
	first     string         // the value of the first placed instance
}

// newMatcher returns nil for a constraint that cannot be understood; the API does not let such through.
func newMatcher(c Constraint, instances int) *matcher {
	m := &matcher{Constraint: c, instances: instances, counts: map[string]int{}}
	switch c.Operator {
	case GroupBy, MaxPer:
		n, err := strconv.Atoi(c.Value)
		m.number, m.given = n, err == nil && n > 0
		if c.Operator == MaxPer && err != nil {
			return nil
		}
	case Like, Unlike:
		pattern, err := regexp.Compile("^(?:" + c.Value + ")$")
		if err != nil {
			return nil
		}
		m.pattern = pattern
	case Is, Cluster, Unique:
	default:
		return nil
	}
	return m
}

// add counts an instance that is placed.
func (m *matcher) add(p place) {
	v, ok := p.field(m.Field)
	if !ok {
		return
	}
	if len(m.counts) == 0 {
		m.first = v
	}
	m.counts[v]++
}

// accepts says whether an instance more may be at p.
func (m *matcher) accepts(p place) bool {
	v, ok := p.field(m.Field)
	if !ok {
		return m.Operator == Unlike
	}
	switch m.Operator {
	case Unique:
		return m.counts[v] == 0
	case Cluster:
		if m.Value != "" {
			return v == m.Value
		}
		return len(m.counts) == 0 || v == m.first
	case MaxPer:
		return m.counts[v] < m.number
	case Like:
		return m.pattern.MatchString(v)
	case Unlike:
		return !m.pattern.MatchString(v)
	case Is:
		return v == normalScalar(m.Value)
	case GroupBy:
		return m.groupAccepts(v)
	}
	return false
}

// groupAccepts spreads evenly. With a number of groups each has its quota; without, the smallest group is next.
func (m *matcher) groupAccepts(v string) bool {
	count, used := m.counts[v]
	if !m.given {
		for _, other := range m.counts {
			if other < count {
				return false
			}
		}
		return true
	}
	if !used {
		return len(m.counts) < m.number
	}
	quota, rest := m.instances/m.number, m.instances%m.number
	extra := 0
	for _, c := range m.counts {
		extra += max(0, c-quota)
	}
	return count < quota || count == quota && rest-extra > 0
}

// normalScalar writes a decimal as attributes are compared: at most three decimals, no trailing zeros.
func normalScalar(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return FormatScalar(f)
}

// FormatScalar writes a scalar attribute in the form that constraints compare: at most three decimals, rounded half
// to even, without trailing zeros.
func FormatScalar(f float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 3, 64), 64)
	if err != nil {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// bounds says whether the operator is about how many instances are where. What was given up for lost is not of that
// number, or the one in its place would find no room; where there is to be one at most, it may still come back.
func (m *matcher) bounds() bool { return m.Operator == GroupBy || m.Operator == MaxPer }
