package resolver

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"rollcall/records"
)

var testKey = Key{Name: "transfers.", Algorithm: "hmac-sha256", Secret: []byte("0123456789abcdef")}

// newJournaledZone is a zone of an agent that keeps its changes, with a reverse zone.
func newJournaledZone(t testing.TB) *records.Zone {
	t.Helper()
	o := records.DefaultOptions("mesos")
	o.JournalSize = 10_000
	o.ReverseZones = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	z, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	z.Update("test", records.Update{Agents: []records.Agent{{ID: "x-S0", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}})
	return z
}

// addTasks starts tasks with numbers, each with a port and an address of its own.
func addTasks(z *records.Zone, from, to int) {
	var u records.Update
	for i := from; i < to; i++ {
		task := records.Task{ID: fmt.Sprintf("web.%d", i), Name: "web", Framework: "marathon", AgentID: "x-S0", State: "TASK_RUNNING",
			Ports: []int{31000 + i%1000}}
		task.Addresses.NetInfo = []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}
		u.Tasks = append(u.Tasks, task)
	}
	z.Update("test", u)
}

func removeTasks(z *records.Zone, from, to int) {
	var u records.Update
	for i := from; i < to; i++ {
		u.TasksGone = append(u.TasksGone, fmt.Sprintf("web.%d", i))
	}
	z.Update("test", u)
}

// newTransferServer lets everybody transfer who is on this machine.
func newTransferServer(t testing.TB, zone Zone, keys ...Key) *Server {
	t.Helper()
	return newTestServer(t, zone, func(o *Options) {
		o.Transfer = Transfer{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Keys: keys}
	})
}

// transferOf asks for a transfer and returns all of its records in their order.
func transferOf(t testing.TB, s *Server, m *dns.Msg, key *Key) ([]dns.RR, error) {
	t.Helper()
	client := &dns.Transfer{}
	if key != nil {
		client.TsigSecret = map[string]string{key.Name: key.secret()}
		m.SetTsig(key.Name, key.Algorithm+".", fudge, 0)
		m.IsTsig().TimeSigned = now()
	}
	envelopes, err := client.In(m, s.Addr().String())
	if err != nil {
		return nil, err
	}
	var out []dns.RR
	for e := range envelopes {
		if e.Error != nil {
			err = e.Error
		}
		out = append(out, e.RR...)
	}
	return out, err
}

