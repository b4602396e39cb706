package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"rollcall/records"
)

// testTTL and testNegativeTTL are not TTLs that anything would have by accident.
const testTTL, testNegativeTTL = 77, 33

// newTestZone is a zone "mesos" of six agents and these names under marathon.mesos, and what follows from them:
//
//	web    three tasks on agents 0 to 2, each with one port; agent 1 has an IPv6 address, too
//	one    a task on agent 0 without ports
//	v6     a task with an IPv6 address only
//	deep   discovery name "node.db.deep" with a named port
//	big    300 tasks with addresses of their own
//	many   500 tasks on six agents, one port each: 25 KB of SRV records
func newTestZone(t testing.TB) *records.Zone {
	t.Helper()
	o := records.DefaultOptions("mesos")
	o.TTL, o.NegativeTTL = testTTL, testNegativeTTL
	o.ListenAddrs = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
	z, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var u records.Update
	for i := range 6 {
		agent := records.Agent{ID: fmt.Sprintf("x-S%d", i), Port: 5051, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}}
		if i == 1 {
			agent.Addrs = append(agent.Addrs, netip.MustParseAddr("fd00::1"))
		}
		u.Agents = append(u.Agents, agent)
	}
	task := func(name string, i, agent int, ports ...int) *records.Task {
		u.Tasks = append(u.Tasks, records.Task{ID: fmt.Sprintf("%s.%d", name, i), Name: name, Framework: "marathon",
			AgentID: fmt.Sprintf("x-S%d", agent), State: "TASK_RUNNING", Ports: ports})
		return &u.Tasks[len(u.Tasks)-1]
	}
	for i := range 3 {
		task("web", i, i, 31000+i)
	}
	task("one", 0, 0)
	task("v6", 0, 0).Addresses.NetInfo = []netip.Addr{netip.MustParseAddr("fd00::6")}
	task("deep", 0, 0).Discovery = &records.Discovery{Name: "node.db.deep",
		Ports: []records.DiscoveryPort{{Number: 9042, Name: "cql", Protocol: "tcp"}}}
	for i := range 300 {
		task("big", i, 0).Addresses.NetInfo = []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)})}
	}
	for i := range 500 {
		task("many", i, i%6, 31000+i)
	}
	z.Update("test", u)
	return z
}

// unready is a zone of which not all is known.
type unready struct{ *records.Zone }

func (unready) Ready() bool { return false }

// newTestHandler makes a handler as a server has it; change may change the options.
func newTestHandler(t testing.TB, zone Zone, change ...func(*Options)) *handler {
	t.Helper()
	o := Options{RecursionAvailable: true, SetTruncateBit: true, LocalNetworks: DefaultLocalNetworks()}
	for _, f := range change {
		f(&o)
	}
	h, err := newHandler(zone, o.withDefaults(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

// overUDP is a client whose address is not known.
var overUDP = client{addr: netip.MustParseAddr("192.0.2.99"), udp: true}

func testClient(udp bool) client { return client{addr: overUDP.addr, udp: udp} }

// newQuestion reads a question like "web.marathon.mesos. A".
func newQuestion(t testing.TB, text string) *dns.Msg {
	t.Helper()
	name, typeName, ok := strings.Cut(text, " ")
	qtype, known := dns.StringToType[typeName]
	if !ok || !known {
		t.Fatalf("%q is no question", text)
	}
	m := new(dns.Msg)
	m.Id = 4711
	m.RecursionDesired = true
	m.Question = []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}
	return m
}

// reply packs a message, has it answered, and reads the reply.
func reply(t testing.TB, h *handler, m *dns.Msg, udp bool) *dns.Msg {
	t.Helper()
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	got, q := h.handle(make([]byte, 0, maxUDPSize), packet, testClient(udp), newRotation())
	if q != nil {
		t.Fatal("the question is to be forwarded")
	}
	return unpack(t, got)
}

func unpack(t testing.TB, packet []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		t.Fatalf("the reply %x cannot be read: %v", packet, err)
	}
	return m
}

// expected is a reply. Records are lines of a zone file; their order does not count. In lines, SOA stands for the
// zone's SOA record.
type expected struct {
	rcode                         int
	answer, authority, additional []string
}

// check compares a reply with what is expected. The OPT record is left out.
func (want expected) check(t *testing.T, zone Zone, got *dns.Msg) {
	t.Helper()
	if got.Rcode != want.rcode {
		t.Errorf("rcode %s, want %s", dns.RcodeToString[got.Rcode], dns.RcodeToString[want.rcode])
	}
	soa := func(section string) string {
		ttl := testTTL
		if section == "authority" {
			ttl = testNegativeTTL
		}
		return fmt.Sprintf("mesos. %d IN SOA ns1.mesos. root.ns1.mesos. %d 60 600 86400 %d", ttl, zone.Snapshot().Serial(), testNegativeTTL)
	}
	for _, section := range []struct {
		name string
		got  []dns.RR
		want []string
	}{{"answer", got.Answer, want.answer}, {"authority", got.Ns, want.authority}, {"additional", got.Extra, want.additional}} {
		wanted := []string{}
		for _, line := range section.want {
			if line == "SOA" {
				line = soa(section.name)
			}
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Fatal(err)
			}
			wanted = append(wanted, rr.String())
		}
		slices.Sort(wanted)
		got := sortedLines(section.got)
		if section.name == "authority" { // the apex is spelled as in the question
			for i := range got {
				got[i] = strings.Replace(strings.ToLower(got[i]), "\tin\tsoa\t", "\tIN\tSOA\t", 1)
			}
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s section (-want +got):\n%s", section.name, diff)
		}
	}
}

func sortedLines(rrs []dns.RR) []string {
	out := []string{}
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeOPT {
			out = append(out, rr.String())
		}
	}
	slices.Sort(out)
	return out
}
