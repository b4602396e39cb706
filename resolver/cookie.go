package resolver

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// CookieSecret makes and checks the cookies that servers give to clients. All servers that share a secret understand
// each other's cookies (RFC 9018, section 4), whatever program they run.
type CookieSecret [16]byte

// Cookies says what DNS cookies (RFC 7873) are for.
type Cookies uint8

const (
	// CookiesOffered: whoever asks for a cookie gets one.
	CookiesOffered Cookies = iota
	// CookiesRequired: besides, a client that knows cookies has to show a good one over UDP, else it is answered
	// BADCOOKIE and nothing more. Those that do not know cookies are answered as ever.
	CookiesRequired
	// CookiesOff: the option is ignored.
	CookiesOff
)

// Sizes of cookies in octets.
const (
	clientCookieLen    = 8
	serverCookieLen    = 16 // as made here (RFC 9018, section 4)
	minServerCookieLen = 8  // as anybody may make them (RFC 7873, section 4)
	maxServerCookieLen = 32
)

// How long server cookies are good (RFC 9018, section 4.3).
const (
	cookieLifetime = time.Hour
	cookieRenewal  = 30 * time.Minute // after this a new one is given
	cookieFuture   = 5 * time.Minute  // that another server's clock may be ahead
)

// cookieVersion is the first octet of a server cookie (RFC 9018, section 4.1).
const cookieVersion = 1

// cookie is what a client sent in a COOKIE option.
type cookie struct {
	client [clientCookieLen]byte
	server []byte // empty: it has none yet
}

// parseCookie reads the value of a COOKIE option. It reports false for a length that no cookie has.
func parseCookie(value []byte) (cookie, bool) {
	var c cookie
	if len(value) < clientCookieLen {
		return c, false
	}
	copy(c.client[:], value)
	c.server = value[clientCookieLen:]
	n := len(c.server)
	return c, n == 0 || n >= minServerCookieLen && n <= maxServerCookieLen
}

// cookies gives out server cookies and knows them again.
type cookies struct {
	secret CookieSecret
	policy Cookies
	now    func() time.Time
}

// newCookies takes a secret of its own, for as long as the process lives, where the options have none.
func newCookies(o Options) cookies {
	c := cookies{policy: o.Cookies, now: time.Now}
	if o.CookieSecret != nil {
		c.secret = *o.CookieSecret
	} else {
		rand.Read(c.secret[:]) //nolint:errcheck // never fails
	}
	return c
}

// hash is the last part of a server cookie. front is what stands before it: version, reserved, time.
func (s *cookies) hash(client [clientCookieLen]byte, front []byte, addr netip.Addr) [8]byte {
	data := append(client[:len(client):len(client)], front...)
	return sipHash24(s.secret, append(data, addr.AsSlice()...))
}

// check reports whether a cookie was given to the client at the address lately, and whether it is to get a new one.
func (s *cookies) check(c cookie, addr netip.Addr) (good, renew bool) {
	if len(c.server) != serverCookieLen || c.server[0] != cookieVersion {
		return false, true
	}
	front, sum := c.server[:8], s.hash(c.client, c.server[:8], addr)
	// Serial number arithmetic (RFC 1982): the clock of 32 bits goes round.
	age := time.Duration(int32(uint32(s.now().Unix())-binary.BigEndian.Uint32(front[4:]))) * time.Second
	if subtle.ConstantTimeCompare(sum[:], c.server[8:]) == 0 || age > cookieLifetime || age < -cookieFuture {
		return false, true
	}
	return true, age > cookieRenewal
}

// give is the COOKIE option of the reply.
func (s *cookies) give(c cookie, addr netip.Addr, renew bool) *dns.EDNS0_COOKIE {
	value := c.client[:len(c.client):len(c.client)]
	if !renew {
		value = append(value, c.server...)
	} else {
		front := binary.BigEndian.AppendUint32([]byte{cookieVersion, 0, 0, 0}, uint32(s.now().Unix()))
		sum := s.hash(c.client, front, addr)
		value = append(append(value, front...), sum[:]...)
	}
	return &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(value)}
}
