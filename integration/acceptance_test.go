package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// criterion is one of the 32 things that Marathon's own integration tests check, which whoever replaces it has to do
// as well. Those that need followers, or agents that are lost, are shown by other tests.
type criterion struct {
	number int
	says   string
	check  func(*bench)
	by     string // directory and name of the test that shows it, or the rest of it
}

// acceptance are all of them.
var acceptance = []criterion{
	{1, "an app is made, its deployment ends, its tasks are there", (*bench).madeAndDeployed, ""},
	{2, "an update to the same leaves the tasks", (*bench).updatedToTheSame, ""},
	{3, "an app that crashes waits, until it is changed, restarted, or its delay is deleted", (*bench).crashing, ""},
	{4, "the same through a follower", nil, "integration.TestPeers"},
	{5, "health checks of every kind, by the index of a port and by its number", (*bench).healthChecks, ""},
	{6, "what never gets healthy is never deployed, and can be removed", (*bench).neverHealthy, ""},
	{7, "an update of the command keeps the health checks", (*bench).checksKept, ""},
	{8, "scaling up and down kills one task", (*bench).scaledUpAndDown, ""},
	{9, "a restart replaces all tasks", (*bench).restarted, ""},
	{10, "versions", (*bench).versions, ""},
	{11, "killed tasks are replaced, or the app scaled", (*bench).killedAndScaled, ""},
	{12, "a removed app is gone", (*bench).removed, ""},
	{13, "a deployment that cannot go on is seen, stopped, or rolled back", (*bench).impossible, ""},
	{14, "a killed task's instance goes on, unless it is wiped", (*bench).wiped, ""},
	{15, "empty groups", (*bench).emptyGroup, ""},
	{16, "a group's changed apps are restarted, equal ones are not", (*bench).groupChanged, ""},
	{17, "a group is rolled back by its version", (*bench).groupRolledBack, ""},
	{18, "old instances stay while the new version never gets healthy", (*bench).oldStay, ""},
	{19, "a busy group is locked", (*bench).groupLocked, ""},
	{20, "a cycle of dependencies is refused", (*bench).cycle, ""},
	{21, "apps and groups start in the order of their dependencies", (*bench).ordered, ""},
	{22, "relative dependencies come back absolute", (*bench).relative, ""},
	{23, "enforceRole is changed alone, and at the top", (*bench).enforceRole, ""},
	{24, "everybody names the same leader, and has the page", (*bench).leader, "integration.TestPeers"},
	{25, "a leader steps down, and tasks stay", nil, "integration.TestPeers"},
	{26, "followers pass requests on", nil, "scheduler/api.TestFrontPassesOn"},
	{27, "events of one type, and plans without the original", (*bench).events, "scheduler/api.TestPlanFormat"},
	{28, "the queue", (*bench).queue, ""},
	{29, "information without passwords", (*bench).info, "cmd/rollcall.TestSecretsStayHidden"},
	{30, "tasks of lost agents are replaced in time", nil, "integration.TestAgentsLostOnMesos"},
	{31, "a restart of the scheduler in a deployment leaves its tasks", nil, "integration.TestRestartInADeployment"},
	{32, "a port that is taken is not shared", (*bench).portTaken, ""},
}

// TestAcceptance runs what can be run beside each other on one rollcall, and sees to it that the rest is shown
// elsewhere.
func TestAcceptance(t *testing.T) {
	require(t, "python3")
	c := newConfig(t.TempDir())
	d := start(t, c)
	seen := listen(t, d)
	for n, c := range acceptance {
		if c.number != n+1 || c.check == nil && c.by == "" {
			t.Errorf("number %d is number %d of the list, or shown nowhere", c.number, n+1)
		}
		if c.by != "" && !testExists(t, c.by) {
			t.Errorf("%d is said to be shown by %s, which is not there", c.number, c.by)
		}
		if c.check == nil {
			continue
		}
		t.Run(fmt.Sprintf("%02d %s", c.number, c.says), func(t *testing.T) {
			t.Parallel()
			c.check(&bench{daemon: &daemon{t: t, dir: d.dir, process: d.process, api: d.api, dns: d.dns, http: d.http},
				seen: seen, group: fmt.Sprintf("/t%02d", c.number)})
		})
	}
}

