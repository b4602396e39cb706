package integration

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// peersZone is the zone as rollcalls with a shared state gave it away last.
type peersZone struct {
	serial  uint32
	records map[string]bool
}

// agree waits until all of them give the same zone away under the same serial, and sees that it is no earlier one than
// before. Whoever has the zone of before gets there by IXFR from any of them.
func (z *peersZone) agree(t *testing.T, what string, all []*daemon) {
	t.Helper()
	var next peersZone
	eventually(t, what+": all have the same serial", func() bool {
		next = peersZone{serial: serialAt(all[0].dns, "mesos.")}
		for _, d := range all {
			list := transferOf(d.dns, new(dns.Msg).SetAxfr("mesos."))
			if len(list) == 0 || list[0].(*dns.SOA).Serial != next.serial {
				return false
			}
			records := changed(nil, list)
			if next.records == nil {
				next.records = records
			} else if !maps.Equal(next.records, records) {
				t.Errorf("%s: one zone and another with the serial %d:\n%s", what, next.serial, cmp.Diff(next.records, records))
			}
		}
		return next.serial != 0
	})
	if z.serial != 0 {
		if int32(next.serial-z.serial) < 0 {
			t.Errorf("%s: the serial went from %d to %d", what, z.serial, next.serial)
		}
		for _, d := range all {
			m := new(dns.Msg).SetIxfr("mesos.", z.serial, "ns1.mesos.", "root.ns1.mesos.")
			got := z.records
			if list := transferOf(d.dns, m); len(list) != 1 || list[0].(*dns.SOA).Serial != z.serial {
				got = changed(z.records, list)
			}
			if diff := cmp.Diff(next.records, got); diff != "" {
				t.Errorf("%s: by IXFR from serial %d (-zone +got):\n%s", what, z.serial, diff)
			}
		}
	}
	*z = next
}

// transferOf are the records of a transfer, nil if there is none.
func transferOf(addr string, m *dns.Msg) (list []dns.RR) {
	envelopes, err := new(dns.Transfer).In(m, addr)
	if err != nil {
		return nil
	}
	for e := range envelopes {
		if e.Error != nil {
			list = nil
			continue
		}
		list = append(list, e.RR...)
	}
	return list
}

// changed is what records become by a transfer (RFC 1995, section 4). Without those of the name server, whose address is
// another one for each.
func changed(records map[string]bool, list []dns.RR) map[string]bool {
	out := maps.Clone(records)
	incremental := len(list) > 1 && list[1].Header().Rrtype == dns.TypeSOA
	if !incremental || out == nil {
		out = map[string]bool{}
	}
	adding := !incremental
	for _, rr := range list[min(1, len(list)):] {
		text := rr.String()
		switch {
		case rr.Header().Rrtype == dns.TypeSOA:
			if incremental {
				adding = rr.(*dns.SOA).Serial == list[0].(*dns.SOA).Serial
			}
		case strings.HasPrefix(text, "ns1."):
		case adding:
			out[text] = true
		default:
			delete(out, text)
		}
	}
	return out
}
