package resolver

import (
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// downFor is how long a server that does not answer is asked last. After that it gets a question beside another
	// server, so that nobody waits to find out whether it is back.
	downFor = 10 * time.Second
	// downAfter is how many questions in a row a server may leave without a reply: packets get lost.
	downAfter = 2

	// How long one server is waited for before the next one is asked as well: as TCP times its retransmissions
	// (RFC 6298), from what the server took so far, within these bounds. The lower one keeps a server in the same rack
	// from being given up for a pause of its scheduler; a name that has to be looked up all over the world takes less than
	// the upper one.
	minPatience   = 100 * time.Millisecond
	maxPatience   = time.Second
	firstPatience = 400 * time.Millisecond // of a server about which nothing is known

	// near is a latency below which servers are as good as each other.
	near = 10 * time.Millisecond

	// withoutEDNSFor is how long a server that does not understand EDNS is asked without.
	withoutEDNSFor = 10 * time.Minute
)

// upstream is a server that questions are forwarded to, and what is known of it. It is the same for all zones that it
// serves.
type upstream struct {
	addr   netip.AddrPort
	secure *secureLink // nil: it is asked in the clear
	dialer *dialer

	mu          sync.Mutex
	measured    bool
	latency     time.Duration // smoothed, and how far replies are from it
	deviation   time.Duration
	unanswered  int       // questions in a row
	down        bool      // it does not answer
	downUntil   time.Time // then it is tried again
	loopUntil   time.Time // its questions come back to us until then
	probed      time.Time // when it was last asked whether they do
	withoutEDNS time.Time // until then it is asked without
	lastAsked   time.Time

	replies  prometheus.Counter
	failures prometheus.Counter
	ignored  prometheus.Counter
}

func newUpstream(addr netip.AddrPort, m *metrics) *upstream {
	return &upstream{
		addr:     addr,
		dialer:   newDialer(),
		replies:  m.forwards.WithLabelValues(addr.String(), "reply"),
		failures: m.forwards.WithLabelValues(addr.String(), "failure"),
		ignored:  m.forwarding.ignored.WithLabelValues(addr.String()),
	}
}

// standing is how a server compares with others: the lowest is asked first.
type standing int

const (
	standingNear    standing = iota // within near; each step further is a latency of up to twice as much
	standingUnknown standing = 1 << 8
	standingDown    standing = 1 << 9
)

// standing rounds latencies, so that servers which are about as fast as each other stay in the order in which the
// operator lists them.
func (u *upstream) standing() standing {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.down:
		return standingDown
	case !u.measured:
		return standingUnknown
	}
	step := standingNear
	for limit := near; u.latency > limit; limit *= 2 {
		step++
	}
	return step
}

// patience is how long to wait for the server before another one is asked as well.
func (u *upstream) patience() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.measured {
		return firstPatience
	}
	return min(max(u.latency+4*u.deviation, minPatience), maxPatience)
}

// asked notes that a question goes to the server.
func (u *upstream) asked(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lastAsked = now
}

// answered notes how long the server took to reply, and reports whether it was down.
func (u *upstream) answered(took time.Duration) bool {
	u.replies.Inc()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sample(took)
	back := u.down
	u.down, u.unanswered = false, 0
	return back
}

// sample smooths the latency as RFC 6298, section 2, does.
func (u *upstream) sample(took time.Duration) {
	if !u.measured {
		u.measured, u.latency, u.deviation = true, took, took/2
		return
	}
	u.deviation += ((took - u.latency).Abs() - u.deviation) / 4
	u.latency += (took - u.latency) / 8
}

// unansweredFor notes that the server was given up after a time, and reports whether it is down from now on. gone says
// that nobody listens there.
func (u *upstream) unansweredFor(waited time.Duration, gone bool, now time.Time) bool {
	u.failures.Inc()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.measured && waited > u.latency {
		u.sample(waited) // it would have taken longer than that
	}
	u.unanswered++
	if !gone && u.unanswered < downAfter {
		return false
	}
	first := !u.down
	u.down, u.downUntil = true, now.Add(downFor)
	return first
}

// takesTrial reports whether the server is down and due to be tried, which the caller then does.
func (u *upstream) takesTrial(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.down || now.Before(u.downUntil) {
		return false
	}
	u.downUntil = now.Add(downFor)
	return true
}

// isDown reports whether the server is believed not to answer.
func (u *upstream) isDown() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down
}

// smoothed is how long the server takes to reply; 0: not known.
func (u *upstream) smoothed() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.latency
}

// speaksEDNS reports whether the server is to be asked with an OPT record.
func (u *upstream) speaksEDNS(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !now.Before(u.withoutEDNS)
}

// noEDNS notes that the server does not understand OPT records.
func (u *upstream) noEDNS(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.withoutEDNS = now.Add(withoutEDNSFor)
}
