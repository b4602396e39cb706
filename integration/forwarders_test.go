package integration

import (
	"fmt"
	"net"
	"testing"

	"github.com/miekg/dns"
)

// forwarders are DNS servers of other makes in front of rollcall. Each starts one at a port of 127.0.0.1 that asks
// rollcall about names below mesos.
var forwarders = []struct {
	name  string
	start func(t *testing.T, dir, port, host, rollcallPort string)
}{
	{"unbound, with strict minimisation of names", func(t *testing.T, dir, port, host, rollcallPort string) {
		serve(t, "/usr/sbin/unbound", "-d", "-p", "-c", file(t, dir, "unbound.conf", fmt.Sprintf(`
server:
  interface: 127.0.0.1
  port: %s
  username: ""
  chroot: ""
  directory: %q
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  qname-minimisation: yes
  qname-minimisation-strict: yes
  edns-buffer-size: 1232
remote-control:
  control-enable: no
stub-zone:
  name: "mesos"
  stub-addr: %s@%s
`, port, dir, host, rollcallPort)))
	}},
	{"bind", func(t *testing.T, dir, port, host, rollcallPort string) {
		serve(t, "/usr/sbin/named", "-g", "-c", file(t, dir, "named.conf", fmt.Sprintf(`
options {
  directory %q;
  listen-on port %s { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  recursion yes;
  dnssec-validation no;
  empty-zones-enable no;
};
controls { };
zone "mesos" { type forward; forward only; forwarders { %s port %s; }; };
`, dir, port, host, rollcallPort)))
	}},
	{"dnsmasq", func(t *testing.T, _, port, host, rollcallPort string) {
		serve(t, "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=", "--no-resolv",
			"--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1", "--port="+port,
			fmt.Sprintf("--server=/mesos/%s#%s", host, rollcallPort))
	}},
	{"systemd-resolved", startResolved},
}

// Names are found through other servers, whatever their way of asking is; sets are whole as far as maxAnswers lets them
// be, and names that are not there do not exist.
func TestForwarders(t *testing.T) {
	cluster := startCluster(t, 3)
	for i := range 250 {
		cluster.run("big", i, i%3)
	}
	for i := range 5 {
		cluster.run("web", 500+i, i%3)
	}
	cluster.tell()
	d := cluster.follow(t, config{"maxAnswers": 100})
	d.lookedUp("big.marathon.mesos.", 100)
	d.lookedUp("web.marathon.mesos.", 5)
	host, rollcallPort, err := net.SplitHostPort(d.dns)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range forwarders {
		t.Run(f.name, func(t *testing.T) {
			port := freeDNSPort(t)
			f.start(t, t.TempDir(), port, host, rollcallPort)
			addr := "127.0.0.1:" + port
			eventually(t, f.name+" answers", func() bool {
				m := ask(addr, "web.marathon.mesos.", dns.TypeA)
				return m != nil && len(m.Answer) == 5
			})
			for _, tt := range []struct {
				name    string
				qtype   uint16
				rcode   int
				answers int
			}{
				{"big.marathon.mesos.", dns.TypeA, dns.RcodeSuccess, 100},
				{"_big._tcp.marathon.slave.mesos.", dns.TypeSRV, dns.RcodeSuccess, 100},
				{"_web._tcp.marathon.mesos.", dns.TypeSRV, dns.RcodeSuccess, 5},
				{"_tcp.marathon.mesos.", dns.TypeA, dns.RcodeSuccess, 0},
				{"web.marathon.mesos.", dns.TypeAAAA, dns.RcodeSuccess, 0},
				{"web.marathon.mesos.", dns.TypeHTTPS, dns.RcodeSuccess, 0},
				{"nothing.marathon.mesos.", dns.TypeA, dns.RcodeNameError, 0},
				{"a.b.c.d.e.nothing.mesos.", dns.TypeA, dns.RcodeNameError, 0},
				{"mesos.", dns.TypeSOA, dns.RcodeSuccess, 1},
			} {
				m := ask(addr, tt.name, tt.qtype)
				if m == nil || m.Rcode != tt.rcode || len(m.Answer) != tt.answers {
					t.Errorf("%s %s: want %s with %d records, got\n%v", tt.name, dns.TypeToString[tt.qtype],
						dns.RcodeToString[tt.rcode], tt.answers, m)
				}
			}
		})
	}
}
