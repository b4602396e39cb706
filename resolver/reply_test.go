package resolver

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// A server that sends more than any question allows is asked over TCP, where there is no such limit. Where questions go on
// as they came there is nothing else to do than to leave it.
func TestOversizeReply(t *testing.T) {
	lines := func(n int) []string {
		lines := make([]string, n)
		for i := range lines {
			lines[i] = fmt.Sprintf("example.com. 300 IN A 192.0.%d.%d", i/250, i%250)
		}
		return lines
	}
	for _, tt := range []struct {
		records int
		asCame  bool
		rcode   int
		overTCP int32
	}{
		{60, false, dns.RcodeSuccess, 0},
		{300, false, dns.RcodeSuccess, 1},
		{300, true, dns.RcodeServerFailure, 0},
	} {
		u := newFakeUpstream(t, answering(t, dns.RcodeSuccess, lines(tt.records)...))
		h, _ := newTestForwarder(t, func(o *Options) { o.TCPFallback = !tt.asCame }, u.addr)
		want := tt.records
		if tt.rcode != dns.RcodeSuccess {
			want = 0
		}
		if got := resolve(t, h, ednsQuestion(t, "example.com. A"), tt.asCame); got.Rcode != tt.rcode || got.Truncated || len(got.Answer) != want {
			t.Errorf("%d records: %d answers, TC %v, %s", tt.records, len(got.Answer), got.Truncated, dns.RcodeToString[got.Rcode])
		}
		if n := u.overTCP.Load(); n != tt.overTCP {
			t.Errorf("%d records: %d questions over TCP, want %d", tt.records, n, tt.overTCP)
		}
	}
}

// What has the question's ID and cannot be the reply is either forged, and then the reply is behind it, or the server knows
// no better: then it is asked over TCP, and nobody waits for the end of the timeout. One that has no TCP either is still
// there, and is not taken for one that is gone.
func TestBrokenReply(t *testing.T) {
	broken := func(question *dns.Msg, tcp bool) [][]byte {
		packet := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)[0]
		return [][]byte{packet[:len(packet)-13]}
	}
	t.Run("whole over TCP", func(t *testing.T) {
		u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
			if tcp {
				return answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)
			}
			return broken(question, tcp)
		})
		h, _ := newTestForwarder(t, func(o *Options) { o.Timeout = time.Hour }, u.addr)
		wantAnswer(t, resolve(t, h, newQuestion(t, "example.com. A"), true), dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
	})
	t.Run("over TCP as well", func(t *testing.T) {
		for _, asCame := range []bool{false, true} {
			u := newFakeUpstream(t, broken)
			h, _ := newTestForwarder(t, func(o *Options) { o.Timeout, o.TCPFallback = time.Hour, !asCame }, u.addr)
			got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeServerFailure)
			wantError(t, got, dns.ExtendedErrorCodeNoReachableAuthority)
			if n := u.overTCP.Load(); (n > 0) == asCame {
				t.Errorf("%d questions over TCP", n)
			}
		}
	})
	t.Run("no TCP", func(t *testing.T) {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			buf := make([]byte, maxUDPSize)
			for {
				n, from, err := conn.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				buf[2] |= bitQR
				conn.WriteToUDPAddrPort(buf[:min(n, headerLen+3)], from) //nolint:errcheck // the asker may be gone
			}
		}()
		u := newUpstream(conn.LocalAddr().(*net.UDPAddr).AddrPort(), newTestHandler(t, newTestZone(t)).metrics)
		_, err = u.exchange(t.Context(), question{name: "example.com.", qtype: dns.TypeA, rd: true}, time.Now)
		if !errors.Is(err, errAskOverTCP) || isGone(err) {
			t.Errorf("%v, want an error that does not say that nobody is there", err)
		}
	})
}

// What is wrong within an option of a reply is no concern of its answer (RFC 6891, section 6.1.2).
func TestOptionsOfReplies(t *testing.T) {
	for name, option := range map[string][]byte{
		"a client subnet of an unknown family": {0, 8, 0, 4, 0, 9, 99, 0},
		"a client subnet that is cut":          {0, 8, 0, 1, 0},
		"a cookie of one octet":                {0, 10, 0, 1, 7},
		"an extended error without a code":     {0, 15, 0, 1, 0},
		"a key tag list that is cut":           {0, 14, 0, 1, 0},
		"one that is not known":                {0xFF, 0, 0, 1, 7},
	} {
		t.Run(name, func(t *testing.T) {
			u := newFakeUpstream(t, func(question *dns.Msg, tcp bool) [][]byte {
				packet := answering(t, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")(question, tcp)[0]
				packet[len(packet)-1] = byte(len(option)) // of the OPT record, which is the last one and has none
				return [][]byte{append(packet, option...)}
			})
			h, _ := newTestForwarder(t, nil, u.addr)
			got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeSuccess, "example.com. 300 IN A 192.0.2.7")
			wantError(t, got)
		})
	}
}

// What a server says of why it has no answer goes on to the client, as far as there is room, and as text.
func TestExtendedErrorsOfServers(t *testing.T) {
	for _, tt := range []struct {
		said dns.EDNS0_EDE
		code uint16
		text string // is in the client's
	}{
		{dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus, ExtraText: "no signature"}, dns.ExtendedErrorCodeDNSBogus, ": no signature"},
		{dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus}, dns.ExtendedErrorCodeDNSBogus, " answers SERVFAIL"},
		{dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeOther, ExtraText: "something"}, dns.ExtendedErrorCodeNetworkError, " answers SERVFAIL"},
		{dns.EDNS0_EDE{InfoCode: 6, ExtraText: strings.Repeat("\u00e4", 500)}, 6, "\u00e4\u00e4"},
		{dns.EDNS0_EDE{InfoCode: 6, ExtraText: "\xff"}, 6, ": ?"},
	} {
		u := newFakeUpstream(t, func(question *dns.Msg, _ bool) [][]byte {
			m := new(dns.Msg).SetRcode(question, dns.RcodeServerFailure).SetEdns0(maxUDPSize, false)
			m.IsEdns0().Option = []dns.EDNS0{&tt.said}
			return [][]byte{packed(m)}
		})
		h, _ := newTestForwarder(t, func(o *Options) { o.CacheSize = 10 }, u.addr)
		for range 2 { // from the server, and what is remembered of it
			got := resolve(t, h, ednsQuestion(t, "example.com. A"), true)
			wantAnswer(t, got, dns.RcodeServerFailure)
			wantError(t, got, tt.code)
			e := got.IsEdns0().Option[0].(*dns.EDNS0_EDE)
			if !strings.Contains(e.ExtraText, tt.text) || !utf8.ValidString(e.ExtraText) || len(e.ExtraText) > maxErrorText {
				t.Errorf("%q, want it to have %q", e.ExtraText, tt.text)
			}
		}
	}
}
