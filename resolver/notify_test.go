package resolver

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

// fakeSecondary notes what it is told, and answers when it is to.
type fakeSecondary struct {
	addr netip.AddrPort
	told chan *dns.Msg

	mu    sync.Mutex
	mute  int // messages that are not answered
	rcode int
}

func newFakeSecondary(t *testing.T, keys ...Key) *fakeSecondary {
	t.Helper()
	f := &fakeSecondary{told: make(chan *dns.Msg, 1000)}
	secrets := map[string]string{}
	for _, k := range keys {
		secrets[k.Name] = k.secret()
	}
	started := make(chan struct{})
	server := &dns.Server{Net: "udp", Addr: "127.0.0.1:0", TsigSecret: secrets, NotifyStartedFunc: func() { close(started) },
		MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(keys) > 0 && (m.IsTsig() == nil || w.TsigStatus() != nil) {
				t.Errorf("a message that is not signed: %v, %v", w.TsigStatus(), m)
			}
			f.told <- m
			if f.mute > 0 {
				f.mute--
				return
			}
			reply := new(dns.Msg).SetReply(m)
			reply.Rcode = f.rcode
			if tsig := m.IsTsig(); tsig != nil {
				reply.SetTsig(tsig.Hdr.Name, tsig.Algorithm, fudge, int64(now()))
			}
			w.WriteMsg(reply) //nolint:errcheck // the test sees that nothing came
		})}
	done := make(chan error, 1)
	go func() { done <- server.ListenAndServe() }()
	<-started
	f.addr = netip.MustParseAddrPort(server.PacketConn.LocalAddr().String())
	t.Cleanup(func() {
		server.Shutdown() //nolint:errcheck // it runs
		<-done
	})
	return f
}

// be has it not answer so many messages, and answer the others with an rcode.
func (f *fakeSecondary) be(mute, rcode int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mute, f.rcode = mute, rcode
}

// next waits for a message about a zone and returns the serial in it.
func (f *fakeSecondary) next(t *testing.T, zone string) uint32 {
	t.Helper()
	for {
		select {
		case m := <-f.told:
			if m.Opcode != dns.OpcodeNotify || len(m.Question) != 1 || m.Question[0].Qtype != dns.TypeSOA || !m.Authoritative {
				t.Fatalf("%v is no NOTIFY", m)
			}
			if m.Question[0].Name == zone {
				return m.Answer[0].(*dns.SOA).Serial
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody is told of %s", zone)
		}
	}
}

// newNotifyingServer has secondaries, and little patience with them.
func newNotifyingServer(t *testing.T, zone Zone, keys []Key, secondaries ...Secondary) *Server {
	t.Helper()
	s, err := New(zone, Options{Addrs: addrPorts("127.0.0.1:0"), Transfer: Transfer{Secondaries: secondaries, Keys: keys}})
	if err != nil {
		t.Fatal(err)
	}
	s.notifier.pause, s.notifier.timeout = time.Millisecond, 20*time.Millisecond
	runTestServer(t, s)
	return s
}

// A secondary is told of each zone at the start and of each change, with the newest serial (RFC 1996).
func TestNotify(t *testing.T) {
	for _, keys := range [][]Key{nil, {testKey}} {
		z := newJournaledZone(t)
		f := newFakeSecondary(t, keys...)
		to := Secondary{Addr: f.addr}
		if keys != nil {
			to.Key = "Transfers"
		}
		newNotifyingServer(t, z, keys, to)
		if got, want := f.next(t, "10.in-addr.arpa."), z.Snapshot().Apexes()[1].Serial; got != want {
			t.Errorf("told %d, want %d", got, want)
		}
		for i := range 20 {
			addTasks(z, i, i+1)
		}
		for f.next(t, "mesos.") != z.Snapshot().Serial() {
		}
		removeTasks(z, 0, 5)
		for f.next(t, "mesos.") != z.Snapshot().Serial() {
		}
	}
}

// Who does not answer is told again; who never does hears of the next change all the same.
func TestNotifyAgain(t *testing.T) {
	z := newJournaledZone(t)
	f := newFakeSecondary(t)
	f.be(3, dns.RcodeSuccess)
	newNotifyingServer(t, z, nil, Secondary{Addr: f.addr})
	for range 4 {
		if got := f.next(t, "mesos."); got != z.Snapshot().Serial() {
			t.Errorf("told %d", got)
		}
	}
	f.next(t, "10.in-addr.arpa.")
	f.be(2*notifyTries, dns.RcodeRefused)
	addTasks(z, 0, 1)
	for range notifyTries {
		f.next(t, "mesos.")
	}
	f.next(t, "10.in-addr.arpa.")
	addTasks(z, 1, 2)
	for f.next(t, "mesos.") != z.Snapshot().Serial() {
	}
}

// Before the zone is ready nobody is told of it.
func TestNoNotifyBeforeReady(t *testing.T) {
	z := newJournaledZone(t)
	z.Expect("other")
	f := newFakeSecondary(t)
	newNotifyingServer(t, z, nil, Secondary{Addr: f.addr})
	addTasks(z, 0, 1)
	addTasks(z, 1, 2)
	ready := z.Snapshot().Serial()
	z.Update("other", records.Update{})
	if got := f.next(t, "mesos."); got != ready {
		t.Errorf("told %d first, want %d", got, ready)
	}
}

// NOTIFY messages to this server: it is the primary, nothing can be news to it (RFC 1996, section 3.10).
func TestNotifyReceived(t *testing.T) {
	z := newJournaledZone(t)
	h := newTestHandler(t, z)
	for zone, want := range map[string]int{"mesos.": dns.RcodeSuccess, "MESOS.": dns.RcodeSuccess, "10.in-addr.arpa.": dns.RcodeSuccess,
		"marathon.mesos.": dns.RcodeNotAuth, "example.com.": dns.RcodeNotAuth, ".": dns.RcodeNotAuth} {
		m := new(dns.Msg).SetNotify(zone)
		m.Answer = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: ".", Mbox: ".", Serial: 1}}
		got := reply(t, h, m, true)
		if got.Rcode != want || got.Opcode != dns.OpcodeNotify || len(got.Question) != 1 || got.Question[0].Name != zone || len(got.Answer) != 0 ||
			got.Authoritative != (want == dns.RcodeSuccess) {
			t.Errorf("%s: %v", zone, got)
		}
	}
	// It is about SOA records; there is no other kind (RFC 1996, section 3.12), and BIND and Knot say the same.
	for _, qtype := range []uint16{dns.TypeA, dns.TypeNS, dns.TypeANY, dns.TypeAXFR, dns.TypeIXFR} {
		for _, zone := range []string{"mesos.", "example.com."} {
			m := new(dns.Msg).SetNotify(zone)
			m.Question[0].Qtype = qtype
			if got := reply(t, h, m, true); got.Rcode != dns.RcodeFormatError || got.Authoritative || len(got.Answer) != 0 {
				t.Errorf("type %d: %v", qtype, got)
			}
		}
	}
}
