package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"
)

// fakeDNS answers from lines of zone files, which can be replaced while it serves.
type fakeDNS struct {
	mu       sync.Mutex
	records  []string
	code     int           // of every answer, when it is not success
	truncate bool          // over UDP
	asked    chan struct{} // takes one for each question before it is answered; nil: nobody counts
}

func (f *fakeDNS) set(records ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = records
}

func (f *fakeDNS) answer(w dns.ResponseWriter, question *dns.Msg) {
	f.mu.Lock()
	q := question.Question[0]
	m := new(dns.Msg).SetRcode(question, f.code)
	known := false
	for _, line := range f.records {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err) // a mistake in this file
		}
		if strings.EqualFold(rr.Header().Name, q.Name) {
			known = true
			if rr.Header().Rrtype == q.Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	if !known && f.code == dns.RcodeSuccess {
		m.Rcode = dns.RcodeNameError
	}
	if _, overUDP := w.LocalAddr().(*net.UDPAddr); overUDP && f.truncate {
		m.Truncated, m.Answer = true, nil
	}
	f.mu.Unlock()
	if f.asked != nil {
		f.asked <- struct{}{}
	}
	w.WriteMsg(m) //nolint:errcheck // who asked may be gone
}

// serve answers on a free port until the test ends.
func (f *fakeDNS) serve(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 10 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err != nil { // somebody else has that port
			udp.Close()
			continue
		}
		for _, s := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
			started := make(chan struct{})
			s.Handler, s.NotifyStartedFunc = dns.HandlerFunc(f.answer), func() { close(started) }
			go s.ActivateAndServe() //nolint:errcheck // it ends when it is shut down
			<-started
			t.Cleanup(func() { s.Shutdown() }) //nolint:errcheck // nothing is left to do
		}
		return netip.MustParseAddrPort(udp.LocalAddr().String())
	}
	t.Fatal("no port is free for UDP and TCP")
	return netip.AddrPort{}
}

// search looks for seeds as given on the command line.
func search(t *testing.T, c *dns.ClientConfig, args string) (string, error) {
	t.Helper()
	parsed, err := parseArgs(strings.Fields("seeds " + args))
	if err != nil {
		t.Fatal(err)
	}
	s := seedSearch{options: parsed.Seeds, servers: c, interval: time.Millisecond}
	found, err := s.run(t.Context())
	return strings.Join(found, s.options.Separator), err
}

func clientConfig(servers ...netip.AddrPort) *dns.ClientConfig {
	c := &dns.ClientConfig{Ndots: 1, Timeout: 5, Port: "53", Search: []string{"marathon.mesos."}}
	for _, s := range servers {
		c.Servers, c.Port = append(c.Servers, s.Addr().String()), strconv.Itoa(int(s.Port()))
	}
	return c
}

