package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// seed reads a document of the blog posts that rollcall grew from. They lie outside the repository: a clone may lack
// them, CI may not.
func seed(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(moduleRoot(t), "..", "shared", "testdata", "marathon", "seeds", name))
	if os.IsNotExist(err) && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED: the seeds are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tarball packs files as hello.tar.gz serves them.
func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	for name, content := range files {
		if err := pack.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := pack.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The Rails app of seed 003 with a stand-in for bundle: its command line and its uris run as the author typed them;
// PUT {"instances": n} scales it up and down without restarting anything.
func TestRailsApp(t *testing.T) {
	require(t, "dig", "bash")
	archive := tarball(t, map[string]string{
		"hello/bundle": "#!/bin/sh\necho bundle $RAILS_ENV $*\n[ \"$1\" = install ] || exec sleep 1000\n",
	})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/hello.tar.gz" {
			http.NotFound(w, r)
			return
		}
		w.Write(archive) //nolint:errcheck // the client notices
	}))
	defer web.Close()

	var app map[string]any
	if err := json.Unmarshal(seed(t, "003-rails-app.reconstructed.json"), &app); err != nil {
		t.Fatal(err)
	}
	app["cmd"] = "export PATH=$MESOS_SANDBOX/hello:$PATH && " + strings.TrimSpace(string(seed(t, "003-rails-cmd.txt")))
	app["uris"] = []string{web.URL + "/hello.tar.gz"}
	body, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, newConfig(t.TempDir()))
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", string(body))
	const id, name = "/rails-app-on-mesos-marathon", "rails-app-on-mesos-marathon.marathon.mesos"
	d.eventually("the app runs and is found", func() bool { return len(d.tasks(id)) == 1 && len(d.addresses(name)) == 1 })
	first := d.tasks(id)[0]
	d.eventually("its command runs", func() bool {
		return strings.Contains(d.sandboxFile(first.ID, "stdout"), "bundle production exec unicorn -p 9999")
	})

	d.must(http.StatusOK, http.MethodPut, "/v2/apps"+id, `{"instances": 3}`)
	d.eventually("three run", func() bool { return len(d.tasks(id)) == 3 })
	d.eventually("three are found by SRV", func() bool {
		return len(d.dig("+short", "_rails-app-on-mesos-marathon._tcp.marathon.mesos", "SRV")) == 3*4
	})
	d.must(http.StatusOK, http.MethodPut, "/v2/apps"+id, `{"instances": 1}`)
	d.eventually("one is left", func() bool { return len(d.tasks(id)) == 1 && len(d.addresses(name)) == 1 })
	if !slices.ContainsFunc(d.tasks(id), func(t task) bool { return t.ID == first.ID }) {
		t.Logf("the youngest goes first, so the first task stays: %v", d.tasks(id))
		t.Fail()
	}
}

// sandboxFile reads a file of a task's sandbox, "" while there is none.
func (d *daemon) sandboxFile(taskID, name string) string {
	data, err := os.ReadFile(filepath.Join(d.dir, "data", "local", "tasks", taskID, "sandbox", name))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	return string(data)
}
