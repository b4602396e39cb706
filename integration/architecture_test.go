package integration

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "rollcall"

// topLevel are the directories that the repository has. A new one is a decision, not a detail.
var topLevel = []string{".ci", "cmd", "docs", "integration", "records", "resolver", "scheduler"}

// untracked are directories that work leaves behind (.gitignore).
var untracked = []string{".git", "bin", "rollcall-data"}

// mayImport says which of our packages the packages in a directory may import. Directories below one that is listed
// are under its rule.
var mayImport = map[string]struct {
	packages []string
	why      string
}{
	"records":              {nil, "records knows names and nothing of where they come from; wiring in cmd converts"},
	"resolver":             {[]string{"records"}, "resolver answers for names, whoever they are of"},
	"scheduler":            {nil, "the core is pure: engines, stores and the API import it, not the other way round"},
	"scheduler/api":        {[]string{"scheduler"}, "parts of the scheduler know the core, not each other"},
	"scheduler/enginetest": {[]string{"scheduler"}, "the contract of engines speaks the core's words"},
	"scheduler/local":      {[]string{"scheduler"}, "parts of the scheduler know the core, not each other"},
	"scheduler/mesos":      {[]string{"scheduler", "scheduler/zookeeper"}, "parts of the scheduler know the core, not each other"},
	"scheduler/store":      {[]string{"scheduler", "scheduler/zookeeper"}, "parts of the scheduler know the core, not each other"},
	"scheduler/zookeeper":  {nil, "sessions at ZooKeeper, whatever they are for"},
	"cmd/rollcall": {
		[]string{"records", "resolver", "resolver/replica", "scheduler", "scheduler/api", "scheduler/local", "scheduler/mesos", "scheduler/store",
			"scheduler/zookeeper", "cmd/rollcall/cli", "cmd/rollcall/client", "cmd/rollcall/migrate"},
		"cmd wires everything together, and nobody imports cmd",
	},
	"cmd/rollcall/client": {nil, "a client sees the API only, as everybody else's does"},
	"cmd/rollcall/cli":    {[]string{"cmd/rollcall/client"}, "commands that ask a server know what its API says, not how it is made"},
	"cmd/rollcall/migrate": {[]string{"cmd/rollcall/client", "scheduler"},
		"what another scheduler has is read through its API, and told in the words of the core"},
	"integration": {nil, "integration sees the built binary only"},
}

// testsMayImport says what the tests of a directory may import besides.
var testsMayImport = map[string][]string{
	"scheduler/local": {"scheduler/enginetest"},
	"scheduler/mesos": {"scheduler/enginetest", "integration/mesosmaster"}, // a stand-in that imports nothing of ours
}

// saysNothing are names of packages that could hold anything.
var saysNothing = []string{"base", "common", "helper", "helpers", "misc", "shared", "types", "util", "utils"}

// goPackage is what the rules have to know of the Go files of one directory.
type goPackage struct {
	name        string // without _test
	documented  bool   // some file that is not a test has a package comment
	imports     []string
	testImports []string // of tests only
}

// repository maps directories, relative to the top with slashes, to their packages.
type repository map[string]*goPackage

// rule returns the rule for a directory.
func rule(dir string) (string, bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := mayImport[d]; ok {
			return d, true
		}
	}
	return "", false
}

// violations lists what is wrong with a repository, whose document on dependencies says documented, sorted.
func (r repository) violations(documented string) []string {
	var out []string
	complain := func(dir, format string, args ...any) {
		out = append(out, dir+": "+fmt.Sprintf(format, args...))
	}
	for _, dir := range slices.Sorted(maps.Keys(r)) {
		p := r[dir]
		if slices.Contains(saysNothing, p.name) || slices.Contains(saysNothing, path.Base(dir)) {
			complain(dir, "a package named %s could hold anything; name it after what it holds", path.Base(dir))
		}
		if !p.documented {
			complain(dir, "no file has a package comment")
		}
		within, ok := rule(dir)
		if !ok {
			complain(dir, "there is no rule for what this package may import")
			continue
		}
		for _, imported := range slices.Sorted(slices.Values(slices.Concat(p.imports, p.testImports))) {
			forTests := !slices.Contains(p.imports, imported) && slices.Contains(testsMayImport[dir], strings.TrimPrefix(imported, module+"/"))
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && ours != dir && !allowed(within, ours) && !forTests {
				complain(dir, "imports %s: %s", imported, mayImport[within].why)
			}
		}
		for _, imported := range p.imports {
			if m := thirdParty(imported); m != "" && !strings.Contains(documented, "`"+m+"`") {
				complain(dir, "imports %s, a module that docs/dependencies.md does not explain", imported)
			}
		}
	}
	return out
}