func TestSeeds(t *testing.T) {
	f := &fakeDNS{records: []string{
		"crate.marathon.mesos. 60 A 127.0.1.10", "crate.marathon.mesos. 60 A 127.0.1.2", "crate.marathon.mesos. 60 A 127.0.1.2",
		"six.mesos. 60 AAAA 2001:db8::2", "six.mesos. 60 AAAA 2001:db8::1",
		"both.mesos. 60 AAAA 2001:db8::2", "both.mesos. 60 A 192.0.2.1",
		"_crate._tcp.marathon.mesos. 60 SRV 0 1 31002 crate-b.marathon.mesos.",
		"_crate._tcp.marathon.mesos. 60 SRV 0 1 31001 crate-a.marathon.mesos.",
		"_crate._tcp.marathon.mesos. 60 SRV 0 1 31003 crate-a.marathon.mesos.",
		"crate-a.marathon.mesos. 60 A 127.0.1.1", "crate-b.marathon.mesos. 60 A 127.0.1.2",
		"_none._tcp.mesos. 60 SRV 0 0 0 .",
	}}
	c := clientConfig(f.serve(t))
	for _, tt := range []struct{ args, want, err string }{
		{"crate.marathon.mesos", "127.0.1.2,127.0.1.10", ""},
		{"crate", "127.0.1.2,127.0.1.10", ""},
		{"CRATE.marathon.mesos. -min=2 -port 4300", "127.0.1.2:4300,127.0.1.10:4300", ""},
		{"-sep ; crate", "127.0.1.2;127.0.1.10", ""},
		{"six.mesos", "2001:db8::1,2001:db8::2", ""},
		{"six.mesos -port=9042", "[2001:db8::1]:9042,[2001:db8::2]:9042", ""},
		{"both.mesos", "192.0.2.1", ""},
		{"-srv _crate._tcp.marathon.mesos -min 3", "127.0.1.1:31001,127.0.1.1:31003,127.0.1.2:31002", ""},
		{"crate -min=3 -timeout=0", "", "crate has 2 addresses, 3 wanted: 127.0.1.2,127.0.1.10"},
		{"crate -min=3 -timeout=1s", "", "crate has 2 addresses after 1s, 3 wanted: 127.0.1.2,127.0.1.10"},
		{"crate.mesos -timeout=0", "", "crate.mesos has 0 addresses, 1 wanted"},
		{"_none._tcp.mesos -srv -timeout=0", "", "_none._tcp.mesos has 0 targets, 1 wanted"},
		{"crate -srv -timeout=0", "", "crate has 0 targets, 1 wanted"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			got, err := search(t, c, tt.args)
			if got != tt.want || tt.err == "" && err != nil || tt.err != "" && (err == nil || err.Error() != tt.err) {
				t.Errorf("%q, %v; want %q, %s", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestSeedsWait has seeds come up one by one.
func TestSeedsWait(t *testing.T) {
	f := &fakeDNS{asked: make(chan struct{})}
	c := clientConfig(f.serve(t))
	result := make(chan string, 1)
	go func() {
		got, err := search(t, c, "db.mesos -min=2")
		result <- fmt.Sprint(got, err)
	}()
	for _, records := range [][]string{nil, {"db.mesos. 60 A 127.0.1.1"}, {"db.mesos. 60 A 127.0.1.1", "db.mesos. 60 A 127.0.1.2"}} {
		<-f.asked
		select {
		case early := <-result:
			t.Fatalf("it did not wait: %s", early)
		default:
		}
		f.set(records...)
	}
	for {
		select {
		case <-f.asked:
		case got := <-result:
			if got != "127.0.1.1,127.0.1.2<nil>" {
				t.Error(got)
			}
			return
		}
	}
}

// TestSeedsServers asks the next server when one fails, and by TCP what is too long for UDP.
func TestSeedsServers(t *testing.T) {
	good := &fakeDNS{records: []string{"db.mesos. 60 A 127.0.1.1"}, truncate: true}
	broken := &fakeDNS{code: dns.RcodeServerFailure}
	for _, tt := range []struct {
		servers   []*fakeDNS
		want, err string
	}{
		{[]*fakeDNS{good}, "127.0.1.1", ""},
		{[]*fakeDNS{broken}, "", "answers SERVFAIL"},
	} {
		var at []netip.AddrPort
		for _, s := range tt.servers {
			at = append(at, s.serve(t))
		}
		got, err := search(t, clientConfig(at...), "db.mesos -timeout=0")
		if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.HasSuffix(err.Error(), tt.err) {
			t.Errorf("%q, %v; want %q, %s", got, err, tt.want, tt.err)
		}
	}
	// Nobody listens at the first address; the second has the same port.
	c := clientConfig(good.serve(t))
	c.Servers = append([]string{"127.0.0.2"}, c.Servers...)
	if got, err := search(t, c, "db.mesos -timeout=0"); err != nil || got != "127.0.1.1" {
		t.Errorf("with a dead server: %q, %v", got, err)
	}
}

// TestSeedsStopped ends the wait as the program is told to stop.
func TestSeedsStopped(t *testing.T) {
	f := &fakeDNS{asked: make(chan struct{}, 16)}
	ctx, stop := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	s := seedSearch{options: defaultSeedsOptions(), servers: clientConfig(f.serve(t)), interval: time.Hour}
	s.options.Name = "db.mesos."
	go func() {
		_, err := s.run(ctx)
		failed <- err
	}()
	<-f.asked
	stop()
	if err := <-failed; err == nil || err.Error() != "db.mesos. has 0 addresses when it was stopped, 1 wanted" {
		t.Error(err)
	}
}

func TestSeedServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	given := netip.MustParseAddrPort("192.0.2.1:5353")
	if _, err := seedServers(netip.AddrPort{}, path); err == nil || !strings.Contains(err.Error(), "-server names a DNS server") {
		t.Errorf("without a file: %v", err)
	}
	if c, err := seedServers(given, path); err != nil || !slices.Equal(c.NameList("a"), []string{"a."}) || c.Port != "5353" {
		t.Errorf("without a file but with a server: %+v, %v", c, err)
	}
	if err := os.WriteFile(path, []byte("search mesos\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seedServers(netip.AddrPort{}, path); err == nil || !strings.Contains(err.Error(), "names no DNS server") {
		t.Errorf("with an empty file: %v", err)
	}
	if err := os.WriteFile(path, []byte("nameserver 192.0.2.9\nsearch mesos\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[netip.AddrPort]string{{}: "192.0.2.9", given: "192.0.2.1"} {
		c, err := seedServers(server, path)
		if err != nil || !slices.Equal(c.Servers, []string{want}) || !slices.Equal(c.NameList("a"), []string{"a.mesos.", "a."}) {
			t.Errorf("%v: %+v, %v", server, c, err)
		}
	}
}

// TestRunSeeds is the command from its arguments to its output.
func TestRunSeeds(t *testing.T) {
	f := &fakeDNS{records: []string{"db.mesos. 60 A 127.0.1.1", "db.mesos. 60 A 127.0.1.2"}}
	server := f.serve(t).String()
	var stdout, stderr strings.Builder
	err := run(t.Context(), []string{"seeds", "db.mesos", "-server", server, "-port=7000", "-sep", " "}, &stdout, &stderr)
	if err != nil || stdout.String() != "127.0.1.1:7000 127.0.1.2:7000\n" || stderr.String() != "" {
		t.Errorf("%v, stdout %q, stderr %q", err, stdout.String(), stderr.String())
	}
	err = run(t.Context(), []string{"seeds", "other.mesos", "-server", server, "-timeout", "0"}, &stdout, &stderr)
	if exitCode(err) != exitRefused {
		t.Errorf("too few: %v", err)
	}
}

func TestParseSeeds(t *testing.T) {
	with := func(change func(*seedsOptions)) seedsOptions {
		o := defaultSeedsOptions()
		o.Name = "a.mesos"
		change(&o)
		return o
	}
	full := with(func(o *seedsOptions) {
		o.Min, o.Port, o.Separator, o.Timeout, o.Server = 3, 4300, ";", 90*time.Second, netip.MustParseAddrPort("192.0.2.1:53")
	})
	for _, tt := range []struct {
		args string
		want seedsOptions
		err  string
	}{
		{"a.mesos", with(func(*seedsOptions) {}), ""},
		{"a.mesos -min 3 -port=4300 -sep ; -timeout 90s -server 192.0.2.1", full, ""},
		{"--min=3 --port 4300 a.mesos --sep=; --timeout=90s --server=192.0.2.1:53", full, ""},
		{"-srv a.mesos", with(func(o *seedsOptions) { o.SRV = true }), ""},
		{"a.mesos -server=[2001:db8::1]:5353", with(func(o *seedsOptions) { o.Server = netip.MustParseAddrPort("[2001:db8::1]:5353") }), ""},
		{"", seedsOptions{}, `the name to ask for is missing`},
		{"a.mesos b.mesos", seedsOptions{}, `unexpected argument "b.mesos"`},
		{"a..mesos", seedsOptions{}, `"a..mesos" is not a name that DNS can have`},
		{"a.mesos -srv -port=1", seedsOptions{}, `-srv and -port exclude each other: SRV records tell the ports`},
		{"a.mesos -min=0", seedsOptions{}, `invalid value "0" for flag -min: a whole number from 1 to 4096 is needed`},
		{"a.mesos -port=0", seedsOptions{}, `invalid value "0" for flag -port: a whole number from 1 to 65535 is needed`},
		{"a.mesos -timeout=60", seedsOptions{}, `invalid value "60" for flag -timeout: a duration such as 90s or 5m is needed`},
		{"a.mesos -server=ns1", seedsOptions{}, `invalid value "ns1" for flag -server: an IP address is needed, or one with a port`},
		{"a.mesos -mni=1", seedsOptions{}, `unknown flag -mni`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			got, err := parseArgs(strings.Fields("seeds " + tt.args))
			if tt.err != "" {
				if want := tt.err + ` (see "rollcall seeds -h")`; err == nil || err.Error() != want || exitCode(err) != exitUsage {
					t.Errorf("%v, want %s", err, want)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got.Seeds, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}
