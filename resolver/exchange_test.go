package resolver

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestForwardUsesAPortForEachQuestion(t *testing.T) {
	u := newFakeUpstream(t, answering(t, dns.RcodeSuccess))
	h, _ := newTestForwarder(t, nil, u.addr)
	ports := make(map[uint16]bool)
	const n = 20
	for i := range n {
		resolve(t, h, newQuestion(t, fmt.Sprintf("n%d.example. A", i)), true)
		ports[<-u.ports] = true
	}
	if len(ports) < n/2 {
		t.Errorf("%d questions came from %d ports", n, len(ports))
	}
}

// Of the client's message RD, CD and DO go on; the ID, the port and the size of replies are ours, and that we understand
// EDNS and AD does not depend on the client.
func TestForwardedQuestion(t *testing.T) {
	questions := make(chan *dns.Msg, 1)
	u := newFakeUpstream(t, func(m *dns.Msg, tcp bool) [][]byte {
		questions <- m
		return answering(t, dns.RcodeSuccess)(m, tcp)
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	for bits := range 32 {
		m := newQuestion(t, "example.com. A")
		m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = bits&1 != 0, bits&2 != 0, bits&4 != 0
		edns, do := bits&8 != 0, bits&8 != 0 && bits&16 != 0
		if edns {
			m.SetEdns0(600, do)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)}}
		}
		got := resolve(t, h, m, true)
		sent := <-questions
		if sent.RecursionDesired != m.RecursionDesired || sent.CheckingDisabled != m.CheckingDisabled ||
			!sent.AuthenticatedData || sent.Question[0] != m.Question[0] {
			t.Errorf("sent\n%v for\n%v", sent, m)
		}
		opt := sent.IsEdns0()
		if opt == nil || opt.Do() != do || opt.UDPSize() != maxUDPSize || len(opt.Option) != 0 {
			t.Errorf("sent %v for %v", opt, m.IsEdns0())
		}
		if opt := got.IsEdns0(); (opt != nil) != edns || edns && (opt.Do() != do || opt.UDPSize() != maxUDPSize) {
			t.Errorf("replied with %v to %v", opt, m.IsEdns0())
		}
	}
}

// AD goes to clients that understand it (RFC 6840, section 5.8).
func TestAuthenticatedData(t *testing.T) {
	u := newFakeUpstream(t, func(question *dns.Msg, _ bool) [][]byte {
		m := new(dns.Msg).SetReply(question)
		m.AuthenticatedData = true
		return [][]byte{packed(m)}
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	for bits := range 4 {
		m := newQuestion(t, "example.com. A")
		m.AuthenticatedData = bits&1 != 0
		m.SetEdns0(1232, bits&2 != 0)
		if got := resolve(t, h, m, true); got.AuthenticatedData != (bits != 0) {
			t.Errorf("AD %v, DO %v: the reply has AD %v", bits&1 != 0, bits&2 != 0, got.AuthenticatedData)
		}
	}
}

// What is no reply to the question is ignored, and the reply that comes after it counts.
func TestLyingUpstream(t *testing.T) {
	lie := func(change func(*dns.Msg)) behaviour {
		return func(question *dns.Msg, tcp bool) [][]byte {
			wrong := new(dns.Msg).SetReply(question)
			wrong.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
				A: []byte{6, 6, 6, 6}}}
			wrong.Question = append([]dns.Question(nil), wrong.Question...)
			change(wrong)
			return append([][]byte{packed(wrong)}, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)...)
		}
	}
	for name, b := range map[string]behaviour{
		"wrong id":          lie(func(m *dns.Msg) { m.Id++ }),
		"another name":      lie(func(m *dns.Msg) { m.Question[0].Name = "example.net." }),
		"another type":      lie(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }),
		"another class":     lie(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"a question":        lie(func(m *dns.Msg) { m.Response = false }),
		"no question in it": lie(func(m *dns.Msg) { m.Question = nil }),
		"two questions":     lie(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
		"another opcode":    lie(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
		"garbage": func(question *dns.Msg, tcp bool) [][]byte {
			good := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
			return [][]byte{{}, {1}, make([]byte, 600), good[0][:len(good[0])-3], good[0]}
		},
		"fewer records than it says": func(question *dns.Msg, tcp bool) [][]byte {
			wrong := packed(new(dns.Msg).SetReply(question))
			wrong[7] = 1
			return append([][]byte{wrong}, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)...)
		},
		"a record that is cut before a name": func(question *dns.Msg, tcp bool) [][]byte {
			wrong := packed(new(dns.Msg).SetReply(question))
			wrong[9] = 1
			wrong = append(wrong, 0xC0, 0x0C, 0, byte(dns.TypeSOA), 0, byte(dns.ClassINET), 0, 0, 0, 1, 0, 0)
			return append([][]byte{wrong}, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)...)
		},
		"an address that is not there": func(question *dns.Msg, tcp bool) [][]byte {
			wrong := packed(new(dns.Msg).SetReply(question))
			wrong[7] = 1
			wrong = append(wrong, 0xC0, 0x0C, 0, byte(dns.TypeA), 0, byte(dns.ClassINET), 0, 0, 0, 1, 0, 0)
			return append([][]byte{wrong}, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
				if tcp { // where it is asked for if the machine is too busy to send the other one soon: see brokenWait
					return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
				}
				return b(question, tcp)
			})
			h, _ := newTestForwarder(t, nil, u.addr)
			got := resolve(t, h, newQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
		})
	}
}

