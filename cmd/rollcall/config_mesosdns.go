package main

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// mesosDNSOptions are Mesos-DNS's options in its own form: the names, types and order of its /v1/config, where this
// value is shown. The values are as written, but for domain and SOA names, which Mesos-DNS normalises as well.
type mesosDNSOptions struct {
	RefreshSeconds         int
	Port                   int
	Timeout                int // seconds, likewise the next two
	StateTimeoutSeconds    int
	ZkDetectionTimeout     int
	HTTPPort               int `json:"HttpPort"`
	TTL                    int32
	SRVRecordDefaultWeight uint16
	SOASerial              uint32
	SOARefresh             uint32
	SOARetry               uint32
	SOAExpire              uint32
	SOAMinttl              uint32
	SOAMname               string
	SOARname               string
	Masters                []string
	ZoneResolvers          map[string][]string
	Resolvers              []string
	IPSources              []string
	Zk                     zkURL
	Domain                 string
	File                   string
	Listener               string
	HTTPListener           string
	RecurseOn              bool
	DNSOn                  bool `json:"DnsOn"`
	HTTPOn                 bool `json:"HttpOn"`
	ExternalOn             bool
	EnforceRFC952          bool
	SetTruncateBit         bool
	EnumerationOn          bool
	MesosHTTPSOn           bool
	CACertFile             string
	CertFile               string
	KeyFile                string
	MesosCredentials       mesosCredentials
	IAMConfigFile          string
	MesosAuthentication    string
}

// mesosCredentials are what rollcall tells the masters to prove who it is.
type mesosCredentials struct {
	Principal string
	Secret    secret
}

// mesosDNSIgnores are keys that are common in Mesos-DNS's files although no release, or no recent one, reads them.
var mesosDNSIgnores = map[string]string{
	"email": "Mesos-DNS no longer reads it; the mailbox of the zone is SOARname",
	"ns":    "Mesos-DNS does not read it; the name server of the zone is SOAMname",
}

func defaultMesosDNSOptions() mesosDNSOptions {
	return mesosDNSOptions{
		RefreshSeconds:         60,
		Port:                   53,
		Timeout:                5,
		StateTimeoutSeconds:    300,
		HTTPPort:               8123,
		TTL:                    60,
		SRVRecordDefaultWeight: 1,
		SOARefresh:             60,
		SOARetry:               600,
		SOAExpire:              86400,
		SOAMinttl:              60,
		SOAMname:               "ns1.mesos",
		SOARname:               "root.ns1.mesos",
		ZoneResolvers:          map[string][]string{},
		Resolvers:              []string{"8.8.8.8"},
		IPSources:              []string{"netinfo", "mesos", "host"},
		Domain:                 "mesos",
		Listener:               "0.0.0.0",
		HTTPListener:           "0.0.0.0",
		RecurseOn:              true,
		DNSOn:                  true,
		HTTPOn:                 true,
		ExternalOn:             true,
		SetTruncateBit:         true,
		EnumerationOn:          true,
	}
}

// What the whole numbers may be that Mesos-DNS checks late or never.
const (
	allowedPort    = "a whole number from 0 to 65535"
	allowedPeriod  = "a whole number of seconds from 1"
	allowedSeconds = "a whole number of seconds"
)

