package records

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// rdata is what tells two records of one name apart: type and address, or type, target and, for SRV, port.
// Contributors may want different TTLs.
type rdata struct {
	rrtype uint16
	ttl    uint32
	port   int
	addr   netip.Addr
	target string // as it was worded
}

func (d rdata) compare(e rdata) int {
	return cmp.Or(
		cmp.Compare(d.rrtype, e.rrtype),
		d.addr.Compare(e.addr),
		strings.Compare(d.target, e.target),
		cmp.Compare(d.port, e.port),
		cmp.Compare(d.ttl, e.ttl),
	)
}

// same reports whether two are the same record, whose TTL does not tell it from others.
func (d rdata) same(e rdata) bool {
	d.ttl = e.ttl
	return d == e
}

// contribution is a record and how many contributors give it: several tasks on one agent give its address to one
// name. Taken as a change, the counts are what is added to those of the same record.
type contribution struct {
	rdata
	givers  int32
	healthy int32 // of the givers, those not known to be unhealthy
}

func onceEach(data []rdata) []contribution {
	out := make([]contribution, len(data))
	for i, d := range data {
		out[i] = contribution{rdata: d, givers: 1, healthy: 1}
	}
	return out
}

// isSaid reports whether list is what the wire format of data says: each record given once by a contributor not known
// to be unhealthy, and in words that come back out of it.
func isSaid(list []contribution, data []rdata) bool {
	if len(list) != len(data) {
		return false
	}
	for i, c := range list {
		if c.rdata != data[i] || c.givers != 1 || c.healthy != 1 || !c.isCarried() {
			return false
		}
	}
	return true
}

// net sorts changes and sums up those of one record; what cancels out is gone. It changes its argument.
func net(changes []contribution) []contribution {
	slices.SortFunc(changes, func(a, b contribution) int { return a.compare(b.rdata) })
	sum := changes[:0]
	for _, c := range changes {
		if last := len(sum) - 1; last >= 0 && sum[last].rdata == c.rdata {
			sum[last].givers += c.givers
			sum[last].healthy += c.healthy
		} else {
			sum = append(sum, c)
		}
	}
	return slices.DeleteFunc(sum, func(c contribution) bool { return c.givers == 0 && c.healthy == 0 })
}

// merge applies net changes to a sorted list. Records without givers are gone from the result, which shares nothing
// with either.
func merge(list, changes []contribution) []contribution {
	out := make([]contribution, 0, len(list)+len(changes))
	for len(list) > 0 && len(changes) > 0 {
		switch order := list[0].compare(changes[0].rdata); {
		case order < 0:
			out = append(out, list[0])
			list = list[1:]
		case order > 0:
			out = append(out, changes[0])
			changes = changes[1:]
		default:
			c := list[0]
			c.givers += changes[0].givers
			c.healthy += changes[0].healthy
			if c.givers > 0 {
				out = append(out, c)
			}
			list, changes = list[1:], changes[1:]
		}
	}
	return append(append(out, list...), changes...)
}

// publish picks the records to answer with out of a sorted list, type by type: those with a healthy giver, or when
// there is none, all or none of them. All have the smallest of their TTLs (RFC 2181, section 5.2).
func publish(list []contribution, none AllUnhealthy) []rdata {
	out := make([]rdata, 0, len(list))
	for len(list) > 0 {
		end := slices.IndexFunc(list, func(c contribution) bool { return c.rrtype != list[0].rrtype })
		if end < 0 {
			end = len(list)
		}
		set := list[:end]
		list = list[end:]
		anyHealthy := slices.ContainsFunc(set, func(c contribution) bool { return c.healthy > 0 })
		first := len(out)
		for _, c := range set {
			if c.healthy <= 0 && (anyHealthy || none != AnswerAll) {
				continue
			}
			if last := len(out) - 1; last < first || !out[last].same(c.rdata) {
				out = append(out, c.rdata)
			}
			out[first].ttl = min(out[first].ttl, c.ttl)
		}
		for i := range out[first:] {
			out[first+i].ttl = out[first].ttl
		}
	}
	return out
}
