package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"
)

// handler makes replies out of packets. It may be used by many goroutines at once.
type handler struct {
	zone     Zone
	apex     []byte // the zone's, in wire format
	metrics  *metrics
	settings atomic.Pointer[settings] // replaced by reconfigure; loaded once for a step that needs several of them
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
	h := &handler{zone: zone, apex: apex, metrics: m}
	if err := h.reconfigure(o, own); err != nil {
		return nil, err
	}
	return h, nil
}

// handle makes the reply to a packet. A question that has to be forwarded comes back as a query instead, for
// forwarded. Both nil: there is no reply. The reply may use dst; the packet is not used any more afterwards.
func (h *handler) handle(dst, packet []byte, udp bool, rotation rotation) (reply []byte, pending *query) {
	if reply := h.fast(dst, packet, udp, rotation); reply != nil {
		h.metrics.answered(replyType(reply), int(reply[3]&maskRcode))
		return reply, nil
	}
	return h.slow(packet, udp, rotation)
}

// slow is handle without the fast path.
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
	set := h.settings.Load()
	ready := h.zone.Ready()
	a := Decide(h.zone.Snapshot(), ready, q.question)
	var m *dns.Msg
	switch a.Result {
	case Forward:
		if set.forward == nil || !set.forward.serves(q) {
			return q.reply(dns.RcodeRefused)
		}
		cached := set.forward.cached(q)
		if cached == nil {
			return nil
		}
		return h.relay(q, cached)
	case Refused:
		m = q.reply(dns.RcodeRefused)
	case ServerFailure:
		m = q.reply(dns.RcodeServerFailure)
	default:
		m = q.answer(a, set.bitTC != 0)
	}
	m.RecursionAvailable = set.bitRA != 0
	return m
}

// forwarded asks the upstream servers and makes the reply to a query that handle gave back.
func (h *handler) forwarded(ctx context.Context, q *query) []byte {
	forward := h.settings.Load().forward
	if forward == nil { // since handle gave it back
		return h.overloaded(q)
	}
	return h.finish(q, h.relay(q, forward.resolve(ctx, q)))
}

// overloaded is the reply to a query that there is no room to forward, or nobody to forward to any more.
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
	m.Truncated = m.Truncated && h.settings.Load().bitTC != 0
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

// replyType is the type that the question of a fast reply asks for.
func replyType(reply []byte) uint16 {
	at := headerLen
	for reply[at] != 0 {
		at += 1 + int(reply[at])
	}
	return uint16(reply[at+1])<<8 | uint16(reply[at+2])
}