// A reply that comes after the question was asked again is as good as one in time, and nothing waits for the other.
func TestLateReply(t *testing.T) {
	asked, again := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	late := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		// It is also asked whether its questions come back.
		if question.Question[0].Name == "example.com." && first.CompareAndSwap(false, true) {
			close(asked)
			<-again
			return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
		}
		return nil
	})
	next := newFakeUpstream(t, func(question *dns.Msg, _ bool) [][]byte {
		if question.Question[0].Name == "example.com." {
			<-asked
			close(again)
		}
		return nil
	})
	h, _ := newTestForwarder(t, nil, late.addr, next.addr)
	h.settings.Load().forward.patience = func(u *upstream) time.Duration {
		if u.addr == late.addr {
			return time.Millisecond
		}
		return time.Hour
	}
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
}

// We say nothing of where clients are, so an answer that claims to be for some of them only is for all (RFC 7871,
// section 7.2.1), and the option goes no further.
func TestClientSubnetIsIgnored(t *testing.T) {
	u := newFakeUpstream(t, func(question *dns.Msg, _ bool) [][]byte {
		m := new(dns.Msg).SetReply(question)
		m.Answer = section(t, "example.com. 300 IN A 192.0.2.7")
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, SourceScope: 24, Address: net.IPv4(198, 51, 100, 0)}}
		return [][]byte{packed(m)}
	})
	h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
	for range 2 {
		got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
		wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
		if n := len(got.IsEdns0().Option); n != 0 {
			t.Errorf("%d options in the reply", n)
		}
	}
	if n := u.questions.Load(); n != 1 {
		t.Errorf("%d questions upstream, want 1", n)
	}
}

// A TTL that nobody can mean is not handed on either.
func TestHugeTTL(t *testing.T) {
	for line, want := range map[string]string{
		"example.com. 604800 IN A 192.0.2.7":     fmt.Sprintf("example.com. %d IN A 192.0.2.7", maxPositiveTTL),
		"example.com. 4294967295 IN A 192.0.2.7": fmt.Sprintf("example.com. %d IN A 192.0.2.7", maxPositiveTTL), // RFC 8767, section 4
	} {
		h, _ := newTestForwarder(t, nil, newFakeUpstream(t, answering(t, dns.RcodeSuccess, line)).addr)
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, want)
	}
}

// What comes from another address is no reply, whatever it says.
func TestReplyFromElsewhere(t *testing.T) {
	elsewhere, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	var u *fakeUpstream
	u = newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		forged := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 6.6.6.6")(question, tcp)
		to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(<-u.ports)}
		if _, err := elsewhere.WriteTo(forged[0], to); err != nil {
			t.Error(err)
		}
		return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
}

// Whoever guesses gets few guesses: after them the reply is asked for over TCP.
func TestManyForgedReplies(t *testing.T) {
	u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		good := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
		if tcp {
			return good
		}
		var packets [][]byte
		for i := range maxIgnored {
			forged := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 6.6.6.6")(question, tcp)[0]
			forged[1] ^= byte(i + 1)
			packets = append(packets, forged)
		}
		return packets
	})
	h, _ := newTestForwarder(t, nil, u.addr)
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
	if n := u.overTCP.Load(); n != 1 {
		t.Errorf("%d questions over TCP, want 1", n)
	}
}

