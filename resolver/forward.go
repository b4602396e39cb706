package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// forwarder has the questions for names outside the zone answered by upstream servers. It does its work in goroutines of
// its own: a client that has gone away does not keep others from the answer.
type forwarder struct {
	general *group
	zones   map[string]*group // by zone: lower case, with a dot at the end
	timeout time.Duration
	mixCase bool
	asCame  bool           // see question
	allowed []netip.Prefix // who may ask
	zone    Zone           // of our own zones nobody else may tell us
	flights flights
	loops   loopProbes

	cache     *cache        // nil: none
	prefetch  bool          // answers that are asked for are renewed before their time is over
	refreshes chan struct{} // one element for each that is being renewed
	staleWait time.Duration // for a newer answer than a stale one

	metrics *metrics
	log     *slog.Logger
	now     func() time.Time
	// patience is how long to wait for a server before another one is asked as well.
	patience func(*upstream) time.Duration

	background *background
}

// outcome is what asking the servers came to.
type outcome struct {
	answer   *dns.Msg // nil: nobody answered
	reason   extendedError
	good     bool // it is an answer; else the reason says why there is no better one
	rejected bool // nobody was asked
}

const (
	// maxRefreshes is how many answers are renewed at one time before their time is over.
	maxRefreshes = 32
	// staleWait is how long a client waits when there is an answer, but a stale one (RFC 8767, section 5: 1.8 seconds,
	// just below the shortest timeout of clients).
	staleWait = 1800 * time.Millisecond
)

// background are goroutines that end with the server. Forwarders share one, so that none ends what another has begun.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc
	sync.WaitGroup

	makeRoom func() // see dialer
}

func newBackground(makeRoom func()) *background {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{ctx: ctx, cancel: cancel, makeRoom: makeRoom}
}

// newForwarder returns nil when there is nobody to forward to. listening are the addresses on which this server listens,
// zone are its zones.
func newForwarder(o Options, listening []netip.AddrPort, zone Zone, b *background, m *metrics) (*forwarder, error) {
	if !o.Recursion {
		return nil, nil
	}
	f := &forwarder{
		zones: make(map[string]*group), timeout: o.Timeout, mixCase: o.MixCase, asCame: !o.TCPFallback,
		metrics: m, log: o.Logger, now: time.Now, loops: newLoopProbes(),
		patience: (*upstream).patience, allowed: o.RecursionFrom, prefetch: o.Prefetch,
		refreshes: make(chan struct{}, maxRefreshes), staleWait: staleWait, zone: zone, background: b,
	}
	known := make(map[netip.AddrPort]*upstream) // a server's health is the same for all zones
	list := func(servers []netip.AddrPort) *group {
		g := new(group)
		for _, addr := range servers {
			if isSelf(addr, listening) {
				o.Logger.Warn("not forwarding to this server itself", "upstream", addr)
				continue
			}
			if known[addr] == nil {
				known[addr] = newUpstream(addr, m)
				known[addr].dialer.makeRoom = b.makeRoom
				if name, secure := o.SecureUpstreams[addr]; secure {
					known[addr].secure = newSecureLink(addr, name, o.UpstreamAuthorities, known[addr].dialer)
				}
				f.loops.add(known[addr])
			}
			g.servers = append(g.servers, known[addr])
		}
		return g
	}
	f.general = list(o.Upstreams)
	for zone, servers := range o.ZoneUpstreams {
		f.zones[dns.CanonicalName(zone)] = list(servers)
		f.zones[dns.CanonicalName(zone)].limit = int32(max(o.MaxForwards/2, 1))
		f.general.limit = int32(max(o.MaxForwards/2, 1))
	}
	if len(known) == 0 {
		return nil, nil
	}
	var err error
	if f.cache, err = newCache(o.CacheSize, o.MaxStale); err != nil {
		return nil, err
	}
	return f, nil
}

// close ends what goes on in the background and waits for it. There must be no questions any more.
func (h *handler) close() {
	h.background.cancel()
	h.background.Wait()
	if forward := h.settings.Load().forward; forward != nil {
		for _, u := range forward.loops.servers {
			if u.secure != nil {
				u.secure.close()
			}
		}
	}
}

// ownZones are the names of our own zones.
func (f *forwarder) ownZones() (names []string) {
	for _, apex := range f.zone.Snapshot().Apexes() {
		names = append(names, apex.Name)
	}
	return names
}

