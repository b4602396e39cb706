package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/records"
)

// sharedTestdata returns the path of a file of the reference data that lies next to the module.
func sharedTestdata(t *testing.T, path string) string {
	t.Helper()
	full := filepath.Join("..", "..", "..", "shared", "testdata", path)
	if _, err := os.Stat(full); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the reference data is missing: ", err)
		}
		t.Skip("SKIPPED, the reference data is missing: ", err)
	}
	return full
}

// TestMesosDNSValidation starts from what Mesos-DNS itself was seen to accept and refuse.
func TestMesosDNSValidation(t *testing.T) {
	data, err := os.ReadFile(sharedTestdata(t, "mesos-dns/public/config-validation/configs.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name   string            `json:"name"`
		Config json.RawMessage   `json:"config"`
		Expect string            `json:"expect"`
		Files  map[string]string `json:"files"`
		Tags   []string          `json:"tags"`
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}

	// Rows that Mesos-DNS ends on, but not because of the configuration.
	accepted := map[string]string{
		"zk unreachable, timeout 1": "the file is good; the exit is that of the master detection",
		"listener not local":        "the file is good; the exit is that of bind(2)",
		"httplistener not local":    "the file is good; the exit is that of bind(2)",
	}
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			if len(row.Tags) > 0 {
				t.Skip("Mesos-DNS crashes here or accepts what it should not: ", row.Tags)
			}
			dir := t.TempDir()
			for name, content := range row.Files {
				writeFile(t, filepath.Join(dir, name), content)
			}
			text := string(row.Config)
			if text != "null" {
				var literal string
				if json.Unmarshal(row.Config, &literal) == nil {
					text = literal
				}
				text = strings.NewReplacer(`"{port}"`, "8053", `"{httpport}"`, "8123", "{tmp}", dir).Replace(text)
				writeFile(t, filepath.Join(dir, "config.json"), text)
			}
			_, _, err := loadConfig(filepath.Join(dir, "config.json"))
			_, exception := accepted[row.Name]
			if run := row.Expect == "run" || exception; run != (err == nil) {
				t.Errorf("Mesos-DNS: %s; got %v\n%s", row.Expect, err, text)
			}
		})
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSeed is a file as it stands in a tutorial: placeholders for resolvers, and a key that Mesos-DNS forgot.
func TestSeed(t *testing.T) {
	data, err := os.ReadFile(sharedTestdata(t, "marathon/seeds/000-mesos-dns-config.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := parseConfig(data, "config.json")
	const allowed = `is not an IP address, nor one with a port, such as "192.0.2.1", "192.0.2.1:5353" or "[2001:db8::1]:53"`
	want := `config.json: resolvers[0]: "..." ` + allowed + "\n" + `config.json: resolvers[1]: "" ` + allowed
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if len(warnings) != 1 || warnings[0].Key != "email" {
		t.Errorf("warnings: %v", warnings)
	}

	real := strings.Replace(string(data), `["...", ""]`, `["192.0.2.1"]`, 1)
	c := mustParse(t, real)
	if c.Zone.Domain != "crate" || c.Zone.SOA.MName != "ns1.crate." || c.Mesos.Masters[0] != "mesos-master:5050" {
		t.Errorf("%+v", c)
	}
}

// TestEffective compares /v1/config with what Mesos-DNS answers for the same file, member by member and in order.
func TestEffective(t *testing.T) {
	c := mustParse(t, `{"masters": ["127.0.0.1:15050"], "refreshSeconds": 60, "port": 18053, "listener": "127.0.0.1",
		"httplistener": "127.0.0.1", "httpport": 18123, "SOAMname": "ns1.mesos", "SOARname": "root@ns1.mesos",
		"externalon": false, "mesosCredentials": {"principal": "p", "secret": "hunter2"},
		"zk": "zk://operator:hunter2@10.0.0.1:2181/mesos"}`)
	c.File = "/etc/rollcall/config.json"
	got, err := json.MarshalIndent(c.effective(1795251950), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "RefreshSeconds": 60,
 "Port": 18053,
 "Timeout": 5,
 "StateTimeoutSeconds": 300,
 "ZkDetectionTimeout": 0,
 "HttpPort": 18123,
 "TTL": 60,
 "SRVRecordDefaultWeight": 1,
 "SOASerial": 1795251950,
 "SOARefresh": 60,
 "SOARetry": 600,
 "SOAExpire": 86400,
 "SOAMinttl": 60,
 "SOAMname": "ns1.mesos.",
 "SOARname": "root.ns1.mesos.",
 "Masters": [
  "127.0.0.1:15050"
 ],
 "ZoneResolvers": {},
 "Resolvers": [
  "8.8.8.8"
 ],
 "IPSources": [
  "netinfo",
  "mesos",
  "host"
 ],
 "Zk": "zk://[redacted]@10.0.0.1:2181/mesos",
 "Domain": "mesos",
 "File": "/etc/rollcall/config.json",
 "Listener": "127.0.0.1",
 "HTTPListener": "127.0.0.1",
 "RecurseOn": true,
 "DnsOn": true,
 "HttpOn": true,
 "ExternalOn": false,
 "EnforceRFC952": false,
 "SetTruncateBit": true,
 "EnumerationOn": true,
 "MesosHTTPSOn": false,
 "CACertFile": "",
 "CertFile": "",
 "KeyFile": "",
 "MesosCredentials": {
  "Principal": "p",
  "Secret": "[redacted]"
 },
 "IAMConfigFile": "",
 "MesosAuthentication": ""
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c = mustParse(t, `{"scheduler": {}}`)
	got, err = json.Marshal(c.effective(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{`"Masters":null`, `"Resolvers":[]`, `"Secret":""`} {
		if !strings.Contains(string(got), member) {
			t.Errorf("no %s in %s", member, got)
		}
	}
}

// What Mesos-DNS starts with and nobody can use is left out, with a warning.
func TestUselessPartsAreLeftOut(t *testing.T) {
	for _, tt := range []struct {
		text, warned string
		get          func(config) string
		want         string
	}{
		{`{"zk": "zk://user@a:1,b/mesos"}`, "zk", func(c config) string { return string(c.Mesos.ZK) }, "zk://a:1,b/mesos"},
		{`{"zk": "zk://u:p@a//x///y/"}`, "zk", func(c config) string { return string(c.Mesos.ZK) }, "zk://u:p@a/x/y"},
		{`{"zk": "zk://[::1]/mesos"}`, "", func(c config) string { return string(c.Mesos.ZK) }, "zk://[::1]/mesos"},
		{`{"masters": ["a:1"], "httplistener": ""}`, "", func(c config) string { return c.HTTP.Listener }, ""},
		{`{"masters": ["a:1"], "resolvers": [], "zoneResolvers": {"A": ["192.0.2.1"], "a": ["192.0.2.2"], "MESOS": ["192.0.2.3"]}}`,
			"zoneResolvers.A", func(c config) string { return fmt.Sprint(c.Forward.ZoneResolvers) }, "map[a:[192.0.2.2:53]]"},
		{`{"masters": ["a:1"], "domain": "` + strings.Repeat("abcdefghi.", 30) + `x"}`, "domain",
			func(c config) string { return fmt.Sprint(len(c.Zone.Domain) <= maxDomain) }, "true"},
	} {
		c, warnings, err := parseConfig([]byte(tt.text), "config.json")
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := tt.get(c); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
		warned := slices.ContainsFunc(warnings, func(w warning) bool { return w.Key == tt.warned })
		if (tt.warned != "") != warned {
			t.Errorf("%s: warnings %v", tt.text, warnings)
		}
		s := &server{collisions: newCollisions(slog.New(slog.DiscardHandler))}
		if _, err := records.New(s.zoneOptions(c)); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if _, _, err := newDetector(c.Mesos, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}
