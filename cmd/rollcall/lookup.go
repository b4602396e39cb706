package main

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"rollcall/scheduler/api"
)

// ownResolver asks this rollcall's DNS server over the network, so that it sees what clients see.
type ownResolver struct{ server func() netip.AddrPort }

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
