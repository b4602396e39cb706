package resolver

import (
	"strings"

	"github.com/miekg/dns"
)

// chaos is the reply to a question of class CHAOS about this server itself (RFC 4892), nil where there is nothing to
// say: names that are not known, and what the options do not tell.
func (h *handler) chaos(q *query) *dns.Msg {
	asked := q.msg.Question[0]
	told := h.settings.Load().options
	var text string
	switch strings.ToLower(asked.Name) {
	case "version.bind.", "version.server.":
		text = told.ServerVersion
	case "hostname.bind.", "id.server.":
		text = told.ServerID
	}
	if text == "" {
		return nil
	}
	m := q.reply(dns.RcodeSuccess)
	m.Authoritative = true
	if asked.Qtype == dns.TypeTXT || asked.Qtype == dns.TypeANY {
		m.Answer = []dns.RR{&dns.TXT{
			Hdr: dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS},
			Txt: []string{text},
		}}
	}
	return m
}