// group are the servers for a name: those of the longest zone that it lies in, else the general ones.
func (f *forwarder) group(name string) *group {
	if len(f.zones) > 0 {
		name = strings.ToLower(name)
		for at, end := 0, false; !end; at, end = dns.NextLabel(name, at) {
			if g, ok := f.zones[name[at:]]; ok {
				return g
			}
		}
	}
	return f.general
}

// serves reports whether there is anybody to ask.
func (f *forwarder) serves(q *query) bool {
	name := q.msg.Question[0].Name
	if f.loops.cameBack(name, f.now(), f.log) {
		return false
	}
	return len(f.group(name).servers) > 0
}

// key is the key of a query's answer.
func (f *forwarder) key(q *query) []byte {
	flags := f.keyFlags(q.msg.RecursionDesired, q.msg.CheckingDisabled, q.do(), q.udp, q.opt != nil)
	return appendKey(nil, q.question.Name, q.question.Type, flags)
}

// do reports whether the client wants records for DNSSEC (RFC 3225).
func (q *query) do() bool { return q.opt != nil && q.opt.Do() }

// cached is the answer that is kept for a query, nil if it has to be asked for.
func (f *forwarder) cached(q *query) (*dns.Msg, extendedError) {
	now := f.now()
	k := f.cache.lookup(f.key(q), now)
	if k == nil || k.age(now) >= k.ttl && now.Unix() >= k.retryAt.Load() {
		if f.cache != nil {
			f.metrics.cacheMisses.Inc()
		}
		return nil, extendedError{}
	}
	age := k.age(now)
	f.served(k, age, now)
	return k.cached(q, age)
}

// cached is an answer of a certain age for the slow path.
func (k *kept) cached(q *query, age uint32) (*dns.Msg, extendedError) {
	patch, reason := func(wire []byte) { k.patch(wire, age) }, k.reason
	if age >= k.ttl {
		patch = k.patchStale
		reason, _ = k.stale()
	}
	m := k.message(q.msg.Question[0].Name, patch)
	m.Authoritative = false // RFC 1034, section 6.2.1
	return m, reason
}

// stale is an answer to a query that is past its time, nil if there is none.
func (f *forwarder) stale(q *query) (*dns.Msg, extendedError) {
	now := f.now()
	k := f.cache.lookup(f.key(q), now)
	if k == nil || k.isFailure() {
		return nil, extendedError{}
	}
	f.metrics.forwarding.stale.Inc()
	return k.cached(q, max(k.age(now), k.ttl))
}

// resolve has a query answered by the upstream servers. Whoever asks the same meanwhile gets the same answer. When none
// comes, or not soon enough, a stale answer is used if there is one (RFC 8767). nil: the server ends.
func (f *forwarder) resolve(ctx context.Context, q *query) (*dns.Msg, extendedError) {
	key := f.key(q)
	on, first := f.flights.board(string(key))
	if first {
		asked := f.question(q)
		f.background.Go(func() { f.flights.land(string(key), on, f.fly(key, asked, nil)) })
	}
	waiting := ctx
	if old := f.cache.lookup(key, f.now()); old != nil && !old.isFailure() {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, f.staleWait)
		defer cancel()
	}
	result, landed := on.wait(waiting)
	if !landed || result.poor {
		if m, reason := f.stale(q); m != nil {
			return m, reason
		}
	}
	switch k := result.answer; {
	case k == nil:
		return nil, extendedError{}
	case result.cached:
		return k.cached(q, k.age(f.now()))
	default:
		return k.message(q.msg.Question[0].Name, func([]byte) {}), k.reason
	}
}

// question is what the upstream servers are asked for a query.
func (f *forwarder) question(q *query) question {
	return question{
		name: q.msg.Question[0].Name, qtype: q.question.Type, rd: q.msg.RecursionDesired, cd: q.msg.CheckingDisabled,
		do: q.do(), mixed: f.mixCase, asCame: f.asCame, tcp: f.asCame && !q.udp, edns: q.opt != nil,
	}
}

// refresh has a newer answer asked for while the old one is still good. When too much of that goes on already, the
// answer is asked for when it is over.
func (f *forwarder) refresh(old *kept) {
	select {
	case f.refreshes <- struct{}{}:
	default:
		old.refreshing.Store(false)
		return
	}
	f.metrics.forwarding.prefetches.Inc()
	f.background.Go(func() {
		defer func() { <-f.refreshes }()
		if on, first := f.flights.board(string(old.key)); first {
			f.flights.land(string(old.key), on, f.fly(old.key, f.questionOf(old), old))
		}
	})
}

