package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Commands stand in documents in one of these ways, which the line that opens their block says:
//
//	```console                     line by line, with what they print: TestQuickstart and TestCLI run them
//	```sh                          as they are: TestCommandsInDocuments runs them
//	```sh tested-by=TestSomething  a test that does the same
//	```sh not-run="why"            nobody runs them

// block is a code block of a document.
type block struct {
	document string
	line     int    // of what opens it
	info     string // what stands behind the fence; "" for an indented block
	text     string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.document, b.line) }

// blocks are the code blocks of a document.
func blocks(t *testing.T, document string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), document))
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	fence, indent, indented := "", "", false
	for n, line := range strings.Split(string(text), "\n") {
		bare := strings.TrimLeft(line, " ")
		switch {
		case fence != "":
			if bare == fence {
				fence = ""
				continue
			}
			last := &out[len(out)-1]
			last.text += strings.TrimPrefix(line, indent) + "\n"
		case strings.HasPrefix(bare, "```"):
			fence, indent, indented = "```", line[:len(line)-len(bare)], false
			out = append(out, block{document: document, line: n + 1, info: strings.TrimPrefix(bare, "```")})
		case strings.HasPrefix(line, "    "):
			if !indented {
				out = append(out, block{document: document, line: n + 1})
			}
			indented = true
			out[len(out)-1].text += bare + "\n"
		default:
			indented = false
		}
	}
	return out
}

func documents(t *testing.T) []string {
	t.Helper()
	root := moduleRoot(t)
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"README.md"}
	for _, f := range files {
		out = append(out, filepath.Join("docs", filepath.Base(f)))
	}
	return out
}

var (
	// isCommand matches lines that a reader would paste into a shell.
	isCommand = regexp.MustCompile(`(?m)^(\$ |sudo |(bin/)?rollcall |curl |dig |kdig |docker |systemctl |make |dpkg |rpm |kill |cp |ip |openssl |go |source |printf |sha256sum |resolvectl )`)
	shBlock   = regexp.MustCompile(`^sh(?: tested-by=(Test\w+)| not-run="[^"]{5,}")?$`)
	// consoles are the documents whose console blocks are run, each by its own test.
	consoles = []string{"docs/quickstart.md", "docs/cli.md"}
)

// Every command in a document is run by a test, or says why not.
func TestDocsMarkTheirCommands(t *testing.T) {
	tests := testFunctions(t)
	for _, document := range documents(t) {
		for _, b := range blocks(t, document) {
			m := shBlock.FindStringSubmatch(b.info)
			switch {
			case m != nil && m[1] != "" && !slices.Contains(tests, m[1]):
				t.Errorf("%s: there is no %s", b, m[1])
			case m != nil:
			case b.info == "console":
				if !slices.Contains(consoles, document) {
					t.Errorf("%s: no test runs the console blocks of this document; see docs_test.go", b)
				}
			case strings.HasPrefix(b.info, "sh"):
				t.Errorf("%s: %q is none of the forms in docs_test.go", b, b.info)
			case isCommand.MatchString(b.text):
				t.Errorf("%s: has commands; open the block with ```sh, in one of the forms in docs_test.go:\n%s", b, b.text)
			}
		}
	}
}

// testFunctions are the names of all tests in the module.
func testFunctions(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, f := range strings.Fields(run(t, "git", "-C", moduleRoot(t), "ls-files", "--cached", "--others", "--exclude-standard", "*_test.go")) {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), f))
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			out = append(out, string(m[1]))
		}
	}
	return out
}

// Links lead to documents and headings that are there.
func TestDocsLinks(t *testing.T) {
	root := moduleRoot(t)
	anchors := map[string][]string{}
	for _, document := range documents(t) {
		text, err := os.ReadFile(filepath.Join(root, document))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
			slug := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
			anchors[document] = append(anchors[document], regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(slug, ""))
		}
	}
	for _, document := range documents(t) {
		text, err := os.ReadFile(filepath.Join(root, document))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]*)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := document
			if file != "" {
				target = filepath.Join(filepath.Dir(document), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %s leads nowhere", document, m[1])
			} else if anchor != "" && strings.HasSuffix(target, ".md") && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s: %s: %s has no such heading", document, m[1], target)
			}
		}
	}
}

// documentsVariable is set in the process that has namespaces of its own, to a directory.
const documentsVariable = "ROLLCALL_TEST_DOCUMENTS"

