package api

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// crowd is a cluster with so many apps.
func crowd(t testing.TB, apps int) *cluster {
	t.Helper()
	c := newCluster(t, func(o *Options) { o.RequestsPerSecond = -1 })
	change := func(d *scheduler.Draft) error {
		for n := range apps {
			app := defaultApp()
			app.ID = scheduler.PathID(fmt.Sprintf("/g%d/app%d", n%100, n))
			app.Cmd, app.Role, app.Instances = "sleep 1000", "*", 0
			app.Networks = []scheduler.Network{{Mode: scheduler.NetworkHost}}
			app.Labels = map[string]string{"tier": "front", "description": strings.Repeat("x", 100)}
			d.PutApp(app)
		}
		return nil
	}
	if reply := c.step(scheduler.Update{Change: change})[0]; reply.Err != nil {
		t.Fatal(reply.Err)
	}
	return c
}

// TestLongLists are the same whether they are sent at once or bit by bit, compressed or not, and hold every app once.
func TestLongLists(t *testing.T) {
	for _, apps := range []int{0, 1, 50, 400} {
		c := crowd(t, apps)
		var plain string
		for _, encoding := range []string{"", "gzip"} {
			answer := c.request("GET", "/v2/apps", "", "Accept-Encoding", encoding)
			var body io.Reader = answer.Body
			if compressed := answer.Header.Get("Content-Encoding") == "gzip"; compressed != (encoding == "gzip" && apps > 1) {
				t.Errorf("%d apps, %q: %v", apps, encoding, answer.Header)
			} else if compressed {
				var err error
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			data, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			if length := answer.Header.Get("Content-Length"); (length == "") != (apps == 400) {
				t.Errorf("%d apps: Content-Length %q", apps, length)
			}
			if encoding == "" {
				plain = string(data)
			} else if string(data) != plain {
				t.Errorf("%d apps: compressed they are others", apps)
			}
		}
		list := unmarshal[struct{ Apps []struct{ ID string } }](t, plain)
		seen := map[string]bool{}
		for _, app := range list.Apps {
			seen[app.ID] = true
		}
		if len(seen) != apps || len(list.Apps) != apps {
			t.Errorf("%d apps: %d are listed, %d different", apps, len(list.Apps), len(seen))
		}
		if answer := c.request("HEAD", "/v2/apps", ""); answer.StatusCode != 200 {
			t.Errorf("HEAD: %d", answer.StatusCode)
		} else if data, _ := io.ReadAll(answer.Body); len(data) > 0 {
			t.Errorf("HEAD has a body of %d bytes", len(data))
		}
	}
}

// slowWriter is a client that takes what it gets, and notes how much memory is in use meanwhile.
type slowWriter struct {
	header http.Header
	total  int
	most   uint64
	n      int
}

func (w *slowWriter) Header() http.Header { return w.header }
func (w *slowWriter) WriteHeader(int)     {}
func (w *slowWriter) Write(p []byte) (int, error) {
	w.total += len(p)
	if w.n++; w.n%1000 == 1 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapAlloc)
	}
	return len(p), nil
}

// TestListsTakeNoMemory sends 10,000 apps and at no time holds more of the answer than a small part of it.
func TestListsTakeNoMemory(t *testing.T) {
	c := crowd(t, 10_000)
	version := c.State().Version
	for _, target := range []string{"/v2/apps", "/v2/apps/*", "/v2/groups", "/v2/groups?embed=group.groups&embed=group.apps.tasks",
		"/v2/groups/versions/" + version.String(), "/v2/groups/apps"} {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		w := &slowWriter{header: http.Header{}}
		c.api.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		held := int64(w.most) - int64(before.HeapAlloc)
		t.Logf("%s: of %d bytes at most %d are held", target, w.total, held)
		if w.total < 6<<20 || held > int64(w.total/8) {
			t.Errorf("%s: of an answer of %d bytes %d are held", target, w.total, held)
		}
	}
}

// TestGroupInPieces is the answer of a group that is sent bit by bit: every group and app is in its place.
func TestGroupInPieces(t *testing.T) {
	c := crowd(t, 400)
	c.must(200, "PUT", "/v2/groups/g7/deep", `{"apps": [{"id": "x", "cmd": "x", "instances": 0}], "dependencies": ["../g8"]}`)
	c.must(200, "PATCH", "/v2/groups/g7", `{"enforceRole": true}`)
	type group struct {
		ID           string
		Apps         []struct{ ID string }
		Pods         []any
		Groups       []group
		Dependencies []string
		Version      string
		EnforceRole  *bool
	}
	top := unmarshal[group](t, c.must(200, "GET", "/v2/groups", ""))
	apps, groups := 0, 0
	var walk func(group)
	walk = func(g group) {
		groups++
		if g.Apps == nil || g.Pods == nil || g.Groups == nil || g.Dependencies == nil || g.Version == "" {
			t.Errorf("%s lacks members", g.ID)
		}
		for _, app := range g.Apps {
			apps++
			if string(scheduler.PathID(app.ID).Parent()) != g.ID {
				t.Errorf("%s is in %s", app.ID, g.ID)
			}
		}
		for _, below := range g.Groups {
			if string(scheduler.PathID(below.ID).Parent()) != g.ID {
				t.Errorf("%s is in %s", below.ID, g.ID)
			}
			walk(below)
		}
	}
	walk(top)
	if apps != 401 || groups != 102 {
		t.Errorf("%d apps in %d groups", apps, groups)
	}
	seventh := unmarshal[group](t, c.must(200, "GET", "/v2/groups/g7?embed=group.groups", ""))
	if seventh.EnforceRole == nil || !*seventh.EnforceRole || seventh.Apps != nil || seventh.Pods != nil ||
		len(seventh.Groups) != 1 || len(seventh.Groups[0].Dependencies) != 1 || seventh.Version != top.Version {
		t.Errorf("got %+v", seventh)
	}
}

// TestListHoldsUpNobody changes an app in the middle of a list.
func TestListHoldsUpNobody(t *testing.T) {
	c := crowd(t, 10)
	changed := false
	err := respondList(&slowWriter{header: http.Header{}}, httptest.NewRequest("GET", "/v2/apps", nil), "apps", func(yield func(json.RawMessage) bool) {
		for range c.State().Apps() {
			if !changed {
				c.must(201, "POST", "/v2/apps", `{"id": "/new", "cmd": "x", "instances": 0}`)
				changed = true
			}
			if !yield(json.RawMessage(`{}`)) {
				return
			}
		}
	})
	if err != nil || !changed {
		t.Error(err, changed)
	}
}

// BenchmarkListApps is GET /v2/apps over 10,000 apps.
func BenchmarkListApps(b *testing.B) {
	c := crowd(b, 10_000)
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", "/v2/apps?embed=apps.tasks", nil)
				r.Header.Set("Accept-Encoding", encoding)
				w := &countWriter{header: http.Header{}}
				c.api.ServeHTTP(w, r)
				b.SetBytes(w.total)
			}
		})
	}
}

type countWriter struct {
	header http.Header
	total  int64
}

func (w *countWriter) Header() http.Header { return w.header }
func (w *countWriter) WriteHeader(int)     {}
func (w *countWriter) Write(p []byte) (int, error) {
	w.total += int64(len(p))
	return len(p), nil
}