// allowed tells whether packages under a rule may import one of ours: one that the rule lists, or one below the
// directory that has the rule, if that has none of its own.
func allowed(within, ours string) bool {
	if slices.Contains(mayImport[within].packages, ours) {
		return true
	}
	of, ok := rule(ours)
	return ok && of == within && ours != within
}

// thirdParty is the module of an imported package, "" for ours and those of the standard library.
func thirdParty(imported string) string {
	elements := strings.Split(imported, "/")
	if !strings.Contains(elements[0], ".") {
		return ""
	}
	n := 3
	if elements[0] == "go.etcd.io" || elements[0] == "pgregory.net" {
		n = 2
	}
	if len(elements) > n && len(elements[n]) > 1 && elements[n][0] == 'v' && strings.Trim(elements[n][1:], "0123456789") == "" {
		n++ // a major version
	}
	return strings.Join(elements[:min(n, len(elements))], "/")
}

// readRepository parses the Go files below top as far as their imports.
func readRepository(top string) (repository, error) {
	r := repository{}
	err := filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, file)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(untracked, rel) || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		r.add(filepath.ToSlash(rel), f)
		return nil
	})
	return r, err
}

func (r repository) add(file string, f *ast.File) {
	p := r[path.Dir(file)]
	if p == nil {
		p = &goPackage{name: strings.TrimSuffix(f.Name.Name, "_test")}
		r[path.Dir(file)] = p
	}
	imports := &p.imports
	if strings.HasSuffix(file, "_test.go") {
		imports = &p.testImports
	} else if f.Doc != nil {
		p.documented = true
	}
	for _, spec := range f.Imports {
		imported := strings.Trim(spec.Path.Value, "`\"")
		if !slices.Contains(*imports, imported) {
			*imports = append(*imports, imported)
		}
	}
}

func TestArchitecture(t *testing.T) {
	r, err := readRepository(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r) < 4 {
		t.Fatalf("only %d packages were found", len(r))
	}
	documented, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.violations(string(documented)) {
		t.Error(v)
	}
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(untracked, e.Name()) {
			got = append(got, e.Name())
		}
	}
	if diff := cmp.Diff(topLevel, got); diff != "" {
		t.Errorf("directories at the top level (-want +got):\n%s", diff)
	}
}

// Every direct dependency is explained, with the version that go.mod has, and nothing is explained that is gone.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(moduleRoot(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range bytes.Lines(mod) {
		fields := strings.Fields(strings.TrimPrefix(string(line), "require"))
		indirect := strings.HasSuffix(strings.TrimSpace(string(line)), "// indirect")
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && !indirect {
			want = append(want, fields[0]+" "+fields[1])
		}
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		// | `module` | version | reason |
		cells := strings.Split(line, "|")
		if len(cells) > 3 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			got = append(got, strings.Trim(cells[1], " `")+" "+strings.TrimSpace(cells[2]))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/dependencies.md and go.mod (-go.mod +docs):\n%s", diff)
	}
}