// A reply that was cut short is asked for over TCP, for whichever client. One that has nothing else to say than that does not
// say that there is nothing.
func TestTruncatedUpstream(t *testing.T) {
	lines := []string{"example.com. 300 IN A 192.0.2.7", "example.com. 300 IN A 192.0.2.8"}
	whole := answering(t, dns.RcodeSuccess, lines...)
	cut := func(question *dns.Msg, _ bool) [][]byte {
		m := new(dns.Msg).SetReply(question)
		m.Truncated = true
		return [][]byte{packed(m)}
	}
	for _, udp := range []bool{true, false} {
		u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			if tcp {
				return whole(question, tcp)
			}
			return cut(question, tcp)
		})
		h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
		for range 2 {
			got := resolve(t, h, newQuestion(t, "example.com. A"), udp)
			wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7", "example.com. 300 IN A 192.0.2.8")
			if got.Truncated {
				t.Errorf("%v, want no TC", got)
			}
		}
		if u.overTCP.Load() != 1 || u.questions.Load() != 1 {
			t.Errorf("%d questions over UDP, %d over TCP; want 1 and 1", u.questions.Load(), u.overTCP.Load())
		}
	}
	t.Run("TCP brings nothing", func(t *testing.T) {
		u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			if tcp {
				return nil
			}
			return cut(question, tcp)
		})
		for _, udp := range []bool{true, false} {
			h, _ := newTestForwarder(t, func(o *Options) { o.SetTruncateBit = true }, u.addr)
			got := resolve(t, h, ednsQuestion(t, "example.com. A"), udp)
			wantAnswer(t, got, dns.RcodeServerFailure)
			wantError(t, got, dns.ExtendedErrorCodeNetworkError)
		}
	})
}

// Over TCP a reply to something else, one that is cut, or garbage is no reply either; then the cut one from UDP has to do, or
// another server.
func TestLyingUpstreamOverTCP(t *testing.T) {
	answer := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 6.6.6.6")
	for name, lie := range map[string]func(question *dns.Msg) []byte{
		"wrong id": func(question *dns.Msg) []byte {
			packet := answer(question, true)[0]
			packet[0] ^= 0xFF
			return packet
		},
		"a question": func(question *dns.Msg) []byte { return packet(t, question) },
		"another name": func(question *dns.Msg) []byte {
			other := question.Copy()
			other.Question[0].Name = "example.net."
			return answer(other, true)[0]
		},
		"cut within a record": func(question *dns.Msg) []byte {
			packet := answer(question, true)[0]
			return packet[:len(packet)-3]
		},
		"garbage": func(*dns.Msg) []byte { return []byte("HTTP/1.1 400 Bad Request") },
		"empty":   func(*dns.Msg) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			liar := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
				if tcp {
					return [][]byte{lie(question)}
				}
				m := new(dns.Msg).SetReply(question)
				m.Truncated, m.Answer = true, section(t, "example.com. 300 IN A 192.0.2.1")
				return [][]byte{packed(m)}
			})
			h, _ := newTestForwarder(t, nil, liar.addr)
			got := resolve(t, h, newQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.1") // what came over UDP
			if !got.Truncated {
				t.Error("TC is not set")
			}
			good := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7"))
			h, _ = newTestForwarder(t, nil, liar.addr, good.addr)
			wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
		})
	}
}

// Where nobody listens for TCP, what came over UDP is all there is, and says that it was cut.
func TestTruncatedUpstreamWithoutTCP(t *testing.T) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxUDPSize)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			question := new(dns.Msg)
			if err := question.Unpack(buf[:n]); err != nil {
				t.Error(err)
				return
			}
			m := new(dns.Msg).SetReply(question)
			m.Truncated, m.Answer = true, section(t, "example.com. 300 IN A 192.0.2.7")
			udp.WriteToUDPAddrPort(packed(m), from) //nolint:errcheck // the asker may be gone
		}
	}()
	defer func() {
		udp.Close()
		<-done
	}()
	addr := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, addr)
	for range 2 {
		got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
		wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
		wantError(t, got, dns.ExtendedErrorCodeNetworkError)
		if !got.Truncated {
			t.Error("TC is not set")
		}
	}
	// Another server, which has it all, is better.
	whole := newFakeUpstream(t, answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7", "example.com. 300 IN A 192.0.2.8"))
	h, _ = newTestForwarder(t, nil, addr, whole.addr)
	wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess,
		"example.com. 300 IN A 192.0.2.7", "example.com. 300 IN A 192.0.2.8")
}

