package integration

import (
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// upstream is a DNS server that answers every A question with one address, and counts.
type upstream struct {
	server *dns.Server
	addr   string
}

func startUpstream(t *testing.T, answer string) *upstream {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{addr: conn.LocalAddr().String()}
	u.server = &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 0},
			A: net.ParseIP(answer)}}
		w.WriteMsg(m) //nolint:errcheck // the test notices
	})}
	go u.server.ActivateAndServe() //nolint:errcheck // it ends with the test
	t.Cleanup(u.stop)
	return u
}

func (u *upstream) stop() { u.server.Shutdown() } //nolint:errcheck // it may have been stopped before

// Names outside the domain come from a forwarder, and from the second one when the first is gone.
func TestForwarding(t *testing.T) {
	require(t, "dig")
	first, second := startUpstream(t, "192.0.2.1"), startUpstream(t, "192.0.2.2")
	c := newConfig(t.TempDir())
	c["externalon"], c["timeout"], c["resolvers"] = true, 1, []string{first.addr, second.addr}
	d := start(t, c)
	if got := d.addresses("www.example.org"); !slices.Equal(got, []string{"192.0.2.1"}) {
		t.Errorf("from the first: %v", got)
	}
	first.stop()
	d.eventually("the second one answers", func() bool {
		return slices.Equal(d.addresses("again.example.org"), []string{"192.0.2.2"})
	})
	if got := d.dig("+noall", "+comments", "nothing.mesos"); !slices.Contains(got, "NXDOMAIN,") {
		t.Errorf("a name of the own domain that is not there: %v", got)
	}
}

func TestNoForwardingIsRefused(t *testing.T) {
	require(t, "dig")
	d := start(t, newConfig(t.TempDir()))
	if got := d.dig("+noall", "+comments", "www.example.org"); !slices.Contains(got, "REFUSED,") {
		t.Errorf("a foreign name: %v", got)
	}
	d.must(http.StatusOK, http.MethodGet, "/ping", "")
}
