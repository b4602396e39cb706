package main

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"rollcall/scheduler/api"
)

func TestOwnResolver(t *testing.T) {
	started := make(chan struct{})
	server := &dns.Server{Net: "tcp", Addr: "127.0.0.1:0", NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			reply := new(dns.Msg).SetReply(q)
			switch name := q.Question[0].Name; name {
			case "web.mesos.":
				rr, err := dns.NewRR(name + ` 60 IN SRV 0 1 31000 web-1.slave.mesos.`)
				if err != nil {
					t.Error(err)
				}
				reply.Answer = append(reply.Answer, rr)
				reply.SetEdns0(1232, false)
			default:
				reply.Rcode = dns.RcodeNameError
			}
			w.WriteMsg(reply) //nolint:errcheck // the test would fail below
		})}
	go server.ListenAndServe() //nolint:errcheck // ends with the test
	<-started
	t.Cleanup(func() { server.Shutdown() }) //nolint:errcheck // likewise
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	o := ownResolver{func() netip.AddrPort { return at }, nil}

	got, err := o.LookUp(t.Context(), "web.mesos", "srv")
	if err != nil {
		t.Fatal(err)
	}
	want := &api.Lookup{Server: at.String(), Name: "web.mesos.", Type: "SRV", Status: "NOERROR",
		Answer:    []api.Record{{Name: "web.mesos.", TTL: 60, Type: "SRV", Data: "0 1 31000 web-1.slave.mesos."}},
		Authority: []api.Record{}, Additional: []api.Record{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := o.LookUp(t.Context(), "absent.mesos.", "A"); err != nil || got.Status != "NXDOMAIN" {
		t.Errorf("absent: %v, %v", got, err)
	}
	for _, c := range [][2]string{{"web.mesos", "X"}, {"", "A"}, {"web..mesos", "A"}} {
		var question *api.QuestionError
		if _, err := o.LookUp(t.Context(), c[0], c[1]); !errors.As(err, &question) {
			t.Errorf("%q %s: %v", c[0], c[1], err)
		}
	}
}
