package records

import "encoding/binary"

// Apex is the top of a zone. A snapshot has one for its domain and one for each of the reverse zones.
type Apex struct {
	// Name is absolute, in lower case, with a dot at the end.
	Name string
	// Serial is that of the zone's SOA record: two snapshots in which the zone's content is equal have the same one, and
	// it only grows (RFC 1982).
	Serial uint32

	wire     name
	negative string
}

// NegativeSOA is the zone's SOA record as it is in answers that say that there is nothing, with their TTL (RFC 2308,
// section 3), in wire format as RRset.Wire has it.
func (a *Apex) NegativeSOA() string { return a.negative }

// setNegative makes NegativeSOA of the zone's SOA record.
func (a *Apex) setNegative(set *RRset) {
	ttl := min(set.TTL(), set.SOA().Minimum)
	wire := set.Wire()
	a.negative = wire[:HeaderLen-6] + string(binary.BigEndian.AppendUint32(nil, ttl)) + wire[HeaderLen-2:]
}

// newApex makes one of a valid domain, which has no dot at the end.
func newApex(domain string) Apex {
	wire, _ := wireName(domain + ".")
	return Apex{Name: wire.text(), wire: wire}
}

// apexes are those of the zones that options speak of, the domain's first.
func (o *Options) apexes() []Apex {
	out := []Apex{newApex(o.Domain)}
	for _, network := range o.ReverseZones {
		if zone, err := ReverseZone(network); err == nil { // as validated
			out = append(out, newApex(zone))
		}
	}
	return out
}

// Wire is the name in wire format.
func (a *Apex) Wire() string { return string(a.wire) }

// Has reports whether a name, in lower case and wire format, is in the zone.
func (a *Apex) Has(wire []byte) bool {
	for len(wire) > len(a.wire) {
		wire = wire[1+wire[0]:]
	}
	return a.wire.equal(wire)
}

// Apexes are those of all zones, the domain's first. The result is shared and must not be changed.
func (s *Snapshot) Apexes() []Apex { return s.apexes }

// ApexOf finds the zone that a name lies in, the name being as for Lookup; nil: it lies in none. It does not allocate.
func (s *Snapshot) ApexOf(wire []byte) *Apex {
	for i := range s.apexes {
		if s.apexes[i].Has(wire) {
			return &s.apexes[i]
		}
	}
	return nil
}
