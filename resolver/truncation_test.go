package resolver

import (
	"testing"

	"github.com/miekg/dns"
)

// size asks and returns the reply with its size in octets.
func size(t *testing.T, h *handler, m *dns.Msg, udp bool) (*dns.Msg, int) {
	t.Helper()
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := h.handle(make([]byte, 0, maxUDPSize), packet, testClient(udp), newRotation())
	return unpack(t, got), len(got)
}

func TestTruncation(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	const nameLen = 20 // of big.marathon.mesos., in wire format
	for _, tt := range []struct {
		name     string
		question string
		bufsize  uint16 // 0: no EDNS
		udp      bool
		limit    int
		answers  int
		tc       bool
	}{
		{"A, no EDNS", "big.marathon.mesos. A", 0, true, 512, (512 - 12 - nameLen - 4) / 16, true},
		{"A, EDNS 512", "big.marathon.mesos. A", 512, true, 512, (512 - 12 - nameLen - 4 - 11) / 16, true},
		{"A, EDNS below 512", "big.marathon.mesos. A", 100, true, 512, (512 - 12 - nameLen - 4 - 11) / 16, true},
		{"A, EDNS 1000", "big.marathon.mesos. A", 1000, true, 1000, (1000 - 12 - nameLen - 4 - 11) / 16, true},
		{"A, EDNS 4096 is more than we send", "big.marathon.mesos. A", 4096, true, 1232, (1232 - 12 - nameLen - 4 - 11) / 16, true},
		{"A over TCP", "big.marathon.mesos. A", 0, false, 65535, 300, false},
		{"the size in EDNS is about UDP", "big.marathon.mesos. A", 512, false, 65535, 300, false},
		{"SRV over TCP", "_many._tcp.marathon.mesos. SRV", 4096, false, 65535, 500, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newQuestion(t, tt.question)
			if tt.bufsize > 0 {
				m.SetEdns0(tt.bufsize, false)
			}
			got, octets := size(t, h, m, tt.udp)
			if octets > tt.limit || len(got.Answer) != tt.answers || got.Truncated != tt.tc {
				t.Errorf("%d octets, %d answers, TC %v; want at most %d octets, %d answers, TC %v",
					octets, len(got.Answer), got.Truncated, tt.limit, tt.answers, tt.tc)
			}
			if (got.IsEdns0() != nil) != (tt.bufsize > 0) {
				t.Errorf("OPT record: %v", got.IsEdns0())
			}
		})
	}
}

// Records that are cut off are whole sets of additional records first, without TC; then answers, with TC.
func TestTruncationOfSRV(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	m := newQuestion(t, "_web._tcp.marathon.mesos. SRV")
	whole, needed := size(t, h, m, false)
	if len(whole.Extra) != 4 || needed > 512 {
		t.Fatalf("%d additional records in %d octets: the zone is not what this test is about", len(whole.Extra), needed)
	}
	m = newQuestion(t, "_many._tcp.marathon.mesos. SRV")
	got, octets := size(t, h, m, true)
	if !got.Truncated || len(got.Answer) == 0 || len(got.Extra) != 0 || octets > 512 {
		t.Errorf("TC %v, %d answers, %d additional, %d octets; want some answers, nothing else, TC",
			got.Truncated, len(got.Answer), len(got.Extra), octets)
	}
	if got, _ = size(t, h, m, false); got.Truncated || len(got.Answer) != 500 {
		t.Errorf("over TCP: TC %v, %d answers, want all 500", got.Truncated, len(got.Answer))
	}
	for limit := range 1232 - 512 {
		m := newQuestion(t, "_web._tcp.marathon.mesos. SRV")
		m.SetEdns0(uint16(512+limit), false)
		if got, _ := size(t, h, m, true); got.Truncated || len(got.Answer) != 3 {
			t.Fatalf("%d octets: TC %v, %d answers, want 3", 512+limit, got.Truncated, len(got.Answer))
		}
	}
}

func TestSetTruncateBitOff(t *testing.T) {
	h := newTestHandler(t, newTestZone(t), func(o *Options) { o.SetTruncateBit = false })
	for _, question := range []string{"big.marathon.mesos. A", "_many._tcp.marathon.mesos. SRV"} {
		got, octets := size(t, h, newQuestion(t, question), true)
		if got.Truncated || len(got.Answer) == 0 || octets > 512 {
			t.Errorf("%s: TC %v, %d answers in %d octets; want some answers without TC", question, got.Truncated, len(got.Answer), octets)
		}
	}
}

// Each record of a set gets its turn to be the first.
func TestRotation(t *testing.T) {
	h := newTestHandler(t, newTestZone(t))
	packet, err := newQuestion(t, "web.marathon.mesos. A").Pack()
	if err != nil {
		t.Fatal(err)
	}
	first := make(map[string]int)
	r := newRotation()
	for range 300 {
		got, _ := h.handle(nil, packet, overUDP, r)
		first[unpack(t, got).Answer[0].String()]++
		r = r.next().next() // as when every second question is another
	}
	for line, n := range first {
		if n < 90 {
			t.Errorf("%s was the first of %d answers out of 300", line, n)
		}
	}
	if len(first) != 3 {
		t.Errorf("only %v came first", first)
	}
}
