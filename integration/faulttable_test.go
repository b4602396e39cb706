package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/faults.md has a row for each fault, and each test that it names is there.
func TestFaultTable(t *testing.T) {
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(moduleRoot(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)
	text := document(t, "faults.md")
	for n := 1; n <= 30; n++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| F%d \|.*$`, n)).FindString(text)
		if columns := strings.Count(row, "|"); columns != 5 {
			t.Errorf("F%d: a row of %d columns: %q", n, columns-1, row)
			continue
		}
		shown := strings.Split(row, "|")[4]
		if len(named.FindAllString(shown, -1)) == 0 && !strings.Contains(shown, "not tested") {
			t.Errorf("F%d: neither a test, nor a word that there is none", n)
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(named.FindAllString(text, -1)))) {
		if !tests[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