func axfr(t testing.TB, s *Server, zone string) map[string]bool {
	t.Helper()
	list, err := transferOf(t, s, new(dns.Msg).SetAxfr(zone), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 3 || list[0].Header().Rrtype != dns.TypeSOA || list[len(list)-1].String() != list[0].String() {
		t.Fatalf("%d records, not between two SOA records:\n%v", len(list), list)
	}
	return asSet(t, list[:len(list)-1])
}

func asSet(t testing.TB, list []dns.RR) map[string]bool {
	t.Helper()
	set := make(map[string]bool)
	for _, rr := range list {
		if set[rr.String()] {
			t.Errorf("%v is there twice", rr)
		}
		set[rr.String()] = true
	}
	return set
}

// inZone are all records of a zone, as questions for them are answered.
func inZone(t testing.TB, s *Server, z *records.Zone, apex int) map[string]bool {
	t.Helper()
	out := make(map[string]bool)
	snapshot := z.Snapshot()
	for name, node := range snapshot.AllIn(&snapshot.Apexes()[apex]) {
		for set := range node.RRsets() {
			m := new(dns.Msg).SetQuestion(name, set.Type)
			for _, rr := range exchange(t, "tcp", s.Addr(), m).Answer {
				out[rr.String()] = true
			}
		}
	}
	return out
}

// A transfer is the whole zone, and nothing but the zone (RFC 5936).
func TestAXFR(t *testing.T) {
	z := newJournaledZone(t)
	addTasks(z, 0, 50)
	s := newTransferServer(t, z)
	for i, zone := range []string{"mesos.", "10.in-addr.arpa."} {
		if diff := cmp.Diff(inZone(t, s, z, i), axfr(t, s, zone)); diff != "" {
			t.Errorf("%s: -answered +transferred:\n%s", zone, diff)
		}
	}
	// Many messages, each with a signature that covers the one before.
	addTasks(z, 50, 5000)
	signed := newTransferServer(t, z, testKey)
	list, err := transferOf(t, signed, new(dns.Msg).SetAxfr("mesos."), &testKey)
	if err != nil || len(list)-1 != len(axfr(t, s, "mesos.")) {
		t.Errorf("signed: %d records, %v", len(list), err)
	}
	if got := len(axfr(t, s, "MESOS.")); got < 20_000 || got != z.Snapshot().Stats().Records-5000-1-2 {
		t.Errorf("%d records of %+v", got, z.Snapshot().Stats())
	}
}

// apply makes of what a secondary has what an incremental transfer says (RFC 1995, section 4).
func apply(t testing.TB, has map[string]bool, list []dns.RR) map[string]bool {
	t.Helper()
	if len(list) == 1 {
		return has // it is the newest
	}
	if list[1].Header().Rrtype != dns.TypeSOA {
		return asSet(t, list[:len(list)-1])
	}
	has = maps.Clone(has)
	adding := true
	for i, rr := range list[1 : len(list)-1] {
		if rr.Header().Rrtype == dns.TypeSOA {
			adding = !adding
		}
		if has[rr.String()] == adding {
			t.Errorf("record %d: %v is to be added: %v, as if it were not so already", i, rr, adding)
		}
		if delete(has, rr.String()); adding {
			has[rr.String()] = true
		}
	}
	return has
}

func ixfr(t testing.TB, s *Server, zone string, serial uint32) []dns.RR {
	t.Helper()
	list, err := transferOf(t, s, new(dns.Msg).SetIxfr(zone, serial, "ns1.mesos.", "root.ns1.mesos."), nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// From each serial that there was, a secondary gets to what there is.
func TestIXFR(t *testing.T) {
	z := newJournaledZone(t)
	addTasks(z, 0, 20)
	s := newTransferServer(t, z)
	type version struct {
		serials []uint32
		zones   []map[string]bool
	}
	var versions []version
	note := func() {
		var v version
		for _, apex := range z.Snapshot().Apexes() {
			v.serials = append(v.serials, apex.Serial)
			v.zones = append(v.zones, axfr(t, s, apex.Name))
		}
		versions = append(versions, v)
	}
	note()
	addTasks(z, 20, 30)
	note()
	removeTasks(z, 0, 25)
	note()
	addTasks(z, 0, 3)
	note()
	z.Update("test", records.Update{Masters: &records.Masters{Leader: netip.MustParseAddrPort("10.0.0.9:5050")}}) // no PTR record
	note()
	now := versions[len(versions)-1]
	for _, old := range versions {
		for zone, apex := range z.Snapshot().Apexes() {
			list := ixfr(t, s, apex.Name, old.serials[zone])
			if diff := cmp.Diff(now.zones[zone], apply(t, old.zones[zone], list)); diff != "" {
				t.Errorf("%s from serial %d: -AXFR +IXFR:\n%s", apex.Name, old.serials[zone], diff)
			}
			if current := old.serials[zone] == apex.Serial; (len(list) == 1) != current {
				t.Errorf("%s from serial %d: %d records", apex.Name, old.serials[zone], len(list))
			} else if !current && list[1].(*dns.SOA).Serial != old.serials[zone] {
				t.Errorf("%s from serial %d is not incremental", apex.Name, old.serials[zone])
			}
		}
	}
	// A small change takes few records.
	before := z.Snapshot().Serial()
	addTasks(z, 100, 101)
	if list := ixfr(t, s, "mesos.", before); len(list) > 4+12 {
		t.Errorf("one task more takes %d records", len(list))
	}
}

// Where the changes are not known there is a whole transfer; where there are none, or the secondary is ahead, the SOA.
func TestIXFRWithoutJournal(t *testing.T) {
	z := newJournaledZone(t)
	addTasks(z, 0, 20)
	s := newTransferServer(t, z)
	now := z.Snapshot().Serial()
	for _, tt := range []struct {
		serial uint32
		whole  bool
	}{{now, false}, {now + 1, false}, {now + 1<<30, false}, {now - 1000, true}, {0, true}, {now + 1<<31 + 1, true}} {
		list := ixfr(t, s, "mesos.", tt.serial)
		if tt.whole {
			if diff := cmp.Diff(axfr(t, s, "mesos."), asSet(t, list[:len(list)-1])); diff != "" {
				t.Errorf("serial %d: %s", tt.serial, diff)
			}
		} else if len(list) != 1 || list[0].(*dns.SOA).Serial != now {
			t.Errorf("serial %d: %v", tt.serial, list)
		}
	}
	// Over UDP the SOA record says whether it is worth asking over TCP.
	got := exchange(t, "udp", s.Addr(), new(dns.Msg).SetIxfr("mesos.", 1, "ns1.mesos.", "root.mesos."))
	if got.Rcode != dns.RcodeSuccess || len(got.Answer) != 1 || got.Answer[0].(*dns.SOA).Serial != now {
		t.Errorf("over UDP: %v", got)
	}
	if got := exchange(t, "udp", s.Addr(), new(dns.Msg).SetAxfr("mesos.")); got.Rcode != dns.RcodeFormatError {
		t.Errorf("AXFR over UDP: %v", got)
	}
	if got := exchange(t, "tcp", s.Addr(), newQuestion(t, "mesos. IXFR")); got.Rcode != dns.RcodeFormatError {
		t.Errorf("IXFR without a serial: %v", got)
	}
	of := new(dns.Msg).SetIxfr("mesos.", now, "ns1.mesos.", "root.mesos.")
	of.Ns[0].Header().Name = "10.in-addr.arpa."
	if got := exchange(t, "tcp", s.Addr(), of); got.Rcode != dns.RcodeFormatError {
		t.Errorf("IXFR with the serial of another zone: %v", got)
	}
}

// Who may transfer, and what others are told.
func TestTransferIsAllowed(t *testing.T) {
	z := newJournaledZone(t)
	local, elsewhere := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")
	here := Secondary{Addr: netip.MustParseAddrPort("127.0.0.1:5353")}
	wrong := Key{Name: testKey.Name, Algorithm: testKey.Algorithm, Secret: []byte("another")}
	unknown := Key{Name: "unknown.", Algorithm: testKey.Algorithm, Secret: testKey.Secret}
	sha1 := Key{Name: testKey.Name, Algorithm: "hmac-sha1", Secret: testKey.Secret}
	for _, tt := range []struct {
		name     string
		transfer Transfer
		key      *Key
		zone     string
		rcode    int
	}{
		{"nobody", Transfer{}, nil, "mesos.", dns.RcodeRefused},
		{"by address", Transfer{Allow: []netip.Prefix{local}}, nil, "mesos.", dns.RcodeSuccess},
		{"from elsewhere", Transfer{Allow: []netip.Prefix{elsewhere}}, nil, "mesos.", dns.RcodeRefused},
		{"a secondary", Transfer{Secondaries: []Secondary{here}}, nil, "mesos.", dns.RcodeSuccess},
		{"by key", Transfer{Keys: []Key{testKey}}, &testKey, "mesos.", dns.RcodeSuccess},
		{"without the key", Transfer{Keys: []Key{testKey}}, nil, "mesos.", dns.RcodeRefused},
		{"by address, without the key", Transfer{Allow: []netip.Prefix{local}, Keys: []Key{testKey}}, nil, "mesos.", dns.RcodeRefused},
		{"by key, from elsewhere", Transfer{Allow: []netip.Prefix{elsewhere}, Keys: []Key{testKey}}, &testKey, "mesos.", dns.RcodeRefused},
		{"by both", Transfer{Allow: []netip.Prefix{local}, Keys: []Key{testKey}}, &testKey, "mesos.", dns.RcodeSuccess},
		{"another secret", Transfer{Keys: []Key{testKey}}, &wrong, "mesos.", dns.RcodeNotAuth},
		{"another key", Transfer{Keys: []Key{testKey}}, &unknown, "mesos.", dns.RcodeNotAuth},
		{"another algorithm", Transfer{Keys: []Key{testKey}}, &sha1, "mesos.", dns.RcodeNotAuth},
		{"a key, though there are none", Transfer{Allow: []netip.Prefix{local}}, &testKey, "mesos.", dns.RcodeNotAuth},
		{"no apex", Transfer{Allow: []netip.Prefix{local}}, nil, "marathon.mesos.", dns.RcodeNotAuth},
		{"another zone", Transfer{Allow: []netip.Prefix{local}}, nil, "example.com.", dns.RcodeNotAuth},
		{"another zone, and nobody", Transfer{}, nil, "example.com.", dns.RcodeRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestServer(t, z, func(o *Options) { o.Transfer = tt.transfer })
			list, err := transferOf(t, s, new(dns.Msg).SetAxfr(tt.zone), tt.key)
			if tt.rcode == dns.RcodeSuccess {
				if err != nil || len(list) < 3 {
					t.Errorf("%d records, %v", len(list), err)
				}
				return
			}
			if err == nil || len(list) > 0 {
				t.Errorf("%d records, %v; want none", len(list), err)
			}
			m := new(dns.Msg).SetAxfr(tt.zone)
			if tt.key != nil {
				m.SetTsig(tt.key.Name, tt.key.Algorithm+".", fudge, int64(now()))
			}
			if got := rawExchange(t, s, m, tt.key); got.Rcode != tt.rcode || len(got.Answer) > 0 {
				t.Errorf("%v\nwant %s", got, dns.RcodeToString[tt.rcode])
			}
		})
	}
}

// A zone of which not all is known is not transferred: what is missing would be gone.
func TestNoTransferBeforeReady(t *testing.T) {
	s := newTransferServer(t, unready{newJournaledZone(t)})
	if got := rawExchange(t, s, new(dns.Msg).SetAxfr("mesos."), nil); got.Rcode != dns.RcodeServerFailure {
		t.Errorf("%v", got)
	}
}

// Of several rollcalls only those give the zone away whose serials are the leader's. One that has not heard of a leader
// since it was started has no serial at all to show.
func TestNoTransferOfProvisionalSerials(t *testing.T) {
	o := records.DefaultOptions("mesos")
	z, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	z.Share("test")
	z.Expect("test")
	s := newTransferServer(t, z)
	want := func(when string, soa, axfr int) {
		t.Helper()
		if got := rawExchange(t, s, new(dns.Msg).SetQuestion("mesos.", dns.TypeSOA), nil); got.Rcode != soa {
			t.Errorf("%s: SOA: %v", when, got)
		}
		if got := rawExchange(t, s, new(dns.Msg).SetAxfr("mesos."), nil); got.Rcode != axfr {
			t.Errorf("%s: AXFR: %v", when, got)
		}
	}
	want("at the start", dns.RcodeServerFailure, dns.RcodeServerFailure)
	z.Lead(0, func(serial uint32) (uint32, bool) { return serial + 1, true })
	z.Update("test", records.Update{})
	want("as the leader", dns.RcodeSuccess, dns.RcodeSuccess)
	z.Detach()
	want("with what the leader had", dns.RcodeSuccess, dns.RcodeSuccess)
	addTasks(z, 0, 1)
	z.Update("other", records.Update{Masters: &records.Masters{Leader: netip.MustParseAddrPort("10.0.0.1:5050")}})
	want("with something else", dns.RcodeSuccess, dns.RcodeServerFailure)
}

// rawExchange asks over TCP without looking at the signature of the reply.
func rawExchange(t testing.TB, s *Server, m *dns.Msg, key *Key) *dns.Msg {
	t.Helper()
	var packet []byte
	var err error
	if key == nil {
		packet, err = m.Pack()
	} else {
		packet, _, err = dns.TsigGenerate(m, key.secret(), "", false)
	}
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := &dns.Conn{Conn: tcp}
	defer conn.Close()
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, buf[:n])
}

// Differences are taken record by record, and a TTL that changes is a change.
func TestDifferencesOfOrder(t *testing.T) {
	z := newJournaledZone(t)
	u := records.Update{}
	for i := range 40 {
		u.Tasks = append(u.Tasks, records.Task{ID: fmt.Sprint(i), Name: "api", Framework: "marathon", AgentID: "x-S0", State: "TASK_RUNNING",
			Discovery: &records.Discovery{Name: strings.ToUpper("Api"), Ports: []records.DiscoveryPort{{Number: 31000 + i, Name: "http"}}}})
	}
	z.Update("test", u)
	s := newTransferServer(t, z)
	before, serial := axfr(t, s, "mesos."), z.Snapshot().Serial()
	z.Update("test", records.Update{TasksGone: []string{"3", "17", "39"}})
	if diff := cmp.Diff(axfr(t, s, "mesos."), apply(t, before, ixfr(t, s, "mesos.", serial))); diff != "" {
		t.Error(diff)
	}
	names := slices.Collect(maps.Keys(before))
	if len(names) < 100 {
		t.Errorf("only %d records", len(names))
	}
}