// testExists says whether a directory's tests have one of a name.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	dir, test, _ := strings.Cut(name, ".")
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		data, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(data), "\nfunc "+test+"(")
	})
}

// bench is a rollcall of which a test uses one group.
type bench struct {
	*daemon
	seen  *seenEvents
	group string
}

// sleeper is an app of the bench's group that does nothing and needs little.
func (b *bench) sleeper(name, members string) string {
	if members != "" {
		members = ", " + members
	}
	return fmt.Sprintf(`{"id": "%s/%s", "cmd": "exec sleep 1000", "cpus": 0.001, "mem": 1, "taskKillGracePeriodSeconds": 0%s}`, b.group, name, members)
}

// deploy sends a request that starts a deployment, waits until it ended, and returns its id.
func (b *bench) deploy(method, path, body string) string {
	b.t.Helper()
	id := b.begin(method, path, body)
	b.eventually("deployment "+id+" of "+path+" ends", func() bool { return !b.deploying(id) })
	return id
}

// begin sends a request that starts a deployment.
func (b *bench) begin(method, path, body string) string {
	b.t.Helper()
	status, header, answer := b.request(method, path, body)
	id := header.Get("Marathon-Deployment-Id")
	if status != http.StatusOK && status != http.StatusCreated || id == "" {
		b.t.Fatalf("%s %s: %d, deployment %q: %s", method, path, status, id, answer)
	}
	return id
}

func (b *bench) deploying(id string) bool {
	b.t.Helper()
	var all []struct{ ID string }
	b.get("/v2/deployments", &all)
	return slices.ContainsFunc(all, func(d struct{ ID string }) bool { return d.ID == id })
}

// app is what tests read of an app.
type app struct {
	ID, Version  string
	Cmd          string
	Instances    int
	TasksRunning int
	TasksHealthy int
	HealthChecks []map[string]any
	Dependencies []string
	VersionInfo  struct{ LastScalingAt, LastConfigChangeAt string }
	Deployments  []struct{ ID string }
	Tasks        []struct {
		ID, StagedAt       string
		HealthCheckResults []struct {
			Alive        bool
			FirstSuccess string
		}
	}
}

func (b *bench) app(name string) app {
	b.t.Helper()
	var answer struct{ App app }
	b.get("/v2/apps"+b.group+"/"+name, &answer)
	return answer.App
}

func (b *bench) ids(name string) []string { return taskIDs(b.tasks(b.group + "/" + name)) }

// queued is an entry of the queue.
type queued struct {
	App   struct{ ID string }
	Count int
	Delay struct {
		TimeLeftSeconds int
		Overdue         bool
	}
}

// waiting is an app's entry in the queue, nil when it has none.
func (b *bench) waiting(name string) *queued {
	b.t.Helper()
	var all struct{ Queue []queued }
	b.get("/v2/queue", &all)
	for _, q := range all.Queue {
		if q.App.ID == b.group+"/"+name {
			return &q
		}
	}
	return nil
}

// event is what tests read of an event.
type event struct {
	EventType, AppID, TaskStatus, TaskID, GroupID, ID, Reason string
	Plan                                                      map[string]any
}

// seenEvents are the events since a rollcall began.
type seenEvents struct {
	mu  sync.Mutex
	all []event
}

// listen reads the event stream until the test ends.
func listen(t *testing.T, d *daemon, types ...string) *seenEvents {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	query := ""
	if len(types) > 0 {
		query = "?event_type=" + strings.Join(types, "&event_type=")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.api+"/v2/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s := &seenEvents{}
	go func() {
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e event
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &e) == nil {
				s.mu.Lock()
				s.all = append(s.all, e)
				s.mu.Unlock()
			}
		}
	}()
	return s
}

// count says how many events there were of which something holds.
func (s *seenEvents) count(holds func(event) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.all {
		if holds(e) {
			n++
		}
	}
	return n
}

// ended says whether there was an event of a type for a deployment.
func (s *seenEvents) ended(kind, deployment string) bool {
	return s.count(func(e event) bool { return e.EventType == kind && e.ID == deployment }) > 0
}
