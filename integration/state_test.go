package integration

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A state that is damaged, or gone, costs no task: rollcall does not start and names the file, and once the file is back
// all tasks are its own again. Over a new state it leaves them alone.
func TestStateDamagedOrGone(t *testing.T) {
	dir := t.TempDir()
	c, book := newConfig(dir), filepath.Join(dir, "ledger")
	d := start(t, c)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", ledgerApp("/a", book, 2))
	d.running("/a", 2)
	d.eventually("the deployment ends", func() bool { return d.deployments() == 0 })
	before := taskIDs(d.tasks("/a"))
	started := func() []string { ids, _ := ledger(t, book); return ids }
	d.eventually("both have started", func() bool { return len(started()) == 2 })
	alone := func(when string) {
		t.Helper()
		_, pids := ledger(t, book)
		for id, pid := range pids {
			if !alive(pid) {
				t.Errorf("%s: %s is dead", when, id)
			}
		}
		if len(pids) != 2 {
			t.Errorf("%s: started were %v", when, started())
		}
	}
	d.kill()
	state := filepath.Join(dir, "data", "state.db")
	sound, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(state, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Pages that are free hold it, too.
	instance, _, _ := strings.Cut(before[0], "._app")
	flipped := bytes.ReplaceAll(sound, []byte(instance), []byte("b"+instance[1:]))
	if bytes.Equal(flipped, sound) {
		t.Fatalf("the state does not hold %s", instance)
	}
	for name, content := range map[string][]byte{"changed octets": flipped, "cut short": sound[:len(sound)/2], "not a state": []byte("hello")} {
		replace(content)
		says(t, refused(t, c), state)
		if now, err := os.ReadFile(state); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
		alone(name)
	}

	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	d.run()
	d.must(http.StatusNotFound, http.MethodGet, "/v2/apps/a", "")
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", `{"id": "/b", "cmd": "exec sleep 100000", "cpus": 0.01, "mem": 16}`)
	d.running("/b", 1)
	alone("over a new state")
	d.must(http.StatusOK, http.MethodDelete, "/v2/apps/b", "")
	d.eventually("that is gone", func() bool { return d.deployments() == 0 })
	d.kill()

	replace(sound)
	d.run()
	d.eventually("they are its own again", func() bool { return slices.Equal(taskIDs(d.tasks("/a")), before) })
	alone("with the state back")
}

// The state that an earlier rollcall has written is read. testdata/state-1.db.gz is of the first format: two apps in a
// group that run nothing, one of them in its second version.
func TestStateOfEarlierRollcall(t *testing.T) {
	packed, err := os.Open(filepath.Join("testdata", "state-1.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	state, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "state.db"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, newConfig(dir))
	var all struct {
		Apps []struct {
			ID, Cmd      string
			Labels       map[string]string
			Dependencies []string
		}
	}
	d.get("/v2/apps", &all)
	if len(all.Apps) != 2 || all.Apps[0].ID != "/shop/db" || all.Apps[1].Labels["version"] != "2" || !slices.Equal(all.Apps[1].Dependencies, []string{"/shop/db"}) {
		t.Errorf("apps: %+v", all.Apps)
	}
	var versions struct{ Versions []string }
	d.get("/v2/apps/shop/web/versions", &versions)
	if len(versions.Versions) != 2 {
		t.Errorf("versions: %v", versions.Versions)
	}
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/shop/web", `{"labels": {"version": "3"}}`)
}
