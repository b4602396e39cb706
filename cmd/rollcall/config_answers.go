package main

import (
	"encoding/hex"

	"rollcall/resolver"
)

// answersConfig says how questions about the domain are answered, beyond what Mesos-DNS has keys for.
type answersConfig struct {
	Cookies       string // cookiesOffer, cookiesRequire or cookiesOff
	CookieSecret  secret // 32 hexadecimal digits; "": one that lasts as long as the process
	ServerVersion string // "": not told
	ServerID      string // "": not told
}

const (
	cookiesOffer   = "offer"
	cookiesRequire = "require"
	cookiesOff     = "off"
)

func defaultAnswers() answersConfig { return answersConfig{Cookies: cookiesOffer} }

func (a *answersConfig) fields() []field {
	tellable := func(s string) bool { return len(s) <= 255 }
	return []field{
		{name: "dnsCookies", set: oneOf(&a.Cookies, cookiesOffer, cookiesRequire, cookiesOff)},
		{name: "dnsCookieSecret", secret: true, set: textThat(&a.CookieSecret, "text of 32 hexadecimal digits", func(s string) bool {
			octets, err := hex.DecodeString(s)
			return s == "" || err == nil && len(octets) == len(resolver.CookieSecret{})
		})},
		{name: "serverVersion", set: textThat(&a.ServerVersion, "text of at most 255 octets", tellable)},
		{name: "serverID", set: textThat(&a.ServerID, "text of at most 255 octets", tellable)},
	}
}

// apply sets what the DNS server's options have of this.
func (a *answersConfig) apply(o *resolver.Options) {
	o.Cookies = map[string]resolver.Cookies{cookiesOffer: resolver.CookiesOffered, cookiesRequire: resolver.CookiesRequired,
		cookiesOff: resolver.CookiesOff}[a.Cookies]
	if octets, err := hex.DecodeString(string(a.CookieSecret)); err == nil && len(octets) > 0 {
		o.CookieSecret = (*resolver.CookieSecret)(octets)
	}
	o.ServerVersion, o.ServerID = a.ServerVersion, a.ServerID
}