// A server that does not know EDNS is asked without, at once, and later on only without (RFC 6891, section 7).
func TestUpstreamWithoutEDNS(t *testing.T) {
	bare := func(question *dns.Msg, rcode int) *dns.Msg { return new(dns.Msg).SetRcode(question, rcode) }
	for _, rejection := range []func(question *dns.Msg) *dns.Msg{
		func(question *dns.Msg) *dns.Msg { return bare(question, dns.RcodeFormatError) },
		func(question *dns.Msg) *dns.Msg { return bare(question, dns.RcodeNotImplemented) },
		func(question *dns.Msg) *dns.Msg {
			return &dns.Msg{MsgHdr: dns.MsgHdr{Id: question.Id, Response: true, Rcode: dns.RcodeFormatError}}
		},
		func(question *dns.Msg) *dns.Msg { // the question as it came, with a flag and an rcode
			m := question.Copy()
			m.Response, m.Rcode = true, dns.RcodeFormatError
			return m
		},
		func(question *dns.Msg) *dns.Msg { // whatever version it wants
			return bare(question, dns.RcodeBadVers).SetEdns0(maxUDPSize, false)
		},
	} {
		u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			if question.IsEdns0() != nil {
				return [][]byte{packed(rejection(question))}
			}
			return answering(t, dns.RcodeSuccess, question.Question[0].Name+" 300 IN A 192.0.2.7")(question, tcp)
		})
		h, clock := newTestForwarder(t, nil, u.addr)
		for i, want := range []int32{2, 3, 5} { // questions in all
			if i == 2 {
				clock.advance(withoutEDNSFor)
			}
			wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
			if n := u.questions.Load(); n != want {
				t.Errorf("%d questions upstream, want %d", n, want)
			}
		}
	}
	t.Run("it is the question that it does not like", func(t *testing.T) {
		u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			return [][]byte{packed(new(dns.Msg).SetRcode(question, dns.RcodeFormatError))}
		})
		h, _ := newTestForwarder(t, nil, u.addr)
		for _, want := range []int32{2, 4} {
			wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeFormatError)
			if n := u.questions.Load(); n != want {
				t.Errorf("%d questions upstream, want %d", n, want)
			}
		}
	})
}

// The case of letters is one more thing to guess; servers that do not repeat it are asked over TCP.
func TestMixCase(t *testing.T) {
	const name = "a-rather-long-name-with-many-letters.example.com."
	spellings := make(map[string]bool)
	exact := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		spellings[question.Question[0].Name] = true
		return answering(t, dns.RcodeSuccess, question.Question[0].Name+" 300 IN A 192.0.2.7")(question, tcp)
	})
	lowering := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
		question.Question[0].Name = dns.CanonicalName(question.Question[0].Name)
		return answering(t, dns.RcodeSuccess, name+" 300 IN A 192.0.2.7")(question, tcp)
	})
	for u, overTCP := range map[*fakeUpstream]int32{exact: 0, lowering: 5} {
		h, _ := newTestForwarder(t, func(o *Options) { o.MixCase = true }, u.addr)
		for range 5 {
			got := resolve(t, h, newQuestion(t, name+" A"), true)
			wantAnswer(t, got, dns.RcodeSuccess, name+" 300 IN A 192.0.2.7")
			if got.Question[0].Name != name {
				t.Errorf("the client is answered about %s", got.Question[0].Name)
			}
		}
		if n := u.overTCP.Load(); n != overTCP {
			t.Errorf("%d questions over TCP, want %d", n, overTCP)
		}
	}
	if len(spellings) != 5 || spellings[name] {
		t.Errorf("the name was spelled %v", spellings)
	}
}
