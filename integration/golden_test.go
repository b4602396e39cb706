package integration

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recordings are what was recorded from Mesos-DNS, with the program that replays it.
const recordings = "../../shared/testdata/mesos-dns"

// replay replays the public recordings against the binary. It returns the program's output, and whether all passed.
func replay(t *testing.T, options ...string) (output string, passed bool) {
	t.Helper()
	require(t, "python3")
	if _, err := os.Stat(recordings); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the recordings of Mesos-DNS are missing: %v", err)
		}
		t.Skipf("NOT COMPARED WITH MESOS-DNS: its recordings are missing: %v", err)
	}
	cases, err := filepath.Glob(filepath.Join(recordings, "public", "*"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no recordings in %s: %v", recordings, err)
	}
	program, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{filepath.Join(recordings, "replay.py"), "--cmd", program + " -config={config}", "--skip", "bug"}, options...)
	command := exec.CommandContext(t.Context(), "python3", append(args, cases...)...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	// It exits with 1 when there are differences, and also when it breaks down: when one of its ports is taken, say.
	if err != nil && (!ok || exit.ExitCode() != 1 || strings.Contains(out.String(), "\nTraceback ")) {
		t.Fatalf("replaying: %v\n%s", err, out.String())
	}
	return out.String(), err == nil
}

// What users of Mesos-DNS rely on is the same.
func TestMesosDNSContract(t *testing.T) {
	if out, passed := replay(t, "--contract", "--diffs", "50"); !passed {
		t.Error(out)
	}
}

// What else differs is explained in docs/mesos-dns.md, and what is explained there differs.
func TestMesosDNSDifferences(t *testing.T) {
	doc, err := os.ReadFile("../docs/mesos-dns.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []*regexp.Regexp
	for line := range strings.Lines(string(doc)) {
		if pattern, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    replay: "); ok {
			explained = append(explained, regexp.MustCompile(pattern))
		}
	}
	out, _ := replay(t, "--diffs", "1000000")
	explains := make([]int, len(explained))
	unexplained := 0
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "  ") { // a summary
			continue
		}
		found := false
		for i, pattern := range explained {
			if found = pattern.MatchString(line); found {
				explains[i]++
				break
			}
		}
		if !found {
			if unexplained++; unexplained <= 20 {
				t.Errorf("docs/mesos-dns.md does not explain:\n%.500s", line)
			}
		}
	}
	if unexplained > 20 {
		t.Errorf("and %d more", unexplained-20)
	}
	for i, n := range explains {
		if n == 0 {
			t.Errorf("docs/mesos-dns.md explains what does not happen: %s", explained[i])
		}
	}
}
