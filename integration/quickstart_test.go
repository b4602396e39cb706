package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shown is a command of a document, and the lines that the document says it prints.
type shown struct {
	command string
	output  []string
}

// console reads the commands of a document: in blocks marked console, lines that begin with "$ ".
func console(t *testing.T, path string) []shown {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []shown
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && isCommand:
			out = append(out, shown{command: command})
		case inside:
			out[len(out)-1].output = append(out[len(out)-1].output, line)
		}
	}
	return out
}

// matches says whether the output is what the document shows, in any order; "..." stands for anything.
func (s shown) matches(got []string) bool {
	if len(got) != len(s.output) {
		return false
	}
	rest := slices.Clone(got)
	for _, line := range s.output {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*") + "$")
		n := slices.IndexFunc(rest, pattern.MatchString)
		if n < 0 {
			return false
		}
		rest = slices.Delete(rest, n, n+1)
	}
	return true
}

// docs/quickstart.md does what it says, line by line. Only the ports and the data directory are other ones, since
// those of the document may be taken.
func TestQuickstart(t *testing.T) {
	require(t, "dig", "curl", "jq", "make", "python3", "pkill")
	root := moduleRoot(t)
	dir := t.TempDir()
	dns, api, http := freePort(t), freePort(t), freePort(t)
	commands := console(t, filepath.Join(root, "docs", "quickstart.md"))
	if commands[0].command != "make run" {
		t.Fatalf("the first command is %q", commands[0].command)
	}
	run(t, "make", "-C", root, "build") // on a busy machine that alone may take longer than a daemon has to come up
	d := &daemon{t: t, dir: dir}
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command("make", "-C", root, "run", "DNS_PORT="+dns, "API_PORT="+api, "HTTP_PORT="+http, "DATA_DIR="+filepath.Join(dir, "data")))
	replace := strings.NewReplacer("-p 8053", "-p "+dns, ":8080", ":"+api, ":8123", ":"+http)
	for _, s := range commands[1:] {
		command := replace.Replace(s.command)
		changes := strings.Contains(command, " -X ") || strings.HasPrefix(command, "pkill")
		var got []string
		once := func() bool {
			c := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", strings.Replace(command, "curl -s ", "curl -s -S --fail-with-body ", 1))
			out, err := c.CombinedOutput()
			got = strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
			if err != nil {
				got = append(got, err.Error())
				return false
			}
			return changes || s.matches(got)
		}
		if changes {
			if !once() {
				t.Fatalf("$ %s\n%s", command, strings.Join(got, "\n"))
			}
			continue
		}
		d.eventually(fmt.Sprintf("$ %s\nprints\n%s", command, strings.Join(s.output, "\n")), once)
	}
}

// freePort is a port that nothing uses at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