// questionOf is the question that an answer belongs to.
func (f *forwarder) questionOf(k *kept) question {
	flags := k.key[len(k.key)-1]
	name, _, err := dns.UnpackDomainName(k.key, 0)
	if err != nil {
		name = "." // cannot be: it was read from a message
	}
	return question{
		name: name, qtype: binary.BigEndian.Uint16(k.key[len(k.key)-keyTail:]), rd: flags&keyRD != 0, cd: flags&keyCD != 0,
		do: flags&keyDO != 0, mixed: f.mixCase, asCame: f.asCame, tcp: f.asCame && flags&keyUDP == 0, edns: flags&keyEDNS != 0,
	}
}

// fly answers one question for all who ask it. old is an answer that is to be renewed, nil for none.
func (f *forwarder) fly(key []byte, q question, old *kept) landing {
	// An earlier flight may have landed since the question was not found there.
	now := f.now()
	if k := f.cache.lookup(key, now); k != nil && k != old && k.age(now) < k.ttl {
		return landing{answer: k, cached: true}
	}
	f.metrics.forwarding.waiting.Inc()
	defer f.metrics.forwarding.waiting.Dec()
	result := f.follow(f.background.ctx, q)
	if f.background.ctx.Err() != nil {
		return landing{}
	}
	return f.keep(key, q, result)
}

// keep makes an answer of what asking came to, and keeps it if it may be kept.
func (f *forwarder) keep(key []byte, q question, result outcome) landing {
	now := f.now()
	var k *kept
	if result.answer != nil {
		var err error
		if k, err = newKept(key, q.name, q.qtype, result.answer, result.reason, now); err != nil {
			result.good, result.reason = false, extendedError{dns.ExtendedErrorCodeInvalidData, "the answer cannot be written: " + err.Error()}
		}
	}
	if k == nil {
		k = newFailure(key, q.name, q.qtype, result.reason, now)
	}
	if result.good {
		f.cache.put(k)
		return landing{answer: k}
	}
	if old := f.cache.lookup(key, now); old != nil && !old.isFailure() {
		old.retryAt.Store(now.Add(staleRetry * time.Second).Unix())
	} else if k.isFailure() && !result.rejected {
		k.ttl = failureTTL
		f.cache.put(k)
	}
	return landing{answer: k, poor: true}
}

// attempt is a server that has been asked, and what it replied.
type attempt struct {
	server *upstream
	start  time.Time
	reply  *dns.Msg
	err    error
	took   time.Duration
	ended  bool
}

// ask asks the servers, the fastest first. One that takes longer than it should, or fails, does not hold up the question:
// the next one is asked as well, after the last one the first again, and the first good reply counts. Each has the timeout
// from when it was first asked. A server that will not or cannot answer is passed over, but its reply is better than none.
func (f *forwarder) ask(ctx context.Context, q question) outcome {
	g := f.group(q.name)
	order := g.order(f.now())
	if len(order) == 0 {
		return outcome{reason: extendedError{dns.ExtendedErrorCodeNotReady, "all upstream servers ask this server in turn"}}
	}
	if !g.enter(order) {
		f.metrics.forwarding.rejected.Inc()
		return outcome{reason: extendedError{dns.ExtendedErrorCodeNoReachableAuthority, "too many questions wait, or no upstream server answers"}, rejected: true}
	}
	defer g.leave()
	f.tryOut(g, order, q)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the attempts that are not needed any more
	results := make(chan *attempt, 2*len(order))
	var attempts []*attempt
	ends := make(map[*upstream]context.Context, len(order)) // of waiting for a server
	running := 0
	overdue := time.NewTimer(0) // then the next server is asked
	defer overdue.Stop()
	start := func() {
		u := order[len(attempts)%len(order)]
		a := &attempt{server: u, start: f.now()}
		attempts = append(attempts, a)
		running++
		overdue.Reset(f.patience(u))
		u.asked(a.start)
		if ends[u] == nil {
			var cancel context.CancelFunc
			ends[u], cancel = context.WithTimeout(ctx, f.timeout)
			context.AfterFunc(ctx, cancel)
		}
		until := ends[u]
		f.background.Go(func() {
			begin := time.Now()
			a.reply, a.err = u.exchange(until, q, f.now)
			a.took = time.Since(begin)
			results <- a
		})
	}
	var poor outcome
	start()
	for running > 0 {
		// Each server is asked twice at most, and the second time only because packets get lost.
		select {
		case <-overdue.C:
			if len(attempts) < 2*len(order) {
				start()
			}
			continue
		case a := <-results:
			running--
			a.ended = true
			result := f.judge(a, q)
			if result.good {
				f.late(attempts)
				return result
			}
			if poor.answer == nil && (result.answer != nil || poor.reason.text == "") {
				poor = result
			}
		}
		if ctx.Err() == nil && len(attempts) < len(order) {
			start()
		}
	}
	return poor
}

