package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/cli.md does what it says, line by line. Of what is printed the document shows a part.
func TestCommandLine(t *testing.T) {
	require(t, "jq", "sed")
	dir := t.TempDir()
	dns, api := freePort(t), freePort(t)
	d := &daemon{t: t, dir: dir}
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command(binary, "dev", "-example", "-dns-port="+dns, "-api-port="+api, "-http-port=0", "-data-dir="+filepath.Join(dir, "data")))
	d.eventually("the example app runs", func() bool {
		status, _, _ := d.request(http.MethodGet, "/v2/apps/hello", "")
		return status == http.StatusOK && len(d.tasks("/hello")) == 3
	})
	if err := os.Symlink(binary, filepath.Join(dir, "rollcall")); err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "ROLLCALL_URL="+d.api)
	for _, s := range console(t, filepath.Join(moduleRoot(t), "docs", "cli.md")) {
		c := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", s.command)
		c.Dir, c.Env = dir, environment
		out, err := c.CombinedOutput()
		got := strings.Split(string(out), "\n")
		if err != nil {
			got = append(got, err.Error())
		}
		wantsError := len(s.output) > 0 && strings.HasPrefix(s.output[len(s.output)-1], "exit status")
		if err != nil && !wantsError {
			t.Fatalf("$ %s: %v\n%s", s.command, err, out)
		}
		for _, line := range s.output {
			line = strings.ReplaceAll(line, ":8053", ":"+dns)
			pattern := strings.ReplaceAll(strings.ReplaceAll(regexp.QuoteMeta(line), ` \.\.\. `, ` +.*`), `\.\.\.`, ".*")
			if !regexp.MustCompile("(?m)^ *" + pattern + " *$").MatchString(strings.Join(got, "\n")) {
				t.Fatalf("$ %s\nprints\n%s\nand not\n%s", s.command, strings.Join(got, "\n"), line)
			}
		}
	}
}
