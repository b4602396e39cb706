package api

import (
	"encoding/json"
	"strings"
	"testing"

	"rollcall/scheduler"

	"github.com/google/go-cmp/cmp"
)

var testSettings = appSettings{defaultNetwork: "dcos", maxInstances: DefaultMaxInstances, role: "*"}

// readTestApp reads an app and returns it as JSON, or what is wrong with it.
func readTestApp(data string) (*scheduler.App, []string, error) {
	v, err := parseJSON([]byte(data))
	if err != nil {
		return nil, nil, err
	}
	r := &reader{}
	o, ok := r.object(v, "")
	if !ok {
		return nil, nil, r.err()
	}
	app := readApp(o, scheduler.Root, testSettings)
	return app, r.unknown, r.err()
}

// TestNormalForm reads older and lenient forms; want is a part of what is written.
func TestNormalForm(t *testing.T) {
	for _, tt := range []struct{ name, app, want string }{
		{"no ports said", `"cmd": "x"`, `"networks":[{"mode":"host"}],"portDefinitions":[{"port":0,"name":"default","protocol":"tcp"}]`},
		{"no ports wanted", `"cmd": "x", "ports": []`, `"portDefinitions":[]`},
		{"nulls", `"cmd": "x", "ports": null, "dependencies": null, "container": null, "unreachableStrategy": null`, `"name":"default"`},
		{"ports", `"cmd": "x", "ports": ["80", 0], "requirePorts": "true"`,
			`"portDefinitions":[{"port":80,"protocol":"tcp"},{"port":0,"protocol":"tcp"}],"requirePorts":true`},
		{"equal ports and definitions", `"cmd": "x", "ports": [80], "portDefinitions": [{"port": 80, "name": "a"}]`,
			`"portDefinitions":[{"port":80,"name":"a","protocol":"tcp"}]`},
		{"numbers as texts", `"cmd": "x", "instances": " 2 ", "cpus": ".3", "mem": "1e3"`, `"cpus":0.3`},
		{"whole number with fraction", `"cmd": "x", "instances": 3.0`, `"instances":3`},
		{"uris", `"cmd": "x", "uris": ["http://h/a.tgz?x=1", "http://h/b"], "storeUrls": ["c.tar.xz", "d.xz"]`,
			`"fetch":[{"uri":"http://h/a.tgz?x=1","cache":false,"executable":false,"extract":true},` +
				`{"uri":"http://h/b","cache":false,"executable":false,"extract":false},` +
				`{"uri":"c.tar.xz","cache":false,"executable":false,"extract":true},` +
				`{"uri":"d.xz","cache":false,"executable":false,"extract":false}]`},
		{"old container", `"container": {"image": "docker:///a/b", "options": ["-v", "/a:/b", "--net=host", "--rm"]}`,
			`"docker":{"image":"a/b","forcePullImage":false,"privileged":false,"parameters":[{"key":"volume","value":"/a:/b"},` +
				`{"key":"net","value":"host"},{"key":"rm","value":"true"}]}`},
		{"host", `"container": {"docker": {"image": "i", "network": "HOST", "portMappings": [{"containerPort": 1}]}}`,
			`"container":{"type":"DOCKER","docker":{"image":"i","forcePullImage":false,"privileged":false,"parameters":[]},"volumes":[]}`},
		{"bridge", `"container": {"docker": {"image": "i", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}}`,
			`"portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp","servicePort":0}]`},
		{"bridge without mappings", `"container": {"docker": {"image": "i"}}, "networks": [{"mode": "container/bridge"}]`,
			`"portMappings":[{"containerPort":0,"hostPort":0,"name":"default","protocol":"tcp","servicePort":0}]`},
		{"bridge padded", `"container": {"docker": {"image": "i", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}}, "ports": [0, 0]`,
			`{"containerPort":0,"hostPort":0,"protocol":"tcp","servicePort":0}]`},
		{"no service port", `"container": {"docker": {"image": "i", "network": "BRIDGE", "portMappings": [{"containerPort": 80, "servicePort": null}, {}]}}`,
			`"portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp","servicePort":null},{"containerPort":0,"hostPort":0,"protocol":"tcp","servicePort":0}]`},
		{"user", `"container": {"docker": {"image": "i", "network": "USER"}}, "ipAddress": {"networkName": "n"}`,
			`"networks":[{"mode":"container","name":"n"}]`},
		{"default network", `"cmd": "x", "networks": [{}]`, `"networks":[{"mode":"container","name":"dcos"}]`},
		{"discovery ports", `"cmd": "x", "ipAddress": {"networkName": "n", "discovery": {"ports": [{"number": 7, "name": "p", "protocol": "tcp,udp"}]}}`,
			`"container":{"type":"MESOS","portMappings":[{"containerPort":7,"name":"p","protocol":"udp,tcp","servicePort":0}],"volumes":[]}`},
		{"no network", `"container": {"docker": {"image": "i", "network": "NONE"}}`, `"parameters":[{"key":"network","value":"none"}]`},
		{"require ports off the host", `"container": {"docker": {"image": "i", "network": "BRIDGE"}}, "requirePorts": true`, `"requirePorts":false`},
		{"operators", `"cmd": "x", "constraints": [["hostname", "unique", ""], ["rack", "Max_Per", 2], ["rack", "MAX_PER", "2"]]`,
			`"constraints":[["hostname","UNIQUE"],["rack","MAX_PER","2"]]`},
		{"health check", `"cmd": "x", "healthChecks": [{}]`,
			`"healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0,"gracePeriodSeconds":300,"intervalSeconds":60,"timeoutSeconds":20,` +
				`"maxConsecutiveFailures":3,"delaySeconds":15,"ignoreHttp1xx":false,"ipProtocol":"IPv4"}]`},
		{"readiness check", `"cmd": "x", "portDefinitions": [{"name": "http-api"}], "readinessChecks": [{}]`,
			`"readinessChecks":[{"name":"readinessCheck","protocol":"HTTP","path":"/","portName":"http-api","intervalSeconds":30,` +
				`"timeoutSeconds":10,"httpStatusCodesForReady":[200],"preserveLastResponse":false}]`},
		{"single instance", `"cmd": "x", "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}`,
			`"upgradeStrategy":{"maximumOverCapacity":0,"minimumHealthCapacity":0}`},
		{"unreachable", `"cmd": "x", "unreachableStrategy": "disabled"`, `"unreachableStrategy":"disabled"`},
		{"fractional backoff", `"cmd": "x", "backoffSeconds": 0.5`, `"backoffSeconds":0.5`},
		{"one letter", `"cmd": "x"`, `"cmd":"x"`},
		{"arguments", `"args": ["a"], "container": {"docker": {"image": "i"}}`, `"args":["a"]`},
		{"relative dependency", `"cmd": "x", "dependencies": ["b", "../c"]`, `"dependencies":["/g/b","/c"]`},
		{"expanded environment", `"cmd": "x", "expandEnv": "true", "env": {"P": "${PORT0}"}`, `"env":{"P":"${PORT0}"},"executor":"","expandEnv":true`},
		{"limits", `"cmd": "x", "resourceLimits": {"mem": "256", "cpus": "unlimited"}, "executorResources": {"disk": 10, "cpus": ".5"}`,
			`"executorResources":{"cpus":0.5,"disk":10},`},
		{"limits as numbers", `"cmd": "x", "resourceLimits": {"mem": "256", "cpus": "unlimited"}`,
			`"resourceLimits":{"cpus":"unlimited","mem":256}`},
		{"extras kept", `"cmd": "x", "check": {"http": {"portIndex": 0}}, "tty": true`, `"check":{"http":{"portIndex":0}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app, unknown, err := readTestApp(`{"id": "/g/a", ` + tt.app + `}`)
			if err != nil {
				t.Fatal(describe(err))
			}
			data := mustEncode(t, app)
			if !strings.Contains(data, tt.want) {
				t.Errorf("got %s\nwant in it %s", data, tt.want)
			}
			if len(unknown) > 0 {
				t.Errorf("unknown members %q", unknown)
			}
			roundTrip(t, app)
		})
	}
}

// TestInvalidApps lists what each rule of an app says; want is a part of the answer.
func TestInvalidApps(t *testing.T) {
	for _, tt := range []struct{ app, want string }{
		{`"cmd": ""`, `/cmd: error.minLength`},
		{`"cmd": "x", "args": ["y"]`, `AppDefinition must either contain`},
		{`"container": {"type": "DOCKER"}`, `/container/docker: not defined`},
		{`"container": {"docker": {}}`, `/container/docker/image: error.path.missing`},
		{`"container": {"docker": {"image": "i", "credential": {}}}`, `/container/docker/credential`},
		{`"container": {"docker": {"image": "i", "parameters": [{"key": "volum", "value": "/a"}]}}`, `/container/docker/parameters(0)/key: 'volum' is not supported; supported are add-host, cap-add, `},
		{`"container": {"image": "docker:///i", "options": ["-p", "80:80"]}`, `/container/options: 'publish' is not supported; supported are add-host, `},
		{`"container": {"docker": {"image": "i", "pullConfig": {"secret": "s"}}}`, `Feature secrets`},
		{`"container": {"docker": {"image": "i", "network": "HOST"}}, "networks": []`, `must not specify both container.docker.network and networks`},
		{`"cmd": "x", "ipAddress": {}, "networks": [{"mode": "host"}]`, `must not specify both networks and ipAddress`},
		{`"cmd": "x", "networks": [{"mode": "host"}, {"mode": "container", "name": "a"}]`, `May specify a single host network`},
		{`"cmd": "x", "networks": [{"mode": "host", "name": "a"}]`, `/networks: Host networks may not have names or labels`},
		{`"container": {"docker": {"image": "i"}}, "networks": [{"name": "a"}, {"name": "b"}]`, `/: may only specify a single container network when using the Docker container engine`},
		{`"cmd": "x", "networks": [{"name": "a"}, {"name": "b"}], "container": {"type": "MESOS", "portMappings": [{"hostPort": 0}]}`, `/container/portMappings(0): networkNames must be a single item list`},
		{`"cmd": "x", "networks": [{"name": "a"}], "container": {"type": "MESOS", "portMappings": [{"networkNames": ["z"]}]}`, `/container/portMappings(0)/networkNames(0): is not one of (a)`},
		{`"cmd": "x", "ports": [1], "portDefinitions": [{"port": 2}]`, `cannot specify both ports and port definitions`},
		{`"cmd": "x", "portDefinitions": [{"name": "a"}, {"name": "a"}]`, `Port names must be unique`},
		{`"cmd": "x", "ports": [65536]`, `/ports(0): error.max`},
		{`"cmd": "x", "instances": 0.1`, `/instances: error.expected.int`},
		{`"cmd": "x", "instances": 100001`, `/instances: error.max`},
		{`"cmd": "x", "cpus": 1e999`, `/cpus: error.max`},
		{`"cmd": "x", "cpus": "0x1"`, `/cpus: error.expected.jsnumber`},
		{`"cmd": "x", "mem": "NaN"`, `/mem: error.expected.jsnumber`},
		{`"cmd": "x", "backoffFactor": 0.5`, `/backoffFactor: error.min`},
		{`"cmd": "x", "killSelection": "NEWEST"`, `/killSelection: error.unknown.enum.literal`},
		{`"cmd": "x", "executor": "a//b"`, `/executor`},
		{`"cmd": "x", "acceptedResourceRoles": []`, `/acceptedResourceRoles`},
		{`"cmd": "x", "env": {"A": {"secret": "s"}}`, "/env/A: The secret 's' is not one of the app's secrets"},
		{`"cmd": "x", "secrets": {"s": {"source": "a"}}`, `/secrets: Feature secrets`},
		{`"cmd": "x", "gpus": 1`, `/gpus: Feature gpu_resources`},
		{`"cmd": "x", "container": {"type": "MESOS", "volumes": [{"containerPath": "a", "mode": "RW", "persistent": {"size": 1}}]}`, `Feature persistent_volumes`},
		{`"cmd": "x", "container": {"type": "MESOS", "volumes": [{"containerPath": "a", "mode": "RW", "external": {"size": 1}}]}`, `Feature external_volumes`},
		{`"cmd": "x", "container": {"type": "MESOS", "volumes": [{"containerPath": "a"}]}`, `/container/volumes(0)/hostPath: error.path.missing`},
		{`"container": {"docker": {"image": "i"}, "volumes": [{"containerPath": "", "hostPath": "/a", "mode": "RO"}]}`, `/container/volumes(0)/containerPath: must not be empty`},
		{`"cmd": "x", "uris": ["a"], "fetch": [{"uri": "b"}]`, `may not be set in conjunction with fetch`},
		{`"cmd": "x", "fetch": [{"uri": ""}]`, `/fetch(0)/uri: error.minLength`},
		{`"cmd": "x", "constraints": [["hostname", "UNIQUE", "a"]]`, `UNIQUE does not accept a value`},
		{`"cmd": "x", "constraints": [["hostname", "GROUP_BY", "a"]]`, `GROUP BY must define`},
		{`"cmd": "x", "constraints": [["hostname", "MAX_PER"]]`, `MAX_PER requires an integer`},
		{`"cmd": "x", "constraints": [["hostname", "LIKE"]]`, `require a non-empty`},
		{`"cmd": "x", "constraints": [["hostname", "LIKE", "("]]`, `is not a valid regular expression`},
		{`"cmd": "x", "constraints": [["hostname", "LIKE", "(a)\\1"]]`, `RE2`},
		{`"cmd": "x", "constraints": [["hostname", "IS", "a b"]]`, `IS only supports Mesos text and float values`},
		{`"cmd": "x", "constraints": "hostname:UNIQUE"`, `/constraints: error.expected.jsarray`},
		{`"cmd": "x", "healthChecks": [{"protocol": "COMMAND"}]`, `needs command.value`},
		{`"cmd": "x", "healthChecks": [{"protocol": "MESOS_HTTP"}, {"protocol": "MESOS_TCP"}]`, `at most one Mesos health check`},
		{`"cmd": "x", "ports": [], "healthChecks": [{}]`, `Health check port indices`},
		{`"cmd": "x", "readinessChecks": [{}]`, `No port definition reference for portName http-api`},
		{`"cmd": "x", "readinessChecks": [{"portName": "default", "timeoutSeconds": 30}]`, `less than intervalSeconds`},
		{`"cmd": "x", "upgradeStrategy": {"minimumHealthCapacity": 2, "maximumOverCapacity": 0}`, `/upgradeStrategy/minimumHealthCapacity: must be between 0 and 1`},
		{`"cmd": "x", "upgradeStrategy": {"minimumHealthCapacity": 1}`, `/upgradeStrategy/maximumOverCapacity: error.path.missing`},
		{`"cmd": "x", "unreachableStrategy": {"inactiveAfterSeconds": 2, "expungeAfterSeconds": 1}`, `/unreachableStrategy`},
		{`"cmd": "x", "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}, "instances": 2`, `/: Single instance app may only have one instance`},
		{`"cmd": "x", "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}, "upgradeStrategy": {"minimumHealthCapacity": 1, "maximumOverCapacity": 1}`,
			`/upgradeStrategy/minimumHealthCapacity: must be 0`},
		{`"cmd": "x", "dependencies": ["A_b"]`, `/dependencies(0)`},
		{`"cmd": "x", "ipAddress": {"networkName": "n"}, "ports": [0]`, `/: cannot specify both an IP address and port`},
		{`"cmd": "x", "ports": [80, 80]`, `/: ports must be unique`},
		{`"cmd": "x", "portDefinitions": [{"port": 80}, {"port": 80}]`, `/portDefinitions: Ports must be unique.`},
		{`"ipAddress": {"networkName": "n", "discovery": {"ports": []}}, "container": {"docker": {"image": "i"}}`,
			`/ipAddress: ipAddress/discovery is not allowed for Docker containers`},
		{`"container": {"docker": {"image": "i", "network": "BRIDGE", "portMappings": [{}]}, "portMappings": [{}]}`,
			`cannot specify both portMappings and docker.portMappings`},
		{`"cmd": "x", "networks": [{"mode": "container/bridge", "name": "b"}]`, `/networks: Bridge networks may not have names`},
		{`"cmd": "x", "networks": [{"name": "a"}, {"name": "a"}]`, `/networks: Duplicate networks are not allowed`},
		{`"cmd": "x", "healthChecks": [{"ipProtocol": "IPv6"}]`, `/healthChecks(0): IPv6 can only be used for`},
		{`"cmd": "x", "fetch": [{"uri": "http://h/a b"}]`, `/fetch(0): URI has invalid syntax.`},
		{`"cmd": "x", "uris": ["` + strings.Repeat("u", 1025) + `"]`, `/uris(0): error.maxLength`},
		{`"cmd": "x", "executorResources": {"cpus": 0.01}`, `/executorResources/cpus: error.min`},
		{`"cmd": "x", "mem": 64, "resourceLimits": {"cpus": "unlimited", "mem": 32}`, `/resourceLimits/mem: must be at least the 64`},
		{`"cmd": "x", "container": {"docker": {"image": "i"}, "linuxInfo": {}}`, `/container/linuxInfo`},
	} {
		_, _, err := readTestApp(`{"id": "a", ` + tt.app + `}`)
		if err == nil || !strings.Contains(describe(err), tt.want) {
			t.Errorf("%s: %v, want %s", tt.app, describe(err), tt.want)
		}
	}
}

// TestUnknownMembers finds misspelt members at any depth.
func TestUnknownMembers(t *testing.T) {
	_, unknown, err := readTestApp(`{"id": "a", "cmd": "x", "intsances": 3, "version": "now", "tasksRunning": 1,
		"container": {"type": "MESOS", "docker": {"image": "i", "requirePorts": true}, "seccomp": {}},
		"healthChecks": [{"intervall": 3}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"healthChecks(0).intervall", "container.docker.requirePorts", "container.seccomp", "intsances"}
	if diff := cmp.Diff(want, unknown); diff != "" {
		t.Error(diff)
	}
}

func describe(err error) string {
	e, ok := err.(*Error)
	if !ok {
		if err == nil {
			return "no error"
		}
		return err.Error()
	}
	problems, ok := e.Details.([]scheduler.Problem)
	if !ok {
		return e.Message
	}
	return (&scheduler.InvalidError{Problems: problems}).Error()
}

func mustEncode(t testing.TB, v any) string {
	data, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// roundTrip checks that the normal form of an app is its own normal form.
func roundTrip(t testing.TB, app *scheduler.App) {
	t.Helper()
	data := mustEncode(t, app)
	again, unknown, err := readTestApp(data)
	if err != nil || len(unknown) > 0 {
		t.Fatalf("the normal form %s is refused: %v, unknown %q", data, describe(err), unknown)
	}
	again.Version, again.VersionInfo = app.Version, app.VersionInfo
	if diff := cmp.Diff(data, mustEncode(t, again)); diff != "" {
		t.Errorf("the normal form of the normal form differs:\n%s", diff)
	}
	if diff := cmp.Diff(data, mustEncode(t, app.Clone())); diff != "" {
		t.Errorf("a clone differs:\n%s", diff)
	}
}

// TestPartialUpdate changes members and keeps the others.
func TestPartialUpdate(t *testing.T) {
	const base = `{"id": "a", "cmd": "x", "env": {"A": "1"}, "ports": [0, 0], "uris": ["http://h/a"],
		"healthChecks": [{"protocol": "TCP", "delaySeconds": 0}], "labels": {"l": "1"}, "backoffSeconds": 5}`
	const twoPorts = `[{"port":10000,"protocol":"tcp"},{"port":10001,"protocol":"tcp"}]`
	for _, tt := range []struct{ name, body, path, want string }{
		{"instances", `{"instances": 6}`, "", ""},
		{"env is replaced", `{"env": {"B": "2"}}`, "env", `{"B":"2"}`},
		{"args for cmd", `{"args": ["y"]}`, "args", `["y"]`},
		{"ports", `{"ports": [0]}`, "portDefinitions", `[{"port":10000,"name":"default","protocol":"tcp"}]`},
		{"uris", `{"uris": []}`, "fetch", `null`},
		{"bridge", `{"container": {"docker": {"image": "i", "network": "BRIDGE"}}}`, "networks", `[{"mode":"container/bridge"}]`},
		{"no args", `{"args": [], "env": {}}`, "cmd", `"x"`},
		{"nulls", `{"env": null, "cmd": null}`, "cmd", `"x"`},
		{"an address of its own", `{"ipAddress": {"networkName": "n"}}`, "networks", `[{"mode":"container","name":"n"}]`},
		{"the ports of the host stay", `{"networks": [{"mode": "host"}]}`, "portDefinitions", twoPorts},
		{"no networks are the host's", `{"networks": []}`, "portDefinitions", twoPorts},
		{"a container on the host", `{"container": {"docker": {"image": "i", "network": "HOST"}}}`, "portDefinitions", twoPorts},
		{"a container without a network", `{"container": {"docker": {"image": "i"}}}`, "portDefinitions", twoPorts},
		{"the ports of the host go", `{"networks": [{"name": "n"}], "container": {"type": "MESOS"}}`, "container",
			`{"type":"MESOS","portMappings":[{"containerPort":0,"name":"default","protocol":"tcp","servicePort":10000}],"volumes":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.must(201, "POST", "/v2/apps", base)
			before := c.State().App("/a")
			c.must(200, "PUT", "/v2/apps/a?force=true", tt.body)
			after := c.State().App("/a")
			if tt.path == "" {
				if after.VersionInfo.LastConfigChangeAt != before.VersionInfo.LastConfigChangeAt || after.Instances != 6 {
					t.Errorf("scaling changed the configuration: %s", mustEncode(t, after))
				}
				return
			}
			members := unmarshal[map[string]json.RawMessage](t, mustEncode(t, after))
			got := string(members[tt.path])
			if got == "" {
				got = "null"
			}
			if got != tt.want {
				t.Errorf("%s = %s, want %s", tt.path, got, tt.want)
			}
			if after.BackoffSeconds != 5 || after.Labels["l"] != "1" || len(after.HealthChecks) != 1 {
				t.Errorf("members that were not given changed: %s", mustEncode(t, after))
			}
		})
	}
}

