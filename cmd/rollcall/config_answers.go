package main

import (
	"encoding/hex"
	"math"
	"net/netip"
	"path/filepath"

	"rollcall/resolver"
)

// answersConfig says how questions about the domain are answered, beyond what Mesos-DNS has keys for.
type answersConfig struct {
	Cookies       string // cookiesOffer, cookiesRequire or cookiesOff
	CookieSecret  secret // 32 hexadecimal digits; "": one that lasts as long as the process
	ServerVersion string // "": not told
	ServerID      string // "": not told
	LocalNetworks []netip.Prefix
	MaxAnswers    int    // records of an answer; 0: no limit
	Order         string // orderRotate, orderShuffle or orderFixed
	OwnAgentFirst bool
	SerialFile    string // where the zone's serial is written down; "": see config.serialFile
}

const (
	cookiesOffer   = "offer"
	cookiesRequire = "require"
	cookiesOff     = "off"

	orderRotate  = "rotate"
	orderShuffle = "shuffle"
	orderFixed   = "fixed"
)

func defaultAnswers() answersConfig {
	return answersConfig{Cookies: cookiesOffer, LocalNetworks: resolver.DefaultLocalNetworks(), Order: orderRotate}
}

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
		{name: "localNetworks", set: networks(&a.LocalNetworks), nullable: true},
		{name: "maxAnswers", set: wholeNumber(&a.MaxAnswers, 0, math.MaxUint16)},
		{name: "answerOrder", set: oneOf(&a.Order, orderRotate, orderShuffle, orderFixed)},
		{name: "ownAgentFirst", set: boolean(&a.OwnAgentFirst)},
		{name: "serialFile", set: text(&a.SerialFile)},
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
	o.LocalNetworks, o.MaxAnswers, o.OwnAgentFirst = a.LocalNetworks, a.MaxAnswers, a.OwnAgentFirst
	o.Order = map[string]resolver.Order{orderRotate: resolver.OrderRotate, orderShuffle: resolver.OrderShuffle,
		orderFixed: resolver.OrderFixed}[a.Order]
}

// serialFile is where the zone's serial is written down: unless the file says, in the data directory, if there is one.
// "": nowhere.
func (c *config) serialFile() string {
	if c.Answers.SerialFile == "" && c.Scheduler != nil {
		return filepath.Join(c.Scheduler.DataDir, "serial")
	}
	return c.Answers.SerialFile
}

// networks takes a list of networks, "address/bits"; null empties it.
func networks(dst *[]netip.Prefix) func(node) string {
	return func(n node) string {
		var list []string
		if allowed := texts(&list)(n); allowed != "" {
			return "a list of networks"
		}
		*dst = nil
		for i, item := range n.items() {
			network, err := netip.ParsePrefix(list[i])
			if n.report.blames(item.path) {
				continue
			}
			if err != nil || network != network.Masked() {
				item.refuse("a network such as \"10.0.0.0/8\" or \"fd00::/8\", with no bits set behind those that count")
				continue
			}
			*dst = append(*dst, network)
		}
		return ""
	}
}
