package resolver

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Two servers that forward to each other send each question round until it times out. That cannot be seen in the
// addresses when there are more servers in between, or address translation. So each upstream server is asked, once in a
// while, for a name that nobody else can know; when a question for that name comes in, the server leads back here. The
// same idea is dnsmasq's --dns-loop-detect.

const (
	// loopZone is where these names are, in a domain that is for such things (RFC 6761, section 6.2).
	loopZone = ".loop.rollcall.test."
	// loopFor is how long a server whose questions come back is left out, and how often one is probed that is used.
	loopFor = 10 * time.Minute
	// probeAgainAfter is how long after a probe that got no reply the next one may go: packets get lost, most of all where
	// questions go round.
	probeAgainAfter = time.Second
)

// loopProbes knows the names that were asked for.
type loopProbes struct {
	instance string
	servers  []*upstream
}

func newLoopProbes() loopProbes {
	var secret [12]byte
	rand.Read(secret[:]) //nolint:errcheck // it does not fail: crypto/rand
	return loopProbes{instance: hex.EncodeToString(secret[:])}
}

func (p *loopProbes) add(u *upstream) { p.servers = append(p.servers, u) }

// name is a name that only this server and those whom it is asked of know. It is new each time, so that no cache has it.
func (p *loopProbes) name(u *upstream) string {
	for i, known := range p.servers {
		if known == u {
			return fmt.Sprintf("%s-%d-%s%s", p.instance, i, rand.Text()[:8], loopZone)
		}
	}
	return p.instance + loopZone // of no server: not reached
}

// cameBack reports whether a question is one of our own probes, and notes which server leads back here.
func (p *loopProbes) cameBack(name string, now time.Time, log *slog.Logger) bool {
	label, ok := strings.CutSuffix(strings.ToLower(name), loopZone)
	if !ok {
		return false
	}
	parts := strings.Split(label, "-")
	if parts[0] != p.instance || len(parts) != 3 {
		return false // of another rollcall: to be forwarded, so that it comes back to that one
	}
	i, err := strconv.Atoi(parts[1])
	if err != nil || i < 0 || i >= len(p.servers) {
		return false
	}
	if p.servers[i].loopsBack(now) {
		log.Error("an upstream server sends its questions to this server; not forwarding to it", "upstream", p.servers[i].addr,
			"for", loopFor)
	}
	return true
}

// takesProbe reports whether it is time to see whether the server's questions come back, which the caller then does.
func (u *upstream) takesProbe(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.probed.IsZero() && now.Sub(u.probed) < loopFor {
		return false
	}
	u.probed = now
	return true
}

// lostProbe notes that a probe got no reply, so that nothing is known.
func (u *upstream) lostProbe(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.probed = now.Add(probeAgainAfter - loopFor)
}

// loopsBack notes that a question to the server came back, and reports whether that is new.
func (u *upstream) loopsBack(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	first := !now.Before(u.loopUntil)
	u.loopUntil = now.Add(loopFor)
	return first
}

// loops reports whether the server's questions come back to us.
func (u *upstream) loops(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.loopUntil)
}
