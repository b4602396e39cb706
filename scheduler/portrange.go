package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// ParsePortRange reads Mesos's form of port ranges, "[31000-32000, 33000-33000]"; the brackets may be missing and a
// single number is a range of one. Ports are 1 to 65535. The result is sorted, with touching ranges joined.
func ParsePortRange(s string) (PortRange, error) {
	text := strings.TrimSpace(s)
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	var out PortRange
	if strings.TrimSpace(text) == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, two := strings.Cut(strings.TrimSpace(part), "-")
		if !two {
			to = from
		}
		begin, err1 := strconv.Atoi(strings.TrimSpace(from))
		end, err2 := strconv.Atoi(strings.TrimSpace(to))
		if err1 != nil || err2 != nil || begin < 1 || end > 65535 || begin > end {
			return nil, fmt.Errorf("%q is not a range of ports like 31000-32000 within 1-65535", strings.TrimSpace(part))
		}
		out = append(out, Range{begin, end})
	}
	return out.normal(), nil
}

// String is Mesos's form, "[31000-32000, 33000-33000]".
func (p PortRange) String() string {
	parts := make([]string, len(p))
	for i, r := range p {
		parts[i] = fmt.Sprintf("%d-%d", r.Begin, r.End)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (p PortRange) normal() PortRange {
	sorted := slices.Clone(p)
	slices.SortFunc(sorted, func(a, b Range) int { return a.Begin - b.Begin })
	var out PortRange
	for _, r := range sorted {
		if last := len(out) - 1; last >= 0 && r.Begin <= out[last].End+1 {
			out[last].End = max(out[last].End, r.End)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// Union returns the ports of both. The receiver's and q's ranges may be in any order and overlap.
func (p PortRange) Union(q PortRange) PortRange { return slices.Concat(p, q).normal() }

// Len is how many ports there are.
func (p PortRange) Len() int {
	n := 0
	for _, r := range p {
		n += r.End - r.Begin + 1
	}
	return n
}

// Contains says whether a port is among them.
func (p PortRange) Contains(port int) bool {
	return slices.ContainsFunc(p, func(r Range) bool { return r.Begin <= port && port <= r.End })
}

// Without returns the ports that are left when some are taken out.
func (p PortRange) Without(ports ...int) PortRange {
	out := p
	for _, port := range ports {
		n := slices.IndexFunc(out, func(r Range) bool { return r.Begin <= port && port <= r.End })
		if n < 0 {
			continue
		}
		r := out[n]
		var rest []Range
		if r.Begin < port {
			rest = append(rest, Range{r.Begin, port - 1})
		}
		if port < r.End {
			rest = append(rest, Range{port + 1, r.End})
		}
		out = slices.Concat(out[:n], rest, out[n+1:])
	}
	return out
}

// at is the n-th port, counted from 0.
func (p PortRange) at(n int) int {
	for _, r := range p {
		if size := r.End - r.Begin + 1; n < size {
			return r.Begin + n
		} else {
			n -= size
		}
	}
	return 0
}

// pick chooses count different ports: consecutive ones from a random start, wrapping around (Marathon reference 6.5).
// It returns nil when there are not enough.
func (p PortRange) pick(count int, random *rand.Rand) []int {
	size := p.Len()
	if count == 0 || size < count {
		return nil
	}
	start := random.IntN(size)
	out := make([]int, count)
	for i := range out {
		out[i] = p.at((start + i) % size)
	}
	return out
}

// assignHostPorts chooses a host port for each published port of an app: the fixed ones as given, the others at
// random. The result is by the app's ports, 0 for those that are not published. It returns false when the offer
// lacks a port.
func assignHostPorts(ports []Port, offered PortRange, random *rand.Rand) ([]int, bool) {
	out := make([]int, len(ports))
	var fixed []int
	free := 0
	for i, p := range ports {
		switch {
		case !p.Published:
		case p.HostPort == 0:
			free++
		case !offered.Contains(p.HostPort) || slices.Contains(fixed, p.HostPort):
			return nil, false
		default:
			out[i] = p.HostPort
			fixed = append(fixed, p.HostPort)
		}
	}
	picked := offered.Without(fixed...).pick(free, random)
	if len(picked) < free {
		return nil, false
	}
	for i, p := range ports {
		if p.Published && p.HostPort == 0 {
			out[i], picked = picked[0], picked[1:]
		}
	}
	return out, true
}

// held lists the ports that a list by ports really holds.
func held(ports []int) []int {
	return slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return p == 0 })
}
