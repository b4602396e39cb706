package integration

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// The serial of a rollcall that is killed and started again is later than all it had, however many changes there were,
// and stays where it is when nothing happens.
func TestSerialSurvivesKill(t *testing.T) {
	cluster := startCluster(t, 1)
	serialFile := file(t, t.TempDir(), "serial", "4000000000\n") // from a clock that was far ahead
	d := cluster.follow(t, config{"serialFile": serialFile})
	before := uint32(4_000_000_000)
	for round := range 3 {
		first := serialAt(d.dns, "mesos.")
		if int32(first-before) <= 0 {
			t.Fatalf("round %d: after %d comes %d", round, before, first)
		}
		for i := range 100 {
			cluster.run(fmt.Sprintf("web%d", round), 100*round+i, 0)
		}
		cluster.tell()
		d.lookedUp(fmt.Sprintf("web%d.marathon.mesos.", round), 100)
		if before = serialAt(d.dns, "mesos."); int32(before-first) <= 0 {
			t.Errorf("round %d: the serial is %d after the changes, and was %d", round, before, first)
		}
		d.kill()
		d.run()
		d.lookedUp(fmt.Sprintf("web%d.marathon.mesos.", round), 100)
	}
	if again := serialAt(d.dns, "mesos."); again != serialAt(d.dns, "mesos.") {
		t.Error("the serial moves without a change")
	}
}

// Clients on this machine see what dig sees of cookies and of keeping a connection open.
func TestDigOptions(t *testing.T) {
	require(t, "dig")
	d := startCluster(t, 1).follow(t, config{"serverID": "dns-a"})
	host, port, err := net.SplitHostPort(d.dns)
	if err != nil {
		t.Fatal(err)
	}
	dig := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "dig", append([]string{"-p", port, "@" + host, "+tries=1"}, args...)...).Output()
		if err != nil {
			t.Fatalf("dig %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"mesos", "SOA", "+cookie"}, "(good)"},
		{[]string{"mesos", "SOA", "+tcp", "+keepalive"}, "KEEPALIVE: 8.0 secs"},
		{[]string{"mesos", "SOA", "+nsid"}, `("dns-a")`},
		{[]string{"id.server", "CH", "TXT"}, `"dns-a"`},
		{[]string{"version.bind", "CH", "TXT"}, "REFUSED"},
		{[]string{"mesos", "SOA", "+edns=1", "+noednsnegotiation"}, "BADVERS"},
		{[]string{"mesos", "SOA", "+opcode=2"}, "NOTIMP"},
	} {
		if got := dig(tt.args...); !strings.Contains(got, tt.want) {
			t.Errorf("dig %v has no %q:\n%s", tt.args, tt.want, got)
		}
	}
}
