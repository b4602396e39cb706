package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"rollcall/records"
)

// answersTo asks as a client and returns the records of the answer without owner and TTL, in their order.
func answersTo(t *testing.T, h *handler, from client, r rotation, question string, size uint16) (*dns.Msg, []string) {
	t.Helper()
	m := newQuestion(t, question)
	if size > 0 {
		m.SetEdns0(size, false)
	}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	wire, _ := h.handle(nil, packet, from, r)
	got := unpack(t, wire)
	lines := make([]string, len(got.Answer))
	for i, rr := range got.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			lines[i] = rr.A.String()
		case *dns.SRV:
			lines[i] = fmt.Sprint(rr.Target, rr.Port)
		}
	}
	if got.Truncated && len(lines) == 0 {
		t.Errorf("%s: truncated and empty", question)
	}
	return got, lines
}

func clientAt(text string, udp bool) client { return client{addr: netip.MustParseAddr(text), udp: udp} }

// Of a set that does not fit a client gets the same records each time, though in another order, and other clients get
// others: nobody is left out.
func TestSubsetIsStable(t *testing.T) {
	for _, tt := range []struct {
		question string
		max      int
		size     uint16
		records  int // in the set
	}{
		{"big.marathon.mesos. A", 0, 0, 300},
		{"big.marathon.mesos. A", 0, 1232, 300},
		{"big.marathon.mesos. A", 20, 1232, 300},
		{"_many._tcp.marathon.mesos. SRV", 0, 1232, 500},
		{"_many._tcp.marathon.mesos. SRV", 10, 1232, 500},
	} {
		for _, order := range []Order{OrderRotate, OrderShuffle, OrderFixed} {
			t.Run(fmt.Sprintf("%s max %d size %d order %d", tt.question, tt.max, tt.size, order), func(t *testing.T) {
				h := newTestHandler(t, newTestZone(t), func(o *Options) { o.MaxAnswers, o.Order = tt.max, order })
				all, firsts := map[string]bool{}, map[string]bool{}
				for c := range 200 {
					from := clientAt(fmt.Sprintf("10.77.%d.%d", c%3, c), true)
					var subset []string
					for try := range 3 {
						_, lines := answersTo(t, h, from, rotation(try)*goldenRatio, tt.question, tt.size)
						firsts[lines[0]] = true
						slices.Sort(lines)
						if subset == nil {
							subset = lines
						} else if !slices.Equal(subset, lines) {
							t.Fatalf("the client %v got\n%v and then\n%v", from.addr, subset, lines)
						}
					}
					for _, line := range subset {
						all[line] = true
					}
				}
				if len(all) < tt.records*95/100 {
					t.Errorf("200 clients got only %d of %d records", len(all), tt.records)
				}
				if len(firsts) < 100 {
					t.Errorf("only %d records were ever the first", len(firsts))
				}
			})
		}
	}
}

