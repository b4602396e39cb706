package resolver

import (
	"context"
	"errors"
	"slices"

	"github.com/miekg/dns"
)

// maxAliases is how many aliases an answer may go through: more are a mistake or worse. BIND follows 16 as well.
const maxAliases = 16

var (
	errAliasLoop = errors.New("aliases lead in a circle")
	errAliases   = errors.New("too many aliases")
)

// followAliases returns the names on the way from the question to its answer, in lower case: the name asked for first. A
// name has one alias (RFC 2181, section 10.1): of several the first counts, and the others go. An alias that comes of a
// whole domain's (DNAME) is added where the server left that to us (RFC 6672, section 3.4).
func followAliases(m *dns.Msg) ([]string, error) {
	name := dns.CanonicalName(m.Question[0].Name)
	names := []string{name}
	if t := m.Question[0].Qtype; t == dns.TypeCNAME || t == dns.TypeANY {
		return names, nil
	}
	first := make(map[string]string)
	m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool {
		alias, ok := rr.(*dns.CNAME)
		if !ok {
			return false
		}
		owner := dns.CanonicalName(alias.Hdr.Name)
		if _, again := first[owner]; again {
			return true
		}
		first[owner] = dns.CanonicalName(alias.Target)
		return false
	})
	for {
		target, ok := first[name]
		if !ok {
			made := aliasOfDomain(m, name)
			if made == nil {
				return names, nil
			}
			m.Answer = append(m.Answer, made)
			target = dns.CanonicalName(made.Target)
		}
		switch {
		case slices.Contains(names, target):
			return nil, errAliasLoop
		case len(names) > maxAliases:
			return nil, errAliases
		}
		name = target
		names = append(names, name)
	}
}

// inOrder puts the records of an answer in the order of the names that lead to it: there are clients that read it only once.
// What is said of a domain stands before the alias that comes of it.
func inOrder(answer []dns.RR, names []string) {
	if len(names) == 1 {
		return
	}
	places := make(map[string]int)
	for _, rr := range answer {
		owner := rr.Header().Name
		if _, known := places[owner]; known {
			continue
		}
		place := 2 * slices.Index(names, dns.CanonicalName(owner))
		if place < 0 {
			place = 2*slices.IndexFunc(names, func(name string) bool { return dns.IsSubDomain(owner, name) }) - 1
		}
		places[owner] = place
	}
	slices.SortStableFunc(answer, func(a, b dns.RR) int { return places[a.Header().Name] - places[b.Header().Name] })
}

// aliasOfDomain is the alias of a name that comes of that of a domain it lies in, nil if there is none in a message.
func aliasOfDomain(m *dns.Msg, name string) *dns.CNAME {
	for _, rr := range m.Answer {
		domain, ok := rr.(*dns.DNAME)
		if !ok || rr.Header().Class != dns.ClassINET || m.Rcode == dns.RcodeYXDomain {
			continue
		}
		above := dns.CountLabel(domain.Hdr.Name)
		if above >= dns.CountLabel(name) || !dns.IsSubDomain(domain.Hdr.Name, name) {
			continue
		}
		end, _ := dns.PrevLabel(name, above)
		target := dns.Fqdn(name[:end] + domain.Target)
		if domain.Target == "." {
			target = name[:end]
		}
		if _, ok := dns.IsDomainName(target); !ok {
			continue // too long, for which there is an rcode (RFC 6672, section 2.2)
		}
		header := dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: domain.Hdr.Ttl}
		return &dns.CNAME{Hdr: header, Target: target}
	}
	return nil
}

