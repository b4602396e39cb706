package records

import (
	"encoding/binary"
	"iter"
	"math"
	"net/netip"
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

// RRset is the set of records of one type at one name. It is immutable. Addresses are in ascending order, names as well,
// SRV records by target and port as their sources worded them: a reader that wants another order makes its own.
//
// It is kept as an answer has it (RFC 1035, section 4.1.3), and in no other form: there are half a million of them, which
// are asked for far more often than anything else is done with them.
type RRset struct {
	Type uint16
	// wire are the records. Behind those that are not all of one size there is the offset of each indexStep-th one, and
	// how many there are.
	wire string
}

// newRRset is the set that a writer has written; "": one without records.
func newRRset(wire string) RRset {
	if wire == "" {
		return RRset{}
	}
	return RRset{Type: uint16At(wire, 2), wire: wire}
}

const (
	// OwnerPointer is what each record of an RRset has for its owner: a compression pointer to where a message has the
	// name of its question (RFC 1035, section 4.1.4).
	OwnerPointer = 0xC000 | 12
	// HeaderLen is how many octets of a record precede its data.
	HeaderLen = 2 + 2 + 2 + 4 + 2
	// SRVLen is how many octets of an SRV record's data precede the target (RFC 2782).
	SRVLen = 2 + 2 + 2

	classIN = 1
	// indexStep is how many records have to be skipped, at most, to find one of them.
	indexStep = 64
	indexSize = 4 // octets of an offset, and of the number of records
)

// Len is the number of records in the set.
func (r *RRset) Len() int {
	if size := r.recordSize(); size > 0 {
		return len(r.wire) / size
	}
	if r.wire == "" {
		return 0
	}
	return int(uint32At(r.wire, len(r.wire)-indexSize))
}

// index is where the offsets are in wire, and the records end, for records that are not all of one size.
func (r *RRset) index() int { return len(r.wire) - indexSize*((r.Len()-1)/indexStep+1) }

// TTL is how many seconds the records may be kept.
func (r *RRset) TTL() uint32 { return uint32At(r.wire, 6) }

// Wire are the records in wire format, one after the other, each with OwnerPointer for its owner. Names in their data
// are not compressed.
func (r *RRset) Wire() string {
	if r.recordSize() > 0 {
		return r.wire
	}
	return r.wire[:r.index()]
}

// At is where record i starts within Wire; that of the one after the last is its length.
func (r *RRset) At(i int) int {
	if size := r.recordSize(); size > 0 {
		return i * size
	}
	if i >= r.Len() {
		return r.index()
	}
	at := 0
	if step := i / indexStep; step > 0 {
		at = int(uint32At(r.wire, r.index()+(step-1)*indexSize))
	}
	for range i % indexStep {
		at = RecordEnd(r.wire, at)
	}
	return at
}

// recordSize is the size of each record, 0 if there are several.
func (r *RRset) recordSize() int {
	switch r.Type {
	case TypeA:
		return HeaderLen + 4
	case TypeAAAA:
		return HeaderLen + 16
	}
	return 0
}

// RecordEnd is where the record ends that starts at a place in Wire, and the next one starts.
func RecordEnd(wire string, at int) int {
	return at + HeaderLen + int(uint16At(wire, at+HeaderLen-2))
}

func uint16At(s string, at int) uint16 { return uint16(s[at])<<8 | uint16(s[at+1]) }

func uint32At(s string, at int) uint32 {
	return uint32(s[at])<<24 | uint32(s[at+1])<<16 | uint32(s[at+2])<<8 | uint32(s[at+3])
}

// data yields the data of each record.
func (r *RRset) data() iter.Seq[string] {
	return func(yield func(string) bool) {
		wire := r.Wire()
		for at := 0; at < len(wire); {
			end := RecordEnd(wire, at)
			if !yield(wire[at+HeaderLen : end]) {
				return
			}
			at = end
		}
	}
}

// Addrs is the data of an A or AAAA set; nil: it is of another type. It is made anew each time, as is what the methods
// below return.
func (r *RRset) Addrs() []netip.Addr {
	if r.recordSize() == 0 {
		return nil
	}
	out := make([]netip.Addr, 0, r.Len())
	for data := range r.data() {
		out = append(out, addrOf(data))
	}
	return out
}

// addrOf is the address of an A or AAAA record.
func addrOf(data string) netip.Addr {
	if len(data) == 4 {
		return netip.AddrFrom4([4]byte([]byte(data)))
	}
	return netip.AddrFrom16([16]byte([]byte(data)))
}

// SRV is the data of an SRV record (RFC 2782). Target is absolute, with a dot at the end, in presentation format.
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string
}

// SRV is the data of an SRV set; nil: it is of another type.
func (r *RRset) SRV() []SRV {
	if r.Type != TypeSRV {
		return nil
	}
	out := make([]SRV, 0, r.Len())
	for data := range r.data() {
		out = append(out, SRV{uint16At(data, 0), uint16At(data, 2), uint16At(data, 4), name(data[SRVLen:]).text()})
	}
	return out
}

// Names is the data of an NS or PTR set: absolute, with a dot at the end; nil: it is of another type.
func (r *RRset) Names() []string {
	if r.Type != TypeNS && r.Type != TypePTR {
		return nil
	}
	out := make([]string, 0, r.Len())
	for data := range r.data() {
		out = append(out, name(data).text())
	}
	return out
}

