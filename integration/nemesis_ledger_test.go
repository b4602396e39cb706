package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recordedApp is an app whose tasks write down when they start and when they stop, each with its own hand: what did
// happen shows, whatever anybody says. Nobody replaces tasks that only cannot be reached.
func recordedApp(id, ledger string, instances int, more string) string {
	// A signal to end hits date and sleep, too, and may do so before it hits the shell.
	const script = `say() { at=; until [ "$at" ]; do at=$(date +%%s%%N); done; echo $1 $MESOS_TASK_ID $at >> %s; }; ` +
		`trap 'say stop; exit 0' TERM; say start; while :; do sleep 100000 & wait; done`
	return fmt.Sprintf(`{"id": %q, "cpus": 0.01, "mem": 16, "instances": %d, "backoffSeconds": 0, "taskKillGracePeriodSeconds": 30,
		"unreachableStrategy": "disabled", "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}, "cmd": %q%s}`,
		id, instances, fmt.Sprintf(script, ledger), more)
}

// entry is a line of the ledger.
type entry struct {
	what string // start, stop, or killed, which is written by who killed the task
	task string
	at   time.Time
}

// app is the app whose task it is, as the ids of tasks have it.
func (e entry) app() string {
	app, _, _ := strings.Cut(e.task, ".")
	return app
}

func readEntries(t *testing.T, path string) []entry {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) != 3 {
			t.Fatalf("line %q of the ledger", line)
		}
		at, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			t.Fatalf("line %q of the ledger: %v", line, err)
		}
		out = append(out, entry{words[0], words[1], time.Unix(0, at)})
	}
	slices.SortStableFunc(out, func(a, b entry) int { return a.at.Compare(b.at) })
	return out
}

// span is a time in which something was wrong.
type span struct{ from, to time.Time }

// rules are what the entries of an app have to keep.
type rules struct {
	most    int           // tasks at a time
	always  int           // tasks at a time but for gaps, from the first time on; 0: any number
	stops   bool          // tasks may be stopped
	doubts  []span        // in which there may be more tasks: those that were to be stopped, and were out of reach
	faults  []span        // in which nobody can be expected to start anything
	patched time.Duration // how long a gap lasts at most, apart from faults
}

// breaches are the ways in which entries of one app do not keep its rules.
func (r rules) breaches(entries []entry, end time.Time) []string {
	var out []string
	started, running := map[string]bool{}, map[string]bool{}
	var gap time.Time // when it began; zero: there is none
	full := false
	closeGap := func(at time.Time) {
		if !gap.IsZero() && r.left(gap, at) > r.patched {
			out = append(out, fmt.Sprintf("a gap from %s to %s", gap.Format(time.StampMilli), at.Format(time.StampMilli)))
		}
		gap = time.Time{}
	}
	for _, e := range entries {
		switch e.what {
		case "start":
			if started[e.task] {
				out = append(out, e.task+" was started twice")
			}
			started[e.task], running[e.task] = true, true
			if len(running) > r.most && !slices.ContainsFunc(r.doubts, func(s span) bool { return e.at.After(s.from) && e.at.Before(s.to) }) {
				out = append(out, fmt.Sprintf("%d tasks ran at %s, when %s was started", len(running), e.at.Format(time.StampMilli), e.task))
			}
			if len(running) >= r.always {
				full = true
				closeGap(e.at)
			}
		case "stop", "killed":
			if e.what == "stop" && !r.stops {
				out = append(out, fmt.Sprintf("%s was stopped at %s", e.task, e.at.Format(time.StampMilli)))
			}
			delete(running, e.task)
			if full && len(running) < r.always && gap.IsZero() {
				gap = e.at
			}
		}
	}
	closeGap(end)
	if r.always > 0 && !full {
		out = append(out, fmt.Sprintf("there were never %d tasks", r.always))
	}
	return out
}

// left is what is left of a time when faults are taken out of it.
func (r rules) left(from, to time.Time) time.Duration {
	left, at := time.Duration(0), from
	faults := slices.SortedFunc(slices.Values(r.faults), func(a, b span) int { return a.from.Compare(b.from) })
	for _, f := range faults {
		if f.from.After(to) {
			break
		}
		if f.from.After(at) {
			left += f.from.Sub(at)
		}
		if f.to.After(at) {
			at = f.to
		}
	}
	if to.After(at) {
		left += to.Sub(at)
	}
	return left
}

// What the ledger is held against finds what it is there to find.
func TestRulesOfTheLedger(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
	}
	start := func(task string, seconds float64) entry { return entry{"start", task, at(seconds)} }
	stop := func(task string, seconds float64) entry { return entry{"stop", task, at(seconds)} }
	killed := func(task string, seconds float64) entry { return entry{"killed", task, at(seconds)} }
	two := rules{most: 2, always: 2, patched: 5 * time.Second, faults: []span{{at(9), at(20)}, {at(12), at(30)}}}
	doubtful := two
	doubtful.doubts = []span{{at(3), at(4)}}
	if got := doubtful.breaches([]entry{start("a", 0), start("b", 1), start("c", 3.5), start("d", 6)}, at(60)); len(got) != 1 || !strings.HasPrefix(got[0], "4 tasks ran") {
		t.Errorf("a doubt: %q", got)
	}
	for name, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"nothing wrong":      {[]entry{start("a", 0), start("b", 1), killed("a", 2), start("c", 6)}, ""},
		"a gap in a fault":   {[]entry{start("a", 0), start("b", 1), killed("a", 8), start("c", 33)}, ""},
		"a gap":              {[]entry{start("a", 0), start("b", 1), killed("a", 8), start("c", 35)}, "a gap from"},
		"a gap for ever":     {[]entry{start("a", 0), start("b", 1), killed("a", 31)}, "a gap from"},
		"one too many":       {[]entry{start("a", 0), start("b", 1), start("c", 6)}, "3 tasks ran"},
		"twice":              {[]entry{start("a", 0), start("b", 1), killed("a", 2), start("a", 3)}, "a was started twice"},
		"stopped":            {[]entry{start("a", 0), start("b", 1), stop("a", 2), start("c", 3)}, "a was stopped"},
		"too few all along ": {[]entry{start("a", 0)}, "never 2 tasks"},
	} {
		got := strings.Join(two.breaches(c.entries, at(60)), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
