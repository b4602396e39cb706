package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseArgs(t *testing.T) {
	serve := command{Name: commandServe, ConfigPath: "config.json", Dev: defaultDevOptions(), Seeds: defaultSeedsOptions()}
	with := func(change func(*command)) command {
		c := serve
		change(&c)
		return c
	}
	config := func(path string, verbosity int) command {
		return with(func(c *command) { c.ConfigPath, c.Verbosity = path, verbosity })
	}
	tests := []struct {
		args string
		want command
	}{
		{"", serve},
		{"-config=a.json", config("a.json", 0)},
		{"-config a.json", config("a.json", 0)},
		{"--config=a.json", config("a.json", 0)},
		{"--config a.json", config("a.json", 0)},
		{"-config=config.json -v=true", config("config.json", 1)},
		{"-v -config=a.json", config("a.json", 1)},
		{"-v --config a.json", config("a.json", 1)},
		{"-v 2 -config=a.json", config("a.json", 2)},
		{"--v 2", config("config.json", 2)},
		{"-v", config("config.json", 1)},
		{"-v=0", config("config.json", 0)},
		{"-v=false", config("config.json", 0)},
		{"-v=2 -config=a.json", config("a.json", 2)},
		{"-config=~/a.json", config("~/a.json", 0)},
		{"-logtostderr -alsologtostderr=true -stderrthreshold=INFO -log_dir /tmp -vmodule=a=2 -log_backtrace_at=a.go:1 -v=1", config("config.json", 1)},
		{"-version", with(func(c *command) { c.Name = commandVersion })},
		{"--version -config=none.json", with(func(c *command) { c.Name, c.ConfigPath = commandVersion, "none.json" })},
		{"version", with(func(c *command) { c.Name = commandVersion })},
		{"check", with(func(c *command) { c.Name = commandCheck })},
		{"check -config=a.json", with(func(c *command) { c.Name, c.ConfigPath = commandCheck, "a.json" })},
		{"-config=a.json check -v", with(func(c *command) { c.Name, c.ConfigPath, c.Verbosity = commandCheck, "a.json", 1 })},
		{"dev", with(func(c *command) { c.Name = commandDev })},
		{"-v=2 dev -dns-port=0 -api-port 18080 -http-port=18123 -data-dir=/tmp/d -agents=5 -domain=crate", with(func(c *command) {
			c.Name, c.Verbosity = commandDev, 2
			c.Dev = devOptions{DNSPort: 0, APIPort: 18080, HTTPPort: 18123, DataDir: "/tmp/d", Agents: 5, Domain: "crate"}
		})},
		{"dev -port=18080", with(func(c *command) { c.Name, c.Dev.APIPort = commandDev, 18080 })},
		{"supervise /var/lib/rollcall/tasks/1", with(func(c *command) { c.Name, c.Dir = commandSupervise, "/var/lib/rollcall/tasks/1" })},
		{"app list -o json", with(func(c *command) { c.Name, c.Args = commandClient, []string{"app", "list", "-o", "json"} })},
		{"completion fish", with(func(c *command) { c.Name, c.Shell = commandCompletion, "fish" })},
		{"manual", with(func(c *command) { c.Name = commandManual })},
		{"-h", with(func(c *command) { c.Name, c.Usage = commandHelp, usageServe })},
		{"--help", with(func(c *command) { c.Name, c.Usage = commandHelp, usageServe })},
		{"help", with(func(c *command) { c.Name, c.Usage = commandHelp, usageServe })},
		{"version -h", with(func(c *command) { c.Name, c.Usage = commandHelp, usageVersion })},
		{"help check", with(func(c *command) { c.Name, c.Usage = commandHelp, usageCheck })},
		{"help completion", with(func(c *command) { c.Name, c.Usage = commandHelp, usageCompletion })},
		{"help app scale", with(func(c *command) { c.Name, c.Args = commandClient, []string{"app", "scale", "-h"} })},
		{"dev -h", with(func(c *command) { c.Name, c.Usage = commandHelp, usageDev })},
		{"seeds a.b -h", with(func(c *command) { c.Name, c.Seeds.Name, c.Usage = commandHelp, "a.b", usageSeeds })},
		{"migrate marathon -from=http://m:8080 -to r:8080 -partial -suspended", with(func(c *command) {
			c.Name, c.Migrate = commandMigrate, migrateOptions{From: "http://m:8080", To: "r:8080", Partial: true, Suspended: true}
		})},
		{"migrate -from-file d.json -adopt marathon -config=a.json -dry-run", with(func(c *command) {
			c.Name, c.ConfigPath, c.Migrate = commandMigrate, "a.json", migrateOptions{FromFile: "d.json", Adopt: true, DryRun: true}
		})},
		{"migrate -h", with(func(c *command) { c.Name, c.Usage = commandHelp, usageMigrate })},
		{"check --help", with(func(c *command) { c.Name, c.Usage = commandHelp, usageCheck })},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got, err := parseArgs(strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseArgsRefuses(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-conf=a.json", `unknown flag -conf (see "rollcall -h")`},
		{"-config", `flag needs an argument: -config (see "rollcall -h")`},
		{"-v=loud", `invalid boolean value "loud" for -v: a number, true or false is needed (see "rollcall -h")`},
		{"start", `unknown command "start" (see "rollcall -h")`},
		{"chekc", `unknown command "chekc"; did you mean "check"? (see "rollcall -h")`},
		{"ap", `unknown command "ap"; did you mean "app"? (see "rollcall -h")`},
		{"help start", `unknown command "start" (see "rollcall -h")`},
		{"completion csh", `completion takes a shell: bash, fish, zsh (see "rollcall completion -h")`},
		{"config.json", `unknown command "config.json"; did you mean -config=config.json? (see "rollcall -h")`},
		{"check a.json", `unexpected argument "a.json" (see "rollcall check -h")`},
		{"version 2", `unexpected argument "2" (see "rollcall version -h")`},
		{"dev -config=a.json", `unknown flag -config (see "rollcall dev -h")`},
		{"dev -dns-port=65536", `invalid value "65536" for flag -dns-port: a whole number from 0 to 65535 is needed (see "rollcall dev -h")`},
		{"dev -agents=0", `invalid value "0" for flag -agents: a whole number from 1 to 64 is needed (see "rollcall dev -h")`},
		{"dev -domain=a..b", `invalid value "a..b" for flag -domain: labels of letters, digits and dashes, joined by single dots, are needed (see "rollcall dev -h")`},
		{"migrate -from=m -to=r", `what to migrate from is missing: marathon (see "rollcall migrate -h")`},
		{"migrate chronos -from=m -to=r", `only marathon can be migrated from, not "chronos" (see "rollcall migrate -h")`},
		{"migrate marathon now -from=m -to=r", `unexpected argument "now" (see "rollcall migrate -h")`},
		{"migrate marathon -to=r", `one of -from and -from-file is needed (see "rollcall migrate -h")`},
		{"migrate marathon -from=m", `where to is missing: -to, -adopt or -save (see "rollcall migrate -h")`},
		{"migrate marathon -from=m -to=r -adopt", `-to and -adopt exclude each other: a rollcall that runs has a state of its own (see "rollcall migrate -h")`},
		{"migrate marathon -from=m -adopt -partial", `-partial and -suspended are for -to (see "rollcall migrate -h")`},
		{"supervise", `supervise takes one directory (see "rollcall -h")`},
		{"supervise a b", `supervise takes one directory (see "rollcall -h")`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			_, err := parseArgs(strings.Fields(tt.args))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if code := exitCode(err); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	_, _, refused := parseConfig(nil, "config.json")
	for _, tt := range []struct {
		err  error
		want int
	}{{nil, 0}, {refused, 1}, {errors.New("listen: address in use"), 1}, {&usageError{"x", commandDev}, 2}} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("exitCode(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func FuzzParseArgs(f *testing.F) {
	f.Add("-v -config=a.json")
	f.Add("dev -agents=3 -port 0")
	f.Add("-v=1 check -h")
	f.Fuzz(func(t *testing.T, args string) {
		c, err := parseArgs(strings.Fields(args))
		if err != nil && exitCode(err) != exitUsage {
			t.Errorf("%q: %v", args, err)
		}
		if err == nil && c.Name == "" {
			t.Errorf("%q asks for nothing", args)
		}
	})
}