// Large replies go to clients in local networks only, as large as they say.
func TestSizeByNetwork(t *testing.T) {
	h := newTestHandler(t, newTestZone(t), func(o *Options) {
		o.LocalNetworks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for _, tt := range []struct {
		addr  string
		size  uint16
		limit int
	}{
		{"10.1.2.3", 0, 512}, {"10.1.2.3", 512, 512}, {"10.1.2.3", 1232, 1232}, {"10.1.2.3", 4096, 4096}, {"10.1.2.3", 65535, 65507},
		{"fd00::1", 2000, 2000}, {"192.0.2.1", 4096, 1232}, {"192.0.2.1", 600, 600}, {"2001:db8::1", 4096, 1232},
	} {
		for _, question := range []string{"big.marathon.mesos. A", "_many._tcp.marathon.mesos. SRV", "big.marathon.mesos. ANY"} {
			got, _ := answersTo(t, h, clientAt(tt.addr, true), 0, question, tt.size)
			got.Compress = true
			octets := got.Len()
			whole := !got.Truncated
			if octets > tt.limit || !whole && octets+80 < tt.limit {
				t.Errorf("%s to %s, which takes %d: %d octets, whole %v; want up to %d", question, tt.addr, tt.size, octets, whole, tt.limit)
			}
		}
	}
}

// maxAnswers holds over TCP as well, is no truncation, and the additional section is about what is answered.
func TestMaxAnswers(t *testing.T) {
	for _, most := range []int{1, 3, 100, 500, 1000} {
		h := newTestHandler(t, newTestZone(t), func(o *Options) { o.MaxAnswers = most })
		for _, tt := range []struct {
			question string
			records  int
		}{{"big.marathon.mesos. A", 300}, {"_many._tcp.marathon.mesos. SRV", 500}, {"web.marathon.mesos. A", 3}} {
			got, lines := answersTo(t, h, clientAt("10.1.2.3", false), 0, tt.question, 1232)
			if want := min(most, tt.records); len(lines) != want || got.Truncated {
				t.Errorf("%s: %d answers, TC %v; want %d", tt.question, len(lines), got.Truncated, want)
			}
			targets := map[string]bool{}
			for _, rr := range got.Answer {
				if srv, ok := rr.(*dns.SRV); ok {
					targets[srv.Target] = true
				}
			}
			hosts := map[string]bool{}
			for _, rr := range got.Extra {
				if name := rr.Header().Name; name != "." {
					hosts[name] = true
					if !targets[name] {
						t.Fatalf("%s: an address of %s, which is not answered", tt.question, name)
					}
				}
			}
			if len(hosts) != len(targets) {
				t.Errorf("%s: addresses of %d of %d targets", tt.question, len(hosts), len(targets))
			}
		}
	}
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		order  Order
		orders int // that occur of three records
	}{{OrderRotate, 3}, {OrderShuffle, 6}, {OrderFixed, 1}} {
		h := newTestHandler(t, newTestZone(t), func(o *Options) { o.Order = tt.order })
		seen := map[string]int{}
		r := newRotation()
		for range 600 {
			_, lines := answersTo(t, h, clientAt("10.1.2.3", true), r, "web.marathon.mesos. A", 0)
			seen[fmt.Sprint(lines)]++
			r = r.next()
		}
		if len(seen) != tt.orders {
			t.Errorf("order %d: %v, want %d", tt.order, seen, tt.orders)
		}
		for order, n := range seen {
			if n < 600/tt.orders/2 {
				t.Errorf("order %d: %s came only %d times", tt.order, order, n)
			}
		}
		if _, ok := seen["[10.0.0.0 10.0.0.1 10.0.0.2]"]; !ok {
			t.Errorf("order %d: never in ascending order", tt.order)
		}
	}
}

// Who asks from an agent gets what runs there first, also when not all fits.
func TestOwnAgentFirst(t *testing.T) {
	h := newTestHandler(t, newTestZone(t), func(o *Options) { o.OwnAgentFirst, o.MaxAnswers = true, 40 })
	for try := range 20 {
		for agent := range 3 {
			own := fmt.Sprintf("10.0.0.%d", agent)
			r := rotation(try) * goldenRatio
			if _, lines := answersTo(t, h, clientAt(own, true), r, "web.marathon.mesos. A", 0); len(lines) != 3 || lines[0] != own {
				t.Errorf("A for %s: %v", own, lines)
			}
			got, lines := answersTo(t, h, clientAt(own, true), r, "_web._tcp.marathon.mesos. SRV", 1232)
			if len(lines) != 3 || got.Answer[0].(*dns.SRV).Port != uint16(31000+agent) {
				t.Errorf("SRV for %s: %v", own, lines)
			}
			got, lines = answersTo(t, h, clientAt(own, true), r, "_many._tcp.marathon.mesos. SRV", 1232)
			if len(lines) == 0 || !got.Truncated {
				t.Fatalf("%d answers, TC %v", len(lines), got.Truncated)
			}
			for _, rr := range got.Answer { // all that fit are of 83 or 84 that run there: task i is on agent i%6
				if int(rr.(*dns.SRV).Port-31000)%6 != agent {
					t.Errorf("SRV for %s: %v is elsewhere", own, rr)
				}
			}
		}
		if _, lines := answersTo(t, h, clientAt("10.1.0.7", false), rotation(try), "big.marathon.mesos. A", 0); lines[0] != "10.1.0.7" || len(lines) != 40 {
			t.Errorf("the asker is not the first of %d: %s", len(lines), lines[0])
		}
	}
	if _, lines := answersTo(t, h, clientAt("203.0.113.1", true), 0, "web.marathon.mesos. A", 0); len(lines) != 3 {
		t.Errorf("for somebody from elsewhere: %v", lines)
	}
}

// A reply that has room for no record says TC even where that is turned off, or it would deny that there are any.
func TestNothingFits(t *testing.T) {
	domain := "a23456789012345678901234567890123456789012345678901234567890123.b2345678901234567890123456789012345678901234567890123456789.c234567890123456789012345678901234567890123456789012"
	o := records.DefaultOptions(domain)
	zone, err := records.New(o)
	if err != nil {
		t.Fatal(err)
	}
	zone.Update("test", records.Update{
		Agents: []records.Agent{{ID: "x-S1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}},
		Tasks: []records.Task{{ID: "1", Name: "web-with-a-long-name-so-that-it-does-not-fit", Framework: "marathon", AgentID: "x-S1",
			State: "TASK_RUNNING", Ports: []int{1}}},
	})
	h := newTestHandler(t, zone, func(o *Options) { o.SetTruncateBit = false })
	m := newQuestion(t, "_web-with-a-long-name-so-that-it-does-not-fit._tcp.marathon."+domain+". SRV")
	if got := reply(t, h, m, true); got.Rcode != dns.RcodeSuccess || !got.Truncated || len(got.Answer) != 0 {
		t.Errorf("%v", got)
	}
	if got := reply(t, h, m, false); got.Truncated || len(got.Answer) != 1 {
		t.Errorf("over TCP: %v", got)
	}
}
