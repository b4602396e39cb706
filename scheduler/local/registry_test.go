package local

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// testRegistry is a registry of one image, "app:1", for user and password "secret" (OCI Distribution Specification,
// "Pull"; the login is HTTP's basic one). It is on a loopback address, where Docker does without TLS.
type testRegistry struct {
	*httptest.Server
	once  sync.Once
	stuck chan struct{} // closed: it answers
	asked chan struct{} // holds a token once it was asked

	mu    sync.Mutex
	blobs map[string][]byte
}

func newRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{stuck: make(chan struct{}), asked: make(chan struct{}, 1), blobs: map[string][]byte{}}
	r.put(t, "first")
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() { r.answer(); r.Close() })
	return r
}

// answer has the registry answer from now on.
func (r *testRegistry) answer() { r.once.Do(func() { close(r.stuck) }) }

func (r *testRegistry) image() string { return r.Listener.Addr().String() + "/app:1" }

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// put makes an image whose command says something the one that "app:1" is.
func (r *testRegistry) put(t *testing.T, says string) {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	layer := tarOf(t, member{name: "bin/busybox", content: string(busybox), mode: 0o755},
		member{name: "bin/echo", kind: tar.TypeSymlink, link: "busybox"}, member{name: "bin/sleep", kind: tar.TypeSymlink, link: "busybox"})
	config, err := json.Marshal(map[string]any{"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Cmd": []string{"/bin/echo", says}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}}})
	if err != nil {
		t.Fatal(err)
	}
	packed := gzipOf(t, layer)
	const kind = "application/vnd.docker."
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": kind + "distribution.manifest.v2+json",
		"config": map[string]any{"mediaType": kind + "container.image.v1+json", "size": len(config), "digest": digest(config)},
		"layers": []any{map[string]any{"mediaType": kind + "image.rootfs.diff.tar.gzip", "size": len(packed), "digest": digest(packed)}}})
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, content := range map[string][]byte{"1": manifest, digest(manifest): manifest, digest(config): config, digest(packed): packed} {
		r.blobs[name] = content
	}
}

