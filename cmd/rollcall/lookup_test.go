package main

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"rollcall/records"
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

// What changed is told by name and type, newest first, and no more of it than is wanted.
func TestOwnResolverRecent(t *testing.T) {
	o := records.DefaultOptions("mesos")
	o.JournalSize = 100
	zone, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := func(id, agent string, port int) records.Task {
		return records.Task{Key: id, ID: id, Name: "web", Framework: "marathon", FrameworkKey: "f", AgentID: agent, State: "TASK_RUNNING", Ports: []int{port}}
	}
	zone.Update("s", records.Update{Frameworks: []records.Framework{{Key: "f", Name: "marathon"}},
		Agents: []records.Agent{{ID: "a", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, {ID: "b", Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::2")}}},
		Tasks:  []records.Task{web("web.1", "a", 31000)}})
	zone.Update("s", records.Update{Tasks: []records.Task{web("web.2", "b", 31001)}})
	zone.Update("s", records.Update{TasksGone: []string{"web.1"}})
	r := ownResolver{zone: zone}
	var got []api.NameChange
	all := r.Recent(100)
	for _, c := range all {
		if c.Name == "web.marathon.mesos" {
			if c.Time.IsZero() {
				t.Error("a change has no time")
			}
			c.Time = time.Time{}
			got = append(got, c)
		}
	}
	want := []api.NameChange{
		{Name: "web.marathon.mesos", Type: "A", Added: []string{}, Removed: []string{"10.0.0.1"}},
		{Name: "web.marathon.mesos", Type: "AAAA", Added: []string{"2001:db8::2"}, Removed: []string{}},
		{Name: "web.marathon.mesos", Type: "A", Added: []string{"10.0.0.1"}, Removed: []string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if few := r.Recent(3); len(few) != 3 || few[2].Name != all[2].Name || few[2].Type != all[2].Type {
		t.Errorf("of three: %v", few)
	}
}