// TestCommandsInDocuments runs what stands in blocks marked sh, as it is: with a rollcall at its usual ports, and its
// files where a package puts them, in namespaces of its own.
func TestCommandsInDocuments(t *testing.T) {
	if dir := os.Getenv(documentsVariable); dir != "" {
		commandsInside(t, dir)
		return
	}
	require(t, "unshare", "ip", "dig", "curl", "jq", "kdig", "openssl")
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("the commands of the documents need the rights of root")
		}
		t.Skip("SKIPPED: the commands of the documents need the rights of root")
	}
	inside := exec.CommandContext(t.Context(), "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `"$0" "$@"; exit $?`, os.Args[0], "-test.v", "-test.run", "^TestCommandsInDocuments$")
	inside.Env = append(os.Environ(), documentsVariable+"="+t.TempDir(), "ROLLCALL_BINARY="+binary)
	if out, err := inside.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("\n%s", out)
	}
}

func commandsInside(t *testing.T, dir string) {
	root := moduleRoot(t)
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "mount", "-t", "tmpfs", "tmpfs", dir)
	for _, shadowed := range []string{"/etc", "/var"} {
		upper, work := filepath.Join(dir, shadowed+"-upper"), filepath.Join(dir, shadowed+"-work")
		run(t, "mkdir", "-p", upper, work)
		run(t, "mount", "-t", "overlay", "overlay", "-o", "lowerdir="+shadowed+",upperdir="+upper+",workdir="+work, shadowed)
	}
	bin := filepath.Join(dir, "bin")
	run(t, "mkdir", "-p", bin, "/etc/rollcall")
	run(t, "cp", binary, filepath.Join(bin, "rollcall"))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch marathon.mesos\n")
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=dns.example",
		"-addext", "subjectAltName=DNS:dns.example", "-keyout", "/etc/rollcall/key.pem", "-out", "/etc/rollcall/cert.pem")
	write("/etc/rollcall/config.json", `{"listener": "127.0.0.1", "httplistener": "127.0.0.1", "externalon": false,
		"encryption": {"certFile": "/etc/rollcall/cert.pem", "keyFile": "/etc/rollcall/key.pem"},
		"scheduler": {"local": {"agents": 3}}}`)
	d := &daemon{t: t, dir: "/var/lib/rollcall"}
	t.Cleanup(d.cleanUp)
	d.launch(exec.Command(filepath.Join(bin, "rollcall"), "-config=/etc/rollcall/config.json"))
	d.must(201, "POST", "/v2/apps", `{"id": "/shop/web", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "instances": 2,
		"portDefinitions": [{"port": 0, "name": "http"}, {"port": 0, "name": "admin"}]}`)
	for _, app := range []string{"/ctrlpkw/db/cassandra-seed", "/crate", "/web"} {
		d.must(201, "POST", "/v2/apps", `{"id": "`+app+`", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "instances": 3,
			"portDefinitions": [{"port": 0, "name": "`+filepath.Base(app)+`"}], "constraints": [["hostname", "UNIQUE"]]}`)
	}
	d.eventually("the apps are found", func() bool {
		return len(d.addresses("cassandra-seed.db.ctrlpkw.marathon.mesos")) == 3 && len(d.addresses("crate.marathon.mesos")) == 3 &&
			len(d.addresses("web.shop.marathon.mesos")) >= 1
	})
	cwd := filepath.Join(dir, "cwd")
	run(t, "mkdir", cwd)
	run(t, "cp", "/etc/rollcall/cert.pem", filepath.Join(cwd, "ca.pem"))
	run(t, "cp", "/etc/rollcall/config.json", filepath.Join(root, "config.json.example"), cwd)
	write(filepath.Join(cwd, "app.json"), `{"id": "/app", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16}`)
	names := regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (A|SRV) \\|").FindAllStringSubmatch(document(t, "naming.md"), -1)
	if len(names) < 15 {
		t.Errorf("docs/naming.md has only %d names", len(names))
	}
	for _, m := range names {
		if len(d.dig("+short", m[1], m[2])) == 0 {
			t.Errorf("docs/naming.md has %s, which has no %s record", m[1], m[2])
		}
	}
	ran := 0
	for _, document := range documents(t) {
		for _, b := range blocks(t, document) {
			if b.info != "sh" {
				continue
			}
			ran++
			var out bytes.Buffer
			c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.text)
			c.Dir, c.Stdout, c.Stderr = cwd, &out, &out
			c.Env = append(os.Environ(), "SEED=cassandra-seed.db.ctrlpkw.marathon.mesos", "MARATHON_APP_ID=/crate", "TOKEN=token")
			if err := c.Run(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", b, err, b.text, out.Bytes())
			}
		}
	}
	if ran < 10 {
		t.Errorf("only %d blocks were run", ran)
	}
}
