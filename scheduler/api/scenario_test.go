package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rollcall/scheduler"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the answers of testdata/*.http anew")

// TestScenarios replays conversations. In testdata/*.http a line "> METHOD target" with the body after it is a
// request (lines like "Name: value" before the body are headers), "< status" with headers and body after it is the expected answer, "! word" is something that happens on
// the cluster ("! events" shows what the event stream had since), "# text" says what it is about.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" && !*update {
				t.Errorf("answers differ (-want +got); go test -run Scenarios -update writes them anew:\n%s", diff)
			}
		})
	}
}

// replay writes a script with the answers that its requests get.
func replay(t *testing.T, script string) string {
	c := newCluster(t)
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(script, "\n"), "\n")
	seen := c.events.oldest()
	for i := 0; i < len(lines); {
		line := lines[i]
		i++
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "!"):
			fmt.Fprintln(&out, line)
			if strings.Fields(line)[1] == "events" {
				seen = dumpEvents(&out, c, seen)
				for i < len(lines) && !starts(lines[i]) { // the events of before
					i++
				}
				fmt.Fprintln(&out)
				continue
			}
			happen(t, c, strings.Fields(line)[1:])
		case strings.HasPrefix(line, ">"):
			fmt.Fprintln(&out, line)
			var body []string
			for i < len(lines) && lines[i] != "" && !strings.HasPrefix(lines[i], "<") {
				fmt.Fprintln(&out, lines[i])
				body = append(body, lines[i])
				i++
			}
			method, target, _ := strings.Cut(strings.TrimPrefix(line, "> "), " ")
			var header []string
			for len(body) > 0 && requestHeader.MatchString(body[0]) {
				name, value, _ := strings.Cut(body[0], ": ")
				header, body = append(header, name, value), body[1:]
			}
			out.WriteString(answer(t, c, method, target, strings.Join(body, "\n"), header...))
			for i < len(lines) && !starts(lines[i]) { // the answer of before
				i++
			}
			if i < len(lines) {
				fmt.Fprintln(&out)
			}
		case line == "":
		default:
			t.Fatalf("line %d: %q is neither a request nor an event", i, line)
		}
	}
	return out.String()
}

// dumpEvents writes the events from number seen on, and returns the number of the next.
func dumpEvents(out *strings.Builder, c *cluster, seen uint64) uint64 {
	for seen < c.events.next {
		for _, e := range c.events.read(seen).entries {
			for line := range strings.Lines(string(e.light())) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "data: ") {
					fmt.Fprintln(out, strings.TrimPrefix(line, "data: "))
				}
			}
			seen++
		}
	}
	return seen
}

// starts says whether a line of a script begins something new.
func starts(line string) bool {
	return strings.HasPrefix(line, "> ") || strings.HasPrefix(line, "! ") || strings.HasPrefix(line, "# ")
}

var requestHeader = regexp.MustCompile(`^[A-Z][A-Za-z-]+: `)

func answer(t *testing.T, c *cluster, method, target, body string, requestHeader ...string) string {
	status, header, data := func() (int, map[string][]string, string) {
		a := c.request(method, target, body, requestHeader...)
		var b bytes.Buffer
		if _, err := b.ReadFrom(a.Body); err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, a.Header, b.String()
	}()
	var out strings.Builder
	fmt.Fprintf(&out, "< %d\n", status)
	for _, name := range []string{"Allow", "Location", "Marathon-Deployment-Id", "X-Unknown-Fields", "Warning"} {
		for _, value := range header[name] {
			fmt.Fprintf(&out, "%s: %s\n", name, value)
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(data), "", "  ") == nil {
		data = pretty.String()
	}
	if data != "" {
		fmt.Fprintln(&out, strings.TrimRight(data, "\n"))
	}
	return out.String()
}

// happen plays the engine.
func happen(t *testing.T, c *cluster, words []string) {
	switch words[0] {
	case "offers":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatal(err)
		}
		c.offer(n)
	case "start":
		c.report(scheduler.Provisioned, scheduler.TaskRunning, "")
	case "fail":
		c.report(scheduler.Running, scheduler.TaskFailed, "exit status 1")
	case "unhealthy":
		c.health(false)
	case "healthy":
		c.health(true)
	case "lose":
		c.step(scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: "gone.instance-00000000-0000-0000-0000-000000000000._app.1",
			AgentID: "agent-0", State: scheduler.TaskRunning, Timestamp: c.time()}},
			scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: "gone.instance-00000000-0000-0000-0000-000000000000._app.1",
				AgentID: "agent-0", State: scheduler.TaskKilled, Timestamp: c.time()}})
	case "disconnect":
		c.step(scheduler.Disconnected{})
	case "register":
		c.step(scheduler.Registered{FrameworkID: "framework-1", Master: "master.example:5050"})
	case "killed":
		c.report(scheduler.Killing, scheduler.TaskKilled, "")
	default:
		t.Fatalf("unknown event %q", words[0])
	}
}
