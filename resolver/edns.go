package resolver

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

// paddingBlock is what padded replies are a multiple of, in octets (RFC 8467, section 4.1).
const paddingBlock = 468

// ednsOptions deals with the options of a query that has an OPT record: it notes those of the reply, and whether the
// client is where it says it is. The result is the rcode that the options call for. Options that are not known, or make
// no sense where they stand, are ignored (RFC 6891, section 6.1.2).
func (h *handler) ednsOptions(q *query) int {
	settings := h.settings.Load()
	for _, option := range q.asked {
		switch option.code {
		case dns.EDNS0COOKIE:
			if settings.cookies.policy == CookiesOff || q.hasCookie {
				continue // of several the first counts (RFC 7873, section 5.2)
			}
			c, ok := parseCookie(option.data)
			if !ok {
				return dns.RcodeFormatError // RFC 7873, section 5.2.2
			}
			good, renew := settings.cookies.check(c, q.addr)
			q.hasCookie, q.verified = true, q.verified || good
			q.options = append(q.options, settings.cookies.give(c, q.addr, renew))
			// A message that is about the cookie only is told when the cookie is bad (RFC 7873, section 5.4).
			wanted := settings.cookies.policy == CookiesRequired || len(q.msg.Question) == 0 && len(c.server) > 0
			if wanted && !good && q.udp {
				return dns.RcodeBadCookie
			}
		case dns.EDNS0TCPKEEPALIVE:
			if !q.udp && !q.https { // RFC 7828, section 3.2.1; HTTP sees to its connections itself
				q.options = append(q.options, &dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE,
					Timeout: uint16(h.idle / (100 * time.Millisecond))})
			}
		case dns.EDNS0NSID:
			if id := settings.options.ServerID; id != "" {
				q.options = append(q.options, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: hex.EncodeToString([]byte(id))})
			}
		case dns.EDNS0PADDING:
			q.padded = q.encrypted // on a wire that anybody reads it would hide nothing (RFC 7830, section 6)
		}
	}
	return dns.RcodeSuccess
}

// tellVersion answers the option ZONEVERSION with the serial of the zone that the answer is from (RFC 9660).
func (q *query) tellVersion(apex *records.Apex) {
	if !q.asks(dns.EDNS0ZONEVERSION) {
		return
	}
	const serialType = 0 // of RFC 9660, section 7.2.2
	data := []byte{byte(dns.CountLabel(apex.Name)), serialType}
	q.options = append(q.options, &dns.EDNS0_LOCAL{Code: dns.EDNS0ZONEVERSION, Data: binary.BigEndian.AppendUint32(data, apex.Serial)})
}

// tellExpiry answers the option EXPIRE of those who ask for the SOA record or a transfer: here is the primary, where no
// time has passed (RFC 7314, section 3.2).
func (q *query) tellExpiry(s *records.Snapshot, apex *records.Apex) {
	t := q.question.Type
	if !q.asks(dns.EDNS0EXPIRE) || t != dns.TypeSOA && t != dns.TypeAXFR && t != dns.TypeIXFR {
		return
	}
	soa := s.LookupName(apex.Name).RRset(records.TypeSOA).SOA()
	q.options = append(q.options, &dns.EDNS0_EXPIRE{Code: dns.EDNS0EXPIRE, Expire: soa.Expire})
}

// asks reports whether the query has an option that is asked without a value.
func (q *query) asks(code uint16) bool {
	return slices.ContainsFunc(q.asked, func(o ednsOption) bool { return o.code == code && len(o.data) == 0 })
}

// optRecord is the OPT record of the reply. What the client asked about DNSSEC is copied (RFC 3225, section 3).
func (q *query) optRecord() *dns.OPT {
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}, Option: q.options}
	opt.SetUDPSize(maxUDPSize)
	opt.SetDo(q.opt.Do())
	return opt
}

// pad fills up a reply, whose last record is the OPT record, to a length that says little about what is in it.
func (q *query) pad(reply *dns.Msg, opt *dns.OPT) {
	const header = 4 // of an option
	length := reply.Len() + header
	padding := min((paddingBlock-length%paddingBlock)%paddingBlock, max(q.limit-length, 0))
	opt.Option = append(opt.Option, &dns.EDNS0_PADDING{Padding: make([]byte, padding)})
}