func (r *testRegistry) serve(w http.ResponseWriter, q *http.Request) {
	notify(r.asked)
	select {
	case <-r.stuck:
	case <-q.Context().Done():
		return
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if user, password, _ := q.BasicAuth(); user != "secret" || password != "secret" {
		w.Header().Set("WWW-Authenticate", `Basic realm="of the test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if q.URL.Path == "/v2/" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	content, ok := r.blobs[filepath.Base(q.URL.Path)]
	if !ok {
		http.NotFound(w, q)
		return
	}
	if strings.Contains(q.URL.Path, "/manifests/") {
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
		w.Header().Set("Docker-Content-Digest", digest(content))
	}
	_, _ = w.Write(content)
}

// The ways to give credentials that Marathon's documentation has: a fetched .dockercfg, and a fetched archive with
// .docker/config.json in it.
func TestPrivateRegistry(t *testing.T) {
	d := sharedDaemon(t)
	registry := newRegistry(t)
	registry.answer()
	host := registry.Listener.Addr().String()
	login := fmt.Sprintf(`{"auth": %q, "email": "a@example.com"}`, base64.StdEncoding.EncodeToString([]byte("secret:secret")))
	old := fmt.Sprintf(`{"https://%s/v1/": %s}`, host, login)
	archive := gzipOf(t, tarOf(t, member{name: ".docker/config.json", content: fmt.Sprintf(`{"auths": {%q: %s}}`, host, login)}))
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = w.Write(map[string][]byte{"/.dockercfg": []byte(old), "/docker.tar.gz": archive, "/broken/.dockercfg": []byte("{")}[q.URL.Path])
	}))
	t.Cleanup(files.Close)
	forget := func() {
		_, _ = d.api.ImageRemove(t.Context(), registry.image(), client.ImageRemoveOptions{Force: true})
	}
	t.Cleanup(forget)
	r := newContainerRig(t, d, Options{})
	for _, test := range []struct {
		id, uri string
		state   scheduler.TaskState
		message string
	}{
		{"none", "", scheduler.TaskFailed, "no basic auth credentials"},
		{"broken", "/broken/.dockercfg", scheduler.TaskFailed, ".dockercfg: unexpected end of JSON input"},
		{"old", "/.dockercfg", scheduler.TaskFinished, "Container exited with status 0"},
		{"new", "/docker.tar.gz", scheduler.TaskFinished, "Container exited with status 0"},
	} {
		t.Run(test.id, func(t *testing.T) {
			forget()
			task := scheduler.TaskInfo{ID: scheduler.TaskID(test.id), Container: image(scheduler.Docker{Image: registry.image()})}
			if test.uri != "" {
				task.Fetch = []scheduler.Fetch{{URI: files.URL + test.uri, Extract: true}}
			}
			r.launch(task)
			if s := r.status(task.ID, test.state); !strings.Contains(s.Message, test.message) {
				t.Errorf("message is %q, want in it %q", s.Message, test.message)
			}
		})
	}

	// An image that is there is taken as it is, unless it is to be pulled in any case.
	registry.put(t, "second")
	for _, test := range []struct {
		id    scheduler.TaskID
		force bool
		want  string
	}{{"again", false, "first\n"}, {"forced", true, "second\n"}} {
		r.launch(scheduler.TaskInfo{ID: test.id, Fetch: []scheduler.Fetch{{URI: files.URL + "/.dockercfg"}},
			Container: image(scheduler.Docker{Image: registry.image(), ForcePullImage: test.force})})
		r.status(test.id, scheduler.TaskFinished)
		if got := r.sandboxFile(test.id, "stdout"); got != test.want {
			t.Errorf("%s ran the image that says %q, want %q", test.id, got, test.want)
		}
	}
}

// A task whose image is being pulled is not starting yet, so that no health check's grace runs; the pull has a limit
// of its own, and a kill need not wait for it.
func TestSlowRegistry(t *testing.T) {
	d := sharedDaemon(t)
	registry := newRegistry(t)
	r := newContainerRig(t, d, Options{PullTimeout: 100 * time.Millisecond})
	slow := func(id scheduler.TaskID) {
		r.launch(scheduler.TaskInfo{ID: id, Container: image(scheduler.Docker{Image: registry.image()})})
	}
	slow("late")
	s := r.statusThat("late", func(s scheduler.TaskStatus) bool {
		if !s.State.Terminal() && s.State != scheduler.TaskStaging {
			t.Errorf("it is %s while its image is pulled", s.State)
		}
		return s.State.Terminal()
	})
	if s.State != scheduler.TaskFailed || !strings.HasSuffix(s.Message, "app:1: it is not there after 100ms") {
		t.Errorf("got %+v", s)
	}

	r = newContainerRig(t, d, Options{})
	slow("killed")
	select {
	case <-registry.asked:
	case <-time.After(patience):
		t.Fatal("the registry is not asked")
	}
	r.engine.Kill(scheduler.TaskRef{TaskID: "killed"})
	if s := r.status("killed", scheduler.TaskKilled); s.Message != "Task was killed before it started" {
		t.Errorf("got %+v", s)
	}
}

func TestRegistryAuth(t *testing.T) {
	own := t.TempDir()
	t.Setenv("DOCKER_CONFIG", own)
	text := func(user string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":p:w")) }
	auths := func(host, user string) string {
		return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}, "credsStore": "desktop"}`, host, text(user))
	}
	write := func(dir, name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(own, "config.json", auths("own.example", "rollcall"))
	sandbox := t.TempDir()
	write(sandbox, loginFile, auths("new.example:5000", "new"))
	write(sandbox, oldLoginFile, fmt.Sprintf(`{"https://index.docker.io/v1/": {"auth": %q}}`, text("hub")))
	for image, want := range map[string]string{
		"new.example:5000/a/b":      "new",
		"busybox":                   "hub",
		"docker.io/crate/crate:0.4": "hub",
		"own.example/x@sha256:" + strings.Repeat("a", 64): "rollcall",
		"other.example/x": "",
	} {
		auth, err := registryAuth(image, sandbox)
		if err != nil {
			t.Errorf("%s: %v", image, err)
			continue
		}
		login, err := authconfig.Decode(auth)
		if err != nil || login.Username != want || want != "" && login.Password != "p:w" {
			t.Errorf("login for %s is %+v (%v), want %q", image, login, err, want)
		}
	}

	// What was fetched lends nobody the logins of others.
	outside := t.TempDir()
	write(outside, "config.json", auths("other.example", "thief"))
	stolen := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(stolen, ".docker")); err != nil {
		t.Fatal(err)
	}
	if auth, err := registryAuth("other.example/x", stolen); auth != "" || err == nil {
		t.Errorf("by a link that leads outside: %q, %v", auth, err)
	}
}
