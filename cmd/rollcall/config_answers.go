package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"rollcall/records"
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
	TTLs          map[string]uint32 // seconds, by type of record, where it is not the zone's
	NegativeTTL   uint32            // seconds; unsetTTL: see config.negativeTTL
	ReverseZones  []netip.Prefix    // networks whose addresses have names
	SerialFile    string            // where the zone's serial is written down; "": see config.serialFile
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
	return answersConfig{Cookies: cookiesOffer, LocalNetworks: resolver.DefaultLocalNetworks(), Order: orderRotate,
		NegativeTTL: unsetTTL}
}

const (
	unsetTTL = math.MaxUint32
	// defaultNegativeTTL is short, since a name that is not there yet may be a moment later.
	defaultNegativeTTL = 5
)

// negativeTTL is how long negative answers may be kept: unless the file says, a short time, but as a Mesos-DNS rollcall
// keeps to the TTL of everything.
func (c *config) negativeTTL() uint32 {
	switch {
	case c.Answers.NegativeTTL != unsetTTL:
		return c.Answers.NegativeTTL
	case c.Scheduler == nil:
		return c.Zone.TTL
	default:
		return min(c.Zone.TTL, defaultNegativeTTL)
	}
}

// recordTypes are those that the zone has.
var recordTypes = map[string]uint16{"A": records.TypeA, "AAAA": records.TypeAAAA, "SRV": records.TypeSRV, "PTR": records.TypePTR,
	"NS": records.TypeNS, "SOA": records.TypeSOA}

// ttls are TTLs by the number of the type.
func (a *answersConfig) ttls() map[uint16]uint32 {
	out := make(map[uint16]uint32, len(a.TTLs))
	for name, ttl := range a.TTLs {
		out[recordTypes[name]] = ttl
	}
	return out
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
		{name: "ttls", set: a.setTTLs},
		{name: "negativeTTL", set: wholeNumber(&a.NegativeTTL, 0, math.MaxInt32)},
		{name: "reverseZones", set: reverseZones(&a.ReverseZones), nullable: true},
		{name: "serialFile", set: text(&a.SerialFile)},
	}
}

// setTTLs takes an object of TTLs by type of record.
func (a *answersConfig) setTTLs(n node) string {
	const allowed = "an object of seconds by type of record, such as {\"SRV\": 10}"
	if n.value.kind != jsonObject {
		return allowed
	}
	a.TTLs = make(map[string]uint32)
	var fields []field
	for _, name := range sortedKeys(recordTypes) {
		fields = append(fields, field{name: name, set: func(n node) string {
			var ttl uint32
			allowed := wholeNumber(&ttl, 0, math.MaxInt32)(n)
			a.TTLs[name] = ttl
			return allowed
		}})
	}
	n.readStrict(fields)
	return ""
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
	return networksThat(dst, func(text string) (netip.Prefix, error) {
		network, err := netip.ParsePrefix(text)
		if err != nil || network != network.Masked() {
			return network, errors.New("is not a network such as \"10.0.0.0/8\" or \"fd00::/8\", with no bits set behind " +
				"those that count")
		}
		return network, nil
	})
}

// reverseZones takes a list of networks, or names of the zones in which their addresses have names, none of which may
// lie inside another.
func reverseZones(dst *[]netip.Prefix) func(node) string {
	return networksThat(dst, func(text string) (netip.Prefix, error) {
		network, ok := networkOf(text)
		if !ok {
			return network, errors.New("is not a network such as \"10.0.0.0/8\" or \"fd00::/8\", nor the name of its zone, " +
				"such as \"10.in-addr.arpa\"")
		}
		if _, err := records.ReverseZone(network); err != nil {
			return network, fmt.Errorf("cannot be used: %w", err)
		}
		for _, other := range *dst {
			if network.Overlaps(other) {
				return network, fmt.Errorf("has addresses in common with %v", other)
			}
		}
		return network, nil
	})
}

// networkOf reads a network, or the name of its reverse zone.
func networkOf(text string) (netip.Prefix, bool) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network, true
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		var octets [4]byte
		list := strings.Split(labels, ".")
		for i, label := range list {
			n, err := strconv.ParseUint(label, 10, 8)
			if err != nil || len(list) > len(octets) {
				return netip.Prefix{}, false
			}
			octets[len(list)-1-i] = byte(n)
		}
		return netip.PrefixFrom(netip.AddrFrom4(octets), 8*len(list)), true
	}
	if labels, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		var octets [16]byte
		list := strings.Split(labels, ".")
		for i, label := range list {
			n, err := strconv.ParseUint(label, 16, 4)
			if err != nil || len(label) != 1 || len(list) > 2*len(octets) {
				return netip.Prefix{}, false
			}
			at := len(list) - 1 - i
			octets[at/2] |= byte(n) << (4 * (1 - at%2))
		}
		return netip.PrefixFrom(netip.AddrFrom16(octets), 4*len(list)), true
	}
	return netip.Prefix{}, false
}

// networksThat takes a list of networks that parse finds nothing wrong with; null empties it.
func networksThat(dst *[]netip.Prefix, parse func(string) (netip.Prefix, error)) func(node) string {
	return func(n node) string {
		var list []string
		if allowed := texts(&list)(n); allowed != "" {
			return "a list of networks"
		}
		*dst = nil
		for i, item := range n.items() {
			if n.report.blames(item.path) {
				continue
			}
			network, err := parse(list[i])
			if err != nil {
				n.report.problem(item.path, "%s %w", quoteBrief(list[i]), err)
				continue
			}
			*dst = append(*dst, network)
		}
		return ""
	}
}
