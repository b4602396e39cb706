package resolver

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The test vectors of SipHash-2-4's paper, appendix A, and of its reference implementation: the key is 00 01 .. 0f, the
// message the first n of 00 01 02 ..
func TestSipHash(t *testing.T) {
	var key [16]byte
	message := make([]byte, 64)
	for i := range message {
		message[i] = byte(i)
	}
	copy(key[:], message)
	for n, want := range map[int]string{
		0: "310e0edd47db6f72", 1: "fd67dc93c539f874", 7: "37d1018bf50002ab", 8: "6224939a79f5f593", 15: "e545be4961ca29a1",
	} {
		if got := sipHash24(key, message[:n]); hex.EncodeToString(got[:]) != want {
			t.Errorf("%d octets: %x, want %s", n, got, want)
		}
	}
}

// cookieServer is a cookie maker at a point in time.
func cookieServer(t *testing.T, secret string, unix int64) cookies {
	t.Helper()
	s := cookies{now: func() time.Time { return time.Unix(unix, 0) }}
	if _, err := hex.Decode(s.secret[:], []byte(secret)); err != nil {
		t.Fatal(err)
	}
	return s
}

// RFC 9018, appendix A: any server with the secret makes and takes the same cookies.
func TestCookieVectors(t *testing.T) {
	const secret = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	for _, tt := range []struct {
		name, secret, addr string
		now                int64
		sent               string
		good               bool
		want               string
	}{
		{"A.1: learning a new server cookie", secret, "198.51.100.100", 1559731985,
			"2464c4abcf10c957", false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2: the same client, after 40 minutes", secret, "198.51.100.100", 1559734385,
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"A.3: another client, reserved octets used", secret, "203.0.113.203", 1559734700,
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", false, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"A.3, while it was good", secret, "203.0.113.203", 1559727985 + 1860,
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", true, ""},
		{"A.4: IPv6, a secret that was replaced", "445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
			"22681ab97d52c298010000005cf7c57926556bd0934c72f8", false, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"A.4, with the secret it was made with", "dd3bdf9344b678b185a6f5cb60fca715", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741817,
			"22681ab97d52c298010000005cf7c57926556bd0934c72f8", true, "22681ab97d52c298010000005cf7c57926556bd0934c72f8"},
		{"another address", secret, "198.51.100.101", 1559731985, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", false, ""},
		{"another client cookie", secret, "198.51.100.100", 1559731985, "2464c4abcf10c958010000005cf79f111f8130c3eee29480", false, ""},
		{"another hash", secret, "198.51.100.100", 1559731985, "2464c4abcf10c957010000005cf79f111f8130c3eee29481", false, ""},
		{"another version", secret, "198.51.100.100", 1559731985, "2464c4abcf10c957020000005cf79f111f8130c3eee29480", false, ""},
		{"another length", secret, "198.51.100.100", 1559731985, "2464c4abcf10c957010000005cf79f111f8130c3", false, ""},
		{"after an hour", secret, "198.51.100.100", 1559731985 + 3600, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", true, ""},
		{"after more than an hour", secret, "198.51.100.100", 1559731985 + 3601, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", false, ""},
		{"five minutes early", secret, "198.51.100.100", 1559731985 - 300, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", true, ""},
		{"more than that", secret, "198.51.100.100", 1559731985 - 301, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, addr := cookieServer(t, tt.secret, tt.now), netip.MustParseAddr(tt.addr)
			sent, err := hex.DecodeString(tt.sent)
			if err != nil {
				t.Fatal(err)
			}
			c, ok := parseCookie(sent)
			if !ok {
				t.Fatal("it is not taken for a cookie")
			}
			good, renew := s.check(c, addr)
			if got := s.give(c, addr, renew).Cookie; good != tt.good || tt.want != "" && got != tt.want {
				t.Errorf("good %v, gives %s; want %v, %s", good, got, tt.good, tt.want)
			}
		})
	}
}

// newCookieHandler is a handler whose clock stands at unix.
func newCookieHandler(t *testing.T, policy Cookies, unix int64) *handler {
	t.Helper()
	secret := CookieSecret{1, 2, 3}
	h := newTestHandler(t, newTestZone(t), func(o *Options) { o.Cookies, o.CookieSecret = policy, &secret })
	h.settings.Load().cookies.now = func() time.Time { return time.Unix(unix, 0) }
	return h
}

// withCookie adds a COOKIE option with a value in hexadecimal.
func withCookie(m *dns.Msg, cookie string) *dns.Msg {
	if m.IsEdns0() == nil {
		m.SetEdns0(1232, false)
	}
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
	return m
}

// cookieOf is the cookie of a reply, "" if it has none.
func cookieOf(t *testing.T, m *dns.Msg) string {
	t.Helper()
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// RFC 7873, section 5.2: what the server makes of each kind of COOKIE option.
func TestCookies(t *testing.T) {
	const now, client = 1_800_000_000, "0102030405060708"
	learnt := cookieOf(t, reply(t, newCookieHandler(t, CookiesOffered, now), withCookie(newQuestion(t, "one.marathon.mesos. A"), client), true))
	if len(learnt) != 2*(clientCookieLen+serverCookieLen) || !strings.HasPrefix(learnt, client) {
		t.Fatalf("the first cookie is %q", learnt)
	}
	bad := client + "ffffffffffffffffffffffffffffffff"
	for _, tt := range []struct {
		name   string
		policy Cookies
		cookie string // "": none
		udp    bool
		rcode  int
		given  string // "": none; "new": one that was not sent
	}{
		{"no cookie", CookiesOffered, "", true, dns.RcodeSuccess, ""},
		{"client cookie only", CookiesOffered, client, true, dns.RcodeSuccess, "new"},
		{"a good one", CookiesOffered, learnt, true, dns.RcodeSuccess, learnt},
		{"a bad one", CookiesOffered, bad, true, dns.RcodeSuccess, "new"},
		{"another server's length", CookiesOffered, client + "ffffffffffffffff", true, dns.RcodeSuccess, "new"},
		{"the longest", CookiesOffered, client + strings.Repeat("ff", 32), true, dns.RcodeSuccess, "new"},
		{"one octet longer", CookiesOffered, client + strings.Repeat("ff", 33), true, dns.RcodeFormatError, ""},
		{"7 octets", CookiesOffered, client[:14], true, dns.RcodeFormatError, ""},
		{"9 octets", CookiesOffered, client + "ff", true, dns.RcodeFormatError, ""},
		{"15 octets", CookiesOffered, client + "ffffffffffffff", true, dns.RcodeFormatError, ""},
		{"nothing in it", CookiesOffered, "empty", true, dns.RcodeFormatError, ""},

		{"required: no cookie", CookiesRequired, "", true, dns.RcodeSuccess, ""},
		{"required: client cookie only", CookiesRequired, client, true, dns.RcodeBadCookie, "new"},
		{"required: a good one", CookiesRequired, learnt, true, dns.RcodeSuccess, learnt},
		{"required: a bad one", CookiesRequired, bad, true, dns.RcodeBadCookie, "new"},
		{"required, over TCP: a bad one", CookiesRequired, bad, false, dns.RcodeSuccess, "new"},

		{"off", CookiesOff, client, true, dns.RcodeSuccess, ""},
		{"off: a length that no cookie has", CookiesOff, "ff", true, dns.RcodeSuccess, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newCookieHandler(t, tt.policy, now+60)
			m := newQuestion(t, "one.marathon.mesos. A")
			switch tt.cookie {
			case "":
			case "empty":
				withCookie(m, "")
			default:
				withCookie(m, tt.cookie)
			}
			got := reply(t, h, m, tt.udp)
			if got.Rcode != tt.rcode || (len(got.Answer) == 1) != (tt.rcode == dns.RcodeSuccess) {
				t.Errorf("%v\nwant %s", got, dns.RcodeToString[tt.rcode])
			}
			given := cookieOf(t, got)
			if tt.given == "new" {
				if given == tt.cookie || !strings.HasPrefix(given, client+"01000000") {
					t.Errorf("the cookie is %q, want a new one", given)
				}
			} else if given != tt.given {
				t.Errorf("the cookie is %q, want %q", given, tt.given)
			}
			packet, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			if want := !tt.udp || tt.cookie == learnt; h.verified(packet, testClient(tt.udp)) != want {
				t.Errorf("verified is not %v", want)
			}
		})
	}
}

// A message without a question is about the cookie (RFC 7873, section 5.4).
func TestCookieWithoutQuestion(t *testing.T) {
	const client = "0102030405060708"
	h := newCookieHandler(t, CookiesOffered, 1_800_000_000)
	ask := func(cookie string) *dns.Msg {
		return reply(t, h, withCookie(&dns.Msg{MsgHdr: dns.MsgHdr{Id: 1}}, cookie), true)
	}
	got := ask(client)
	learnt := cookieOf(t, got)
	if got.Rcode != dns.RcodeSuccess || len(got.Question) != 0 || learnt == "" {
		t.Fatalf("%v", got)
	}
	if got := ask(learnt); got.Rcode != dns.RcodeSuccess || cookieOf(t, got) != learnt {
		t.Errorf("a good cookie: %v", got)
	}
	if got := ask(client + "ffffffffffffffffffffffffffffffff"); got.Rcode != dns.RcodeBadCookie || cookieOf(t, got) != learnt {
		t.Errorf("a bad cookie: %v", got)
	}
}

// Two servers with one secret know each other's cookies, two without do not.
func TestSharedSecret(t *testing.T) {
	const now = 1_800_000_000
	learnt := cookieOf(t, reply(t, newCookieHandler(t, CookiesOffered, now), withCookie(newQuestion(t, "mesos. SOA"), "0102030405060708"), true))
	packet, err := withCookie(newQuestion(t, "mesos. SOA"), learnt).Pack()
	if err != nil {
		t.Fatal(err)
	}
	other := newCookieHandler(t, CookiesOffered, now)
	if !other.verified(packet, overUDP) {
		t.Error("a server with the same secret does not know the cookie")
	}
	unknown := withCookie(newQuestion(t, "mesos. SOA"), learnt)
	unknown.IsEdns0().SetVersion(1)
	if packet, err := unknown.Pack(); err != nil || other.verified(packet, overUDP) {
		t.Errorf("a cookie in a version of EDNS that is not known counts: %v", err)
	}
	alone := newTestHandler(t, newTestZone(t))
	alone.settings.Load().cookies.now = other.settings.Load().cookies.now
	if alone.verified(packet, overUDP) {
		t.Error("a server with a secret of its own takes the cookie")
	}
}
