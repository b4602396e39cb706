package scheduler

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("update", false, "write what follows from the events in testdata/*.txt anew")

// TestGolden plays the stories in testdata/*.txt. A line "> ..." is an event, one of goldenVerbs; a line "# ..." is prose.
// The indented lines below an event are what follows from it, each with the virtual time since the beginning.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStory(t).play(string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("it goes differently; go test -run Golden -update writes it anew, commit only what you understand:\n%s",
					firstDifference(string(want), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for n := range min(len(w), len(g)) {
		if w[n] != g[n] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", n+1, w[n], g[n])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// story is a cluster whose doings are written down.
type story struct {
	*cluster
	out   strings.Builder
	began time.Time
	names map[InstanceID]string // "/web#1"
	count map[PathID]int
	last  map[InstanceID]string
	seen  int // notices told already
}

func newStory(t *testing.T) *story {
	s := &story{cluster: newCluster(t, 1, 3), names: map[InstanceID]string{}, count: map[PathID]int{}, last: map[InstanceID]string{}}
	s.settle()
	s.began, s.seen = s.now, len(s.notices)
	return s
}

func (s *story) play(script string) string {
	for line := range strings.SplitSeq(strings.TrimRight(script, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&s.out, line)
			s.event(strings.Fields(line[2:]))
		case !strings.HasPrefix(line, "    "):
			fmt.Fprintln(&s.out, line)
		}
	}
	return s.out.String()
}

// goldenVerbs are the events of a story. What they need is the app, then words such as "instances=3".
var goldenVerbs = map[string]func(s *story, id PathID, words map[string]string){
	// app /web instances=3 cmd=v1 upgrade=1,0 unique drain=10 timeout=60 inactive=60 restart=never mem=16
	// healthy=10 each-agent: creates or changes it; healthy is the interval of a check, upgrade the health and over
	// capacity, inactive=never waits for lost agents for ever
	"app": func(s *story, id PathID, words map[string]string) { s.answer(put(goldenApp(s.t, id, words))) },
	// scale /web instances=5 force=yes
	"scale": func(s *story, id PathID, words map[string]string) {
		s.answer(Update{Force: words["force"] != "", Change: func(d *Draft) error {
			n := *d.App(id)
			n.Instances = number(s.t, words["instances"])
			d.PutApp(&n)
			return nil
		}})
	},
	"remove": func(s *story, id PathID, _ map[string]string) { s.answer(remove(id)) },
	// again /web: replaces all its instances
	"again": func(s *story, id PathID, _ map[string]string) { s.answer(restart(id)) },
	// cancel: undoes the deployments that are under way; stop: ends them by force
	"cancel": func(s *story, _ PathID, _ map[string]string) { s.cancel(false) },
	"stop":   func(s *story, _ PathID, _ map[string]string) { s.cancel(true) },
	// crash /web: its oldest running task fails, with each=yes all of them
	"crash": func(s *story, id PathID, words map[string]string) {
		for _, i := range s.byName(id) {
			if i.Condition == Running {
				s.move(i.TaskID(), TaskFailed)
				if words["each"] == "" {
					return
				}
			}
		}
	},
	// finish /job: its oldest running task ends with success
	"finish": func(s *story, id PathID, _ map[string]string) {
		s.oldest(id, func(i *Instance) { s.move(i.TaskID(), TaskFinished) })
	},
	// kill /web scale=yes wipe=yes: somebody asks for the end of its oldest running task, with scale of one instance less,
	// with wipe for another instance
	"kill": func(s *story, id PathID, words map[string]string) {
		s.oldest(id, func(i *Instance) {
			s.answer(KillTasks{Tasks: []TaskID{i.TaskID()}, Scale: words["scale"] != "", Wipe: words["wipe"] != ""})
		})
	},
	// maintain, maintained host1: nothing is to be launched there, and again it is
	"maintain":   func(s *story, id PathID, _ map[string]string) { s.maintain(s.agentOf(id), &Period{Start: s.now}) },
	"maintained": func(s *story, id PathID, _ map[string]string) { s.maintain(s.agentOf(id), nil) },
	// stuck, unstuck: new tasks stay staging; tasks that did come up
	"stuck": func(s *story, _ PathID, _ map[string]string) { s.stall = true },
	"unstuck": func(s *story, _ PathID, _ map[string]string) {
		s.stall = false
		for _, id := range slices.Sorted(maps.Keys(s.tasks)) {
			if s.tasks[id].state == TaskStaging {
				s.move(id, TaskRunning)
			}
		}
	},
	"sick": func(s *story, id PathID, _ map[string]string) { s.unwell[id] = true },
	"well": func(s *story, id PathID, _ map[string]string) { s.unwell[id] = false },
	// ail /web: its oldest running task turns unhealthy, and stays so; cure: all are well again
	"ail": func(s *story, id PathID, _ map[string]string) {
		s.oldest(id, func(i *Instance) { s.ailing[i.TaskID()] = true })
	},
	"cure":    func(s *story, _ PathID, _ map[string]string) { clear(s.ailing) },
	"leave":   func(s *story, id PathID, _ map[string]string) { s.leave(s.agentOf(id)) },
	"return":  func(s *story, id PathID, _ map[string]string) { s.comeBack(s.agentOf(id), false) },
	"restart": func(s *story, _ PathID, _ map[string]string) { s.boot(2) },
	// wait 1m30s
	"wait": func(s *story, d PathID, _ map[string]string) { s.wait(string(d)) },
}

// oldest does something with an app's first instance that runs.
func (s *story) oldest(id PathID, do func(*Instance)) {
	for _, i := range s.byName(id) {
		if i.Condition == Running {
			do(i)
			return
		}
	}
	s.t.Fatalf("nothing of %s runs", id)
}

// maintain gives an agent a period of maintenance, of which its offers tell from then on.
func (s *story) maintain(a *modelAgent, period *Period) {
	a.offer.Maintenance, a.declined = period, false
	if a.offered != "" {
		delete(s.offers, a.offered)
		s.send(OfferRescinded{a.offered})
		a.offered = ""
	}
	s.offerAll()
}

func (s *story) event(words []string) {
	verb, id, options := words[0], PathID(""), map[string]string{}
	for n, word := range words[1:] {
		if n == 0 && !strings.Contains(word, "=") {
			id = PathID(word)
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		options[key] = value
	}
	play := goldenVerbs[verb]
	if play == nil {
		s.t.Fatalf("no event %q", verb)
	}
	play(s, id, options)
	s.quiet()
}

// quiet lets everything happen that follows at once.
func (s *story) quiet() {
	for s.tellNews(); len(s.pending) > 0; s.tellNews() {
		s.step()
		s.answerProbes()
	}
}

func (s *story) wait(d string) {
	by, err := time.ParseDuration(d)
	if err != nil {
		s.t.Fatal(err)
	}
	for end := s.now.Add(by); ; s.quiet() {
		if s.wake.IsZero() || s.wake.After(end) {
			s.now = end
			s.step()
			return
		}
		s.now = s.wake
		s.step()
		s.answerProbes()
	}
}

func (s *story) answer(e Event) {
	if r := s.request(e); r.Err != nil {
		s.say("refused: %v", r.Err)
	}
}

func (s *story) cancel(force bool) {
	for d := range s.core.State().Deployments() {
		s.answer(CancelDeployment{ID: d.Plan.ID, Force: force})
	}
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(&s.out, "    %-8s %s\n", s.now.Sub(s.began).Truncate(100*time.Millisecond), fmt.Sprintf(format, args...))
}

// tellNews writes down how instances changed and deployments ended.
func (s *story) tellNews() {
	state := s.core.State()
	for i := range state.AllInstances() {
		if s.names[i.ID] == "" {
			s.count[i.AppID]++
			s.names[i.ID] = fmt.Sprintf("%s#%d", i.AppID, s.count[i.AppID])
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.names), func(a, b InstanceID) int { return strings.Compare(s.names[a], s.names[b]) }) {
		now := "gone"
		if i := state.Instance(id); i != nil {
			now = s.describe(i)
		}
		if now != s.last[id] {
			s.say("%s %s", s.names[id], now)
		}
		s.last[id] = now
	}
	for ; s.seen < len(s.notices); s.seen++ {
		switch body := s.notices[s.seen].Body.(type) {
		case DeploymentEnd:
			s.say("%s %s", s.notices[s.seen].Type, body.Reason)
		case UnhealthyKill:
			s.say("%s %s", s.notices[s.seen].Type, s.names[body.InstanceID])
		case Breaker:
			s.say("%s %s: %d of %d unhealthy", s.notices[s.seen].Type, body.App, body.Unhealthy, body.Checked)
		}
	}
	for d := range state.Deployments() {
		for _, p := range state.Progress(d, s.now) {
			key := InstanceID("progress of " + p.App)
			if !p.Done && p.Reason != s.last[key] {
				s.say("%s waits: %s", p.App, p.Reason)
			}
			s.last[key] = p.Reason
		}
	}
}

func (s *story) describe(i *Instance) string {
	words := []string{string(i.Condition)}
	if i.App.Cmd != "" {
		words = append(words, i.App.Cmd)
	}
	if i.Condition.Active() {
		words = append(words, "on", i.Hostname)
	}
	if h := i.Healthy(); h != nil && i.Condition == Running {
		words = append(words, map[bool]string{true: "healthy", false: "unhealthy"}[*h])
	}
	if i.Goal == GoalDecommissioned {
		words = append(words, "(for good)")
	}
	return strings.Join(words, " ")
}

func (s *story) byName(id PathID) []*Instance {
	return slices.SortedFunc(s.core.State().Instances(id), func(a, b *Instance) int {
		return strings.Compare(s.names[a.ID], s.names[b.ID])
	})
}

// agentOf is the agent of a host.
func (s *story) agentOf(id PathID) *modelAgent {
	for _, a := range s.agents {
		if a.offer.Hostname == string(id) {
			return a
		}
	}
	s.t.Fatalf("no agent on %s", id)
	return nil
}

func goldenApp(t failer, id PathID, words map[string]string) *App {
	return app(id, number(t, words["instances"]), func(a *App) {
		a.Cmd = words["cmd"]
		if _, ok := words["unique"]; ok {
			unique(a)
		}
		_, a.OnePerAgent = words["each-agent"]
		if healthy, over, ok := strings.Cut(words["upgrade"], ","); ok {
			a.UpgradeStrategy = UpgradeStrategy{MinimumHealthCapacity: fraction(t, healthy), MaximumOverCapacity: fraction(t, over)}
		}
		if every := words["healthy"]; every != "" {
			a.HealthChecks = []HealthCheck{{Protocol: ProtocolHTTP, IntervalSeconds: number(t, every), TimeoutSeconds: 2, MaxConsecutiveFailures: 2}}
		}
		if mem := words["mem"]; mem != "" {
			a.Mem = fraction(t, mem)
		}
		if after := words["inactive"]; after == "never" {
			a.UnreachableStrategy.Disabled = true
		} else if after != "" {
			a.UnreachableStrategy = UnreachableStrategy{InactiveAfterSeconds: number(t, after), ExpungeAfterSeconds: 10 * number(t, after)}
		}
		a.DrainSeconds = number(t, words["drain"])
		a.DeploymentTimeout = number(t, words["timeout"])
		a.RestartPolicy = RestartPolicy(words["restart"])
	})
}

func number(t failer, s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func fraction(t failer, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
