package integration

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/integration/mesosmaster"
)

// marathonDump is a group of 100 apps as a Marathon wrote it.
const marathonDump = "../../shared/testdata/marathon/dumps/group-tree-155_100.json"

// migrate runs rollcall migrate marathon, which has to exit with a code.
func migrate(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	c := exec.Command(binary, append([]string{"migrate", "marathon"}, args...)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != code {
		t.Fatalf("migrate %s: %v, want exit code %d\n%s%s", strings.Join(args, " "), err, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func requireDump(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(marathonDump); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the dump of a Marathon is missing: %v", err)
		}
		t.Skipf("NOT MIGRATED FROM A DUMP: it is missing: %v", err)
	}
}

// What a Marathon wrote is what rollcall has afterwards; what it cannot have is named, and stops the rest unless that
// is wanted.
func TestMigrateFromDump(t *testing.T) {
	requireDump(t)
	c := newConfig(t.TempDir())
	c["scheduler"].(map[string]any)["engine"] = "local"
	d := start(t, c)
	apps := func() int {
		var all struct{ Apps []task }
		d.get("/v2/apps", &all)
		return len(all.Apps)
	}
	if out, _ := migrate(t, 0, "-from-file", marathonDump, "-to", d.api, "-dry-run"); !strings.Contains(out, "100 apps would be brought over") {
		t.Errorf("it says %q", out)
	}
	if n := apps(); n != 0 {
		t.Fatalf("a dry run made %d apps", n)
	}
	migrate(t, 0, "-from-file", marathonDump, "-to", d.api, "-suspended")
	if n := apps(); n != 100 {
		t.Fatalf("%d apps are there, not 100", n)
	}

	backup := filepath.Join(t.TempDir(), "apps.json")
	content := `{"apps": [
		{"id": "/a", "cmd": "sleep 1000", "instances": 0}, {"id": "/data/db", "cmd": "x", "container": {"type": "MESOS",
		"volumes": [{"containerPath": "data", "mode": "RW", "persistent": {"size": 10}}]}},
		{"id": "/g/bad", "instances": 1}, {"id": "/g/good", "cmd": "sleep 1000", "instances": 0}]}`
	if err := os.WriteFile(backup, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs := migrate(t, 1, "-from-file", backup, "-to", d.api); !strings.Contains(errs, "which would be removed: /cudcos/mactest1") {
		t.Errorf("apps that are there are not spared: %s", errs)
	}
	d.must(http.StatusOK, http.MethodDelete, "/v2/groups", "")
	d.eventually("the apps are gone", func() bool { return apps() == 0 })
	_, errs := migrate(t, 1, "-from-file", backup, "-to", d.api)
	for _, left := range []string{"left: app /data/db: it has a persistent volume", "left: app /g/bad: ", "2 of 4"} {
		if !strings.Contains(errs, left) {
			t.Errorf("it does not say %q, but\n%s", left, errs)
		}
	}
	if n := apps(); n != 0 {
		t.Fatalf("%d apps were brought over without -partial", n)
	}
	migrate(t, 0, "-from-file", backup, "-to", d.api, "-partial")
	if n := apps(); n != 2 {
		t.Errorf("%d apps were brought over, not the 2 that can be", n)
	}
}

// A framework's tasks go on under a rollcall that has never seen it. The one that has them before stands for a
// Marathon: what is read of it is in Marathon's form, and is all that goes over.
func TestMigrateAdoptsTasks(t *testing.T) {
	require(t, "dig", "busybox")
	c := newStandIn(t, mesosmaster.Options{})
	old := startOnMesos(t, c)
	old.must(http.StatusCreated, http.MethodPost, "/v2/apps", webApp("/shop/web", 2, `, "constraints": [["hostname", "UNIQUE"]]`))
	old.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 3}`)
	before := old.running("/shop/web", 2)
	old.running("/a", 3)
	old.eventually("the deployments end", func() bool { return old.deployments() == 0 })
	old.must(http.StatusOK, http.MethodPut, "/v2/apps/a", `{"instances": 2}`)
	old.eventually("one is gone", func() bool { return len(c.PIDs()) == 4 && old.deployments() == 0 })
	pids, frameworks := c.PIDs(), c.Frameworks()
	backup := filepath.Join(t.TempDir(), "marathon.json")
	migrate(t, 0, "-from", old.api, "-save", backup)

	dir := t.TempDir()
	d := &daemon{t: t, dir: dir}
	d.write(newMesosConfig(dir, c.Leader().Address()))
	t.Cleanup(d.cleanUp)
	if out, _ := migrate(t, 0, "-from-file", backup, "-adopt", "-config", d.configPath(), "-dry-run"); !strings.Contains(out, "2 apps with 4 tasks") {
		t.Errorf("it says %q", out)
	}
	migrate(t, 0, "-from-file", backup, "-adopt", "-config", d.configPath())
	if _, errs := migrate(t, 1, "-from-file", backup, "-adopt", "-config", d.configPath()); !strings.Contains(errs, "the state is not empty") {
		t.Errorf("a second time it says %q", errs)
	}
	old.kill()
	d.run()
	after := d.running("/shop/web", 2)
	d.running("/a", 2)
	byID := func(a, b task) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(before, byID)
	slices.SortFunc(after, byID)
	for n := range before {
		if before[n].ID != after[n].ID || before[n].Host != after[n].Host || !slices.Equal(before[n].Ports, after[n].Ports) {
			t.Errorf("the task %v is %v now", before[n], after[n])
		}
	}
	d.eventually("it has taken the framework over", func() bool { return strings.Contains(d.output(), frameworks[0]) && len(c.Frameworks()) == 1 })
	if got := c.Frameworks(); !slices.Equal(got, frameworks) {
		t.Errorf("the frameworks are %v, not %v", got, frameworks)
	}
	d.eventually("DNS has the tasks", func() bool { return len(d.addresses("web.shop.marathon.mesos")) == 2 })

	// They are rollcall's own now: scaled up, they stay.
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/shop/web", `{"instances": 3}`)
	d.running("/shop/web", 3)
	d.eventually("the deployment ends", func() bool { return d.deployments() == 0 })
	now := c.PIDs()
	maps.DeleteFunc(now, func(id string, _ int) bool { return pids[id] == 0 })
	if !maps.Equal(pids, now) {
		t.Errorf("tasks were %v and are %v", pids, now)
	}
	// They end as others do.
	d.must(http.StatusOK, http.MethodDelete, "/v2/groups?force=true", "")
	d.eventually("all tasks have ended", func() bool { return len(c.PIDs()) == 0 })
}

// Rollcalls that share their state in ZooKeeper adopt as one that has it to itself, but not while any of them runs.
func TestMigrateAdoptsIntoZooKeeper(t *testing.T) {
	z := startZooKeeper(t)
	c := newStandIn(t, mesosmaster.Options{})
	old := startOnMesos(t, c)
	old.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/a", "cmd": "sleep 100000", "cpus": 0.1, "mem": 32, "instances": 2}`)
	before := taskIDs(old.running("/a", 2))
	old.eventually("the deployment ends", func() bool { return old.deployments() == 0 })
	pids := c.PIDs()
	conf := newMesosConfig(t.TempDir(), c.Leader().Address())
	conf["scheduler"].(map[string]any)["zk"] = "zk://" + strings.Join(z.clients, ",") + "/rollcall"
	conf["scheduler"].(map[string]any)["zkSessionTimeout"] = peerSession
	d := &daemon{t: t, dir: filepath.Dir(conf["scheduler"].(map[string]any)["dataDir"].(string))}
	d.write(conf)
	t.Cleanup(d.cleanUp)
	migrate(t, 0, "-from", old.api, "-adopt", "-config", d.configPath())
	backup := filepath.Join(t.TempDir(), "marathon.json")
	migrate(t, 0, "-from", old.api, "-save", backup)
	old.kill()
	d.run()
	d.eventually("it leads", func() bool {
		status, _, _ := d.request(http.MethodGet, "/v2/apps/a", "")
		return status == http.StatusOK
	})
	after := taskIDs(d.running("/a", 2))
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) || !maps.Equal(pids, c.PIDs()) {
		t.Errorf("tasks were %v, %v and are %v, %v", before, pids, after, c.PIDs())
	}
	if _, errs := migrate(t, 1, "-from-file", backup, "-adopt", "-config", d.configPath()); !strings.Contains(errs, "uses the state in ZooKeeper") {
		t.Errorf("beside a rollcall that runs it says %q", errs)
	}
}
