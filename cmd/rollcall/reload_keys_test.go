package main

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChangeConfig says of a file that becomes another one which keys take effect, which do not, and what is in force.
func TestChangeConfig(t *testing.T) {
	const before = `{"masters": ["10.0.0.1:5050"], "resolvers": ["10.0.0.2"], "ttl": 60, "port": 53}`
	for _, tt := range []struct {
		name          string
		before, after string
		live, restart string
		masters       bool
		inForce       string // after, unless it says something
	}{
		{name: "nothing", before: before, after: before},
		{name: "the same, written otherwise", before: before,
			after: `{"MASTERS": ["10.0.0.1:5050"], "port": 53, "Resolvers": ["10.0.0.2"]}`},
		{name: "live", before: before,
			after: `{"masters": ["10.0.0.1:5050"], "resolvers": ["10.0.0.3"], "ttl": 5, "IPSources": ["host"], "SOAMname": "a.b"}`,
			live:  "IPSources SOAMname resolvers ttl"},
		{name: "masters", before: before, after: `{"zk": "zk://z:2181/mesos", "resolvers": ["10.0.0.2"], "refreshSeconds": 5}`,
			live: "masters refreshSeconds zk", masters: true},
		{name: "both kinds", before: before,
			after: `{"masters": ["10.0.0.1:5050"], "resolvers": ["10.0.0.2"], "ttl": 5, "port": 54, "zkDetectionTimeout": 9}`,
			live:  "ttl", restart: "port zkDetectionTimeout",
			inForce: `{"masters": ["10.0.0.1:5050"], "resolvers": ["10.0.0.2"], "ttl": 5, "port": 53}`},
		{name: "another domain", before: before,
			after:   `{"masters": ["10.0.0.1:5050"], "resolvers": ["10.0.0.2"], "ttl": 5, "domain": "dc1"}`,
			restart: "SOAMname SOARname domain ttl", inForce: before},
		{name: "a scheduler that was not there", before: before,
			after:   `{"masters": ["10.0.0.1:5050"], "resolvers": ["10.0.0.2"], "ttl": 5, "scheduler": {}}`,
			restart: "scheduler tcpFallback ttl", inForce: before},
		{name: "masters that were not there", before: `{"scheduler": {}}`, after: `{"scheduler": {}, "masters": ["a:1"], "ttl": 5}`,
			live: "ttl", restart: "masters", inForce: `{"scheduler": {}, "ttl": 5}`},
		{name: "the scheduler's", before: `{"scheduler": {}}`,
			after: `{"scheduler": {"port": 81, "allUnhealthy": "none", "local": {"cpus": 2}}}`,
			live:  "scheduler.allUnhealthy", restart: "scheduler.local scheduler.port",
			inForce: `{"scheduler": {"allUnhealthy": "none"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, after := mustParse(t, tt.before), mustParse(t, tt.after)
			c := changeConfig(old, after)
			if live, restart := strings.Join(c.live, " "), strings.Join(c.restart, " "); live != tt.live || restart != tt.restart || c.masters != tt.masters {
				t.Errorf("live %q, restart %q, masters %v", live, restart, c.masters)
			}
			want := after
			if tt.inForce != "" {
				want = mustParse(t, tt.inForce)
			}
			if diff := cmp.Diff(want, c.inForce, compareConfigs); diff != "" {
				t.Errorf("in force (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.options, c.inForce.options); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(mustParse(t, tt.before), old, compareConfigs); diff != "" {
				t.Errorf("the old one has changed:\n%s", diff)
			}
		})
	}
}

// TestEveryFieldHasAKey wants each field of a config to be among the parts of a key: a field that is not would neither
// be followed nor told of.
func TestEveryFieldHasAKey(t *testing.T) {
	const file = `{"masters": ["a:1"], "scheduler": {}}`
	unwatched := []string{
		"config.File",              // the file itself
		"config.options.File",      // likewise
		"config.options.SOASerial", // does nothing, and is not shown either
	}
	var fields []string
	walk(reflect.TypeFor[config](), "config", func(path string) { fields = append(fields, path) })
	if len(fields) < 60 {
		t.Fatalf("found %d fields only", len(fields))
	}
	for _, path := range fields {
		if slices.Contains(unwatched, path) {
			continue
		}
		old, next := mustParse(t, file), mustParse(t, file)
		spoil(t, &next, path)
		if c := changeConfig(old, next); len(c.live)+len(c.restart) == 0 {
			t.Errorf("%s is among the parts of no key: add it to configKeys, with what becomes of its key when it changes", path)
		}
	}
}

// walk names the fields of a type that hold no fields themselves.
func walk(t reflect.Type, path string, found func(string)) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[config]().PkgPath() {
		found(path)
		return
	}
	for i := range t.NumField() {
		walk(t.Field(i).Type, path+"."+t.Field(i).Name, found)
	}
}

// spoil changes a field that walk has named.
func spoil(t *testing.T, c *config, path string) {
	t.Helper()
	names := strings.Split(path, ".")[1:]
	v := reflect.ValueOf(c).Elem()
	if names[0] == "options" { // reflect sets no field that it reaches through one that is not exported
		v, names = reflect.ValueOf(&c.options).Elem(), names[1:]
	}
	for _, name := range names {
		if v = v.FieldByName(name); v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
	default:
		if v.Type() != reflect.TypeFor[netip.Addr]() {
			t.Fatalf("%s: a field of type %v: say here how to change it", path, v.Type())
		}
		v.Set(reflect.ValueOf(netip.MustParseAddr("192.0.2.99")))
	}
}

// TestEveryKeyHasAnEffect wants each key of the file to say what becomes of it when it changes, and the documentation
// to say the same.
func TestEveryKeyHasAnEffect(t *testing.T) {
	effects := map[string]effect{}
	for _, k := range configKeys() {
		effects[k.name] = k.effect
	}
	fields := knownFields()
	for _, f := range fields[""] {
		if _, ok := effects[f.name]; !ok && f.useless == "" && f.name != "scheduler" {
			t.Errorf("%s is not among configKeys", f.name)
		}
	}
	for _, f := range fields["scheduler"] {
		if _, ok := effects["scheduler."+f.name]; !ok {
			t.Errorf("scheduler.%s is not among configKeys", f.name)
		}
	}
	section := docSection(t, "## Changes while rollcall runs")
	var documented, live []string
	for _, m := range regexp.MustCompile("`([A-Za-z0-9.]+)`").FindAllStringSubmatch(section, -1) {
		if _, ok := effects[m[1]]; ok && !slices.Contains(documented, m[1]) {
			documented = append(documented, m[1])
		}
	}
	for name, e := range effects {
		if (e == effectLive || e == effectMasters) && name != "SOAMinttl" {
			live = append(live, name)
		}
	}
	slices.Sort(documented)
	slices.Sort(live)
	if diff := cmp.Diff(live, documented); diff != "" {
		t.Errorf("%s lists other keys (-want +got):\n%s", docsFile, diff)
	}
}
