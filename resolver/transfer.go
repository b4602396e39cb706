package resolver

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"rollcall/records"
)

// Transfer says who may have the zones as a whole (AXFR, RFC 5936; IXFR, RFC 1995), and who is told of changes. The zero
// value is for nobody.
type Transfer struct {
	// Secondaries are sent NOTIFY messages (RFC 1996), and may transfer.
	Secondaries []Secondary
	// Allow are networks from which transfers may be asked for besides. With keys it may be empty: then they may be
	// asked for from everywhere.
	Allow []netip.Prefix
	// Keys are those with which requests have to be signed; without any they need no signature.
	Keys []Key
}

// Secondary is a server that follows the zones.
type Secondary struct {
	Addr netip.AddrPort
	Key  string // name of the key that NOTIFY messages are signed with; "": they are not
}

func (t Transfer) validate() error {
	var errs []error
	names := make(keyring)
	for _, k := range t.Keys {
		if err := k.validate(); err != nil {
			errs = append(errs, err)
		}
		if _, again := names[dns.CanonicalName(k.Name)]; again {
			errs = append(errs, fmt.Errorf("there are two keys %q", k.Name))
		}
		names[dns.CanonicalName(k.Name)] = k
	}
	for _, s := range t.Secondaries {
		if !s.Addr.Addr().IsValid() || s.Addr.Addr().IsUnspecified() || s.Addr.Port() == 0 {
			errs = append(errs, fmt.Errorf("%v is not the address and port of a secondary", s.Addr))
		}
		if _, known := names[dns.CanonicalName(s.Key)]; s.Key != "" && !known {
			errs = append(errs, fmt.Errorf("the secondary %v has the key %q, which is not among the keys", s.Addr, s.Key))
		}
	}
	for _, network := range t.Allow {
		if !network.IsValid() {
			errs = append(errs, errors.New("Allow holds a network that is neither IPv4 nor IPv6"))
		}
	}
	return errors.Join(errs...)
}

// allows reports whether a query may ask for a transfer. Its signature, if any, is good.
func (t Transfer) allows(q *query) bool {
	if len(t.Keys) > 0 {
		if q.signature == nil {
			return false
		}
		if len(t.Allow)+len(t.Secondaries) == 0 {
			return true
		}
	}
	return slices.ContainsFunc(t.Allow, func(network netip.Prefix) bool { return network.Contains(q.addr) }) ||
		slices.ContainsFunc(t.Secondaries, func(s Secondary) bool { return s.Addr.Addr().Unmap() == q.addr })
}

// zoneTransfer is a transfer that may begin.
type zoneTransfer struct {
	snapshot *records.Snapshot
	apex     *records.Apex
	changes  []records.Change // of an incremental one
	whole    bool
}

// isTransfer reports whether a query asks for one.
func (q *query) isTransfer() bool {
	return q.question.Class == dns.ClassINET && (q.question.Type == dns.TypeAXFR || q.question.Type == dns.TypeIXFR)
}

// transfer decides about a transfer: it is noted in the query, or the result is the reply. Until the zone is ready there
// is none: a secondary would take what is missing for gone. Nor is there under provisional serials.
func (h *handler) transfer(q *query) *dns.Msg {
	if !h.transfers.allows(q) {
		return q.reply(dns.RcodeRefused)
	}
	ready := h.zone.Ready()
	s := h.zone.Snapshot()
	apex := s.ApexOf(q.question.Name)
	if apex == nil || apex.Wire() != string(q.question.Name) {
		return q.reply(dns.RcodeNotAuth) // RFC 5936, section 2.2.1
	}
	if !ready || s.Provisional() {
		return q.reply(dns.RcodeServerFailure)
	}
	q.tellExpiry(s, apex)
	t := &zoneTransfer{snapshot: s, apex: apex, whole: true}
	if q.question.Type == dns.TypeIXFR {
		serial, ok := q.serial()
		if !ok {
			return q.reply(dns.RcodeFormatError)
		}
		// Who has the newest serial, or a later one, gets the SOA record and nothing else. Over UDP everybody does, and
		// asks again over TCP if it is another one (RFC 1995, section 2).
		if q.udp || !records.Later(apex.Serial, serial) {
			m := q.reply(dns.RcodeSuccess)
			m.Authoritative = true
			m.Answer = []dns.RR{t.soa(apex.Serial)}
			return m
		}
		if changes, known := s.Since(apex, serial); known {
			t.changes, t.whole = changes, false
		}
	} else if q.udp {
		return q.reply(dns.RcodeFormatError) // RFC 5936, section 4.2: there is no such thing
	}
	q.transfer = t
	return nil
}

