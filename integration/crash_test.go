package integration

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// crashPoints is how many times rollcall is killed at a write of its store.
const crashPoints = 100

// wanted is what clients of a rollcall that is killed again and again know: apps with the numbers of instances that
// were acknowledged. A request that was under way when it died may have been carried out or not: both are possible.
type wanted map[string][]int

// At each of many writes and fsyncs of the store rollcall is killed, as by a power cut. Afterwards every acknowledged
// change is there, and no task was lost, started twice or restarted.
func TestKilledAtWritesOfTheStore(t *testing.T) {
	require(t, "strace")
	dir := t.TempDir()
	book := filepath.Join(dir, "ledger")
	d := start(t, newConfig(dir))
	apps := wanted{}
	random := rand.New(rand.NewPCG(1, 2))
	for point := range crashPoints {
		tracer := d.killAtWrite(1 + point%17)
		for alive(d.process.Process.Pid) {
			d.change(apps, book, random)
		}
		tracer.stop()
		<-d.exited
		d.run()
		d.checkAcknowledged(apps)
	}
	want := 0
	for id, instances := range apps {
		d.eventually(fmt.Sprintf("%s has %d tasks", id, instances[0]), func() bool { return len(d.tasks(id)) == instances[0] })
		want += instances[0]
	}
	var all struct{ Tasks []task }
	d.eventually("those of apps that were removed have ended", func() bool {
		all.Tasks = nil
		d.get("/v2/tasks", &all)
		return len(all.Tasks) == want
	})
	present := map[string]bool{}
	for _, task := range all.Tasks {
		present[task.ID] = true
		d.eventually("the task wrote its line", func() bool { _, pids := ledger(t, book); return pids[task.ID] != 0 })
	}
	started, pids := ledger(t, book)
	ran := map[string]string{} // by instance: the task that ran
	for _, id := range started {
		instance, _, _ := strings.Cut(id, "._app.")
		if other := ran[instance]; other != "" {
			t.Errorf("nobody touched %s, and yet %s was started in its place", other, id)
		}
		ran[instance] = id
	}
	for id, pid := range pids {
		if present[id] && !d.isTask(pid) {
			t.Errorf("%s is dead", id)
		}
		if !present[id] {
			d.eventually(id+", which nobody wants, is gone", func() bool { return !d.isTask(pid) })
		}
	}
}

// A disk that takes its time holds up who wants something stored, and nobody else: names and reads go on meanwhile.
func TestSlowDisk(t *testing.T) {
	require(t, "strace", "dig")
	d := start(t, newConfig(t.TempDir()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "exec sleep 100000", "cpus": 0.01, "mem": 16}`)
	d.running("/a", 1)
	d.eventually("DNS has it", func() bool { return len(d.addresses("a.marathon.mesos")) == 1 })
	slow := d.trace("-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=3s")
	stored := make(chan int)
	go func() {
		stored <- d.try(http.MethodPost, "/v2/apps", `{"id": "/b", "cmd": "sleep 1", "instances": 0, "cpus": 0.01, "mem": 16}`)
	}()
	w := watch(t, d.dns, "a.marathon.mesos", 1)
	reads := 0
	for status := 0; status == 0; {
		select {
		case status = <-stored:
			if status != http.StatusCreated {
				t.Errorf("the change: %d", status)
			}
		default:
			d.must(http.StatusOK, http.MethodGet, "/v2/apps/a", "")
			d.must(http.StatusOK, http.MethodGet, "/ping", "")
			reads++
		}
	}
	w.end(t, "meanwhile")
	if reads < 10 {
		t.Errorf("%d reads while a change was being stored", reads)
	}
	slow.stop()
	d.running("/a", 1)
}

// isTask says whether a process is one of this rollcall's tasks; its number alone does not tell.
func (d *daemon) isTask(pid int) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && strings.HasPrefix(cwd, d.dir) && alive(pid)
}

// tracer is an strace of a rollcall's store.
type tracer struct{ process *exec.Cmd }

// killAtWrite has rollcall killed at the n-th write or fsync that one of its threads makes on the store's file.
func (d *daemon) killAtWrite(n int) tracer {
	d.t.Helper()
	return d.trace("-e", "trace=pwrite64,fdatasync", "-e", fmt.Sprintf("inject=pwrite64,fdatasync:signal=SIGKILL:when=%d", n))
}

// trace has strace watch what rollcall does with its store.
func (d *daemon) trace(options ...string) tracer {
	d.t.Helper()
	c := exec.Command("strace", append(options, "-f", "-o", "/dev/null", "-P", filepath.Join(d.dir, "data", "state.db"),
		"-p", strconv.Itoa(d.process.Process.Pid))...)
	stderr, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		d.t.Fatalf("strace: %q, %v", line, err)
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with strace
	return tracer{c}
}

// stop ends strace at once, which would go on with the supervisors that were started meanwhile; they run on.
func (t tracer) stop() {
	t.process.Process.Kill() //nolint:errcheck // it may have ended with rollcall
	t.process.Wait()         //nolint:errcheck // how it ends does not matter
}

// change makes a random change through the API, and keeps account of what came back.
func (d *daemon) change(apps wanted, book string, random *rand.Rand) {
	ids := slices.Sorted(maps.Keys(apps))
	id := fmt.Sprintf("/app-%d", random.IntN(1000))
	if len(ids) > 3 {
		id = ids[random.IntN(len(ids))]
	}
	before, after := apps[id], 0
	if before == nil {
		before = []int{0}
	}
	var status int
	if len(ids) > 3 && random.IntN(3) == 0 {
		status = d.try(http.MethodDelete, "/v2/apps"+id, "")
	} else {
		after = 1 + random.IntN(2)
		status = d.try(http.MethodPut, "/v2/apps"+id+"?force=true", ledgerApp(id, book, after))
	}
	switch {
	case status == 0: // it died over it
		apps[id] = append(slices.Clone(before), after)
	case status < 300 && after == 0:
		delete(apps, id)
	case status < 300:
		apps[id] = []int{after}
	}
}

// try sends a request and returns the answer's status, 0 when none came.
func (d *daemon) try(method, path, body string) int {
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.api+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// checkAcknowledged compares the apps there are with those acknowledged, and settles which of two possible outcomes
// an interrupted request had.
func (d *daemon) checkAcknowledged(apps wanted) {
	d.t.Helper()
	var all struct {
		Apps []struct {
			ID        string
			Instances int
		}
	}
	d.get("/v2/apps", &all)
	there := map[string]int{}
	for _, a := range all.Apps {
		there[a.ID] = a.Instances
	}
	for id, possible := range apps {
		if !slices.Contains(possible, there[id]) {
			d.t.Fatalf("%s was acknowledged with %v instances and has %d", id, possible, there[id])
		}
		apps[id] = []int{there[id]}
		if there[id] == 0 {
			delete(apps, id)
		}
	}
	for id := range there {
		if apps[id] == nil {
			d.t.Fatalf("%s is there, and was never asked for or was removed", id)
		}
	}
}