// follow asks the servers, and then those for the name that the answer is an alias of, where it has nothing but the
// alias: a client that wants recursion does not go on by itself (RFC 1034, section 5.2.2), and a server that is an
// authority for a zone knows what lies in it, no more. What lies in our own zones is for us to say, whatever a server
// makes of it.
func (f *forwarder) follow(ctx context.Context, q question) outcome {
	result := f.ask(ctx, q)
	var asked []string
	for result.good {
		target, err := f.target(result.answer, q)
		switch {
		case err != nil:
			return outcome{reason: extendedError{dns.ExtendedErrorCodeInvalidData, err.Error()}}
		case target == "" || slices.Contains(asked, target): // or there is nothing, of which nobody said for how long
			return result
		}
		asked = append(asked, target)
		next := q
		next.name = target
		if own := f.ownZones(); isWithin(target, own) {
			result.answer.Answer = slices.DeleteFunc(result.answer.Answer, func(rr dns.RR) bool { return isWithin(rr.Header().Name, own) })
			return completed(result, f.own(next))
		}
		result = completed(result, f.ask(ctx, next))
	}
	return result
}

// completed is the outcome of asking for an alias and for what it is an alias of.
func completed(alias, of outcome) outcome {
	if !of.good {
		of.answer = nil // its rcode is not that of the name that was asked for
		return of
	}
	return outcome{answer: join(alias.answer, of.answer), reason: of.reason, good: true}
}

// target is the name whose records an answer lacks, in lower case; "": it is whole.
func (f *forwarder) target(m *dns.Msg, q question) (string, error) {
	if !q.rd || q.asCame || m.Rcode == dns.RcodeYXDomain || len(m.Question) != 1 {
		return "", nil
	}
	names, err := followAliases(m)
	if err != nil || len(names) == 1 {
		return "", err
	}
	own := f.ownZones()
	if i := slices.IndexFunc(names[1:], func(name string) bool { return isWithin(name, own) }); i >= 0 {
		return names[1+i], nil
	}
	last := names[len(names)-1]
	said := func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeSOA && dns.IsSubDomain(rr.Header().Name, last)
	}
	has := func(rr dns.RR) bool {
		return rr.Header().Rrtype == q.qtype && dns.CanonicalName(rr.Header().Name) == last
	}
	if m.Rcode != dns.RcodeSuccess || slices.ContainsFunc(m.Answer, has) || slices.ContainsFunc(m.Ns, said) {
		return "", nil
	}
	return last, nil
}

// own is our own zone's answer to a question for a name in it.
func (f *forwarder) own(q question) outcome {
	name := make([]byte, maxName)
	end, err := dns.PackDomainName(q.name, name, 0, nil, false)
	if err != nil {
		return outcome{reason: extendedError{dns.ExtendedErrorCodeInvalidData, err.Error()}}
	}
	ready := f.zone.Ready()
	a := Decide(f.zone.Snapshot(), ready, Question{Name: name[:end], Type: q.qtype, Class: dns.ClassINET})
	m := new(dns.Msg)
	m.Question = []dns.Question{{Name: q.name, Qtype: q.qtype, Qclass: dns.ClassINET}}
	m.RecursionAvailable = true
	switch a.Result {
	case Success:
		size := 0
		for i := range a.Set.Len() {
			if size += recordSize(a.Set, i) + len(q.name); size > maxTransferMessage {
				m.Truncated = true
				break
			}
			m.Answer = append(m.Answer, resourceRecord(q.name, a.Set, i))
		}
	case NameError, NoData:
		if a.Result == NameError {
			m.Rcode = dns.RcodeNameError
		}
		m.Ns = []dns.RR{resourceRecord(a.apex.Name, a.SOA, 0)}
	default:
		return outcome{reason: zoneNotReady}
	}
	return outcome{answer: m, good: true}
}

// join is the answer of an alias and that of what it is an alias of.
func join(alias, of *dns.Msg) *dns.Msg {
	m := *alias
	m.Rcode = of.Rcode
	m.Truncated = of.Truncated
	m.AuthenticatedData = alias.AuthenticatedData && of.AuthenticatedData
	m.RecursionAvailable = alias.RecursionAvailable || of.RecursionAvailable
	m.Answer = append(slices.Clip(alias.Answer), of.Answer...)
	m.Ns, m.Extra = of.Ns, of.Extra
	return &m
}