// fields are Mesos-DNS's keys in the spelling of its documentation. Their types are checked here, as Mesos-DNS does
// while it parses; what the values may be is checked when all of them are known: see typed.
func (o *mesosDNSOptions) fields() []field {
	const maxUint32 = math.MaxUint32
	return []field{
		{name: "zk", set: text(&o.Zk), secret: true},
		{name: "masters", set: texts(&o.Masters), nullable: true},
		{name: "zkDetectionTimeout", set: anyWholeNumber(&o.ZkDetectionTimeout, allowedSeconds)},
		{name: "refreshSeconds", set: anyWholeNumber(&o.RefreshSeconds, allowedPeriod)},
		{name: "stateTimeoutSeconds", set: anyWholeNumber(&o.StateTimeoutSeconds, allowedPeriod)},
		{name: "ttl", set: wholeNumber(&o.TTL, math.MinInt32, math.MaxInt32)},
		{name: "srvRecordDefaultWeight", set: wholeNumber(&o.SRVRecordDefaultWeight, 0, math.MaxUint16)},
		{name: "domain", set: text(&o.Domain)},
		{name: "port", set: anyWholeNumber(&o.Port, allowedPort)},
		{name: "listener", set: text(&o.Listener)},
		{name: "dnson", set: boolean(&o.DNSOn)},
		{name: "httpon", set: boolean(&o.HTTPOn)},
		{name: "httpport", set: anyWholeNumber(&o.HTTPPort, allowedPort)},
		{name: "httplistener", set: text(&o.HTTPListener)},
		{name: "externalon", set: boolean(&o.ExternalOn)},
		{name: "resolvers", set: texts(&o.Resolvers), nullable: true},
		{name: "zoneResolvers", set: o.setZoneResolvers, nullable: true},
		{name: "timeout", set: anyWholeNumber(&o.Timeout, allowedSeconds)},
		{name: "recurseon", set: boolean(&o.RecurseOn)},
		{name: "setTruncateBit", set: boolean(&o.SetTruncateBit)},
		{name: "enforceRFC952", set: boolean(&o.EnforceRFC952)},
		{name: "IPSources", set: texts(&o.IPSources), nullable: true},
		{name: "enumerationOn", set: boolean(&o.EnumerationOn)},
		{name: "SOAMname", set: text(&o.SOAMname)},
		{name: "SOARname", set: text(&o.SOARname)},
		{name: "SOARefresh", set: wholeNumber(&o.SOARefresh, 0, maxUint32)},
		{name: "SOARetry", set: wholeNumber(&o.SOARetry, 0, maxUint32)},
		{name: "SOAExpire", set: wholeNumber(&o.SOAExpire, 0, maxUint32)},
		{name: "SOAMinttl", set: wholeNumber(&o.SOAMinttl, 0, maxUint32),
			useless: "the time that negative answers may be kept is negativeTTL"},
		{name: "SOASerial", set: wholeNumber(&o.SOASerial, 0, maxUint32),
			useless: "the serial number grows whenever the zone changes"},
		{name: "mesosHTTPSOn", set: boolean(&o.MesosHTTPSOn)},
		{name: "caCertFile", set: text(&o.CACertFile)},
		{name: "certFile", set: text(&o.CertFile)},
		{name: "keyFile", set: text(&o.KeyFile)},
		{name: "mesosAuthentication", set: text(&o.MesosAuthentication)},
		{name: "mesosCredentials", set: o.MesosCredentials.set, secret: true},
		{name: "iamConfigFile", set: text(&o.IAMConfigFile)},
		{name: "file", set: text(&o.File), useless: "it is the path of this file, which is known"},
	}
}

func (c *mesosCredentials) fields() []field {
	return []field{
		{name: "principal", set: text(&c.Principal), secret: true},
		{name: "secret", set: text(&c.Secret), secret: true},
	}
}

func (c *mesosCredentials) set(n node) string {
	if n.value.kind != jsonObject {
		return "an object with principal and secret"
	}
	n.readLenient(c.fields())
	return ""
}

// setZoneResolvers adds the zones of n: of a repeated key encoding/json keeps the zones of both.
func (o *mesosDNSOptions) setZoneResolvers(n node) string {
	switch n.value.kind {
	case jsonNull:
		o.ZoneResolvers = map[string][]string{}
	case jsonObject:
		for _, m := range n.value.members {
			var servers []string
			zone := n.member(m)
			zone.take(field{set: texts(&servers), nullable: true})
			o.ZoneResolvers[m.key] = servers
		}
	default:
		return "an object of zones, each with a list of resolvers"
	}
	return ""
}

// adaptDefaults sets defaults that depend on other keys. Mesos-DNS's SOA names lie under "mesos" whatever the domain
// is, where nobody can look them up; here they follow the domain. And since a scheduler makes the file one of
// rollcall's own, it then forwards to the resolvers of the machine rather than to Google's.
func (o *mesosDNSOptions) adaptDefaults(given map[string]bool, withScheduler bool) {
	if given["domain"] && !given["SOAMname"] {
		o.SOAMname = "ns1." + strings.ToLower(o.Domain)
		if !given["SOARname"] {
			o.SOARname = "root." + o.SOAMname
		}
	}
	if withScheduler && slices.Equal(o.Resolvers, []string{"8.8.8.8"}) && !given["resolvers"] {
		o.Resolvers = []string{}
	}
}

// typed checks the options, normalises those that Mesos-DNS normalises, and returns them as a config.
func (o *mesosDNSOptions) typed(r *report) config {
	c := config{
		File:    o.File,
		Zone:    o.zone(r),
		DNS:     o.dnsServer(r),
		Forward: o.forward(r),
		HTTP:    o.httpServer(r),
		Mesos:   o.mesos(r),
	}
	c.options = *o
	return c
}

