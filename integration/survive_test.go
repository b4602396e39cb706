package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ledgerApp is an app whose tasks write down when they start, so that a task that was started twice, or started
// again, shows.
func ledgerApp(id, ledger string, instances int) string {
	return fmt.Sprintf(`{"id": %q, "cpus": 0.01, "mem": 16, "instances": %d, "backoffSeconds": 0,
		"cmd": "echo $MESOS_TASK_ID $$ >> %s; exec sleep 100000"}`, id, instances, ledger)
}

// ledger reads which tasks started, with the pids they had.
func ledger(t *testing.T, path string) (ids []string, pids map[string]int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	pids = map[string]int{}
	for line := range strings.Lines(string(data)) {
		id, pid, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatalf("line %q of the ledger: %v", line, err)
		}
		ids = append(ids, id)
		pids[id] = n
	}
	return ids, pids
}

// alive says whether a process runs; one that only waits for its parent to take note of its end does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}

func taskIDs(tasks []task) []string {
	var out []string
	for _, t := range tasks {
		out = append(out, t.ID)
	}
	slices.Sort(out)
	return out
}

// Whatever is killed - a task, its supervisor, rollcall, together or one after the other - in the end exactly the
// wanted tasks run, those not hit are the same processes as before, and names follow.
func TestKillsInEveryCombination(t *testing.T) {
	require(t, "dig")
	dir := t.TempDir()
	book := filepath.Join(dir, "ledger")
	d := start(t, newConfig(dir))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", ledgerApp("/victim", book, 3))
	d.eventually("three run", func() bool { return len(d.tasks("/victim")) == 3 })

	for n, hit := range []struct {
		task, supervisor, rollcall bool
	}{
		{false, false, true}, {true, false, false}, {false, true, false}, {true, true, false},
		{true, false, true}, {false, true, true}, {true, true, true},
	} {
		t.Run(fmt.Sprintf("task=%v supervisor=%v rollcall=%v", hit.task, hit.supervisor, hit.rollcall), func(t *testing.T) {
			before := taskIDs(d.tasks("/victim"))
			d.eventually("the tasks have written their lines", func() bool {
				_, pids := ledger(t, book)
				return !slices.ContainsFunc(before, func(id string) bool { return pids[id] == 0 })
			})
			_, pids := ledger(t, book)
			target := before[n%3]
			if hit.rollcall {
				d.kill()
			}
			if hit.supervisor {
				supervisors := d.processes("supervise")
				struck := false
				for _, pid := range supervisors {
					line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
					if err == nil && strings.Contains(string(line), target) {
						struck = syscall.Kill(pid, syscall.SIGKILL) == nil
					}
				}
				if !struck {
					t.Fatalf("found no supervisor of %s among %v", target, supervisors)
				}
			}
			if hit.task {
				syscall.Kill(pids[target], syscall.SIGKILL) //nolint:errcheck // it may have gone with its supervisor
			}
			if hit.rollcall {
				d.run()
			}
			wounded := hit.task || hit.supervisor
			d.eventually("the wanted tasks run", func() bool {
				now := taskIDs(d.tasks("/victim"))
				return len(now) == 3 && slices.Contains(now, target) != wounded
			})
			d.eventually("as many are found by name", func() bool {
				return len(d.dig("+short", "_victim._tcp.marathon.mesos", "SRV")) == 3*4
			})
			if wounded && alive(pids[target]) {
				t.Errorf("the process of %s lives on", target)
			}
			for _, id := range before {
				if id != target && !alive(pids[id]) {
					t.Errorf("%s was not hit and is dead", id)
				}
			}
		})
	}
	ids, _ := ledger(t, book)
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		t.Errorf("a task was started twice: %v", ids)
	}
}

// A task that ends while rollcall is away is reported once, with the status it really exited with.
func TestExitWhileAway(t *testing.T) {
	dir := t.TempDir()
	d := start(t, newConfig(dir))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", fmt.Sprintf(
		`{"id": "/brief", "cpus": 0.01, "mem": 16, "cmd": "while [ ! -e %s/go ]; do sleep 0.05; done; exit 7", "backoffSeconds": 3600, "maxLaunchDelaySeconds": 3600}`, dir))
	d.eventually("it runs", func() bool { return len(d.tasks("/brief")) == 1 })
	id := d.tasks("/brief")[0].ID
	d.kill()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.eventually("it ended", func() bool { return len(d.processes(id)) == 0 })
	d.run()
	d.eventually("its end is told", func() bool {
		var app struct {
			App struct {
				LastTaskFailure struct{ TaskID, State, Message string }
			}
		}
		d.get("/v2/apps/brief", &app)
		f := app.App.LastTaskFailure
		return f.TaskID == id && f.State == "TASK_FAILED" && strings.Contains(f.Message, "7")
	})
	if q := d.queued("/brief"); q == nil || q.Delay.Overdue {
		t.Errorf("it is not backing off: %+v", q)
	}
}
