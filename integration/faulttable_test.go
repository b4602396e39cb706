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
	text := document(t, "faults.md")
	for n := 1; n <= 30; n++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| F%d \|.*$`, n)).FindString(text)
		if columns := strings.Count(row, "|"); columns != 5 {
			t.Errorf("F%d: a row of %d columns: %q", n, columns-1, row)
			continue
		}
		shown := strings.Split(row, "|")[4]
		if len(namedTest.FindAllString(shown, -1)) == 0 && !strings.Contains(shown, "not tested") {
			t.Errorf("F%d: neither a test, nor a word that there is none", n)
		}
	}
	wantTests(t, text)
}

// docs/rfcs.md names a test for each sentence but those of which it says that they are not kept, and they are there.
func TestRFCTable(t *testing.T) {
	text := document(t, "rfcs.md")
	asked, deviations, found := strings.Cut(text, "\n## Deviations\n")
	if !found {
		t.Fatal("there is no section of deviations")
	}
	for _, row := range regexp.MustCompile(`(?m)^\| .*\|$`).FindAllString(asked, -1) {
		columns := strings.Split(strings.Trim(row, "|"), " | ")
		if last := columns[len(columns)-1]; strings.TrimSpace(last) != "shown by" && !namedTest.MatchString(last) {
			t.Errorf("no test: %q", row)
		}
	}
	if names := namedTest.FindAllString(deviations, -1); len(names) > 0 {
		t.Errorf("what is not kept is shown by %v", names)
	}
	wantTests(t, text)
}

var namedTest = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)

// wantTests checks that each test that a text names is there.
func wantTests(t *testing.T, text string) {
	t.Helper()
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
	for _, name := range slices.Compact(slices.Sorted(slices.Values(namedTest.FindAllString(text, -1)))) {
		if !tests[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