func (o *mesosDNSOptions) zone(r *report) zoneConfig {
	if !isDomain(o.Domain) {
		r.problem("domain", "%s is not a domain name: labels of letters, digits and dashes, joined by single dots",
			quoteBrief(o.Domain))
	} else if askable := askableDomain(o.Domain); askable != o.Domain {
		r.warning("domain", "nobody can ask for its names: a label has at most 63 characters and a name at most 253; %s is "+
			"used instead", quoteBrief(askable))
		o.Domain = askable
	}
	o.Domain = strings.ToLower(o.Domain)
	if o.TTL < 0 {
		r.warning("ttl", "%d is below 0, which no TTL can be (RFC 2181, section 8), and counts as 0", o.TTL)
		o.TTL = 0
	}
	o.checkIPSources(r)
	o.SOAMname = o.soaName(r, "SOAMname", o.SOAMname, "ns1."+o.Domain)
	o.SOARname = o.soaName(r, "SOARname", strings.ReplaceAll(o.SOARname, "@", "."), "root.ns1."+o.Domain)
	return zoneConfig{
		Domain:        o.Domain,
		TTL:           uint32(o.TTL),
		SRVWeight:     o.SRVRecordDefaultWeight,
		IPSources:     o.IPSources,
		EnforceRFC952: o.EnforceRFC952,
		SOA: soaConfig{
			MName:   strings.ToLower(o.SOAMname),
			RName:   strings.ToLower(o.SOARname),
			Refresh: o.SOARefresh,
			Retry:   o.SOARetry,
			Expire:  o.SOAExpire,
		},
	}
}

// soaName returns name with exactly one dot at the end. A name that cannot be sent would take every negative answer
// with it, so another one takes its place.
func (o *mesosDNSOptions) soaName(r *report, key, name, instead string) string {
	absolute := strings.TrimRight(name, ".") + "."
	if _, ok := dns.IsDomainName(absolute); !ok && !r.blames("domain") {
		r.warning(key, "%s is not a domain name; %s is used instead", quoteBrief(name), quoteBrief(instead))
		return instead + "."
	}
	return absolute
}

// maxDomain leaves room for the mailbox of the zone, root.ns1 below it, within the 253 characters of a name.
const maxDomain = 253 - len("root.ns1.")

// askableDomain cuts a domain down to what can be asked for.
func askableDomain(domain string) string {
	labels := strings.Split(domain, ".")
	for i, l := range labels {
		labels[i] = l[:min(len(l), 63)]
	}
	for len(strings.Join(labels, ".")) > maxDomain {
		labels = labels[1:]
	}
	return strings.Join(labels, ".")
}

func (o *mesosDNSOptions) checkIPSources(r *report) {
	if len(o.IPSources) == 0 && !r.blames("IPSources") {
		r.problem("IPSources", "the list is empty; it takes some of %s", ipSourceNames)
	}
	for i, source := range o.IPSources {
		path := indexed("IPSources", i)
		switch {
		case r.blames(path):
		case !slices.Contains([]string{"host", "docker", "mesos", "netinfo"}, source):
			r.problem(path, "%s is not one of %s", quoteBrief(source), ipSourceNames)
		case slices.Index(o.IPSources, source) < i:
			r.problem(path, "%s is in the list already", quoteBrief(source))
		}
	}
}

const ipSourceNames = `"host", "docker", "mesos", "netinfo" (in lower case)`

func (o *mesosDNSOptions) dnsServer(r *report) dnsConfig {
	listener, err := netip.ParseAddr(o.Listener)
	if err != nil && !r.blames("listener") {
		r.problem("listener", "%s is not an IP address, such as \"0.0.0.0\", \"127.0.0.1\" or \"::1\"", quoteBrief(o.Listener))
	}
	return dnsConfig{
		On:                 o.DNSOn,
		Listener:           listener.Unmap(),
		Port:               port(r, "port", o.Port, o.DNSOn),
		RecursionAvailable: o.RecurseOn,
		TruncateBit:        o.SetTruncateBit,
	}
}

func (o *mesosDNSOptions) httpServer(r *report) httpConfig {
	if o.HTTPOn && o.HTTPListener != "" && !isHost(o.HTTPListener) && !r.blames("httplistener") {
		r.problem("httplistener", "%s is not an IP address or a host name", quoteBrief(o.HTTPListener))
	}
	return httpConfig{
		On:          o.HTTPOn,
		Listener:    o.HTTPListener,
		Port:        port(r, "httpport", o.HTTPPort, o.HTTPOn),
		Enumeration: o.EnumerationOn,
	}
}

// port checks a port to listen on, unless nobody is going to.
func port(r *report, key string, number int, used bool) uint16 {
	if number < 0 || number > math.MaxUint16 {
		if used {
			r.problem(key, "%d is not %s", number, allowedPort)
		}
		return 0
	}
	return uint16(number)
}

func (o *mesosDNSOptions) forward(r *report) forwardConfig {
	f := forwardConfig{On: o.ExternalOn, Timeout: 5 * time.Second}
	if o.Timeout < 0 {
		r.warning("timeout", "%d is below 0; 5 seconds are used instead", o.Timeout)
	} else if o.Timeout > 0 {
		f.Timeout = seconds(o.Timeout)
	}
	if f.On {
		secure := &secureServers{names: make(map[netip.AddrPort]string), clear: make(map[netip.AddrPort]bool)}
		f.Resolvers = resolvers(r, "resolvers", o.Resolvers, secure)
		f.ZoneResolvers = o.zoneResolvers(r, secure)
		if len(secure.names) > 0 {
			f.Secure = secure.names
		}
	}
	return f
}
