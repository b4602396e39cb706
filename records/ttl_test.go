package records

import (
	"net/netip"
	"testing"
)

// ttlOf is the TTL of a name's records of a type, and how many there are.
func ttlOf(t *testing.T, z *Zone, name string, rrtype uint16) (ttl uint32, records int) {
	t.Helper()
	node := z.Snapshot().LookupName(name)
	if node == nil || node.RRset(rrtype) == nil {
		t.Fatalf("%s has no records of type %d", name, rrtype)
	}
	return node.RRset(rrtype).TTL(), node.RRset(rrtype).Len()
}

func TestTTLByType(t *testing.T) {
	z := newTestZone(t, func(o *Options) {
		o.TTL, o.NegativeTTL = 60, 5
		o.TTLs = map[uint16]uint32{TypeSRV: 10, TypeNS: 3600, TypePTR: 0}
		o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	agent := Agent{ID: "x-S1", Addrs: addrs("10.0.0.1", "fd00::1")}
	z.Update("s", Update{Agents: []Agent{agent}, Tasks: []Task{running("web.1", "web", agent, 31000)}})
	for _, tt := range []struct {
		name   string
		rrtype uint16
		want   uint32
	}{
		{"web.marathon.mesos", TypeA, 60}, {"web.marathon.mesos", TypeAAAA, 60}, {"_web._tcp.marathon.mesos", TypeSRV, 10},
		{"mesos", TypeNS, 3600}, {"mesos", TypeSOA, 60}, {"1.0.0.10.in-addr.arpa", TypePTR, 0},
	} {
		if got, _ := ttlOf(t, z, tt.name, tt.rrtype); got != tt.want {
			t.Errorf("%s, type %d: TTL %d, want %d", tt.name, tt.rrtype, got, tt.want)
		}
	}
	if soa := z.Snapshot().LookupName("mesos").RRset(TypeSOA).SOA(); soa.Minimum != 5 {
		t.Errorf("the SOA's minimum is %d, want the TTL of negative answers", soa.Minimum)
	}
}

// The records of a task have its own TTL; those that it shares with others the smallest, in all types of the name that
// it has a part in. A change of TTL is a change of content.
func TestTTLByTask(t *testing.T) {
	z := newTestZone(t)
	short, long, huge := uint32(5), uint32(300), uint32(1<<32-1)
	agent, other := Agent{ID: "x-S1", Addrs: addrs("10.0.0.1")}, Agent{ID: "x-S2", Addrs: addrs("10.0.0.2")}
	task := func(id string, on Agent, ttl *uint32) Task {
		task := running(id, "web", on)
		task.TTL = ttl
		return task
	}
	check := func(what string, want uint32, records int) {
		t.Helper()
		if got, n := ttlOf(t, z, "web.marathon.mesos", TypeA); got != want || n != records {
			t.Errorf("%s: %d records with TTL %d, want %d with %d", what, n, got, records, want)
		}
	}
	z.Update("s", Update{Agents: []Agent{agent, other}, Tasks: []Task{task("1", agent, &long)}})
	check("alone", 300, 1)
	z.Update("s", Update{Tasks: []Task{task("2", other, nil)}})
	check("with one that has the zone's", 60, 2)
	z.Update("s", Update{Tasks: []Task{task("3", agent, &short)}})
	check("with the same address and a smaller one", 5, 2)
	if got, _ := ttlOf(t, z, "web-"+taskHash("1")+"-s1.marathon.mesos", TypeA); got != 300 {
		t.Errorf("the first one's own name has TTL %d", got)
	}
	z.Update("s", Update{TasksGone: []string{"3"}})
	check("after it has gone", 60, 2)
	z.Update("s", Update{TasksGone: []string{"2"}})
	check("alone again", 300, 1)
	serial := z.Snapshot().Serial()
	z.Update("s", Update{Tasks: []Task{task("1", agent, &short)}})
	check("changed", 5, 1)
	if z.Snapshot().Serial() == serial {
		t.Error("the serial did not move")
	}
	same := uint32(5)
	serial = z.Snapshot().Serial()
	z.Update("s", Update{Tasks: []Task{task("1", agent, &same)}})
	if z.Snapshot().Serial() != serial {
		t.Error("the same TTL moved the serial")
	}
	z.Update("s", Update{Tasks: []Task{task("1", agent, &huge)}})
	check("more than there is", maxTTL, 1)
}
