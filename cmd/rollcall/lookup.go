package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"rollcall/records"
	"rollcall/scheduler/api"
)

// ownResolver asks this rollcall's DNS server over the network, so that it sees what clients see.
type ownResolver struct {
	server func() netip.AddrPort
	zone   *records.Zone
}

var _ api.Resolver = ownResolver{}

// Address implements api.Resolver.
func (o ownResolver) Address() netip.AddrPort {
	server := o.server()
	if server.Addr().IsUnspecified() {
		return netip.AddrPortFrom(machineAddrs()[0], server.Port())
	}
	return server
}

// LookUp implements api.Resolver. It asks by TCP, so that nothing is left out.
func (o ownResolver) LookUp(ctx context.Context, name, recordType string) (*api.Lookup, error) {
	t, ok := dns.StringToType[strings.ToUpper(recordType)]
	if !ok {
		return nil, &api.QuestionError{Reason: "'" + recordType + "' is no type of record"}
	}
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil, &api.QuestionError{Reason: "'" + name + "' is no domain name"}
	}
	server := o.Address()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), t)
	reply, _, err := (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, q, server.String())
	if err != nil {
		return nil, fmt.Errorf("asking the DNS server at %s: %w", server, err)
	}
	status, ok := dns.RcodeToString[reply.Rcode]
	if !ok {
		status = strconv.Itoa(reply.Rcode)
	}
	return &api.Lookup{Server: server.String(), Name: dns.Fqdn(name), Type: strings.ToUpper(recordType), Status: status,
		Answer: shown(reply.Answer), Authority: shown(reply.Ns), Additional: shown(reply.Extra)}, nil
}

func shown(records []dns.RR) []api.Record {
	out := []api.Record{}
	for _, rr := range records {
		h := rr.Header()
		if h.Rrtype == dns.TypeOPT {
			continue
		}
		data := strings.TrimPrefix(rr.String(), h.String())
		out = append(out, api.Record{Name: h.Name, TTL: h.Ttl, Type: dns.TypeToString[h.Rrtype], Data: data})
	}
	return out
}

// Recent implements api.Resolver. The changes are those of the zone itself, which is what is answered from.
func (o ownResolver) Recent(limit int) []api.NameChange {
	var out []api.NameChange
	for _, c := range o.zone.Snapshot().Recent(limit) {
		byType := map[uint16]*api.NameChange{}
		change := func(t uint16) *api.NameChange {
			if byType[t] == nil {
				byType[t] = &api.NameChange{Time: c.At, Name: strings.TrimSuffix(c.Name, "."), Type: dns.TypeToString[t],
					Added: []string{}, Removed: []string{}}
			}
			return byType[t]
		}
		c.Old.Differences(c.New, func(r *records.RRset) { change(r.Type).Removed = append(change(r.Type).Removed, dataOf(r)...) })
		c.New.Differences(c.Old, func(r *records.RRset) { change(r.Type).Added = append(change(r.Type).Added, dataOf(r)...) })
		for _, t := range slices.Sorted(maps.Keys(byType)) {
			if len(out) == limit {
				return out
			}
			out = append(out, *byType[t])
		}
	}
	return out
}

// dataOf is the data of a set's records in presentation format.
func dataOf(r *records.RRset) []string {
	var out []string
	for _, a := range r.Addrs() {
		out = append(out, a.String())
	}
	for _, s := range r.SRV() {
		out = append(out, fmt.Sprintf("%d %d %d %s", s.Priority, s.Weight, s.Port, s.Target))
	}
	return append(out, r.Names()...)
}
