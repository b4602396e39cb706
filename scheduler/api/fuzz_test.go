package api

import (
	"os"
	"path/filepath"
	"testing"

	"rollcall/scheduler"
)

// seedDocuments adds the documents of real Marathons, where they are.
func seedDocuments(f *testing.F) {
	for _, pattern := range []string{"seeds/*.json", "docs/*.json", "system-tests/*.json", "raml-examples/app*.json"} {
		files, err := filepath.Glob(filepath.Join(marathonData, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// FuzzDecodeApp: nothing panics, and the normal form of what is accepted is its own normal form.
func FuzzDecodeApp(f *testing.F) {
	seedDocuments(f)
	f.Add([]byte(`{"id": "a", "cmd": "x", "networks": [{"mode": "container/bridge"}], "ports": [0, 0]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		app, _, err := readTestApp(string(data))
		if err != nil {
			if asError(err).Status/100 != 4 {
				t.Fatalf("status %d for a client's fault: %v", asError(err).Status, err)
			}
			return
		}
		roundTrip(t, app)
	})
}

// FuzzDecodeGroup: nothing panics, and every id of what is accepted is in the group.
func FuzzDecodeGroup(f *testing.F) {
	seedDocuments(f)
	f.Add([]byte(`{"id": "g", "apps": [{"id": "a", "cmd": "x"}], "groups": [{"id": "h", "dependencies": ["../a"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parseJSON(data)
		if err != nil {
			return
		}
		r := &reader{}
		o, ok := r.object(v, "")
		if !ok {
			return
		}
		in := readGroupUpdate(o, "/g", testSettings)
		if r.err() == nil {
			checkGroup(t, in)
		}
	})
}

func checkGroup(t *testing.T, in *groupInput) {
	for _, app := range in.apps {
		if app.ID.Parent() != in.id || scheduler.ValidateAppID(string(app.ID)) != nil {
			t.Fatalf("app %s in group %s", app.ID, in.id)
		}
		roundTrip(t, app.App)
	}
	for _, g := range in.groups {
		if g.id.Parent() != in.id || g.id.Validate() != nil {
			t.Fatalf("group %s in group %s", g.id, in.id)
		}
		checkGroup(t, g)
	}
}

// FuzzSelector: nothing panics, and what is accepted asks for labels.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"a", "a==b", "a != b", "a in (b, c\\ d)", "a notin (b),c", "\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSelector(text)
		if err == nil && (len(s) == 0 || s.matches(nil)) {
			t.Fatalf("%q asks for nothing: %+v", text, s)
		}
	})
}

// FuzzMergePatch: any patch of an app is accepted or refused as the client's fault, and what it leaves is an app.
func FuzzMergePatch(f *testing.F) {
	seedDocuments(f)
	f.Add([]byte(`{"container": {"docker": {"image": null}}, "env": {"A": {"secret": "s"}}, "ports": [1], "networks": null}`))
	f.Fuzz(func(t *testing.T, patch []byte) {
		c := newCluster(t)
		c.must(201, "POST", "/v2/apps", `{"id": "/g/a", "instances": 0, "env": {"A": "1"}, "networks": [{"mode": "container/bridge"}],
			"container": {"docker": {"image": "i"}, "volumes": [{"containerPath": "/d", "hostPath": "/d", "mode": "RO"}]}}`)
		if status, answer := c.status("PATCH", "/v2/apps/g/a", string(patch), "Content-Type", mergePatchType); status != 200 && status/100 != 4 {
			t.Fatalf("%d %s", status, answer)
		}
		roundTrip(t, c.State().App("/g/a"))
	})
}
