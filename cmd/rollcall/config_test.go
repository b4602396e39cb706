package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/resolver"
)

var update = flag.Bool("update", false, "write the golden files anew")

// compareConfigs compares what a configuration means, not how it was written.
var compareConfigs = cmp.Options{
	cmpopts.IgnoreUnexported(config{}),
	cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
}

// TestProblems reads each file of testdata/config and compares all that is said about it, word for word.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata/config: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, warnings, err := parseConfig(data, "config.json")
			var got bytes.Buffer
			if err != nil {
				got.WriteString(err.Error() + "\n")
			}
			for _, w := range warnings {
				got.WriteString("warning: " + w.String() + "\n")
			}
			if strings.Contains(got.String(), "hunter2") {
				t.Errorf("a secret shows:\n%s", &got)
			}
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func mustParse(t *testing.T, text string) config {
	t.Helper()
	c, _, err := parseConfig([]byte(text), "config.json")
	if err != nil {
		t.Fatalf("%s:\n%v", text, err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	got := mustParse(t, `{"masters": ["10.0.0.1:5050"]}`)
	want := config{
		File: got.File,
		Zone: zoneConfig{
			Domain: "mesos", TTL: 60, SRVWeight: 1, IPSources: []string{"netinfo", "mesos", "host"},
			SOA: soaConfig{MName: "ns1.mesos.", RName: "root.ns1.mesos.", Refresh: 60, Retry: 600, Expire: 86400},
		},
		DNS:     dnsConfig{On: true, Listener: netip.IPv4Unspecified(), Port: 53, RecursionAvailable: true, TruncateBit: true},
		Answers: defaultAnswers(), Encryption: defaultEncryption(), Limits: defaultLimits(), Log: defaultLog(),
		Forward: forwardConfig{
			On: true, Resolvers: []netip.AddrPort{netip.MustParseAddrPort("8.8.8.8:53")}, Timeout: 5 * time.Second,
			CacheSize: 10_000, MaxStale: 24 * time.Hour, Prefetch: true, From: resolver.DefaultLocalNetworks(),
		},
		HTTP: httpConfig{On: true, Listener: "0.0.0.0", Port: 8123, Enumeration: true},
		Mesos: mesosConfig{
			Masters: []string{"10.0.0.1:5050"}, Refresh: time.Minute,
			StateTimeout: 5 * time.Minute,
		},
	}
	if diff := cmp.Diff(want, got, compareConfigs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if abs, _ := filepath.Abs("config.json"); got.File != abs {
		t.Errorf("file %q, want %q", got.File, abs)
	}
}

func TestSchedulerDefaults(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Skip("this machine has no name: ", err)
	}
	want := schedulerConfig{
		Engine: "local", Framework: "marathon", Listener: "127.0.0.1", Port: 8080, DataDir: "/var/lib/rollcall",
		Hostname: host, ZKSessionTimeout: 10 * time.Second, ServicePorts: portRange{10000, 20000}, KillsInFlight: 100, AllUnhealthy: "all",
		API: apiConfig{
			Auth:       authConfig{Realm: "Mesosphere"},
			Limits:     apiLimitsConfig{RequestsPerSecond: 1000, MaxBodyBytes: 8 << 20, MaxHeaderBytes: 64 << 10, Connections: 4096, PerClient: 512},
			TaskPolicy: policyConfig{Users: []string{"*"}, Privileged: true, HostPaths: []string{"/"}, Networks: []string{"*"}, Exec: true},
		},
		Local: localConfig{
			Agents:  []agentConfig{{Hostname: host, Ports: []portRange{{1025, 32000}}}},
			Cgroups: "auto", FetchTimeout: 10 * time.Minute, PullTimeout: 10 * time.Minute, DNS: "auto", SandboxMaxAge: 168 * time.Hour,
			SandboxMaxBytes: 10240 << 20, LogMaxBytes: 10 << 20, LogFiles: 2,
		},
		Mesos: frameworkConfig{Roles: []string{"*"}, FailoverTimeout: 168 * time.Hour, Checkpoint: true, Removed: "stop"},
	}
	for _, text := range []string{
		`{"scheduler": {}}`,
		`{"scheduler": {"local": {}}}`,
		`{"scheduler": {"engine": null, "local": {"agents": 1, "ports": null}}}`,
		`{"scheduler": {"hostname": "", "local": {"agents": [{"hostname": "", "address": ""}]}}}`,
	} {
		got := mustParse(t, text)
		if diff := cmp.Diff(&want, got.Scheduler, compareConfigs); diff != "" {
			t.Errorf("%s: -want +got:\n%s", text, diff)
		}
		if got.Forward.Resolvers != nil {
			t.Errorf("%s: resolvers %v, want those of the machine", text, got.Forward.Resolvers)
		}
	}
}

func TestValues(t *testing.T) {
	ports := netip.MustParseAddrPort
	tests := []struct {
		name, text string
		get        func(config) any
		want       any
	}{
		{"keys in any case", `{"MASTERS": ["a:1"], "TtL": 3}`, func(c config) any { return c.Zone.TTL }, uint32(3)},
		{"last duplicate counts", `{"masters": ["a:1"], "ttl": 3, "TTL": 4}`, func(c config) any { return c.Zone.TTL }, uint32(4)},
		{"null leaves the default", `{"masters": ["a:1"], "ttl": 3, "ttl": null}`, func(c config) any { return c.Zone.TTL }, uint32(3)},
		{"null empties a list", `{"masters": ["a:1"], "resolvers": null}`, func(c config) any { return len(c.Forward.Resolvers) }, 0},
		{"masters in usual spelling", `{"masters": ["[0:0::1]:05050", "h:1"]}`,
			func(c config) any { return c.Mesos.Masters }, []string{"[::1]:5050", "h:1"}},
		{"domain in lower case", `{"masters": ["a:1"], "domain": "DC1.Example"}`, func(c config) any { return c.Zone.Domain }, "dc1.example"},
		{"SOA names follow the domain", `{"masters": ["a:1"], "domain": "Crate"}`,
			func(c config) any { return []string{c.Zone.SOA.MName, c.Zone.SOA.RName} }, []string{"ns1.crate.", "root.ns1.crate."}},
		{"a given SOAMname stays", `{"masters": ["a:1"], "domain": "crate", "SOAMname": "NS1.mesos.."}`,
			func(c config) any { return []string{c.Zone.SOA.MName, c.Zone.SOA.RName} }, []string{"ns1.mesos.", "root.ns1.mesos."}},
		{"a given SOARname stays", `{"masters": ["a:1"], "domain": "crate", "SOARname": "first.last@example.org."}`,
			func(c config) any { return []string{c.Zone.SOA.MName, c.Zone.SOA.RName} }, []string{"ns1.crate.", "first.last.example.org."}},
		{"an empty SOARname is the root", `{"masters": ["a:1"], "SOARname": ""}`, func(c config) any { return c.Zone.SOA.RName }, "."},
		{"a negative ttl is 0", `{"masters": ["a:1"], "ttl": -5}`, func(c config) any { return c.Zone.TTL }, uint32(0)},
		{"timeout 0 is 5 seconds", `{"masters": ["a:1"], "timeout": 0}`, func(c config) any { return c.Forward.Timeout }, 5 * time.Second},
		{"a timeout beyond any duration", `{"masters": ["a:1"], "timeout": 9223372036854775807}`,
			func(c config) any { return c.Forward.Timeout > 200*365*24*time.Hour }, true},
		{"no detection timeout", `{"masters": ["a:1"], "zkDetectionTimeout": -1}`,
			func(c config) any { return c.Mesos.DetectionTimeout }, time.Duration(0)},
		{"resolvers", `{"masters": ["a:1"], "resolvers": ["192.0.2.1", "192.0.2.1:054", "::1", "[2001:DB8::1]:5353"]}`,
			func(c config) any { return c.Forward.Resolvers },
			[]netip.AddrPort{ports("192.0.2.1:53"), ports("192.0.2.1:54"), ports("[::1]:53"), ports("[2001:db8::1]:5353")}},
		{"resolvers are not looked at without forwarding", `{"masters": ["a:1"], "externalon": false, "resolvers": ["x"], "zoneResolvers": {"mesos": ["x"]}}`,
			func(c config) any { return c.Forward.Resolvers }, []netip.AddrPort(nil)},
		{"as Mesos-DNS where there is no scheduler", `{"masters": ["a:1"]}`, func(c config) any { return c.Forward.TCPFallback }, false},
		{"better where there is one", `{"scheduler": {}}`, func(c config) any { return c.Forward.TCPFallback }, true},
		{"or where the file says so", `{"masters": ["a:1"], "tcpFallback": true}`, func(c config) any { return c.Forward.TCPFallback }, true},
		{"recursion for nobody", `{"masters": ["a:1"], "recursionFrom": []}`, func(c config) any { return len(c.Forward.From) }, 0},
		{"recursion for some", `{"masters": ["a:1"], "recursionFrom": ["100.64.0.0/10", "2001:db8::/32"]}`,
			func(c config) any { return c.Forward.From },
			[]netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("2001:db8::/32")}},
		{"resolvers over TLS", `{"masters": ["a:1"], "resolvers": ["tls://192.0.2.1#dns.example", "192.0.2.1"], "zoneResolvers": {"weave": ["tls://[::1]:8853"]}}`,
			func(c config) any { return c.Forward.Secure },
			map[netip.AddrPort]string{ports("192.0.2.1:853"): "dns.example", ports("[::1]:8853"): ""}},
		{"resolvers over TLS are resolvers", `{"masters": ["a:1"], "resolvers": ["tls://192.0.2.1#dns.example", "192.0.2.1"]}`,
			func(c config) any { return c.Forward.Resolvers }, []netip.AddrPort{ports("192.0.2.1:853"), ports("192.0.2.1:53")}},
		{"encrypted DNS", `{"masters": ["a:1"], "encryption": {"certFile": "c", "keyFile": "k", "httpsPort": -1}}`,
			func(c config) any { return c.Encryption }, encryptionConfig{CertFile: "c", KeyFile: "k", TLSPort: 853, HTTPSPort: -1}},
		{"stale answers", `{"masters": ["a:1"], "serveStale": 3600}`, func(c config) any { return c.Forward.MaxStale }, time.Hour},
		{"zones of all repetitions", `{"masters": ["a:1"], "zoneResolvers": {"Weave": ["::1"]}, "zoneresolvers": {"other": ["::1"]}}`,
			func(c config) any { return sortedKeys(c.Forward.ZoneResolvers) }, []string{"other", "weave"}},
		{"ports do not matter where nobody listens", `{"masters": ["a:1"], "httpon": false, "httpport": 70000}`,
			func(c config) any { return c.HTTP.Port }, uint16(0)},
		{"numbered agents", `{"scheduler": {"local": {"agents": 2, "cpus": 1.5}}}`,
			func(c config) any { return c.Scheduler.Local.Agents },
			[]agentConfig{
				{Hostname: "127.0.1.1", Address: netip.MustParseAddr("127.0.1.1"), Ports: []portRange{{1025, 32000}}, CPUs: 1.5},
				{Hostname: "127.0.1.2", Address: netip.MustParseAddr("127.0.1.2"), Ports: []portRange{{1025, 32000}}, CPUs: 1.5},
			}},
		{"agents over what they share, whatever the order", `{"scheduler": {"local": {
			"agents": [{"hostname": "a", "mem": 64, "attributes": {"rack": "1"}, "region": "eu", "zone": "eu-1"}, {"ports": "[80,1025-2180,2181-3887]"}],
			"attributes": {"rack": "0", "os": "linux"}, "mem": 32, "ports": "31000-31999"}}}`,
			func(c config) any { return c.Scheduler.Local.Agents },
			[]agentConfig{
				{Hostname: "a", Address: netip.MustParseAddr("127.0.1.1"), Ports: []portRange{{31000, 31999}}, Mem: 64,
					Attributes: map[string]string{"rack": "1", "os": "linux"}, Region: "eu", Zone: "eu-1"},
				{Hostname: "127.0.1.2", Address: netip.MustParseAddr("127.0.1.2"), Ports: []portRange{{80, 80}, {1025, 3887}}, Mem: 32,
					Attributes: map[string]string{"rack": "0", "os": "linux"}},
			}},
		{"container networks", `{"scheduler": {"local": {"networks": {"apps": "10.88.0.0/24", "other": ""}}}}`,
			func(c config) any { return fmt.Sprint(c.Scheduler.Local.Networks) }, "map[apps:10.88.0.0/24 other:invalid Prefix]"},
		{"one agent is called as the machine", `{"scheduler": {"local": {}, "hostname": "box.example"}}`,
			func(c config) any { return c.Scheduler.Local.Agents[0].Hostname }, "box.example"},
		{"sizes in MiB", `{"scheduler": {"local": {"logMaxSize": 3, "sandboxMaxSize": 0}}}`,
			func(c config) any { return []int64{c.Scheduler.Local.LogMaxBytes, c.Scheduler.Local.SandboxMaxBytes} }, []int64{3 << 20, 0}},
		{"a scheduler alone", `{"dnson": false, "httpon": false, "scheduler": {}}`, func(c config) any { return c.DNS.On }, false},
		{"the mesos engine", `{"zk": "zk://a,b:2181/mesos", "scheduler": {"engine": "mesos", "zk": "zk://a/rollcall"}}`,
			func(c config) any { return string(c.Scheduler.ZK) }, "zk://a/rollcall"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.get(mustParse(t, tt.text)), compareConfigs); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDevConfig(t *testing.T) {
	c, err := devConfig(defaultDevOptions())
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	if c.DNS.Listener != loopback || c.DNS.Port != 8053 || c.HTTP.Listener != "127.0.0.1" || c.HTTP.Port != 8123 {
		t.Errorf("listeners: %+v %+v", c.DNS, c.HTTP)
	}
	s := c.Scheduler
	if s.Listener != "127.0.0.1" || s.Port != 8080 || s.DataDir != "rollcall-data" || c.Zone.Domain != "mesos" {
		t.Errorf("scheduler: %+v", s)
	}
	var names []string
	for _, a := range s.Local.Agents {
		names = append(names, a.Hostname+"="+a.Address.String())
	}
	if diff := cmp.Diff([]string{"127.0.1.1=127.0.1.1", "127.0.1.2=127.0.1.2", "127.0.1.3=127.0.1.3"}, names); diff != "" {
		t.Error(diff)
	}

	o := defaultDevOptions()
	o.Agents, o.Domain = 1, "Crate"
	if c, err = devConfig(o); err != nil || c.Scheduler.Local.Agents[0].Hostname != "127.0.1.1" || c.Zone.SOA.MName != "ns1.crate." {
		t.Errorf("%v %+v %+v", err, c.Scheduler, c.Zone)
	}
	o.Agents, o.Domain = 0, "a b"
	if _, err = devConfig(o); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want two problems, got %v", err)
	}
}

func TestErrorUnwraps(t *testing.T) {
	_, _, err := loadConfig(filepath.Join(t.TempDir(), "config.json"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
	if !strings.Contains(err.Error(), "rollcall dev") {
		t.Errorf("%v does not say what to do", err)
	}
}

func TestParsePortRanges(t *testing.T) {
	tests := []struct {
		text string
		want []portRange
	}{
		{"31000-32000", []portRange{{31000, 32000}}},
		{"[1025-2180,2182-3887]", []portRange{{1025, 2180}, {2182, 3887}}},
		{" [ 80 , 443 - 444 ] ", []portRange{{80, 80}, {443, 444}}},
		{"20-30,1-10,11-12,25-40", []portRange{{1, 12}, {20, 40}}},
		{"1-65535,65535", []portRange{{1, 65535}}},
		{"", nil}, {"[]", nil}, {"[1-2", nil}, {"1-2]", nil}, {"0-1", nil}, {"1-65536", nil}, {"2-1", nil}, {"1-2-3", nil}, {"1,,2", nil}, {"a-b", nil},
	}
	for _, tt := range tests {
		got, ok := parsePortRanges(tt.text)
		if ok != (tt.want != nil) {
			t.Errorf("%q: accepted %v", tt.text, ok)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: -want +got:\n%s", tt.text, diff)
		}
	}
}

func TestIsMasterDetector(t *testing.T) {
	for text, want := range map[string]bool{
		"zk://10.0.0.1:2181/mesos":                    true,
		"zk://10.0.0.1,b.example:2182,[::1]:2183/a/b": true,
		"zk://user:p@ss@10.0.0.1:2181/mesos":          true,
		"zk://10.0.0.1:2181":                          true,
		"zk://10.0.0.1:2181/mesos/":                   true,
		"file:///etc/mesos/zk":                        true,
		"10.0.0.1:5050":                               true,
		"master.example:5050":                         true,
		"zk:///mesos":                                 false,
		"zk://10.0.0.1:0/mesos":                       false,
		"zk://10.0.0.1:2181,/mesos":                   false,
		"file://etc/mesos/zk":                         false,
		"http://10.0.0.1:2181/mesos":                  false,
		"10.0.0.1":                                    false,
		"":                                            false,
	} {
		if got := isMasterDetector(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	files, _ := filepath.Glob("testdata/config/*.json")
	for _, file := range append(files, "../../config.json.example") {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := parseConfig(data, "config.json")
		if err != nil {
			return
		}
		if !c.DNS.Listener.IsValid() || c.Zone.Domain == "" || c.Mesos.Refresh <= 0 || c.Forward.Timeout <= 0 {
			t.Errorf("accepted: %+v", c)
		}
		if s := c.Scheduler; s != nil {
			for _, a := range s.Local.Agents {
				if a.Hostname == "" || len(a.Ports) == 0 {
					t.Errorf("accepted agent: %+v", a)
				}
			}
		}
		// What is shown of a configuration is a configuration of Mesos-DNS's that means the same names.
		if c.effective(1).Domain != c.Zone.Domain {
			t.Errorf("shown domain %q, domain %q", c.effective(1).Domain, c.Zone.Domain)
		}
	})
}