// TestReplace leaves nothing of what was there before.
func TestReplace(t *testing.T) {
	c := newCluster(t)
	c.must(201, "POST", "/v2/apps", `{"id": "a", "cmd": "x", "env": {"A": "1"}, "instances": 3}`)
	c.must(200, "PUT", "/v2/apps/a?force=True&partialUpdate=false", `{"cmd": "y", "id": "ignored"}`)
	if app := c.State().App("/a"); app.Cmd != "y" || app.Env != nil || app.Instances != 1 {
		t.Errorf("got %s", mustEncode(t, app))
	}
	c.must(422, "PUT", "/v2/apps/a?force=TRUE&partialUpdate=false", `{"instances": 2}`)
	// An equal definition changes nothing.
	before := c.State().App("/a")
	c.must(200, "PUT", "/v2/apps/a?force=true", mustEncode(t, map[string]any{"cmd": "y"}))
	if after := c.State().App("/a"); after.Version != before.Version {
		t.Errorf("version %s became %s", before.Version, after.Version)
	}
}

func TestRoles(t *testing.T) {
	c := newCluster(t)
	c.must(422, "POST", "/v2/apps", `{"id": "/dev/a", "cmd": "x", "role": "slave_public"}`)
	c.must(201, "POST", "/v2/apps", `{"id": "/dev/a", "cmd": "x", "role": "dev", "acceptedResourceRoles": ["dev", "*"]}`)
	c.must(422, "POST", "/v2/apps", `{"id": "/dev/b", "cmd": "x", "acceptedResourceRoles": ["other"]}`)
	c.must(201, "POST", "/v2/groups", `{"id": "/prod", "enforceRole": true, "apps": [{"id": "a", "cmd": "x"}]}`)
	if role := c.State().App("/prod/a").Role; role != "prod" {
		t.Errorf("role %q", role)
	}
	c.must(422, "POST", "/v2/apps", `{"id": "/prod/b", "cmd": "x", "role": "*"}`)
	c.must(422, "PUT", "/v2/groups/prod?force=true", `{"enforceRole": false, "apps": []}`)
	// An app that is there keeps its role, whatever is enforced since, until a definition names none.
	c.must(201, "POST", "/v2/apps", `{"id": "/late/a", "cmd": "x"}`)
	c.must(200, "PATCH", "/v2/groups/late", `{"enforceRole": true}`)
	c.must(200, "PUT", "/v2/apps/late/a?force=true", `{"instances": 2}`)
	if app := c.State().App("/late/a"); app.Role != "*" || app.Instances != 2 {
		t.Errorf("role %q, %d instances", app.Role, app.Instances)
	}
	c.must(422, "PUT", "/v2/apps/late/a?force=true", `{"role": "dev"}`)
	c.must(422, "POST", "/v2/apps", `{"id": "/late/b", "cmd": "x", "role": "*"}`)
	c.must(200, "PUT", "/v2/apps/late/a?force=true&partialUpdate=false", `{"cmd": "x"}`)
	if app := c.State().App("/late/a"); app.Role != "late" {
		t.Errorf("role %q", app.Role)
	}
}
