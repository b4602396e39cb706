package local

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"rollcall/scheduler"
)

func TestParseSockets(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the table is of a little-endian machine")
	}
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0
   4: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 0:0
   5: nonsense 00000000:0000 0A
   6: 01007F:0053 00000000:0000 0A
`
	want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("0.0.0.0:80"),
		netip.MustParseAddrPort("[::1]:81"), netip.MustParseAddrPort("127.0.0.1:82")}
	got := parseSockets(strings.NewReader(table), "0A")
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if ports := takenOn(netip.MustParseAddr("127.0.0.1"), got); !slices.Equal(ports, []int{80, 82, 8080}) {
		t.Errorf("taken are %v", ports)
	}
	if ports := takenOn(netip.MustParseAddr("127.0.0.2"), got); !slices.Equal(ports, []int{80}) {
		t.Errorf("taken are %v", ports)
	}
}

func TestPortsOfStrangersAreNotOffered(t *testing.T) {
	listen := func(network, address string) int {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Addr().(*net.TCPAddr).Port
	}
	own, all, other := listen("tcp", "127.0.9.1:0"), listen("tcp", "0.0.0.0:0"), listen("tcp", "127.0.9.2:0")
	udp, err := net.ListenPacket("udp", "127.0.9.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	datagrams := udp.LocalAddr().(*net.UDPAddr).Port
	r := newRig(t, Options{Agents: []Agent{{Address: loopback(1), Ports: scheduler.PortRange{{Begin: 1, End: 65535}}}}})
	offered := r.offer("local-S0").Resources.Ports
	if offered.Contains(own) || offered.Contains(all) || offered.Contains(datagrams) {
		t.Errorf("a port on which something listens is offered")
	}
	if !offered.Contains(other) && other != own && other != all && other != datagrams {
		t.Errorf("port %d, taken on another address only, is not offered", other)
	}
}
