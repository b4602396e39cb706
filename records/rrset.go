package records

import (
	"net/netip"
	"sync/atomic"
)

// Types of RRsets, as numbered by IANA.
const (
	TypeA    uint16 = 1
	TypeNS   uint16 = 2
	TypeSOA  uint16 = 6
	TypePTR  uint16 = 12
	TypeAAAA uint16 = 28
	TypeSRV  uint16 = 33
)

// RRset is the set of records of one type at one name. Exactly one of Addrs, SRV, Names and SOA is filled, by type.
// Addrs are in ascending order, Names as well, SRV by target and port: a reader that wants another order makes its own.
// It is immutable but for its rendering slot. There are half a million of them: so what few have is apart.
type RRset struct {
	Type  uint16
	TTL   uint32       // seconds
	Addrs []netip.Addr // A, AAAA
	SRV   []SRV

	others    *otherData // nil where Addrs or SRV is filled
	rendering atomic.Pointer[[]byte]
	next      *RRset // of the same name, with a higher type
}

// otherData is the data of the types that few names have.
type otherData struct {
	names []string
	soa   *SOA
}

// Names is the data of an NS or PTR set: absolute, with a dot at the end.
func (r *RRset) Names() []string {
	if r.others == nil {
		return nil
	}
	return r.others.names
}

// SOA is the data of an SOA set.
func (r *RRset) SOA() *SOA {
	if r.others == nil {
		return nil
	}
	return r.others.soa
}

// SRV is the data of an SRV record (RFC 2782). Target is absolute, with a dot at the end, in presentation format.
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string
	// Listed is what the source said, where that is not what a DNS message can carry; nil: it is Target and Port.
	Listed *SRVListed
}

// SRVListed is the data of an SRV record as a source worded it. Where it has a target that no DNS message can carry, the
// record says that the service is not available (RFC 2782: "."); of a port it has the lower 16 bits.
type SRVListed struct {
	Target string // dotted labels, not escaped
	Port   int
}

// AsListed is what the source said.
func (s *SRV) AsListed() SRVListed {
	if s.Listed != nil {
		return *s.Listed
	}
	return SRVListed{Target: s.Target, Port: int(s.Port)}
}

func newSRV(weight uint16, d rdata) SRV {
	s := SRV{Weight: weight, Port: uint16(d.port), Target: d.target}
	var buf [maxName]byte
	wire, ok := appendWire(buf[:0], d.target)
	switch {
	case !ok:
		s.Target = "."
	case !isPlain(d.target):
		s.Target = name(wire).text()
	}
	if s.Target != d.target || int(s.Port) != d.port {
		s.Listed = &SRVListed{Target: d.target, Port: d.port}
	}
	return s
}

func (s *SRV) rdata(ttl uint32) rdata {
	listed := s.AsListed()
	return rdata{rrtype: TypeSRV, ttl: ttl, port: listed.Port, target: listed.Target}
}

// Rendering returns what SetRendering stored, or nil. It may be called from any goroutine.
func (r *RRset) Rendering() []byte {
	if p := r.rendering.Load(); p != nil {
		return *p
	}
	return nil
}

// SetRendering keeps a reader's rendering of the set (its answer in wire format), so that it is made once. The set
// takes the slice over. A set that an update does not change keeps its rendering; the set of the SOA record is a new
// one with each serial. Readers race to store it; their renderings are equal, so it does not matter whose is kept.
func (r *RRset) SetRendering(wire []byte) { r.rendering.Store(&wire) }

// Len is the number of records in the set.
func (r *RRset) Len() int {
	if r.SOA() != nil {
		return 1
	}
	return len(r.Addrs) + len(r.SRV) + len(r.Names())
}
