package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	exampleFile = "../../config.json.example"
	docsFile    = "../../docs/configuration.md"
)

// knownFields lists the fields of every object of the file, by the path of the object.
func knownFields() map[string][]field {
	var (
		options    mesosDNSOptions
		forward    forwardOptions
		answers    answersConfig
		encryption encryptionConfig
		transfer   transferConfig
		limits     limitsConfig
		log        logConfig
		zkTLS      zkTLSConfig
		scheduler  schedulerConfig
		sp         *schedulerConfig
		agents     node
	)
	return map[string][]field{
		"":                       slices.Concat(options.fields(), forward.fields(), answers.fields(), extensionFields(&encryption, &transfer, &limits, &log, &zkTLS, &sp)),
		"mesosCredentials":       options.MesosCredentials.fields(),
		"encryption":             encryption.fields(),
		"transfer":               transfer.fields(),
		"transfer.secondaries":   (&secondaryConfig{}).fields(),
		"transfer.keys":          (&keyConfig{}).fields(),
		"limits":                 limits.fields(),
		"log":                    log.fields(),
		"zkTLS":                  zkTLS.fields(),
		"scheduler":              scheduler.fields(),
		"scheduler.servicePorts": scheduler.ServicePorts.fields(),
		"scheduler.auth":         scheduler.API.Auth.fields(),
		"scheduler.tls":          scheduler.API.TLS.fields(),
		"scheduler.limits":       scheduler.API.Limits.fields(),
		"scheduler.taskPolicy":   scheduler.API.TaskPolicy.fields(),
		"scheduler.local":        scheduler.Local.fields(&agentConfig{}, &agents),
		"scheduler.local.agents": (&agentConfig{}).fields(),
		"scheduler.mesos":        scheduler.Mesos.fields(),
	}
}

// TestExample wants an example that has every key that does something, says nothing that is warned about, and means
// what an almost empty file means.
func TestExample(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	c, warnings, err := parseConfig(data, exampleFile)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", err, warnings)
	}

	want := mustParse(t, `{"listener": "127.0.0.1", "httplistener": "127.0.0.1", "scheduler": {"local": {"attributes": {"rack": "r1"}}}}`)
	want.File = c.File
	if diff := cmp.Diff(want, c, compareConfigs); diff != "" {
		t.Errorf("the example is not what the defaults are: -want +got:\n%s", diff)
	}

	root, err := parseJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	for path, fields := range knownFields() {
		object := find(root, path)
		if object == nil {
			t.Errorf("the example has no %q", path)
			continue
		}
		if object.kind == jsonList {
			continue // an empty one: the documentation has an example of what goes there
		}
		for _, f := range fields {
			has := slices.ContainsFunc(object.members, func(m jsonMember) bool { return m.key == f.name })
			if has != (f.useless == "") {
				t.Errorf("%q in %q: in the example %v; it has to have all keys but those that do nothing", f.name, path, has)
			}
		}
	}
}

// find returns the object at path; a list stands for its first item.
func find(v *jsonValue, path string) *jsonValue {
	if path != "" {
		for key := range strings.SplitSeq(path, ".") {
			i := slices.IndexFunc(v.members, func(m jsonMember) bool { return m.key == key })
			if i < 0 {
				return nil
			}
			v = v.members[i].value
			if v.kind == jsonList && len(v.items) > 0 {
				v = v.items[0]
			}
		}
	}
	return v
}

// TestDocs wants every key and every flag in a table of the documentation, and every example there to be accepted.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var tables strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "|") {
			tables.WriteString(line + "\n")
		}
	}
	for path, fields := range knownFields() {
		for _, f := range fields {
			in := tables.String()
			if f.useless != "" {
				in = text
			}
			if !strings.Contains(in, "`"+f.name+"`") {
				t.Errorf("%q of %q is not in %s", f.name, path, filepath.Base(docsFile))
			}
		}
	}
	for ignored := range mesosDNSIgnores {
		if !strings.Contains(text, "`"+ignored+"`") {
			t.Errorf("%q is not in %s", ignored, filepath.Base(docsFile))
		}
	}
	flagName := regexp.MustCompile(`(?m)^  (-[a-z-]+)`)
	for _, usage := range []string{usageServe, usageDev, usageCheck} {
		for _, name := range flagName.FindAllStringSubmatch(usage, -1) {
			if !regexp.MustCompile("`" + regexp.QuoteMeta(name[1]) + "[`\\[ ]").MatchString(tables.String()) {
				t.Errorf("%s is not in %s", name[1], filepath.Base(docsFile))
			}
		}
	}
	examples := regexp.MustCompile(`(?m)(^    .*\n)+`).FindAllString(text, -1)
	parsed := 0
	for _, example := range examples {
		if !strings.HasPrefix(strings.TrimSpace(example), "{") {
			continue
		}
		parsed++
		if _, warnings, err := parseConfig([]byte(example), docsFile); err != nil || len(warnings) > 0 {
			t.Errorf("%s\n%v %v", example, err, warnings)
		}
	}
	if parsed < 2 {
		t.Errorf("found %d examples, want at least two", parsed)
	}
}

// TestDevIsAsDocumented holds rollcall dev against the file that the documentation says it is.
func TestDevIsAsDocumented(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "It is as if the file said\n\n")
	text, _, _ := strings.Cut(after, "\n\n")
	want := mustParse(t, text)
	got, err := devConfig(defaultDevOptions())
	if err != nil {
		t.Fatal(err)
	}
	want.File = ""
	if diff := cmp.Diff(want, got, compareConfigs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// docSection is what the documentation of the configuration says under a heading.
func docSection(t *testing.T, heading string) string {
	t.Helper()
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(data), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", filepath.Base(docsFile), heading)
	}
	section, _, _ := strings.Cut(after, "\n## ")
	return section
}
