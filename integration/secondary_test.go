package integration

import (
	"fmt"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

const (
	transferKeyName = "rollcall"
	transferSecret  = "bm90IGEgc2VjcmV0LCBtYWtlIG9uZQ=="
)

// secondaries are how DNS servers of other makes are told to follow a zone. Each starts one at a port of 127.0.0.1, with
// a directory of its own and a primary.
var secondaries = []struct {
	name  string
	start func(t *testing.T, dir, port, primary string, zones []string)
}{
	{"nsd", startNSD}, {"knot", startKnot}, {"bind", startBIND},
}

func startNSD(t *testing.T, dir, port, primary string, zones []string) {
	t.Helper()
	conf := fmt.Sprintf(`
server:
  ip-address: 127.0.0.1
  port: %s
  username: ""
  chroot: ""
  zonesdir: %q
  database: ""
  pidfile: "%s/nsd.pid"
  xfrdfile: "%s/xfrd.state"
  zonelistfile: "%s/zone.list"
  xfrdir: %q
  verbosity: 2
  server-count: 1
  xfrd-reload-timeout: 0
remote-control:
  control-enable: no
key:
  name: %q
  algorithm: hmac-sha256
  secret: %q
`, port, dir, dir, dir, dir, dir, transferKeyName, transferSecret)
	host, primaryPort, _ := net.SplitHostPort(primary)
	for _, zone := range zones {
		conf += fmt.Sprintf(`
zone:
  name: %q
  zonefile: %q
  request-xfr: %s@%s %s
  allow-notify: 127.0.0.1 %s
  provide-xfr: 127.0.0.1 NOKEY
`, zone, zone, host, primaryPort, transferKeyName, transferKeyName)
	}
	serve(t, "/usr/sbin/nsd", "-d", "-c", file(t, dir, "nsd.conf", conf))
}

func startKnot(t *testing.T, dir, port, primary string, zones []string) {
	t.Helper()
	host, primaryPort, _ := net.SplitHostPort(primary)
	conf := fmt.Sprintf(`
server:
  listen: 127.0.0.1@%s
  rundir: %q
log:
  - target: stderr
    any: info
database:
  storage: %q
key:
  - id: %s
    algorithm: hmac-sha256
    secret: %q
remote:
  - id: primary
    address: %s@%s
    key: %s
acl:
  - id: notified
    address: 127.0.0.1
    key: %s
    action: notify
  - id: compared
    address: 127.0.0.1
    action: transfer
zone:
`, port, dir, dir, transferKeyName, transferSecret, host, primaryPort, transferKeyName, transferKeyName)
	for _, zone := range zones {
		conf += fmt.Sprintf("  - domain: %s\n    storage: %q\n    master: primary\n    acl: [notified, compared]\n", zone, dir)
	}
	serve(t, "/usr/sbin/knotd", "-c", file(t, dir, "knot.conf", conf))
}

func startBIND(t *testing.T, dir, port, primary string, zones []string) {
	t.Helper()
	host, primaryPort, _ := net.SplitHostPort(primary)
	conf := fmt.Sprintf(`
key %q { algorithm hmac-sha256; secret %q; };
options {
  directory %q;
  listen-on port %s { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  recursion no;
  dnssec-validation no;
  allow-transfer { 127.0.0.1; };
  max-records-per-type 0;
};
controls { };
`, transferKeyName, transferSecret, dir, port)
	for i, zone := range zones {
		conf += fmt.Sprintf("zone %q { type secondary; file \"zone%d\"; primaries { %s port %s key %q; }; allow-notify { 127.0.0.1; }; };\n",
			zone, i, host, primaryPort, transferKeyName)
	}
	serve(t, "/usr/sbin/named", "-g", "-c", file(t, dir, "named.conf", conf))
}

// transferred is a zone as a server gives it away, by record.
func transferred(t *testing.T, addr, zone string, signed bool) map[string]bool {
	t.Helper()
	client, m := &dns.Transfer{}, new(dns.Msg).SetAxfr(zone)
	if signed {
		client.TsigSecret = map[string]string{transferKeyName + ".": transferSecret}
		m.SetTsig(transferKeyName+".", dns.HmacSHA256, 300, 0)
		m.IsTsig().TimeSigned = unixNow()
	}
	envelopes, err := client.In(m, addr)
	if err != nil {
		t.Fatal(err)
	}
	records := make(map[string]bool)
	for e := range envelopes {
		if e.Error != nil {
			t.Fatalf("AXFR of %s from %s: %v", zone, addr, e.Error)
		}
		for _, rr := range e.RR {
			rr.Header().Name = dns.CanonicalName(rr.Header().Name)
			records[rr.String()] = true
		}
	}
	return records
}

// NSD, Knot and BIND follow a thousand changes by incremental transfers, told of them by NOTIFY, and end up equal.
func TestSecondaries(t *testing.T) {
	const changes, rounds = 1000, 4
	zones := []string{"mesos.", "10.in-addr.arpa."}
	cluster := startCluster(t, 3)
	ports := map[string]string{}
	list := []map[string]any{}
	for _, s := range secondaries {
		ports[s.name] = freeDNSPort(t)
		list = append(list, map[string]any{"address": "127.0.0.1:" + ports[s.name], "key": transferKeyName})
	}
	d := cluster.follow(t, config{
		"reverseZones": []string{"10.0.0.0/8"}, "SOARefresh": 3600, // so that nothing but NOTIFY is heard
		"transfer": map[string]any{
			"secondaries": list, "allow": []string{"127.0.0.0/8"},
			"keys": []map[string]any{{"name": transferKeyName, "secret": transferSecret}},
		},
	})
	for _, s := range secondaries {
		s.start(t, t.TempDir(), ports[s.name], d.dns, zones)
	}
	caughtUp := func(what string) {
		t.Helper()
		for _, s := range secondaries {
			for _, zone := range zones {
				eventually(t, fmt.Sprintf("%s has %s %s", s.name, zone, what), func() bool {
					serial := serialAt("127.0.0.1:"+ports[s.name], zone)
					return serial != 0 && serial == serialAt(d.dns, zone)
				})
			}
		}
	}
	caughtUp("at the start")

	// In several rounds, so that there is something to follow.
	running := 0
	for i := range changes {
		if i%5 == 4 {
			cluster.end("web", running-3)
		} else {
			cluster.run("web", running, running%3)
			running++
		}
		if i%50 == 49 {
			cluster.tell()
		}
		if i%(changes/rounds) == changes/rounds-1 {
			d.lookedUp("web.marathon.mesos.", i+1-2*((i+1)/5))
			caughtUp(fmt.Sprintf("after %d changes", i+1))
		}
	}
	whole, incremental := d.count(`rollcall_dns_transfers_total{kind="whole"}`), d.count(`rollcall_dns_transfers_total{kind="incremental"}`)
	// NSD asks for a whole zone again when one more transfer came while it loaded the zone.
	const again = 4
	if want := len(secondaries) * len(zones); whole < want || whole > want+again {
		t.Errorf("%d whole transfers, want %d: one for each secondary and zone, at the start", whole, want)
	}
	if want := rounds*len(secondaries)*len(zones) - again; incremental < want {
		t.Errorf("%d incremental transfers, want %d: one for each secondary, zone and round", incremental, want)
	}
	t.Logf("%d changes were followed by %d incremental transfers", changes, incremental)
	for _, zone := range zones {
		want := transferred(t, d.dns, zone, true)
		if len(want) < 300 {
			t.Fatalf("%s has only %d records", zone, len(want))
		}
		for _, s := range secondaries {
			if diff := cmp.Diff(want, transferred(t, "127.0.0.1:"+ports[s.name], zone, false)); diff != "" {
				t.Errorf("%s: %s is another one: -rollcall +secondary:\n%s", s.name, zone, diff)
			}
		}
	}
}

// Nobody gets the zone who may not have it.
func TestTransferIsRefused(t *testing.T) {
	d := start(t, newConfig(t.TempDir()))
	for _, qtype := range []uint16{dns.TypeAXFR, dns.TypeIXFR} {
		if m := ask(d.dns, "mesos.", qtype); m == nil || m.Rcode != dns.RcodeRefused || len(m.Answer) > 0 {
			t.Errorf("%v", m)
		}
	}
}
