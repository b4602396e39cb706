package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	const present = `{"id": "/a", "cmd": "x", "cpus": 1, "instances": 2, "env": {"A": "1", "B": "2"}, "labels": {},
		"healthChecks": [{"protocol": "HTTP", "path": "/h", "intervalSeconds": 60, "gracePeriodSeconds": 10}],
		"portDefinitions": [{"port": 10001, "protocol": "tcp", "name": "http"}], "constraints": [["hostname", "UNIQUE"]],
		"container": {"type": "DOCKER", "docker": {"image": "i:1", "forcePullImage": false}}}`
	for _, tt := range []struct{ name, wanted, want string }{
		{"nothing", `{"id": "a", "cmd": "x", "instances": 2}`, ""},
		{"numbers by value", `{"cpus": 1.0}`, ""},
		{"what is not mentioned stays", `{}`, ""},
		{"empty is like absent", `{"args": [], "fetch": null, "secrets": {}, "labels": {}}`, ""},
		{"a number", `{"instances": 3}`, "  /a\n  ~ instances: 2 -> 3"},
		{"something new", `{"user": "u"}`, "  /a\n  + user: \"u\""},
		{"in the environment", `{"env": {"A": "2", "C": "<3"}}`, "  /a\n  ~ env.A: \"1\" -> \"2\"\n  - env.B: \"2\"\n  + env.C: \"<3\""},
		{"an environment that is emptied", `{"env": {}}`, "  /a\n  - env.A: \"1\"\n  - env.B: \"2\""},
		{"what the server fills in", `{"healthChecks": [{"protocol": "HTTP", "path": "/h", "gracePeriodSeconds": 10}],
			"portDefinitions": [{"name": "http"}], "container": {"type": "DOCKER", "docker": {"image": "i:1"}}}`, ""},
		{"what somebody had filled in", `{"healthChecks": [{"protocol": "HTTP", "path": "/h"}]}`, "  /a\n  - healthChecks[0].gracePeriodSeconds: 10"},
		{"inside a container", `{"container": {"type": "DOCKER", "docker": {"image": "i:2"}}}`, "  /a\n  ~ container.docker.image: \"i:1\" -> \"i:2\""},
		{"a list of another length", `{"portDefinitions": []}`, `  /a
  ~ portDefinitions: [{"name":"http","port":10001,"protocol":"tcp"}] -> []`},
		{"constraints", `{"constraints": [["hostname", "UNIQUE"]]}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(printDifferences(false, compare("/a", parseDefinition(t, present), parseDefinition(t, tt.wanted))), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	got := printDifferences(true, compare("/b", nil, definition{"id": "b", "cmd": "x"}))
	if diff := cmp.Diff([]string{"\x1b[32m+ /b\x1b[0m", "\x1b[32m  + cmd: \"x\"\x1b[0m"}, got); diff != "" {
		t.Errorf("a new app (-want +got):\n%s", diff)
	}
}

func parseDefinition(t *testing.T, text string) definition {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var d definition
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAppsOf(t *testing.T) {
	got := map[string]definition{}
	appsOf(parseDefinition(t, `{"apps": [{"id": "a"}, {"id": "/g/b"}], "groups": [{"id": "h", "apps": [{"id": "c"}, {"id": "../d"}]}]}`), "/g", got)
	var ids []string
	for id := range got {
		ids = append(ids, id)
	}
	want := map[string]bool{"/g/a": true, "/g/b": true, "/g/h/c": true, "/g/d": true}
	for _, id := range ids {
		if !want[id] || len(ids) != len(want) {
			t.Errorf("the apps are %v", ids)
		}
	}
}
