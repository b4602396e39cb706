package resolver

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

// forwarder has the questions for names outside the zone answered by upstream servers. It does its work in goroutines of
// its own, which close ends: a client that has gone away does not keep others from the answer.
type forwarder struct {
	general *group
	zones   map[string]*group // by zone: lower case, with a dot at the end
	timeout time.Duration
	mixCase bool
	asCame  bool     // see question
	own     []string // our own zones, of which nobody else may tell us
	cache   *cache   // nil: none
	flights flights
	loops   loopProbes
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time
	// patience is how long to wait for a server before another one is asked as well.
	patience func(*upstream) time.Duration

	ctx        context.Context // of the background
	cancel     context.CancelFunc
	background sync.WaitGroup
}

// outcome is what became of a question. Its message is shared and not changed; nil: nobody answered.
type outcome struct {
	answer *dns.Msg
	reason extendedError // why there is no better one
}

// newForwarder returns nil when there is nobody to forward to. listening are the addresses on which this server listens,
// own are its zones.
func newForwarder(o Options, listening []netip.AddrPort, own []records.Apex, m *metrics) (*forwarder, error) {
	if !o.Recursion {
		return nil, nil
	}
	f := &forwarder{
		zones: make(map[string]*group), timeout: o.Timeout, mixCase: o.MixCase, asCame: !o.TCPFallback,
		metrics: m, log: o.Logger, now: time.Now, loops: newLoopProbes(),
		patience: (*upstream).patience,
	}
	for _, apex := range own {
		f.own = append(f.own, apex.Name)
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
				f.loops.add(known[addr])
			}
			g.servers = append(g.servers, known[addr])
		}
		return g
	}
	f.general = list(o.Upstreams)
	for zone, servers := range o.ZoneUpstreams {
		f.zones[dns.CanonicalName(zone)] = list(servers)
	}
	if len(known) == 0 {
		return nil, nil
	}
	var err error
	if f.cache, err = newCache(o.CacheSize); err != nil {
		return nil, err
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

// close ends what goes on in the background and waits for it. nil may be closed.
func (f *forwarder) close() {
	if f == nil {
		return
	}
	f.cancel()
	f.background.Wait()
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

// cached is the answer that is kept for a query, nil if there is none.
func (f *forwarder) cached(q *query) *dns.Msg {
	if f.cache == nil {
		return nil
	}
	answer := f.cache.get(f.key(q), q.msg.Question[0].Name, f.now())
	if answer == nil {
		f.metrics.cacheMisses.Inc()
	} else {
		f.metrics.cacheHits.Inc()
	}
	return answer
}

// resolve has a question answered by the upstream servers. Whoever asks the same meanwhile gets the same answer.
func (f *forwarder) resolve(ctx context.Context, q *query) outcome {
	key := f.key(q)
	on, first := f.flights.board(key.String())
	if first {
		asked := f.question(q)
		f.background.Go(func() { f.flights.land(key.String(), on, f.fly(key, asked)) })
	}
	result, ok := on.wait(ctx)
	if ok && result.answer != nil {
		result.answer = respelled(result.answer, q.msg.Question[0].Name)
	}
	return result
}

// question is what the upstream servers are asked for a query.
func (f *forwarder) question(q *query) question {
	return question{
		name: q.msg.Question[0].Name, qtype: q.question.Type, rd: q.msg.RecursionDesired, cd: q.msg.CheckingDisabled,
		do: q.do(), mixed: f.mixCase,
		asCame: f.asCame, tcp: f.asCame && !q.udp, edns: q.opt != nil,
	}
}

// fly answers one question for all who ask it.
func (f *forwarder) fly(key cacheKey, q question) outcome {
	if f.cache != nil {
		// An earlier flight may have landed since the question was not found there.
		if answer := f.cache.get(key, q.name, f.now()); answer != nil {
			return outcome{answer: answer}
		}
	}
	f.metrics.forwarding.waiting.Inc()
	defer f.metrics.forwarding.waiting.Dec()
	result := f.ask(f.ctx, q)
	if result.answer != nil && f.cache != nil {
		f.cache.put(key, result.answer, f.now())
	}
	return result
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
// from when it was first asked. A server that will
// not or cannot answer (SERVFAIL, REFUSED, NOTIMP) is passed over, but its reply is better than none.
func (f *forwarder) ask(ctx context.Context, q question) outcome {
	g := f.group(q.name)
	order := g.order(f.now())
	if len(order) == 0 {
		return outcome{reason: extendedError{dns.ExtendedErrorCodeNotReady, "all upstream servers ask this server in turn"}}
	}
	if !g.enter(order) {
		f.metrics.forwarding.rejected.Inc()
		return outcome{reason: extendedError{dns.ExtendedErrorCodeNoReachableAuthority, "no upstream server answers"}}
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
			result, good := f.judge(a, q)
			if good {
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
func (f *forwarder) judge(a *attempt, q question) (_ outcome, good bool) {
	if a.err != nil {
		if f.ctx.Err() == nil {
			f.silent(a, a.took)
		}
		return outcome{reason: reasonOf(a)}, false
	}
	if a.server.answered(a.took) {
		f.log.Info("upstream server answers again", "upstream", a.server.addr)
	}
	if a.reply.Truncated && !q.asCame {
		return outcome{answer: a.reply, reason: extendedError{dns.ExtendedErrorCodeNetworkError,
			a.server.addr.String() + " cannot be asked over TCP"}}, false
	}
	if err := keepRelevant(a.reply, f.own, q.do); err != nil {
		return outcome{reason: extendedError{dns.ExtendedErrorCodeInvalidData, a.server.addr.String() + ": " + err.Error()}}, false
	}
	switch a.reply.Rcode {
	case dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNotImplemented:
		return outcome{answer: a.reply, reason: extendedError{dns.ExtendedErrorCodeNetworkError,
			a.server.addr.String() + " answers " + dns.RcodeToString[a.reply.Rcode]}}, false
	}
	return outcome{answer: a.reply}, true
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
			ctx, cancel := context.WithTimeout(f.ctx, f.timeout)
			defer cancel()
			_, err := u.exchange(ctx, q, f.now)
			took := time.Since(begin)
			switch {
			case f.ctx.Err() != nil:
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
			ctx, cancel := context.WithTimeout(f.ctx, f.timeout)
			defer cancel()
			u.exchange(ctx, probe, f.now) //nolint:errcheck // what matters is whether it comes back
		})
	}
}
