package integration

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A network of hosts, each a network namespace of its own, around the namespace of the test itself, where the masters
// and agents are. Hosts n have the address 10.77.n.2; masters have addresses of 10.77.100.0/24.
const (
	mastersNetwork = "10.77.100.0/24"
	masterAddress  = "10.77.100.%d"
)

// host is a machine of the network.
type host int

func (h host) name() string    { return fmt.Sprintf("h%d", int(h)) }
func (h host) link() string    { return "v-" + h.name() }
func (h host) address() string { return fmt.Sprintf("10.77.%d.2", int(h)) }

// enter is what a command is run by to be on the host.
func (h host) enter() []string { return []string{"ip", "netns", "exec", h.name()} }

// network is what connects the hosts. Its methods are for the test's own goroutine.
type network struct{ t *testing.T }

// newNetwork makes a network of hosts. The process has to have namespaces of its own.
func newNetwork(t *testing.T, hosts []host) *network {
	t.Helper()
	n := &network{t}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		t.Fatal(err)
	}
	// Names of namespaces are files; these are seen by nobody else.
	if err := syscall.Mount("tmpfs", "/run/netns", "tmpfs", 0, ""); err != nil {
		t.Fatalf("mounting a file system: %v", err)
	}
	n.run("ip link set lo up")
	for i := range 9 {
		n.run("ip address add %s/32 dev lo", fmt.Sprintf(masterAddress, i+1))
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		n.run("ip netns add %s", h.name())
		n.run("ip link add %s type veth peer name eth0 netns %s", h.link(), h.name())
		n.run("ip address add 10.77.%d.1/24 dev %s", int(h), h.link())
		n.run("ip link set %s up", h.link())
		n.run("ip -n %s address add %s/24 dev eth0", h.name(), h.address())
		n.run("ip -n %s link set eth0 up", h.name())
		n.run("ip -n %s link set lo up", h.name())
		n.run("ip -n %s route add default via 10.77.%d.1", h.name(), int(h))
	}
	return n
}

func (n *network) run(format string, args ...any) {
	n.t.Helper()
	command := strings.Fields(fmt.Sprintf(format, args...))
	run(n.t, command[0], command[1:]...)
}

// drop loses packets from one address or network to another, a share of them, and returns what ends that. All of it
// passes the test's own namespace: on its way through, in, or out.
func (n *network) drop(from, to string, share float64) (heal func()) {
	n.t.Helper()
	rule := fmt.Sprintf("-s %s -d %s -m statistic --mode random --probability %g -j DROP", from, to, share)
	chains := []string{"FORWARD", "INPUT", "OUTPUT"}
	for _, chain := range chains {
		n.run("iptables -w -A %s %s", chain, rule)
	}
	return func() {
		for _, chain := range chains {
			n.run("iptables -w -D %s %s", chain, rule)
		}
	}
}

// part loses all packets between two addresses or networks.
func (n *network) part(a, b string) (heal func()) {
	n.t.Helper()
	there, back := n.drop(a, b, 1), n.drop(b, a, 1)
	return func() { there(); back() }
}

// unplug pulls a host's cable.
func (n *network) unplug(h host) (heal func()) {
	n.t.Helper()
	n.run("ip link set %s down", h.link())
	return func() { n.run("ip link set %s up", h.link()) }
}
