package records

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// Options say how a zone names things. The zero value is not usable; start from DefaultOptions.
type Options struct {
	Domain        string            // lower case, no dot at either end, e.g. "mesos"
	TTL           uint32            // seconds, of every record; at most 2147483647 (RFC 2181, section 8)
	TTLs          map[uint16]uint32 // by type of record, instead of TTL
	NegativeTTL   uint32            // of answers that say that there is nothing: Minimum of the SOA record
	SRVWeight     uint16            // weight of every SRV record
	IPSources     []string          // order in which a task's addresses are looked for: "netinfo", "docker", "mesos", "host"
	EnforceRFC952 bool              // labels of at most 24 octets that start with a letter
	SOA           SOA
	ReverseZones  []netip.Prefix // networks whose addresses have PTR records, each with a zone: see ReverseZone
	ListenAddrs   []netip.Addr   // addresses of SOA.MName when it lies under Domain
	AllUnhealthy  AllUnhealthy   // what a name answers when each of its tasks is known to be unhealthy
	Serial        uint32         // the first serial; later ones only grow. 0 means 1

	// JournalSize is how many changes of names are kept for Snapshot.Since. A change keeps the records that the name had.
	// 0: none are.
	JournalSize int
	// Reserve is called with each serial before it is published, unless an earlier call has returned it or a later one
	// (RFC 1982). It says up to which serial there is no need to ask again; so it can keep where to go on after a
	// restart without keeping each serial. Updates wait for it. nil: nobody is asked.
	Reserve func(serial uint32) (upTo uint32)

	// Collided is told of names that have come to collide, or got one more that they collide between, by each Update in
	// which some have; nil: nobody is told. It is called from any goroutine that updates the zone, after the update.
	Collided func([]Collision)
}

// equal reports whether two options name everything alike.
func (o Options) equal(p *Options) bool {
	q := *p
	for _, o := range []*Options{&o, &q} {
		o.Serial, o.JournalSize, o.Reserve, o.Collided = 0, 0, nil, nil
	}
	return reflect.DeepEqual(o, q)
}

// wording is what of the options decides which records come of what is said, but for the server's own addresses: two zones
// with the same one are alike but for these once they have been told the same.
func (o Options) wording() string {
	o.SOA.Serial, o.SOA.Minimum, o.ListenAddrs, o.Serial, o.JournalSize, o.Reserve, o.Collided = 0, 0, nil, 0, 0, nil, nil
	networks := make([]string, len(o.ReverseZones))
	for i, network := range o.ReverseZones {
		networks[i] = network.Masked().String()
	}
	slices.Sort(networks)
	o.ReverseZones = nil
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v %v", o, networks)) // maps are printed in the order of their keys
	return hex.EncodeToString(sum[:8])
}

func (o *Options) tell(collisions []Collision) {
	if o.Collided != nil && len(collisions) > 0 {
		o.Collided(collisions)
	}
}

// AllUnhealthy says what to answer for a name all of whose tasks are known to be unhealthy.
type AllUnhealthy uint8

const (
	AnswerAll  AllUnhealthy = iota // answer all of them: a wrong health check must not empty a name
	AnswerNone                     // answer none: the name has no addresses until one is healthy
)

// SOA holds the fields of the SOA record (RFC 1035, section 3.3.13). Names are absolute, lower case, with a dot at the
// end.
type SOA struct {
	MName, RName           string
	Refresh, Retry, Expire uint32 // seconds
	// Serial of the zone, and seconds that negative answers may be kept (RFC 2308, section 4). In Options they mean
	// nothing.
	Serial, Minimum uint32
}

// DefaultOptions are Mesos-DNS's defaults for a domain ("mesos"), but for the names in the SOA record, which lie
// under the domain whatever it is.
func DefaultOptions(domain string) Options {
	return Options{
		Domain:      domain,
		TTL:         60,
		NegativeTTL: 60,
		SRVWeight:   1,
		IPSources:   []string{"netinfo", "mesos", "host"},
		SOA: SOA{
			MName:   "ns1." + domain + ".",
			RName:   "root.ns1." + domain + ".",
			Refresh: 60,
			Retry:   600,
			Expire:  86400,
		},
		Serial: 1,
	}
}

// ttl is that of the records of a type.
func (o *Options) ttl(rrtype uint16) uint32 {
	if ttl, ok := o.TTLs[rrtype]; ok {
		return ttl
	}
	return o.TTL
}

// maxTTL is the largest TTL there is (RFC 2181, section 8).
const maxTTL = math.MaxInt32

// validate returns everything that is wrong with the options, each error by its field.
func (o Options) validate() error {
	var errs []error
	if n, ok := wireName(o.Domain + "."); !ok || n.text() != o.Domain+"." {
		errs = append(errs, fmt.Errorf("options: Domain %q is not a domain name in lower case, like \"mesos\" or "+
			"\"dc1.example.com\", without a dot at either end", o.Domain))
	}
	if o.JournalSize < 0 {
		errs = append(errs, errors.New("options: JournalSize is below 0"))
	}
	if o.TTL > maxTTL {
		errs = append(errs, fmt.Errorf("options: TTL %d: at most %d seconds are allowed", o.TTL, maxTTL))
	}
	if o.NegativeTTL > maxTTL {
		errs = append(errs, fmt.Errorf("options: NegativeTTL %d: at most %d seconds are allowed", o.NegativeTTL, maxTTL))
	}
	for t, ttl := range o.TTLs {
		if ttl > maxTTL {
			errs = append(errs, fmt.Errorf("options: TTLs: %d for type %d: at most %d seconds are allowed", ttl, t, maxTTL))
		}
	}
	errs = append(errs, o.validateIPSources())
	for _, f := range []struct{ field, name string }{{"MName", o.SOA.MName}, {"RName", o.SOA.RName}} {
		if n, ok := parseName(f.name); !ok || n.text() != f.name {
			errs = append(errs, fmt.Errorf("options: SOA.%s %q is not an absolute name in lower case, "+
				"like \"ns1.mesos.\" with a dot at the end", f.field, f.name))
		}
	}
	for i, network := range o.ReverseZones {
		if _, err := ReverseZone(network); err != nil {
			errs = append(errs, fmt.Errorf("options: ReverseZones: %w", err))
		}
		for _, other := range o.ReverseZones[:i] {
			if network.Overlaps(other) {
				errs = append(errs, fmt.Errorf("options: ReverseZones: %v and %v have addresses in common", other, network))
			}
		}
	}
	for _, a := range o.ListenAddrs {
		if !a.IsValid() {
			errs = append(errs, errors.New("options: ListenAddrs holds an address that is neither IPv4 nor IPv6"))
		}
	}
	if o.AllUnhealthy > AnswerNone {
		errs = append(errs, fmt.Errorf("options: AllUnhealthy %d is neither AnswerAll nor AnswerNone", o.AllUnhealthy))
	}
	return errors.Join(errs...)
}

func (o Options) validateIPSources() error {
	var errs []error
	if len(o.IPSources) == 0 {
		errs = append(errs, fmt.Errorf("options: IPSources is empty: give some of %s", strings.Join(ipSourceNames(), ", ")))
	}
	for i, s := range o.IPSources {
		if !slices.Contains(ipSourceNames(), s) {
			errs = append(errs, fmt.Errorf("options: IPSources: %q is none of %s", s, strings.Join(ipSourceNames(), ", ")))
		}
		if slices.Contains(o.IPSources[:i], s) {
			errs = append(errs, fmt.Errorf("options: IPSources: %q is there twice", s))
		}
	}
	return errors.Join(errs...)
}
