package resolver

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

// forwarder has the questions for names outside the zone answered by upstream servers.
type forwarder struct {
	general []*upstream
	zones   map[string][]*upstream // by zone: lower case, with a dot at the end
	timeout time.Duration
	cache   *cache // nil: none
	flights singleflight.Group
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time
}

// newForwarder returns nil when there is nobody to forward to. own are the addresses on which this server listens.
func newForwarder(o Options, own []netip.AddrPort, m *metrics) (*forwarder, error) {
	if !o.Recursion {
		return nil, nil
	}
	f := &forwarder{zones: make(map[string][]*upstream), timeout: o.Timeout, metrics: m, log: o.Logger, now: time.Now}
	known := make(map[netip.AddrPort]*upstream) // a server's health is the same for all zones
	list := func(servers []netip.AddrPort) []*upstream {
		var out []*upstream
		for _, addr := range servers {
			if isSelf(addr, own) {
				o.Logger.Warn("not forwarding to this server itself", "upstream", addr)
				continue
			}
			if known[addr] == nil {
				known[addr] = newUpstream(addr, m)
			}
			out = append(out, known[addr])
		}
		return out
	}
	f.general = list(o.Upstreams)
	for zone, servers := range o.ZoneUpstreams {
		f.zones[dns.CanonicalName(zone)] = list(servers)
	}
	if len(known) == 0 {
		return nil, nil
	}
	var err error
	f.cache, err = newCache(o.CacheSize)
	return f, err
}

// upstreams are the servers for a name: those of the longest zone that it lies in, else the general ones.
func (f *forwarder) upstreams(name string) []*upstream {
	if len(f.zones) > 0 {
		name = strings.ToLower(name)
		for at, end := 0, false; !end; at, end = dns.NextLabel(name, at) {
			if servers, ok := f.zones[name[at:]]; ok {
				return servers
			}
		}
	}
	return f.general
}

// serves reports whether there is anybody to ask.
func (f *forwarder) serves(q *query) bool { return len(f.upstreams(q.msg.Question[0].Name)) > 0 }

// cached is the answer that is kept for a query, nil if there is none.
func (f *forwarder) cached(q *query) *dns.Msg {
	if f.cache == nil {
		return nil
	}
	answer := f.cache.get(keyOf(q), q.msg.Question[0].Name, f.now())
	if answer == nil {
		f.metrics.cacheMisses.Inc()
	} else {
		f.metrics.cacheHits.Inc()
	}
	return answer
}

// resolve asks the upstream servers. Whoever asks the same meanwhile gets the same answer. nil: nobody answered.
// The answer is shared and must not be changed.
func (f *forwarder) resolve(ctx context.Context, q *query) *dns.Msg {
	key := keyOf(q)
	shared, _, _ := f.flights.Do(key.String(), func() (any, error) {
		if f.cache == nil {
			return f.ask(ctx, q), nil
		}
		// An earlier flight may have landed since the question was not found there.
		if answer := f.cache.get(key, q.msg.Question[0].Name, f.now()); answer != nil {
			return answer, nil
		}
		answer := f.ask(ctx, q)
		if answer != nil {
			f.cache.put(key, answer, f.now())
		}
		return answer, nil
	})
	answer := shared.(*dns.Msg)
	if answer == nil {
		return nil
	}
	return respelled(answer, q.msg.Question[0].Name)
}

// ask asks the servers one after the other: first those that answered lately, then the others, each kind in the order
// of preference. A server that will not or cannot answer (SERVFAIL, REFUSED, NOTIMP) is passed over, but its reply is
// better than none.
func (f *forwarder) ask(ctx context.Context, q *query) *dns.Msg {
	var poor *dns.Msg
	for _, u := range inOrder(f.upstreams(q.msg.Question[0].Name), f.now()) {
		reply, err := u.exchange(ctx, f.question(q), q.udp, f.timeout)
		if ctx.Err() != nil {
			return nil
		}
		f.health(u, reply != nil, err)
		switch {
		case reply == nil:
		case passesOver(reply.Rcode):
			if poor == nil {
				poor = reply
			}
		default:
			return reply
		}
	}
	return poor
}

func passesOver(rcode int) bool {
	return rcode == dns.RcodeServerFailure || rcode == dns.RcodeRefused || rcode == dns.RcodeNotImplemented
}

// health notes whether a server answered, and says so in the log when that changes.
func (f *forwarder) health(u *upstream, answered bool, err error) {
	if !answered {
		u.failures.Inc()
		if u.failed(f.now()) {
			f.log.Warn("upstream server does not answer; asking others first", "upstream", u.addr, "err", err)
		}
		return
	}
	u.replies.Inc()
	if u.answered() {
		f.log.Info("upstream server answers again", "upstream", u.addr)
	}
}

// question is the message for an upstream server: the question as it was spelled, with an ID of its own. EDNS is
// between neighbours (RFC 6891, section 6.1.1): of the client's OPT record only what it says about DNSSEC goes on.
func (f *forwarder) question(q *query) *dns.Msg {
	m := new(dns.Msg)
	m.Id = dns.Id()
	m.RecursionDesired = q.msg.RecursionDesired
	m.CheckingDisabled = q.msg.CheckingDisabled
	m.AuthenticatedData = q.msg.AuthenticatedData // the client understands AD (RFC 6840, section 5.7)
	m.Question = q.msg.Question
	if q.opt != nil {
		m.SetEdns0(maxUDPSize, q.opt.Do())
	}
	return m
}
