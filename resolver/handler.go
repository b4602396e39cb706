package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"rollcall/records"
)

// handler makes replies out of packets. It may be used by many goroutines at once.
type handler struct {
	zone    Zone
	apex    []byte     // the zone's, in wire format
	forward *forwarder // nil: names outside the zone are refused
	metrics *metrics

	bitRA byte // of answers for the zone: set or not
	bitTC byte // of answers that leave out records: set or not
}

// newHandler registers the metrics as well. own are the addresses on which the server listens.
func newHandler(zone Zone, o Options, own []netip.AddrPort) (*handler, error) {
	domain := zone.Snapshot().Domain()
	apex := slices.Clone(apexOf(zone.Snapshot(), make([]byte, maxName)))
	if len(apex) == 0 {
		return nil, fmt.Errorf("the zone's domain %q is not a domain name", domain)
	}
	m, err := newMetrics(zone, o.Registry)
	if err != nil {
		return nil, err
	}
	forward, err := newForwarder(o, own, m)
	if err != nil {
		return nil, err
	}
	h := &handler{zone: zone, apex: apex, forward: forward, metrics: m}
	if o.RecursionAvailable {
		h.bitRA = bitRA
	}
	if o.SetTruncateBit {
		h.bitTC = bitTC
	}
	return h, nil
}

// handle makes the reply to a packet. A question that has to be forwarded comes back as a query instead, for
// forwarded. Both nil: there is no reply. The reply may use dst; the packet is not used any more afterwards.
func (h *handler) handle(dst, packet []byte, udp bool, rotation rotation) (reply []byte, pending *query) {
	if reply := h.quick(dst, packet, udp, rotation); reply != nil {
		return reply, nil
	}
	return h.slow(packet, udp, rotation)
}

// quick is handle for what can be answered without allocating, locking or waiting. nil: that is not so; use slow.
func (h *handler) quick(dst, packet []byte, udp bool, rotation rotation) []byte {
	var buf [maxName]byte
	p, ok := readPlain(packet, buf[:0], udp)
	if !ok {
		return nil
	}
	v := h.view()
	return h.quickly(dst, packet, &p, v, v.snapshot.Lookup(p.name), rotation)
}

// quickly is quick for a question that was read and looked up.
func (h *handler) quickly(dst, packet []byte, p *plain, v view, node *records.Node, rotation rotation) []byte {
	reply := h.fast(dst, packet, p, v, node, rotation)
	if reply != nil {
		h.metrics.answered(p.qtype, int(reply[3]&maskRcode))
	}
	return reply
}

// slow is handle for everything else.
func (h *handler) slow(packet []byte, udp bool, rotation rotation) (reply []byte, pending *query) {
	q, reply := parse(packet, udp, rotation)
	if q == nil {
		if reply != nil {
			h.metrics.answered(dns.TypeNone, int(reply[3]&maskRcode))
		}
		return reply, nil
	}
	m := h.decide(q)
	if m == nil {
		return nil, q
	}
	return h.finish(q, m), nil
}

// decide makes the message that answers a query, nil if it has to be forwarded.
func (h *handler) decide(q *query) *dns.Msg {
	if q.opt != nil && q.opt.Version() != 0 {
		return q.reply(dns.RcodeBadVers) // RFC 6891, section 6.1.3
	}
	ready := h.zone.Ready()
	a := Decide(h.zone.Snapshot(), ready, q.question)
	var m *dns.Msg
	switch a.Result {
	case Forward:
		if h.forward == nil || !h.forward.serves(q) {
			return q.reply(dns.RcodeRefused)
		}
		cached := h.forward.cached(q)
		if cached == nil {
			return nil
		}
		return h.relay(q, cached)
	case Refused:
		m = q.reply(dns.RcodeRefused)
	case ServerFailure:
		m = q.reply(dns.RcodeServerFailure)
	default:
		m = q.answer(a, h.bitTC != 0)
	}
	m.RecursionAvailable = h.bitRA != 0
	return m
}

// forwarded asks the upstream servers and makes the reply to a query that handle gave back.
func (h *handler) forwarded(ctx context.Context, q *query) []byte {
	return h.finish(q, h.relay(q, h.forward.resolve(ctx, q)))
}

// overloaded is the reply to a query that there is no room to forward.
func (h *handler) overloaded(q *query) []byte { return h.finish(q, h.relay(q, nil)) }

// relay makes the reply to a query out of the answer to the same question; nil means that there is none.
// Mesos-DNS likewise hands on flags, rcode and records as they came.
func (h *handler) relay(q *query, upstream *dns.Msg) *dns.Msg {
	if upstream == nil {
		m := q.reply(dns.RcodeServerFailure)
		m.RecursionAvailable = true
		return m
	}
	m := q.reply(upstream.Rcode)
	m.Authoritative = upstream.Authoritative
	m.RecursionAvailable = upstream.RecursionAvailable
	m.AuthenticatedData = upstream.AuthenticatedData
	m.Truncated = upstream.Truncated
	m.Answer, m.Ns, m.Extra = upstream.Answer, upstream.Ns, upstream.Extra
	if q.overflows(m) {
		m.Extra = nil // not missed: no TC (RFC 2181, section 9)
	}
	if q.overflows(m) {
		if q.opt != nil {
			m.SetEdns0(maxUDPSize, false) // room for the one that pack adds; no size below 512 is heard
		}
		m.Truncate(q.limit)
		m.Extra = nil
		m.Compress = true
	}
	m.Truncated = m.Truncated && h.bitTC != 0
	return m
}

// finish packs a reply.
func (h *handler) finish(q *query, m *dns.Msg) []byte {
	reply, err := q.pack(m)
	if err != nil || len(reply) > q.limit {
		// What came from upstream may be beyond what the library can write.
		m = q.reply(dns.RcodeServerFailure)
		if reply, err = q.pack(m); err != nil {
			return nil
		}
	}
	h.metrics.answered(q.question.Type, m.Rcode)
	return reply
}