// serial is the one that an IXFR question says the client has (RFC 1995, section 3).
func (q *query) serial() (uint32, bool) {
	if len(q.msg.Ns) != 1 {
		return 0, false
	}
	soa, ok := q.msg.Ns[0].(*dns.SOA)
	if !ok || dns.CanonicalName(soa.Hdr.Name) != dns.CanonicalName(q.msg.Question[0].Name) {
		return 0, false
	}
	return soa.Serial, true
}

// soa is the zone's SOA record with a serial.
func (t *zoneTransfer) soa(serial uint32) dns.RR {
	set := t.snapshot.LookupName(t.apex.Name).RRset(records.TypeSOA)
	soa := resourceRecord(t.apex.Name, set, 0).(*dns.SOA)
	soa.Serial = serial
	return soa
}

// records yields the records of a transfer in their order. before is the client's serial.
func (t *zoneTransfer) records(before uint32) iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		if !yield(t.soa(t.apex.Serial)) {
			return
		}
		going := true
		set := func(name string, set *records.RRset) {
			for i := 0; i < set.Len() && going && set.Type != records.TypeSOA; i++ {
				going = yield(resourceRecord(name, set, i))
			}
		}
		if t.whole {
			for name, node := range t.snapshot.AllIn(t.apex) {
				for s := range node.RRsets() {
					set(name, s)
				}
			}
		} else { // RFC 1995, section 4, with one sequence of differences: section 5
			going = yield(t.soa(before))
			for _, c := range t.changes {
				c.Old.Differences(c.New, func(s *records.RRset) { set(c.Name, s) })
			}
			going = going && yield(t.soa(t.apex.Serial))
			for _, c := range t.changes {
				c.New.Differences(c.Old, func(s *records.RRset) { set(c.Name, s) })
			}
		}
		if going {
			yield(t.soa(t.apex.Serial))
		}
	}
}

// maxTransferMessage is how many octets of records a message of a transfer has before compression: as far as pointers
// reach (RFC 5936, section 2.2, leaves it to the server).
const maxTransferMessage = maxPointer

// transferred yields the messages of a transfer that handle gave back.
func (h *handler) transferred(q *query) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		before, _ := q.serial()
		var mac string
		first := true
		var batch []dns.RR
		size := 0
		send := func() bool {
			m := q.reply(dns.RcodeSuccess)
			m.Authoritative = true
			m.Answer = batch
			if !first {
				m.Question = nil // RFC 5936, section 2.2.1
			}
			var wire []byte
			var err error
			if wire, mac, err = q.packAfter(m, mac, first); err != nil {
				return false // cannot be: what is in the zone can be packed
			}
			first, batch, size = false, nil, 0
			return yield(wire)
		}
		for rr := range q.transfer.records(before) {
			if batch = append(batch, rr); size > 0 && size+dns.Len(rr) > maxTransferMessage {
				last := len(batch) - 1
				batch = batch[:last]
				if !send() {
					return
				}
				batch = append(batch, rr)
			}
			size += dns.Len(rr)
		}
		if send() {
			kind := "incremental"
			if q.transfer.whole {
				kind = "whole"
			}
			h.metrics.answered(q.question.Type, dns.RcodeSuccess)
			h.metrics.transfers.WithLabelValues(kind).Inc()
		}
	}
}