// SOA is the data of an SOA set; nil: it is of another type.
func (r *RRset) SOA() *SOA {
	if r.Type != TypeSOA {
		return nil
	}
	mname := name(r.wire[HeaderLen:])
	mname = mname[:mname.end()]
	rname := name(r.wire[HeaderLen+len(mname):])
	rname = rname[:rname.end()]
	rest := r.wire[HeaderLen+len(mname)+len(rname):]
	return &SOA{MName: mname.text(), RName: rname.text(), Serial: uint32At(rest, 0), Refresh: uint32At(rest, 4),
		Retry: uint32At(rest, 8), Expire: uint32At(rest, 12), Minimum: uint32At(rest, 16)}
}

// writer writes RRsets, one after the other. It is used again for others.
type writer struct {
	octets []byte
	start  int // where the set begins
	index  []byte
	length uint32
}

// begin notes that a record begins.
func (w *writer) begin() {
	if w.length > 0 && w.length%indexStep == 0 {
		w.index = binary.BigEndian.AppendUint32(w.index, uint32(len(w.octets)-w.start))
	}
	w.length++
}

// copy adds a record as it is in another set.
func (w *writer) copy(record string) {
	w.begin()
	w.octets = append(w.octets, record...)
}

// record adds a record, up to its data.
func (w *writer) record(rrtype uint16, ttl uint32) {
	w.begin()
	w.octets = binary.BigEndian.AppendUint16(w.octets, OwnerPointer)
	w.octets = binary.BigEndian.AppendUint16(w.octets, rrtype)
	w.octets = binary.BigEndian.AppendUint16(w.octets, classIN)
	w.octets = binary.BigEndian.AppendUint32(w.octets, ttl)
	w.octets = append(w.octets, 0, 0)
}

// addr adds an A or AAAA record.
func (w *writer) addr(rrtype uint16, ttl uint32, addr netip.Addr) {
	w.record(rrtype, ttl)
	if rrtype == TypeA {
		octets := addr.As4()
		w.octets = append(w.octets, octets[:]...)
		w.end(4)
		return
	}
	octets := addr.As16()
	w.octets = append(w.octets, octets[:]...)
	w.end(16)
}

// srv adds an SRV record. A target that no DNS message can carry says that the service is not available (RFC 2782:
// "."); of the port it has the lower 16 bits.
func (w *writer) srv(ttl uint32, weight uint16, port int, target string) {
	w.record(TypeSRV, ttl)
	w.octets = append(w.octets, 0, 0, byte(weight>>8), byte(weight), byte(port>>8), byte(port)) // all of one priority
	start := len(w.octets)
	w.worded(target)
	w.end(SRVLen + len(w.octets) - start)
}

// ptr adds a PTR record, whose target is worded as that of srv.
func (w *writer) ptr(ttl uint32, target string) {
	w.record(TypePTR, ttl)
	start := len(w.octets)
	w.worded(target)
	w.end(len(w.octets) - start)
}

// worded adds a name given as dotted labels, not escaped.
func (w *writer) worded(target string) {
	var buf [maxName]byte
	wire, ok := appendWire(buf[:0], target)
	if !ok {
		wire = append(buf[:0], 0)
	}
	w.octets = append(w.octets, wire...)
}

// ns adds an NS record.
func (w *writer) ns(ttl uint32, host name) {
	w.record(TypeNS, ttl)
	w.octets = append(w.octets, host...)
	w.end(len(host))
}

// soa adds an SOA record.
func (w *writer) soa(ttl uint32, soa *SOA) {
	w.record(TypeSOA, ttl)
	start := len(w.octets)
	for _, text := range [...]string{soa.MName, soa.RName} {
		n, _ := parseName(text) // as validated
		w.octets = append(w.octets, n...)
	}
	for _, v := range [...]uint32{soa.Serial, soa.Refresh, soa.Retry, soa.Expire, soa.Minimum} {
		w.octets = binary.BigEndian.AppendUint32(w.octets, v)
	}
	w.end(len(w.octets) - start)
}

// end ends a record whose data has a length.
func (w *writer) end(length int) {
	binary.BigEndian.PutUint16(w.octets[len(w.octets)-length-2:], uint16(length))
}

// set ends a set of a type.
func (w *writer) set(t uint16) {
	if w.length > 0 && (&RRset{Type: t}).recordSize() == 0 {
		w.octets = append(w.octets, w.index...)
		w.octets = binary.BigEndian.AppendUint32(w.octets, w.length)
	}
	w.start, w.index, w.length = len(w.octets), w.index[:0], 0
}

// reset begins anew, behind some text.
func (w *writer) reset(text string) {
	w.octets = append(w.octets[:0], text...)
	w.start = len(text)
}

// SRVListed is the data of an SRV record as a source worded it.
type SRVListed struct {
	Target string // dotted labels, not escaped
	Port   int
}

// isCarried reports whether a record's wire format says all that its source did.
func (d *rdata) isCarried() bool {
	if d.target == "" {
		return true
	}
	var buf [maxName]byte
	_, ok := appendWire(buf[:0], d.target)
	return ok && isPlain(d.target) && d.port >= 0 && d.port <= math.MaxUint16
}
