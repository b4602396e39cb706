package resolver

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"rollcall/records"
)

// maxRendered is how many records a set may have to be rendered: more than fit in any message (65535 octets hold 4094
// addresses), so that a set of a hundred thousand does not keep megabytes that nobody can be sent.
const maxRendered = 4096

// Compression pointers (RFC 1035, section 4.1.4).
const (
	pointer         = 0xC000
	questionPointer = pointer | headerLen // to the name of the question
	maxPointer      = 0x3FFF
)

// rendering gives a set's records in wire format, one after the other in the set's order, each with the name of the
// question for its owner. It is made once and kept with the set. nil: the set has none, and the slow path answers.
func rendering(set *records.RRset) []byte {
	if wire := set.Rendering(); wire != nil {
		return wire
	}
	wire := render(set)
	if wire != nil {
		set.SetRendering(wire)
	}
	return wire
}

func render(set *records.RRset) []byte {
	n := set.Len()
	if n == 0 || n > maxRendered {
		return nil
	}
	ttl := set.TTL
	if set.SOA() != nil {
		ttl = negativeTTL(set) // answers that have it for their subject are not made of renderings
	}
	var out []byte
	// record appends what precedes the data, and fills in the length of what data appends.
	record := func(data func()) {
		out = binary.BigEndian.AppendUint16(out, questionPointer)
		out = binary.BigEndian.AppendUint16(out, set.Type)
		out = binary.BigEndian.AppendUint16(out, dns.ClassINET)
		out = binary.BigEndian.AppendUint32(out, ttl)
		at := len(out)
		out = append(out, 0, 0)
		data()
		binary.BigEndian.PutUint16(out[at:], uint16(len(out)-at-2))
	}
	sound := true
	name := func(text string) {
		var buf [maxName]byte
		end, err := dns.PackDomainName(text, buf[:], 0, nil, false)
		sound = sound && err == nil
		out = append(out, buf[:end]...)
	}
	for _, a := range set.Addrs {
		record(func() { out = append(out, a.AsSlice()...) })
	}
	for _, srv := range set.SRV {
		record(func() {
			out = binary.BigEndian.AppendUint16(out, srv.Priority)
			out = binary.BigEndian.AppendUint16(out, srv.Weight)
			out = binary.BigEndian.AppendUint16(out, srv.Port)
			name(srv.Target) // never compressed (RFC 2782)
		})
	}
	for _, target := range set.Names() {
		record(func() { name(target) })
	}
	if soa := set.SOA(); soa != nil {
		record(func() {
			name(soa.MName)
			name(soa.RName)
			for _, v := range [...]uint32{soa.Serial, soa.Refresh, soa.Retry, soa.Expire, soa.Minimum} {
				out = binary.BigEndian.AppendUint32(out, v)
			}
		})
	}
	if !sound || len(out) == 0 {
		return nil
	}
	return out[:len(out):len(out)]
}

// recordEnd is where the first record of a rendering ends.
func recordEnd(wire []byte) int {
	return recordLen + int(binary.BigEndian.Uint16(wire[recordLen-2:]))
}
