package resolver

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"rollcall/records"
)

// Zone is what the resolver needs of a records.Zone. Its methods are called from many goroutines at once.
type Zone interface {
	// Snapshot returns the names as they are now. It neither blocks nor allocates.
	Snapshot() *records.Snapshot
	// Updated returns a channel that is closed when either may have changed.
	Updated() <-chan struct{}
	// Ready says that names that the snapshot does not have are known not to exist. Once true it stays true.
	Ready() bool
	// Enumerate lists what frameworks and tasks add to the zone, for /v1/enumerate.
	Enumerate() []records.EnumeratedFramework
}

var _ Zone = (*records.Zone)(nil)

// Options say where a Server listens and what it does with names outside the zone.
type Options struct {
	// Addrs are the addresses to listen on, each with UDP and TCP. With port 0 a free port is taken, the same for both.
	Addrs []netip.AddrPort

	// TLSAddr is where DNS over TLS is served (RFC 7858), HTTPSAddr is where DNS over HTTPS is, under /dns-query (RFC 8484);
	// the invalid address: it is not. TLS, which has to be there then, is what both do it with: the certificate to show.
	TLSAddr, HTTPSAddr netip.AddrPort
	TLS                *tls.Config

	// Recursion says whether questions outside the zone are forwarded; else they are refused ("externalon").
	Recursion bool
	// RecursionAvailable is the RA bit of answers for the zone, and nothing else ("recurseon").
	RecursionAvailable bool
	// Upstreams are the servers to forward to, in the order of preference. Those that are this server itself are left
	// out. Without any, questions outside the zone are refused.
	Upstreams []netip.AddrPort
	// ZoneUpstreams are used instead for the names in single zones, the longest suffix wins. Keys are domain names with
	// or without the dot at the end. A name in our own zone is never forwarded, whatever is listed here.
	ZoneUpstreams map[string][]netip.AddrPort
	// SecureUpstreams are those of the servers above that are asked over TLS (RFC 7858), each with the name that its
	// certificate has to be valid for; "": its address. UpstreamAuthorities issue the certificates; nil: the system's.
	SecureUpstreams     map[netip.AddrPort]string
	UpstreamAuthorities *x509.CertPool
	// Timeout is how long to wait for one upstream server; 0 means DefaultTimeout.
	Timeout time.Duration
	// TCPFallback has upstream servers asked over UDP with EDNS, whatever the client speaks, and over TCP what did not fit.
	// Without, a question goes on over the transport that it came over, with EDNS if it came with it, and that a reply was
	// cut short is for the client to see: so does Mesos-DNS.
	TCPFallback bool
	// MixCase has questions to upstream servers spelled with letters of random case, which replies have to repeat: more
	// that whoever forges replies has to guess (draft-vixie-dnsext-dns0x20).
	MixCase bool
	// CacheSize is how many forwarded answers are kept; 0: none. They take 2 KB each at most, on average: large ones drive
	// out others.
	CacheSize int
	// MaxStale is how long answers are kept after their time, for when no upstream server answers (RFC 8767); 0: not.
	MaxStale time.Duration
	// Prefetch has answers that are asked for renewed when a tenth of their time is left, so that nobody waits.
	Prefetch bool
	// RecursionFrom are the networks whose clients may ask for names outside the zones; nil: DefaultLocalNetworks.
	RecursionFrom []netip.Prefix

	// ServerVersion answers version.bind and version.server in class CHAOS, ServerID hostname.bind and id.server
	// (RFC 4892), and the option NSID (RFC 5001). "": they are refused. At most 255 octets.
	ServerVersion, ServerID string
	// Cookies says what DNS cookies are for.
	Cookies Cookies
	// CookieSecret is shared by servers that have the same address, such as those behind a load balancer; nil: one that
	// nobody else knows.
	CookieSecret *CookieSecret

	// LocalNetworks are those to which replies over UDP may be as large as the client says; to all others they have at
	// most 1232 octets, which pass without fragments.
	LocalNetworks []netip.Prefix
	// MaxAnswers limits the records of one answer from the zone, over TCP as well, for clients that cannot deal with
	// large sets. 0: no limit.
	MaxAnswers int
	// Order is that of the records of an answer from the zone.
	Order Order
	// OwnAgentFirst puts first the records that lead to the address that asks.
	OwnAgentFirst bool

	// Transfer says who may have the zones as a whole.
	Transfer Transfer

	// SetTruncateBit says whether replies that leave out records say so (TC). Clients that do not ask again over TCP
	// may be better off without.
	SetTruncateBit bool

	// MaxForwards limits the questions that wait for upstream servers at one time; more are answered SERVFAIL.
	// 0 means DefaultMaxForwards.
	MaxForwards int
	// MaxConnections limits the TCP connections. For another one the connection is closed that has been idle for longest;
	// if none is idle, the other one is closed at once. 0 means DefaultMaxConnections.
	MaxConnections int
	// MaxClientConnections limits the TCP connections of one client: an IPv4 address, or an IPv6 network of 64 bits. More
	// are closed at once. 0 means DefaultMaxClientConnections.
	MaxClientConnections int

	// Strangers says what clients get over UDP that nothing is known of.
	Strangers Strangers

	// Logger gets what an operator has to know; nil: nobody does.
	Logger *slog.Logger
	// Registry gets the metrics, which metrics.go lists; nil: they are not collected anywhere. Two servers must not share
	// one.
	Registry *prometheus.Registry
}