// judge says what a reply is worth, and notes how the server does.
func (f *forwarder) judge(a *attempt, q question) outcome {
	if a.err != nil {
		if f.background.ctx.Err() == nil && !isLack(a.err) {
			f.silent(a, a.took)
		}
		return outcome{reason: reasonOf(a)}
	}
	if a.server.answered(a.took) {
		f.log.Info("upstream server answers again", "upstream", a.server.addr)
	}
	told := explanation(a.server.addr.String(), a.reply)
	withoutOPT(a.reply)
	if a.reply.Truncated && !q.asCame {
		result := outcome{reason: extendedError{dns.ExtendedErrorCodeNetworkError, a.server.addr.String() + " cannot be asked over TCP"}}
		if len(a.reply.Answer) > 0 { // without, it would say that there is nothing
			result.answer = a.reply
		}
		return result
	}
	if err := keepRelevant(a.reply, f.ownZones(), q.do); err != nil {
		return outcome{reason: extendedError{dns.ExtendedErrorCodeInvalidData, a.server.addr.String() + ": " + err.Error()}}
	}
	if a.reply.Rcode > maskRcode { // about EDNS, which is between us and the server
		return outcome{reason: told}
	}
	if !isAnswer(a.reply.Rcode) {
		return outcome{answer: a.reply, reason: told}
	}
	if q.rd && isReferral(a.reply) {
		return outcome{answer: a.reply, reason: extendedError{dns.ExtendedErrorCodeNetworkError,
			a.server.addr.String() + " knows only whom else to ask"}}
	}
	return outcome{answer: a.reply, good: true}
}

// late notes which servers were overtaken by another that was asked after them.
func (f *forwarder) late(attempts []*attempt) {
	for _, a := range attempts {
		if waited := f.now().Sub(a.start); !a.ended && waited >= f.patience(a.server) {
			f.silent(a, waited)
		}
	}
}

// silent notes that a server did not answer, and says so in the log when that is new.
func (f *forwarder) silent(a *attempt, waited time.Duration) {
	if a.server.unansweredFor(waited, isGone(a.err), f.now()) {
		f.log.Warn("upstream server does not answer; asking others first", "upstream", a.server.addr, "err", reasonOf(a).text)
	}
}

// reasonOf says why an attempt failed.
func reasonOf(a *attempt) extendedError {
	err := a.err
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = errSilent
	}
	return extendedError{dns.ExtendedErrorCodeNoReachableAuthority, a.server.addr.String() + ": " + err.Error()}
}

// tryOut asks, beside the server that the answer is expected of, another one to see how it does, and sees whether
// questions to the first come back to us. Nobody waits for that.
func (f *forwarder) tryOut(g *group, order []*upstream, q question) {
	now := f.now()
	if u := g.explore(order, now); u != nil {
		u.asked(now)
		f.background.Go(func() {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(f.background.ctx, f.timeout)
			defer cancel()
			_, err := u.exchange(ctx, q, f.now)
			took := time.Since(begin)
			switch {
			case f.background.ctx.Err() != nil || isLack(err):
			case err != nil:
				f.silent(&attempt{server: u, err: err}, took)
			case u.answered(took):
				f.log.Info("upstream server answers again", "upstream", u.addr)
			}
		})
	}
	if u := order[0]; u.takesProbe(now) {
		f.background.Go(func() {
			probe := question{name: f.loops.name(u), qtype: dns.TypeTXT, rd: true}
			ctx, cancel := context.WithTimeout(f.background.ctx, f.timeout)
			defer cancel()
			if _, err := u.exchange(ctx, probe, f.now); err != nil {
				u.lostProbe(f.now())
			}
		})
	}
}
