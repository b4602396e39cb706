package api

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rollcall/scheduler"

	"github.com/google/go-cmp/cmp"
)

// marathonData is where the documents of real Marathons are, beside the module.
const marathonData = "../../../shared/testdata/marathon"

func readShared(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(marathonData, name))
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("test data is absent: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// exceptions are documents with which we do not do what the README expects of Marathon, and why.
var exceptions = map[string]struct {
	status int
	reason string
}{
	"docs/persistent-volumes-01.json":              {422, "persistent volumes are not supported"},
	"docs/persistent-volumes-02.json":              {422, "persistent volumes are not supported"},
	"system-tests/app-healthcheck-and-volume.json": {422, "persistent volumes are not supported"},
	"system-tests/app-persistent-volume-app.json":  {422, "persistent volumes are not supported"},
	"system-tests/app-resident-docker-app.json":    {422, "persistent volumes are not supported"},
	"seeds/001-cassandra-group-nested-apps.json":   {201, "a group among apps is taken as one"},
	"seeds/004-ubuntu.json":                        {201, "numbers as texts and the container of Marathon 0.6 are read"},
}

var expectedStatus = regexp.MustCompile(`(?:expected|strict) (\d{3})`)

// TestDocuments posts every app and group document that comes with an expectation.
func TestDocuments(t *testing.T) {
	posted := 0
	section := ""
	for line := range strings.Lines(string(readShared(t, "README.md"))) {
		if rest, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSuffix(strings.TrimSpace(rest), "/")
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasSuffix(strings.TrimSpace(cells[1]), ".json") {
			continue
		}
		what, use := cells[2], cells[3]
		expected := expectedStatus.FindStringSubmatch(what + use)
		if expected == nil || strings.Contains(what, "pod,") {
			continue
		}
		file := section + "/" + strings.TrimSpace(cells[1])
		want := 0
		fmt.Sscan(expected[1], &want)
		if e, ok := exceptions[file]; ok {
			want = e.status
		}
		posted++
		t.Run(file, func(t *testing.T) {
			target := "/v2/apps"
			if strings.Contains(what+use, "/v2/groups") || strings.Contains(what, " group") {
				target = "/v2/groups"
			}
			c := newCluster(t)
			status, answer := c.status("POST", target, string(readShared(t, file)))
			if status != want {
				t.Errorf("POST %s = %d, want %d: %s", target, status, want, answer)
			}
			if want != 201 {
				if apps := c.must(200, "GET", "/v2/apps", ""); apps != `{"apps":[]}` {
					t.Errorf("refused, but something was made: %s", apps)
				}
			}
		})
	}
	if posted < 40 {
		t.Errorf("the README names %d documents to post; has its form changed?", posted)
	}
}

// TestSeeds checks what becomes of the documents of the blog posts that the project grew from.
func TestSeeds(t *testing.T) {
	c := newCluster(t)
	get := func(id string) *scheduler.App {
		t.Helper()
		app := c.State().App(scheduler.PathID(id))
		if app == nil {
			t.Fatalf("%s is not there", id)
		}
		return app
	}
	for _, seed := range []string{"000-CrateUnicast", "000-CrateWeave", "003-rails-app.reconstructed", "004-ubuntu"} {
		c.must(201, "POST", "/v2/apps", string(readShared(t, "seeds/"+seed+".json")))
	}
	c.must(201, "POST", "/v2/groups", string(readShared(t, "seeds/001-ctrlpkw_cluster.fixed.json")))
	c.must(200, "PUT", "/v2/apps/ctrlpkw/db/cassandra?force=true", string(readShared(t, "seeds/001-scale-cassandra.json")))
	c.must(200, "PUT", "/v2/apps/rails-app-on-mesos-marathon?force=true", string(readShared(t, "seeds/003-scale-rails.json")))

	ubuntu := get("/ubuntu")
	if ubuntu.Instances != 1 || ubuntu.CPUs != 0.3 || ubuntu.Mem != 200 || ubuntu.Container.Docker.Image != "libmesos/ubuntu" {
		t.Errorf("004: %+v", ubuntu)
	}
	unicast := get("/crate-mesos-unicast")
	if unicast.PortDefinitions == nil || len(unicast.PortDefinitions) > 0 || !unicast.HostNetwork() || len(unicast.Container.Volumes) != 2 {
		t.Errorf("000: %+v", unicast)
	}
	weave := get("/crate-mesos-weave").Ports()
	if len(weave) != 2 || weave[0].HostPort != 4200 || weave[0].ContainerPort != 4200 || weave[1].ServicePort != 10001 {
		t.Errorf("000 weave: %+v", weave)
	}
	if got := get("/ctrlpkw/db/cassandra"); got.Instances != 6 || !got.RequirePorts {
		t.Errorf("001: %+v", got)
	}
	if ports := get("/ctrlpkw/app/ctrlpkw").Ports(); len(ports) != 1 || ports[0].HostPort != 0 || !ports[0].Published || ports[0].ServicePort != 8000 {
		t.Errorf("001 app: %+v", ports)
	}
	rails := get("/rails-app-on-mesos-marathon")
	want := []scheduler.Fetch{{URI: "http://example.com/hello.tar.gz", Extract: true}}
	if diff := cmp.Diff(want, rails.Fetch); diff != "" || rails.Instances != 2 {
		t.Errorf("003: %d instances, %s", rails.Instances, diff)
	}

	status, answer := c.status("POST", "/v2/groups", string(readShared(t, "seeds/001-ctrlpkw_cluster.json")))
	if status != 400 || !strings.Contains(answer, "line 105, column 15") || !strings.Contains(answer, "line 104, column 61") {
		t.Errorf("trailing comma: %d %s", status, answer)
	}
}

// TestOptionWithoutEffect posts an example of Marathon's documentation with an option that Docker has no more.
func TestOptionWithoutEffect(t *testing.T) {
	c := newCluster(t)
	answer := c.request("POST", "/v2/apps", string(readShared(t, "docs/native-docker-03.json")))
	const want = `299 rollcall "/container/docker/parameters(2)/key: lxc-conf does nothing: Docker has no LXC driver any more"`
	if got := answer.Header.Values("Warning"); answer.StatusCode != 201 || len(got) != 1 || got[0] != want {
		t.Errorf("%d, warnings %q, want %q", answer.StatusCode, got, want)
	}
}

// TestGroupAmongApps posts a document of a blog post in which a group stands in "apps": it
// is there as it was meant, and the answer says so.
func TestGroupAmongApps(t *testing.T) {
	c := newCluster(t)
	answer := c.request("POST", "/v2/groups", string(readShared(t, "seeds/001-cassandra-group-nested-apps.json")))
	if answer.StatusCode != 201 {
		t.Fatalf("%d", answer.StatusCode)
	}
	want := `299 rollcall "/apps(0) is a group and was taken as one: it belongs in groups, not in apps"`
	if got := answer.Header.Values("Warning"); len(got) != 1 || got[0] != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if unknown := answer.Header.Get("X-Unknown-Fields"); unknown != "" {
		t.Errorf("unknown members: %s", unknown)
	}
	for id, instances := range map[scheduler.PathID]int{"/ctrlpkw/db/cassandra-seed": 2, "/ctrlpkw/db/cassandra": 1} {
		if app := c.State().App(id); app == nil || app.Instances != instances {
			t.Errorf("%s: %+v", id, app)
		}
	}
}

// TestDump makes a hundred apps in one deployment.
func TestDump(t *testing.T) {
	c := newCluster(t)
	c.must(200, "PUT", "/v2/groups", string(readShared(t, "dumps/group-tree-155_100.json")))
	group := unmarshal[struct{ Apps []json.RawMessage }](t, c.must(200, "GET", "/v2/groups/cudcos", ""))
	if len(group.Apps) != 100 {
		t.Errorf("%d apps", len(group.Apps))
	}
}

// TestRAMLExamples are the bodies of requests in Marathon's own API description.
func TestRAMLExamples(t *testing.T) {
	c := newCluster(t)
	c.must(404, "PATCH", "/v2/apps", string(readShared(t, "raml-examples/apps_patch.json")))
	c.must(200, "PUT", "/v2/apps", string(readShared(t, "raml-examples/apps_create.json")))
	c.must(200, "PATCH", "/v2/apps?force=true", string(readShared(t, "raml-examples/apps_patch.json")))
	if app := c.State().App("/test/sleep120"); app.Instances != 2 || app.Cmd != "sleep 120" {
		t.Errorf("after PATCH: %+v", app)
	}
	c.must(422, "POST", "/v2/apps", string(readShared(t, "raml-examples/app.json")))
	// What old Marathons wrote can be sent back, nulls, ports and uris included.
	list := unmarshal[struct{ Apps []map[string]any }](t, string(readShared(t, "raml-examples/app_list.json")))
	data, err := json.Marshal(list.Apps[0])
	if err != nil {
		t.Fatal(err)
	}
	answer := c.request("POST", "/v2/apps", string(data))
	if answer.StatusCode != 201 || answer.Header.Get("X-Unknown-Fields") != "" {
		t.Errorf("POST of an old app = %d, unknown %q", answer.StatusCode, answer.Header.Get("X-Unknown-Fields"))
	}
}

func TestSelectorVectors(t *testing.T) {
	vectors := unmarshal[[]struct {
		Selector string
		Valid    bool
		Cases    []struct {
			Labels map[string]string
			Match  bool
		}
	}](t, string(readShared(t, "vectors/label-selectors.json")))
	for _, v := range vectors {
		s, err := parseSelector(v.Selector)
		if (err == nil) != v.Valid {
			t.Errorf("parsing %q: %v, want valid %v", v.Selector, err, v.Valid)
			continue
		}
		for _, c := range v.Cases {
			if got := s.matches(c.Labels); got != c.Match {
				t.Errorf("%q on %v = %v", v.Selector, c.Labels, got)
			}
		}
	}
}

func TestPathIDVectors(t *testing.T) {
	vectors := unmarshal[struct{ Valid, Invalid []string }](t, string(readShared(t, "vectors/path-ids.json")))
	for want, ids := range map[int][]string{201: vectors.Valid, 422: vectors.Invalid} {
		for _, id := range ids {
			c := newCluster(t)
			status, answer := c.status("POST", "/v2/apps", fmt.Sprintf(`{"id": %q, "cmd": "true"}`, id))
			if status != want {
				t.Errorf("POST of %q = %d, want %d: %s", id, status, want, answer)
			}
			if want == 201 {
				c.must(200, "GET", "/v2/apps//"+id, "")
				c.must(200, "DELETE", "/v2/apps//"+strings.TrimPrefix(id, "/")+"/", "")
			}
		}
	}
}
