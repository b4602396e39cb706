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
	negative NegativeSOA
}

// NegativeSOA is a zone's SOA record as it is in answers that say that there is nothing, with their TTL (RFC 2308, section
// 3), in wire format.
type NegativeSOA struct {
	// Record has names that are not compressed, and an owner, as RRset.Wire has it.
	Record string
	// Compressed is Record in an answer to a question for a name in the zone: of each name the end that it has in common
	// with the zone's, or with the one before it, is a pointer (RFC 1035, section 4.1.4). Where these point to is yet to
	// be filled in: the owner's to the zone's name, the others as follows.
	Compressed string
	Pointers   [2]Pointer // of MName and RName
	// Below are the labels, one of each name, that precede the zone's name, "" where it is not in the zone. Who asks for
	// a name that has one there as well can be answered with farther pointers.
	Below [2]string
}

// Pointer is a compression pointer in an SOA record.
type Pointer struct {
	Place int  // in the record; 0: there is none
	Into  int  // where it points to, from the beginning of the zone's name on, or of the record
	Inner bool // it is the record's
}

// NegativeSOA is the zone's. It is shared, and must not be changed.
func (a *Apex) NegativeSOA() *NegativeSOA { return &a.negative }

// setNegative makes NegativeSOA of the zone's SOA record.
func (a *Apex) setNegative(set *RRset) {
	ttl := min(set.TTL(), set.SOA().Minimum)
	wire := set.Wire()
	n := NegativeSOA{Record: wire[:HeaderLen-6] + string(binary.BigEndian.AppendUint32(nil, ttl)) + wire[HeaderLen-2:]}
	mname := name(n.Record[HeaderLen:])
	mname = mname[:mname.end()]
	rname := name(n.Record[HeaderLen+len(mname):])
	rname = rname[:rname.end()]

	out := []byte(n.Record[:HeaderLen])
	own, shared := mname.sharedWith(a.wire)
	out = n.compress(0, out, mname, own, Pointer{Into: shared})
	n.Below[0] = mname.labelBelow(a.wire)
	own, shared = rname.sharedWith(a.wire)
	to := Pointer{Into: shared}
	if more, at := rname.sharedWith(mname); more < own {
		own, to = more, Pointer{Into: HeaderLen + at, Inner: true}
	}
	out = n.compress(1, out, rname, own, to)
	n.Below[1] = rname.labelBelow(a.wire)
	out = append(out, n.Record[HeaderLen+len(mname)+len(rname):]...)
	binary.BigEndian.PutUint16(out[HeaderLen-2:], uint16(len(out)-HeaderLen))
	n.Compressed = string(out)
	a.negative = n
}

// compress adds a name to the record, of which the octets from own on are a pointer.
func (n *NegativeSOA) compress(i int, out []byte, whole name, own int, to Pointer) []byte {
	if own == len(whole)-1 { // nothing is shared but the root, which is as short as it can be
		return append(out, whole...)
	}
	out = append(out, whole[:own]...)
	to.Place = len(out)
	n.Pointers[i] = to
	return append(out, 0, 0)
}

// sharedWith is where the longest end begins that a name has in common with another: in the name, and in the other.
func (n name) sharedWith(other name) (at, there int) {
	for at < len(n)-1 {
		for there = 0; there < len(other)-1; there += 1 + int(other[there]) {
			if other[there:] == n[at:] {
				return at, there
			}
		}
		at += 1 + int(n[at])
	}
	return at, len(other) - 1
}

// labelBelow is the label, with its length, that precedes an apex in a name, "" if the name does not lie below it.
func (n name) labelBelow(apex name) string {
	for at := 0; at < len(n)-1; {
		next := at + 1 + int(n[at])
		if n[next:] == apex {
			return string(n[at:next])
		}
		at = next
	}
	return ""
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