const (
	// DefaultTimeout is Mesos-DNS's.
	DefaultTimeout = 5 * time.Second
	// DefaultMaxForwards bounds memory and sockets: a question that waits costs about 20 KB and, for each
	// server that it is with, one file descriptor.
	DefaultMaxForwards = 512
	// DefaultMaxConnections bounds memory and file descriptors. An idle connection takes about 4 KB.
	DefaultMaxConnections = 4096
	// DefaultMaxClientConnections keeps connections for others; resolvers keep few of them, load balancers some more.
	DefaultMaxClientConnections = 512
)

// maxText is how many octets a text of a TXT record may have (RFC 1035, section 3.3).
const maxText = 255

// withDefaults returns the options with the zero values replaced that mean a default.
func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.MaxForwards = cmp.Or(o.MaxForwards, DefaultMaxForwards)
	o.MaxConnections = cmp.Or(o.MaxConnections, DefaultMaxConnections)
	o.MaxClientConnections = cmp.Or(o.MaxClientConnections, DefaultMaxClientConnections)
	if o.RecursionFrom == nil {
		o.RecursionFrom = DefaultLocalNetworks()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return o
}

// validate returns everything that is wrong with the options, each error by its field.
func (o Options) validate() error {
	var errs []error
	if len(o.Addrs) == 0 {
		errs = append(errs, errors.New("options: Addrs is empty: give at least one address to listen on"))
	}
	for _, a := range o.Addrs {
		if !a.Addr().IsValid() {
			errs = append(errs, errors.New("options: Addrs holds an address that is neither IPv4 nor IPv6"))
		}
	}
	if (o.TLSAddr.IsValid() || o.HTTPSAddr.IsValid()) && o.TLS == nil {
		errs = append(errs, errors.New("options: TLS is missing, which TLSAddr and HTTPSAddr need"))
	}
	upstreams := func(field string, list []netip.AddrPort) {
		for _, u := range list {
			if !u.Addr().IsValid() || u.Addr().IsUnspecified() || u.Port() == 0 {
				errs = append(errs, fmt.Errorf("options: %s: %v is not the address and port of a server", field, u))
			}
		}
	}
	upstreams("Upstreams", o.Upstreams)
	for zone, list := range o.ZoneUpstreams {
		if _, ok := dns.IsDomainName(zone); !ok || strings.Trim(zone, ".") == "" {
			errs = append(errs, fmt.Errorf("options: ZoneUpstreams: %q is not a domain name", zone))
		}
		upstreams(fmt.Sprintf("ZoneUpstreams[%q]", zone), list)
	}
	for _, text := range []struct{ field, value string }{
		{"ServerVersion", o.ServerVersion}, {"ServerID", o.ServerID},
	} {
		if len(text.value) > maxText {
			errs = append(errs, fmt.Errorf("options: %s has %d octets, at most %d are allowed", text.field, len(text.value), maxText))
		}
	}
	for _, network := range o.LocalNetworks {
		if !network.IsValid() {
			errs = append(errs, errors.New("options: LocalNetworks holds a network that is neither IPv4 nor IPv6"))
		}
	}
	if err := o.Transfer.validate(); err != nil {
		errs = append(errs, fmt.Errorf("options: Transfer: %w", err))
	}
	if o.Order > OrderFixed {
		errs = append(errs, fmt.Errorf("options: Order %d is none of the values there are", o.Order))
	}
	if o.Cookies > CookiesOff {
		errs = append(errs, fmt.Errorf("options: Cookies %d is none of the values there are", o.Cookies))
	}
	if a := o.Strangers.Amplification; a != 0 && !(a >= 1) {
		errs = append(errs, fmt.Errorf("options: Strangers.Amplification is %v: not even the question would fit", a))
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"Timeout", int64(o.Timeout)}, {"CacheSize", int64(o.CacheSize)}, {"MaxStale", int64(o.MaxStale)},
		{"MaxAnswers", int64(o.MaxAnswers)}, {"MaxForwards", int64(o.MaxForwards)}, {"MaxConnections", int64(o.MaxConnections)},
		{"MaxClientConnections", int64(o.MaxClientConnections)},
		{"Strangers.ResponsesPerSecond", int64(o.Strangers.ResponsesPerSecond)}, {"Strangers.Slip", int64(o.Strangers.Slip)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("options: %s is below 0", n.field))
		}
	}
	return errors.Join(errs...)
}
