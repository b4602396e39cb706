package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func ask(t *testing.T, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestFiles(t *testing.T) {
	for _, c := range []struct {
		path, contentType string
		status            int
	}{
		{"/ui/", "text/html; charset=utf-8", 200},
		{"/ui/main.js", "text/javascript; charset=utf-8", 200},
		{"/ui/style.css", "text/css; charset=utf-8", 200},
		{"/ui/icon.svg", "image/svg+xml", 200},
		{"/ui/absent.css", "text/plain; charset=utf-8", 404},
		{"/ui/../ui.go", "text/plain; charset=utf-8", 404},
	} {
		got := ask(t, http.MethodGet, c.path, nil)
		if got.StatusCode != c.status || got.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s: %s, %s", c.path, got.Status, got.Header.Get("Content-Type"))
		}
		if policy := got.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", c.path, policy)
		}
	}
}

// A browser that has the files of this version is told so.
func TestUnchanged(t *testing.T) {
	tag := ask(t, http.MethodGet, "/ui/main.js", nil).Header.Get("ETag")
	if got := ask(t, http.MethodGet, "/ui/main.js", http.Header{"If-None-Match": {tag}}); got.StatusCode != http.StatusNotModified {
		t.Errorf("%s for the tag %s", got.Status, tag)
	}
	if got := ask(t, http.MethodGet, "/ui/main.js", http.Header{"If-None-Match": {`"other"`}}); got.StatusCode != http.StatusOK {
		t.Errorf("%s for another tag", got.Status)
	}
}

// The page needs nothing from elsewhere, and has nothing inline that the policy would forbid.
func TestSelfContained(t *testing.T) {
	entries, err := files.ReadDir("static")
	if err != nil || len(entries) < 8 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		data, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")
		for _, foreign := range []string{"http://", "https://", "style=\"", "onclick", "<style", "javascript:", "innerHTML"} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s holds %s", e.Name(), foreign)
			}
		}
	}
}
