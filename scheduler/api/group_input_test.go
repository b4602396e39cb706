package api

import (
	"slices"
	"strings"
	"testing"

	"rollcall/scheduler"
)

// TestMisplacedGroups reads objects among apps that hold apps or groups.
func TestMisplacedGroups(t *testing.T) {
	const taken = ` is a group and was taken as one: it belongs in groups, not in apps"`
	tests := []struct {
		name, body string
		warnings   []string
		apps       []scheduler.PathID
	}{
		{"the group itself", `{"id": "/g", "apps": [{"id": "/g", "apps": [{"id": "a", "cmd": "x"}]}]}`,
			[]string{"/apps(0)"}, []scheduler.PathID{"/g/a"}},
		{"beside an app", `{"id": "/g", "apps": [{"id": "b", "cmd": "x"}, {"id": "/g", "apps": [{"id": "a", "cmd": "x"}]}]}`,
			[]string{"/apps(1)"}, []scheduler.PathID{"/g/a", "/g/b"}},
		{"a group below", `{"id": "/g", "apps": [{"id": "h", "apps": [{"id": "a", "cmd": "x"}]}]}`,
			[]string{"/apps(0)"}, []scheduler.PathID{"/g/h/a"}},
		{"beside groups", `{"id": "/g", "groups": [{"id": "i", "apps": [{"id": "b", "cmd": "x"}]}], "apps": [{"id": "h", "groups": [{"id": "j", "apps": [{"id": "a", "cmd": "x"}]}]}]}`,
			[]string{"/apps(0)"}, []scheduler.PathID{"/g/h/j/a", "/g/i/b"}},
		{"deeper", `{"id": "/g", "apps": [{"id": "h", "apps": [{"id": "/g/h", "apps": [{"id": "a", "cmd": "x"}]}]}]}`,
			[]string{"/apps(0)", "/apps(0)/apps(0)"}, []scheduler.PathID{"/g/h/a"}},
		{"empty", `{"id": "/g", "apps": [{"id": "h", "apps": []}]}`, []string{"/apps(0)"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			answer := c.request("POST", "/v2/groups", test.body)
			if answer.StatusCode != 201 {
				t.Fatalf("POST = %d", answer.StatusCode)
			}
			var want []string
			for _, path := range test.warnings {
				want = append(want, `299 rollcall "`+path+taken)
			}
			got := answer.Header.Values("Warning")
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("warnings %q, want %q", got, want)
			}
			var apps []scheduler.PathID
			for app := range c.State().Apps() {
				apps = append(apps, app.ID)
			}
			if slices.Sort(apps); !slices.Equal(apps, test.apps) {
				t.Errorf("apps %q, want %q", apps, test.apps)
			}
		})
	}
}

// TestMisplacedGroupsRefused reads such objects that are wrong as groups, too.
func TestMisplacedGroupsRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"id": "/g", "apps": [{"id": "a", "cmd": "x", "apps": []}]}`:                                      `an app holds no apps`,
		`{"id": "/g", "apps": [{"id": "/h", "apps": []}]}`:                                                 `Identifier is not child of '/g'`,
		`{"id": "/g", "apps": [{"apps": []}]}`:                                                             `error.path.missing`,
		`{"id": "/g", "apps": [{"id": 3, "apps": []}]}`:                                                    `error.expected.jsstring`,
		`{"id": "/g", "apps": [{"id": "h", "apps": {}}]}`:                                                  `error.expected.jsarray`,
		`{"id": "/g", "groups": [{"id": "h"}], "apps": [{"id": "h", "apps": []}]}`:                         `'/g/h' is there twice`,
		`{"id": "/g", "apps": [{"id": "a", "cmd": "x"}, {"id": "/g", "apps": [{"id": "a", "cmd": "x"}]}]}`: `'/g/a' is there twice`,
	} {
		if status, answer := newCluster(t).status("POST", "/v2/groups", body); status != 422 || !strings.Contains(answer, want) {
			t.Errorf("POST %s = %d %s, want %s", body, status, answer, want)
		}
	}
}

// TestNotAlone refuses what asks for a rollback or a scaling beside other members, at any depth: Marathon never did the
// rest of such a request.
func TestNotAlone(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/groups", `{"id": "/g", "apps": [{"id": "a", "cmd": "x"}]}`)
	version := `"version": "` + c.State().Version.String() + `"`
	for body, path := range map[string]string{
		`{` + version + `, "apps": []}`:               "/version",
		`{` + version + `, "id": "/g", "groups": []}`: "/version",
		`{` + version + `, "dependencies": []}`:       "/version",
		`{"groups": [{"id": "h", ` + version + `}]}`:  "/groups(0)/version",
		`{"scaleBy": 2, "id": "/g"}`:                  "/scaleBy",
		`{"scaleBy": 2, "apps": []}`:                  "/scaleBy",
		`{"scaleBy": 2, ` + version + `}`:             "/scaleBy",
	} {
		want := `{"message":"Object is not valid","details":[{"path":"` + path + `","errors":["not allowed in conjunction with other properties."]}]}`
		if status, got := c.status("PUT", "/v2/groups/g?force=true", body); status != 422 || got != want {
			t.Errorf("PUT %s = %d %s, want %s", body, status, got, want)
		}
	}
	if status, got := c.status("POST", "/v2/groups", `{"id": "/new", `+version+`}`); status != 422 || !strings.Contains(got, `"/version"`) {
		t.Errorf("POST = %d %s", status, got)
	}
	if app := c.State().App("/g/a"); app == nil || app.Instances != 1 {
		t.Errorf("a request that was refused changed %+v", app)
	}
	c.must(200, "PUT", "/v2/groups/g?force=true", `{`+version+`}`)
	c.must(200, "PUT", "/v2/groups/g?force=true", `{"id": "/g", `+version+`, "apps": null}`)
}
