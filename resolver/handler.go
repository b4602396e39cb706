package resolver

import (
	"context"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

// handler makes replies out of packets. It may be used by many goroutines at once.
type handler struct {
	zone     Zone
	apex     []byte // the domain's, in wire format
	metrics  *metrics
	settings atomic.Pointer[settings] // replaced by reconfigure; loaded once for a step that needs several of them

	keys      keyring // for TSIG
	transfers Transfer
	idle      time.Duration // that a TCP connection may be

	background *background // of forwarders, those that were replaced included
}

// newHandler registers the metrics as well. own are the addresses on which the server listens; makeRoom is for questions to
// others when no more files may be open.
func newHandler(zone Zone, o Options, own []netip.AddrPort, makeRoom func()) (*handler, error) {
	m, err := newMetrics(zone, o.Registry)
	if err != nil {
		return nil, err
	}
	h := &handler{zone: zone, apex: []byte(zone.Snapshot().Apexes()[0].Wire()), metrics: m, background: newBackground(makeRoom),
		keys: newKeyring(o.Transfer.Keys), transfers: o.Transfer, idle: idleTimeout}
	if err := h.reconfigure(o, own); err != nil {
		return nil, err
	}
	return h, nil
}

// handle makes the reply to a packet. A question that has to be forwarded, or is answered by a transfer, comes back as a
// query instead, for forwarded or transferred. Both nil: there is no reply. The reply may use dst; the packet is not used
// any more afterwards.
func (h *handler) handle(dst, packet []byte, from client, rotation rotation) (reply []byte, pending *query) {
	if reply := h.quick(dst, packet, from, rotation); reply != nil {
		return reply, nil
	}
	return h.slow(packet, from, rotation)
}

// quick is handle for what can be answered without allocating or waiting. nil: that is not so; use slow.
func (h *handler) quick(dst, packet []byte, from client, rotation rotation) []byte {
	var buf [maxName]byte
	p, ok := h.readPlain(packet, buf[:0], from)
	if !ok {
		return nil
	}
	v := h.view()
	reply := h.quickly(dst, packet, &p, v, v.snapshot.Lookup(p.name), rotation)
	if reply != nil {
		h.metrics.answered(p.qtype, int(reply[3]&maskRcode))
	}
	return reply
}

// quickly is quick for a question that was read and looked up. The caller counts the answer.
func (h *handler) quickly(dst, packet []byte, p *plain, v view, node *records.Node, rotation rotation) []byte {
	reply := h.fast(dst, packet, p, v, node, rotation)
	if reply == nil && node == nil && v.snapshot.ApexOf(p.name) == nil {
		reply = h.settings.Load().forward.fast(dst, packet, p)
	}
	return reply
}

// slow is handle for everything else.
func (h *handler) slow(packet []byte, from client, rotation rotation) (reply []byte, pending *query) {
	began := time.Now()
	q, reply := parse(packet, from, h.settings.Load().sizes, rotation)
	if q == nil {
		if reply != nil {
			h.metrics.answered(dns.TypeNone, headerRcode(reply))
		}
		return reply, nil
	}
	q.signature = h.keys.check(q, packet)
	m := h.decide(q)
	if m == nil {
		q.began = began
		return nil, q
	}
	reply = h.finish(q, m)
	h.metrics.times.slow.observe(time.Since(began), 1)
	return reply, nil
}

// decide makes the message that answers a query, nil if it has to be forwarded, or is a transfer that may begin.
func (h *handler) decide(q *query) *dns.Msg {
	if s := q.signature; s != nil && s.badSize {
		q.signature = nil
		return q.reply(dns.RcodeFormatError) // RFC 8945, section 5.2.2.1
	} else if s != nil && s.err != 0 {
		return q.reply(dns.RcodeNotAuth) // RFC 8945, section 5.2
	}
	if q.opt != nil {
		if q.opt.Version() != 0 {
			return q.reply(dns.RcodeBadVers) // RFC 6891, section 6.1.3
		}
		if rcode := h.ednsOptions(q); rcode != dns.RcodeSuccess || len(q.msg.Question) == 0 {
			return q.reply(rcode)
		}
	}
	switch {
	case q.msg.Opcode == dns.OpcodeNotify:
		return h.notified(q)
	case q.isTransfer():
		return h.transfer(q)
	}
	if q.question.Class == dns.ClassCHAOS {
		if m := h.chaos(q); m != nil {
			return m
		}
	}
	set := h.settings.Load()
	ready := h.zone.Ready()
	a := Decide(h.zone.Snapshot(), ready, q.question)
	var m *dns.Msg
	switch a.Result {
	case Forward:
		if set.forward == nil || !set.forward.serves(q) {
			q.explain(notAuthoritative)
			return q.relayed(dns.RcodeRefused)
		}
		if !set.forward.allows(q.client) {
			h.metrics.forwarding.refused.Inc()
			q.explain(notAllowed)
			return q.relayed(dns.RcodeRefused)
		}
		cached, reason := set.forward.cached(q)
		if cached == nil {
			return nil
		}
		return h.relay(q, cached, reason)
	case Refused:
		m = q.reply(dns.RcodeRefused)
	case ServerFailure:
		q.explain(zoneNotReady)
		m = q.reply(dns.RcodeServerFailure)
	case NotImplemented:
		m = q.reply(dns.RcodeNotImplemented)
	case FormatError:
		m = q.reply(dns.RcodeFormatError)
	default:
		q.tellVersion(a.apex)
		q.tellExpiry(a.snapshot, a.apex)
		m = q.answer(a, set.selector, set.bitTC != 0)
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
	m, reason := forward.resolve(ctx, q)
	reply := h.finish(q, h.relay(q, m, reason))
	h.metrics.times.forwarded.observe(time.Since(q.began), 1)
	return reply
}

// overloaded is the reply to a query that there is no room to forward, or nobody to forward to any more.
func (h *handler) overloaded(q *query) []byte {
	var m *dns.Msg
	reason := extendedError{dns.ExtendedErrorCodeNotReady, "too many questions wait for upstream servers"}
	if forward := h.settings.Load().forward; forward != nil {
		if stale, why := forward.stale(q); stale != nil {
			m, reason = stale, why
		}
	}
	return h.finish(q, h.relay(q, m, reason))
}

// relay makes the reply to a query out of the answer to the same question; nil means that there is none. reason says why
// there is no better one.
// Mesos-DNS likewise hands on flags, rcode and records as they came.
func (h *handler) relay(q *query, upstream *dns.Msg, reason extendedError) *dns.Msg {
	q.explain(reason)
	if upstream == nil {
		m := q.relayed(dns.RcodeServerFailure)
		m.RecursionAvailable = true
		return m
	}
	m := q.relayed(upstream.Rcode)
	m.Authoritative = upstream.Authoritative
	m.RecursionAvailable = upstream.RecursionAvailable
	m.AuthenticatedData = upstream.AuthenticatedData && (q.msg.AuthenticatedData || q.do()) // RFC 6840, section 5.8
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

// verified reports whether a packet shows that its sender is where it says it is, which nobody else can do in its name
// (RFC 7873): replies to it need no limit for the sake of others. Over anything but UDP that is so anyway.
func (h *handler) verified(packet []byte, from client) bool {
	if !from.udp {
		return true
	}
	if len(packet) < headerLen || binary.BigEndian.Uint16(packet[10:]) == 0 {
		return false // without additional records there is no cookie
	}
	q, _ := parse(packet, from, h.settings.Load().sizes, 0)
	return q != nil && q.opt != nil && q.opt.Version() == 0 && h.ednsOptions(q) == dns.RcodeSuccess && q.verified
}

// finish packs a reply.
func (h *handler) finish(q *query, m *dns.Msg) []byte {
	reply, err := q.pack(m)
	if err != nil || len(reply) > q.limit {
		// What came from upstream may be beyond what the library can write.
		m = q.relayed(dns.RcodeServerFailure)
		if reply, err = q.pack(m); err != nil {
			return nil // cannot be: what was read can be written
		}
	}
	h.metrics.answered(q.question.Type, m.Rcode)
	return reply
}