// The rules find what they are there for.
func TestViolations(t *testing.T) {
	sound := func() repository {
		return repository{
			"records":             {name: "records", documented: true, imports: []string{"net/netip"}},
			"resolver":            {name: "resolver", documented: true, imports: []string{"rollcall/records", "github.com/miekg/dns"}},
			"scheduler":           {name: "scheduler", documented: true, testImports: []string{"rollcall/scheduler", "pgregory.net/rapid"}},
			"scheduler/api":       {name: "api", documented: true, imports: []string{"rollcall/scheduler", "rollcall/scheduler/api/ui"}},
			"scheduler/api/ui":    {name: "ui", documented: true},
			"scheduler/local":     {name: "local", documented: true, imports: []string{"rollcall/scheduler"}},
			"cmd/rollcall":        {name: "main", documented: true, imports: []string{"rollcall/resolver", "rollcall/scheduler/api"}},
			"integration":         {name: "integration", documented: true},
			"scheduler/local/sub": {name: "sub", documented: true},
		}
	}
	const documented = "| `github.com/miekg/dns` | v1 | DNS |"
	tests := []struct {
		name  string
		plant func(repository)
		want  []string
	}{
		{"nothing", func(repository) {}, nil},
		{"records imports scheduler",
			func(r repository) { r["records"].imports = []string{"rollcall/scheduler"} },
			[]string{"records: imports rollcall/scheduler: " + mayImport["records"].why}},
		{"a test of the core imports a store",
			func(r repository) { r["scheduler"].testImports = []string{"rollcall/scheduler/store"} },
			[]string{"scheduler: imports rollcall/scheduler/store: " + mayImport["scheduler"].why}},
		{"one part of the scheduler imports another",
			func(r repository) { r["scheduler/api"].imports = []string{"rollcall/scheduler/local"} },
			[]string{"scheduler/api: imports rollcall/scheduler/local: " + mayImport["scheduler/api"].why}},
		{"the tests of an engine have a stand-in for its cluster",
			func(r repository) {
				r["scheduler/mesos"] = &goPackage{name: "mesos", documented: true, testImports: []string{"rollcall/integration/mesosmaster"}}
			}, nil},
		{"an engine itself has none",
			func(r repository) {
				r["scheduler/mesos"] = &goPackage{name: "mesos", documented: true, imports: []string{"rollcall/integration/mesosmaster"}}
			},
			[]string{"scheduler/mesos: imports rollcall/integration/mesosmaster: " + mayImport["scheduler/mesos"].why}},
		{"below a part",
			func(r repository) { r["scheduler/local/sub"].imports = []string{"rollcall/resolver"} },
			[]string{"scheduler/local/sub: imports rollcall/resolver: " + mayImport["scheduler/local"].why}},
		{"resolver imports cmd",
			func(r repository) { r["resolver"].imports = []string{"rollcall/cmd/rollcall"} },
			[]string{"resolver: imports rollcall/cmd/rollcall: " + mayImport["resolver"].why}},
		{"cmd imports integration",
			func(r repository) { r["cmd/rollcall"].testImports = []string{"rollcall/integration"} },
			[]string{"cmd/rollcall: imports rollcall/integration: " + mayImport["cmd/rollcall"].why}},
		{"a new package",
			func(r repository) { r["pkg/thing"] = &goPackage{name: "thing", documented: true} },
			[]string{"pkg/thing: there is no rule for what this package may import"}},
		{"a name that says nothing",
			func(r repository) { r["records/util"] = &goPackage{name: "util", documented: true} },
			[]string{"records/util: a package named util could hold anything; name it after what it holds"}},
		{"no package comment",
			func(r repository) { r["records"].documented = false },
			[]string{"records: no file has a package comment"}},
		{"a module without a reason",
			func(r repository) { r["records"].imports = []string{"github.com/one/two/three"} },
			[]string{"records: imports github.com/one/two/three, a module that docs/dependencies.md does not explain"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sound()
			tt.plant(r)
			if diff := cmp.Diff(tt.want, r.violations(documented)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestThirdParty(t *testing.T) {
	for imported, want := range map[string]string{
		"net/http":                           "",
		"rollcall/scheduler":                 "",
		"github.com/miekg/dns":               "github.com/miekg/dns",
		"github.com/hashicorp/golang-lru/v2": "github.com/hashicorp/golang-lru/v2",
		"github.com/prometheus/client_golang/prometheus/promhttp": "github.com/prometheus/client_golang",
		"go.etcd.io/bbolt":                     "go.etcd.io/bbolt",
		"go.etcd.io/bbolt/errors":              "go.etcd.io/bbolt",
		"golang.org/x/sys/unix":                "golang.org/x/sys",
		"github.com/hashicorp/golang-lru/v2/x": "github.com/hashicorp/golang-lru/v2",
		"pgregory.net/rapid":                   "pgregory.net/rapid",
	} {
		if got := thirdParty(imported); got != want {
			t.Errorf("thirdParty(%q) = %q, want %q", imported, got, want)
		}
	}
}
