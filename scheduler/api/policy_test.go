package api

import (
	"strings"
	"testing"
)

// TestPolicy refuses what apps may not ask for, by every way there is to ask for it, and says which key forbids it.
func TestPolicy(t *testing.T) {
	strict := Policy{Users: []string{"www"}, NoPrivileged: true, HostPaths: []string{"/srv/data"}, Networks: []string{"container/bridge", "mesh"}}
	const image = `"container": {"type": "DOCKER", "docker": {"image": "i"`
	const bridge = `"networks": [{"mode": "container/bridge"}], `
	tests := []struct{ members, want string }{
		{bridge + image + `}}`, ""},
		{`"cmd": "x"`, "networks"}, // the host's, if it names none
		{bridge + `"user": "www", ` + image + `}}`, ""},
		{bridge + `"user": "root", ` + image + `}}`, "users"},
		{bridge + `"user": "root:www", ` + image + `}}`, "users"},
		{bridge + image + `, "parameters": [{"key": "user", "value": "0"}]}}`, "users"},
		{bridge + image + `, "parameters": [{"key": "user", "value": "www:www"}]}}`, ""},
		{bridge + image + `, "privileged": true}}`, "privileged"},
		{bridge + image + `, "parameters": [{"key": "cap-add", "value": "ALL"}]}}`, "privileged"},
		{bridge + image + `, "parameters": [{"key": "pid", "value": "host"}]}}`, "privileged"},
		{bridge + image + `, "parameters": [{"key": "device", "value": "/dev/sda"}]}}`, "privileged"},
		{bridge + image + `, "parameters": [{"key": "cap-drop", "value": "ALL"}]}}`, ""},
		{bridge + image + `}, "volumes": [{"containerPath": "/d", "hostPath": "/srv/data/x", "mode": "RW"}]}`, ""},
		{bridge + image + `}, "volumes": [{"containerPath": "/d", "hostPath": "data", "mode": "RW"}]}`, ""},
		{bridge + image + `}, "volumes": [{"containerPath": "/d", "hostPath": "/srv/database", "mode": "RO"}]}`, "hostPaths"},
		{bridge + image + `}, "volumes": [{"containerPath": "/d", "hostPath": "/srv/data/../../etc", "mode": "RO"}]}`, "hostPaths"},
		{bridge + image + `}, "volumes": [{"containerPath": "/d", "hostPath": "../../etc", "mode": "RO"}]}`, "hostPaths"},
		{bridge + image + `, "parameters": [{"key": "volume", "value": "/etc:/etc"}]}}`, "hostPaths"},
		{bridge + image + `, "parameters": [{"key": "volumes-from", "value": "other"}]}}`, "hostPaths"},
		{bridge + `"fetch": [{"uri": "file:///etc/shadow"}], ` + image + `}}`, "hostPaths"},
		{bridge + `"uris": ["/etc/shadow"], ` + image + `}}`, "hostPaths"},
		{bridge + `"uris": ["https://example.com/etc/shadow"], ` + image + `}}`, ""},
		{`"networks": [{"mode": "host"}], ` + image + `}}`, "networks"},
		{`"networks": [{"mode": "container", "name": "mesh"}], ` + image + `}}`, ""},
		{`"networks": [{"mode": "container", "name": "other"}], ` + image + `}}`, "networks"},
	}
	for _, test := range tests {
		for _, way := range []struct{ method, target, body string }{
			{"POST", "/v2/apps", `{"id": "/g/a", ` + test.members + `}`},
			{"PUT", "/v2/apps/g/a", `{` + test.members + `}`},
			{"PUT", "/v2/groups", `{"id": "/g", "apps": [{"id": "a", ` + test.members + `}]}`},
		} {
			c := newCluster(t, func(o *Options) { o.Policy = strict })
			status, answer := c.status(way.method, way.target, way.body)
			if test.want == "" && status/100 != 2 || test.want != "" && (status != 422 || !strings.Contains(answer, "(scheduler.taskPolicy."+test.want+")")) {
				t.Errorf("%s %s %s = %d %s, want %q", way.method, way.target, way.body, status, answer, test.want)
			}
		}
	}
}

// TestPolicyOnOldVersions does not let a version come back that the policy would refuse today.
func TestPolicyOnOldVersions(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "/g/a", "cmd": "x", "user": "root", "instances": 0}`)
	version := c.State().Version.String()
	c.must(200, "PUT", "/v2/apps/g/a", `{"user": "www"}`)
	o := c.api.o
	o.Policy = Policy{Users: []string{"www"}}
	c.api = New(o)
	for _, target := range []string{"/v2/apps/g/a", "/v2/groups/g"} {
		if body := c.must(422, "PUT", target, `{"version": "`+version+`"}`); !strings.Contains(body, "taskPolicy.users") {
			t.Errorf("%s: %s", target, body)
		}
	}
	c.must(200, "PUT", "/v2/apps/g/a", `{"instances": 1}`)
	o.Policy = Policy{ContainersOnly: true}
	c.api = New(o)
	if body := c.must(422, "PUT", "/v2/apps/g/a", `{"instances": 2}`); !strings.Contains(body, "containersOnly") {
		t.Errorf("%s", body)
	}
}
