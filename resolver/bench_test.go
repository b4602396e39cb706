package resolver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"rollcall/records"
)

func benchmarkFast(b *testing.B, question string) {
	h := newTestHandler(b, newTestZone(b))
	m := newQuestion(b, question)
	m.SetEdns0(1232, false)
	packet, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, maxUDPSize)
	r := newRotation()
	b.ReportAllocs()
	for b.Loop() {
		r = r.next()
		if got, _ := h.handle(out, packet, overUDP, r); got == nil {
			b.Fatal("no reply")
		}
	}
}

func BenchmarkFastA(b *testing.B)        { benchmarkFast(b, "web.marathon.mesos. A") }
func BenchmarkFastSRV(b *testing.B)      { benchmarkFast(b, "_web._tcp.marathon.mesos. SRV") }
func BenchmarkFastNXDOMAIN(b *testing.B) { benchmarkFast(b, "none.marathon.mesos. A") }
func BenchmarkSlowSOA(b *testing.B)      { benchmarkFast(b, "mesos. SOA") }

// BenchmarkCached is a forwarded question whose answer is known.
func BenchmarkCached(b *testing.B) {
	u := newFakeUpstream(b, answering(b, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
	h, _ := newTestForwarder(b, func(o *Options) { o.CacheSize = 10 }, u.addr)
	m := newQuestion(b, "example.com. A")
	resolve(b, h, m, true)
	packet, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, maxUDPSize)
	b.ReportAllocs()
	for b.Loop() {
		if got, _ := h.handle(out, packet, overUDP, 0); got == nil {
			b.Fatal("no reply")
		}
	}
}

// BenchmarkServerUDP asks over real sockets: one client after each answer, and a window of questions at a time, which
// is how fast client and server together can go on this machine.
func BenchmarkServerUDP(b *testing.B) {
	for _, listener := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		for _, window := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/window=%d", listener, window), func(b *testing.B) { benchmarkServerUDP(b, listener, window) })
		}
	}
}

func benchmarkServerUDP(b *testing.B, listener string, window int) {
	askServerUDP(b, newTestServer(b, newTestZone(b), func(o *Options) { o.Addrs = addrPorts(listener) }), window)
}

// BenchmarkServerUDPWhileNamesChange is the same while a thousand names a second change, and while none do.
func BenchmarkServerUDPWhileNamesChange(b *testing.B) {
	for _, changing := range []bool{false, true} {
		b.Run(fmt.Sprintf("changing=%v", changing), func(b *testing.B) {
			zone := newTestZone(b)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for i := 0; changing; i++ {
					select {
					case <-ctx.Done():
						return
					case <-tick.C:
					}
					// A task that starts or ends has eight names, and those above.
					u := records.Update{TasksGone: []string{"changing"}}
					if i%2 == 0 {
						u = records.Update{Tasks: []records.Task{{ID: "changing", Name: "changing", Framework: "marathon",
							AgentID: "x-S0", State: "TASK_RUNNING", Ports: []int{31000}}}}
					}
					zone.Update("test", u)
				}
			}()
			askServerUDP(b, newTestServer(b, zone), 64)
			cancel()
			<-done
		})
	}
}

// askServerUDP asks a window of questions at a time.
func askServerUDP(b *testing.B, s *Server, window int) {
	b.Helper()
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(s.Addr().Port())})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	packet, err := newQuestion(b, "web.marathon.mesos. A").Pack()
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, maxUDPSize)
	b.ReportAllocs()
	for b.Loop() {
		for range window {
			if _, err := conn.Write(packet); err != nil {
				b.Fatal(err)
			}
		}
		for range window {
			if _, err := conn.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*window)/b.Elapsed().Seconds(), "questions/s")
}

// BenchmarkZoneWhileUpstreamsHang is a question for a name in the zone over real sockets, first with nothing else going
// on, then while as many questions as may wait do so for a server that never answers, and more come that are refused.
func BenchmarkZoneWhileUpstreamsHang(b *testing.B) {
	for _, hanging := range []bool{false, true} {
		b.Run(fmt.Sprintf("hanging=%v", hanging), func(b *testing.B) {
			u := newFakeUpstream(b, silent)
			s := newTestServer(b, newTestZone(b), func(o *Options) {
				o.Recursion, o.Upstreams, o.TCPFallback, o.Timeout = true, []netip.AddrPort{u.addr}, true, time.Hour
			})
			foreign, err := dns.Dial("udp", s.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer foreign.Close()
			asked := 0
			flood := func() {
				if err := foreign.WriteMsg(newQuestion(b, fmt.Sprintf("n%d.example. A", asked))); err != nil {
					b.Fatal(err)
				}
				asked++
			}
			own, err := dns.Dial("udp", s.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer own.Close()
			own.SetDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // a lost packet then ends the benchmark
			packet, err := newQuestion(b, "web.marathon.mesos. A").Pack()
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, maxUDPSize)
			ask := func() {
				if _, err := own.Write(packet); err != nil {
					b.Fatal(err)
				}
				if _, err := own.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
			for hanging && len(s.slots) < cap(s.slots) {
				flood()
				ask() // so that not more arrives than the socket's buffer takes
			}
			var took []time.Duration
			for b.Loop() {
				if hanging && len(took)%10 == 0 {
					flood()
				}
				start := time.Now()
				ask()
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
	}
}
