package resolver

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Strangers says what clients get over UDP that are not in Options.LocalNetworks and have not shown by a cookie
// (RFC 7873) that they are where they say they are. They may be somebody who writes another's address on questions, so
// that the answers hit that one. The zero value is no limit.
type Strangers struct {
	// Amplification is how many octets they get at most for each octet of the question. A longer answer is replaced by
	// one without records that says so (TC): who is really there asks again over TCP, whatever Options.SetTruncateBit
	// says. Below 1, and not 0, nothing would fit.
	Amplification float64
	// ResponsesPerSecond is how many answers a network of them gets (an IPv4 network of 24 bits, an IPv6 one of 56) on
	// average, and in any second at most twice as many. 0: any number.
	ResponsesPerSecond int
	// Slip says how many of the answers beyond are dropped: each Slip-th is replaced by an answer with TC, with which a
	// client that is really there can go on over TCP. 0: all are dropped. 1: none.
	Slip int
}

// strangers keeps Strangers's limits. It takes the same memory however many there are, and does not allocate.
type strangers struct {
	Strangers
	start    time.Time
	interval time.Duration // between answers at the highest rate
	seed     maphash.Seed
	due      []atomic.Int64 // by network: when an answer would be in time at the highest rate, since start
	limited  atomic.Uint32
	metrics  *metrics
}

// strangerNetworks is how many networks are told apart, more or less. Those that share a place share their rate.
const strangerNetworks = 1 << 16

func newStrangers(o Strangers, m *metrics) *strangers {
	s := &strangers{Strangers: o, start: time.Now(), seed: maphash.MakeSeed(), metrics: m}
	if o.ResponsesPerSecond > 0 {
		s.interval = time.Second / time.Duration(o.ResponsesPerSecond)
		s.due = make([]atomic.Int64, strangerNetworks)
	}
	return s
}

// admit gives what a stranger gets in place of a reply to its packet: the reply, or one cut short in the same buffer;
// nil: nothing. opt is what remains of the reply's OPT record, empty if it has none.
func (s *strangers) admit(reply, packet, opt []byte, addr netip.Addr) []byte {
	if !s.inTime(addr, time.Since(s.start)) {
		if s.Slip == 0 || s.limited.Add(1)%uint32(s.Slip) != 0 {
			s.metrics.strangersDropped.Inc()
			return nil
		}
		s.metrics.strangersSlipped.Inc()
		return cutShort(reply, opt)
	}
	if s.Amplification > 0 && float64(len(reply)) > s.Amplification*float64(len(packet)) {
		s.metrics.strangersCut.Inc()
		return cutShort(reply, opt)
	}
	return reply
}

// inTime takes one of the answers that a network may have, or reports that there is none left: a token bucket, kept as
// the time at which it will be full (the generic cell rate algorithm, ITU-T I.371).
func (s *strangers) inTime(addr netip.Addr, now time.Duration) bool {
	if s.due == nil {
		return true
	}
	due := &s.due[s.place(addr)]
	for {
		was := due.Load()
		begin := max(time.Duration(was), now)
		if begin-now > max(time.Second-s.interval, 0) {
			return false
		}
		if due.CompareAndSwap(was, int64(begin+s.interval)) {
			return true
		}
	}
}

// place is where a network's rate is kept.
func (s *strangers) place(addr netip.Addr) uint64 {
	octets := addr.As16()
	network := octets[:7]
	if addr.Is4() {
		network = octets[12:15]
	}
	return maphash.Bytes(s.seed, network) % strangerNetworks
}

// cutShort takes all records from a reply, says so in its header, and adds an OPT record.
func cutShort(reply, opt []byte) []byte {
	end := headerLen
	if binary.BigEndian.Uint16(reply[4:]) > 0 {
		for reply[end] != 0 {
			end += 1 + int(reply[end])
		}
		end += 1 + questionLen
	}
	reply[2] |= bitTC
	setCounts(reply, 0, 0, min(len(opt), 1))
	return append(reply[:end], opt...)
}

// optOf is the OPT record of a reply, of whose options the cookie remains: with it the client is no stranger any more.
// Empty if it has none.
func optOf(reply []byte) []byte {
	m := new(dns.Msg)
	if m.Unpack(reply) != nil || m.IsEdns0() == nil {
		return nil
	}
	opt := m.IsEdns0()
	opt.Option = slices.DeleteFunc(opt.Option, func(o dns.EDNS0) bool { return o.Option() != dns.EDNS0COOKIE })
	out := make([]byte, dns.Len(opt))
	n, err := dns.PackRR(opt, out, 0, nil, false)
	if err != nil {
		return nil // cannot be: it was read just now
	}
	return out[:n]
}
