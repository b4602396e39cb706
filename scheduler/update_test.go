package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What a change makes of an app's version and of what it says of it (Marathon reference, section 9).
func TestVersionInfo(t *testing.T) {
	other := func(a *App) { a.Cmd = "other" }
	for name, test := range map[string]struct {
		change                  Update
		version, scaled, config bool // which of them are new
	}{
		"scaled":            {put(app("/a", 2)), true, true, false},
		"changed":           {put(app("/a", 1, other)), true, true, true},
		"scaled, changed":   {put(app("/a", 2, other)), true, true, true},
		"restarted":         {restart("/a"), true, false, true},
		"as it was":         {put(app("/a", 1)), false, false, false},
		"another app":       {put(app("/b", 1)), false, false, false},
		"stopped":           {put(app("/a", 0)), true, true, false},
		"stopped, changed":  {put(app("/a", 0, other)), true, true, true},
		"beside it a group": {Update{Change: func(d *Draft) error { d.PutGroup(&Group{ID: "/g"}); return nil }}, false, false, false},
	} {
		c := newCluster(t, 1, 2)
		c.must(put(app("/a", 1)))
		c.settle()
		before := c.core.State().App("/a")
		if v := before.VersionInfo; v.LastScalingAt != before.Version || v.LastConfigChangeAt != before.Version {
			t.Fatalf("a new app has %+v and version %s", v, before.Version)
		}
		deployed := c.must(test.change).(*Deployed)
		after := c.core.State().App("/a")
		is := func(what string, got, was Timestamp, fresh bool) {
			want := was
			if fresh {
				want = deployed.Version
			}
			if got != want {
				t.Errorf("%s: %s is %s, was %s, the change is %s", name, what, got, was, deployed.Version)
			}
		}
		is("version", after.Version, before.Version, test.version)
		is("lastScalingAt", after.VersionInfo.LastScalingAt, before.Version, test.scaled)
		is("lastConfigChangeAt", after.VersionInfo.LastConfigChangeAt, before.Version, test.config)
	}
}

// Instances that only wait for more of them keep running; those that run another definition are replaced.
func TestWhatAChangeReplaces(t *testing.T) {
	for name, test := range map[string]struct {
		change   Update
		replaced bool
	}{
		"scaled":    {put(app("/a", 3)), false},
		"changed":   {put(app("/a", 2, func(a *App) { a.Env = map[string]EnvValue{"A": {Text: "b"}} })), true},
		"labelled":  {put(app("/a", 2, func(a *App) { a.Labels = map[string]string{"a": "b"} })), true},
		"restarted": {restart("/a"), true},
		"as it was": {put(app("/a", 2)), false},
	} {
		c := newCluster(t, 2, 2)
		c.must(put(app("/a", 2)))
		c.settle()
		before := c.running("/a")
		c.must(test.change)
		c.settle()
		for _, i := range before {
			now := c.core.State().Instance(i.ID)
			if stays := now != nil && now.TaskID() == i.TaskID(); stays == test.replaced {
				t.Errorf("%s: %s stays %v", name, i.ID, stays)
			}
		}
		if c.deployments() != 0 {
			t.Errorf("%s: %d deployments", name, c.deployments())
		}
	}
}

// The newest fifty versions of an app are kept, and those that instances still run.
func TestVersionsThatAreKept(t *testing.T) {
	c := newCluster(t, 3, 1)
	tight := func(cmd string) *App {
		return app("/a", 1, func(a *App) { a.Cmd, a.UpgradeStrategy = cmd, UpgradeStrategy{MinimumHealthCapacity: 1} })
	}
	c.must(put(tight("run")))
	c.settle()
	first := c.core.State().App("/a").Version
	c.stall = true
	for n := range 60 {
		u := put(tight(fmt.Sprintf("never up %d", n)))
		u.Force = true
		c.must(u)
	}
	versions := c.core.State().AppVersions("/a")
	if len(versions) != 51 || versions[0] != c.core.State().App("/a").Version || versions[50] != first {
		t.Errorf("%d versions from %s to %s", len(versions), versions[0], versions[len(versions)-1])
	}
	if a := c.core.State().AppVersion("/a", first); a == nil || a.Cmd != "run" {
		t.Errorf("the version that runs is %+v", a)
	}
	c.boot(2) // it is stored, too
	c.settle()
	if len(c.running("/a")) != 1 || c.core.State().AppVersion("/a", first) == nil {
		t.Errorf("%d run for another leader", len(c.running("/a")))
	}
}

// Only as many deployments run at a time; one that ends makes room, one that does nothing needs none, and force takes
// the place of what it cancels.
func TestTooManyDeployments(t *testing.T) {
	c := newCluster(t, 4, 1)
	c.core.limits.MaxDeployments = 3
	c.stall = true
	for n := range 3 {
		c.must(put(app(PathID(fmt.Sprintf("/a%d", n)), 1)))
	}
	if r := c.request(put(app("/b", 1))); !errors.Is(r.Err, ErrTooManyDeployments) || c.core.State().App("/b") != nil {
		t.Fatalf("reply: %+v", r)
	}
	u := put(app("/a0", 2))
	u.Force = true
	c.must(u)
	c.must(put(app("/a1", 1)))
	c.stall = false
	for id, task := range c.tasks {
		if task.state == TaskStaging {
			c.move(id, TaskRunning)
		}
	}
	c.settle()
	c.must(put(app("/b", 1)))
}

// A deployment that removed an app is undone by having it again, and what came after it elsewhere stays.
func TestRemovalIsUndone(t *testing.T) {
	c := newCluster(t, 5, 1)
	c.must(put(app("/a", 1), app("/b", 1)))
	c.settle()
	c.stubborn = true
	d := c.must(remove("/a")).(*Deployed)
	c.settle()
	c.must(put(app("/b", 2)))
	c.settle()
	c.must(CancelDeployment{ID: d.Deployment})
	c.stubborn = false
	for id := range c.tasks {
		if i := c.core.State().Instance(InstanceIDOf(id)); i == nil || i.Condition == Killing {
			c.move(id, TaskKilled)
		}
	}
	c.settle()
	if s := c.core.State(); s.App("/a") == nil || s.App("/b").Instances != 2 || len(c.running("/a")) != 1 || len(c.running("/b")) != 2 || c.deployments() != 0 {
		t.Errorf("/a %v, /b %d; %d and %d run, %d deployments", s.App("/a"), s.App("/b").Instances, len(c.running("/a")), len(c.running("/b")), c.deployments())
	}
}

// What a deployment made of groups is undone, and what came after it there stays too.
func TestGroupsAreUndone(t *testing.T) {
	group := func(id PathID, on ...PathID) Update {
		return Update{Change: func(d *Draft) error { d.PutGroup(&Group{ID: id, Version: d.Version(), Dependencies: on}); return nil }}
	}
	removalOf := func(id PathID) Update {
		return Update{Force: true, Change: func(d *Draft) error { d.RemoveGroup(id); return nil }}
	}
	removal := removalOf("/g")
	change := Update{Change: func(d *Draft) error {
		d.PutApp(app("/g/a", 1, func(a *App) { a.Cmd = "other" }))
		d.PutApp(app("/made/b", 0))
		d.PutApp(app("/beside/made/b", 0))
		d.PutGroup(&Group{ID: "/empty", Version: d.Version(), Dependencies: []PathID{"/added"}})
		d.PutGroup(&Group{ID: "/g", Version: d.Version(), Dependencies: []PathID{"/kept", "/added"}})
		return nil
	}}
	for name, test := range map[string]struct {
		change Update
		then   []Event
		groups string // with their dependencies
	}{
		"changed":                   {change, nil, "/empty [] /g [/kept /gone]"},
		"removed":                   {removal, nil, "/empty [] /g [/kept /gone]"},
		"changed, and changed more": {change, []Event{group("/g", "/more", "/added", "/kept")}, "/empty [] /g [/more /kept /gone]"},
		"removed, and made again":   {removal, []Event{group("/g", "/more")}, "/empty [] /g [/more]"},
		"changed, and removed":      {change, []Event{removalOf("/empty")}, "/g [/kept /gone]"},
		"made, and used":            {change, []Event{put(app("/made/c", 0)), group("/beside/made/too")}, "/beside [] /beside/made [] /beside/made/too [] /empty [] /g [/kept /gone] /made []"},
	} {
		c := newCluster(t, 8, 1)
		c.must(put(app("/g/a", 1)))
		c.settle()
		c.must(group("/g", "/kept", "/gone"))
		c.must(group("/empty"))
		c.stall, c.stubborn = true, true
		d := c.must(test.change).(*Deployed)
		c.settle()
		for _, e := range test.then {
			c.must(e)
			c.settle()
		}
		newest := c.core.State().Version
		c.must(CancelDeployment{ID: d.Deployment})
		var got []string
		for g := range c.core.State().GroupsWithin(Root) {
			got = append(got, fmt.Sprint(g.ID, " ", g.Dependencies))
		}
		if a := c.core.State().App("/g/a"); a == nil || a.Cmd != "sleep 1000" || strings.Join(got, " ") != test.groups {
			t.Errorf("%s: app %v, groups %v; want %s", name, a, got, test.groups)
		}
		if v := c.core.State().GroupVersion("/g"); v <= newest {
			t.Errorf("%s: the group has version %s, after %s", name, v, newest)
		}
	}
}

// A step of a deployment begins when every action of the one before is done, also where another leader goes on with it:
// what is done already is not done again.
func TestStepsWaitForEachOther(t *testing.T) {
	for name, between := range map[string]func(*cluster){
		"one leader":     func(*cluster) {},
		"another leader": func(c *cluster) { c.boot(2); c.settle() },
	} {
		c := newCluster(t, 9, 1)
		c.stall = true
		c.must(put(app("/db", 1), app("/queue", 1), app("/web", 1, func(a *App) { a.Dependencies = []PathID{"/db", "/queue"} })))
		c.settle()
		for n, want := range []int{2, 2, 3} { // tasks when so many of them run
			between(c)
			if len(c.started) != want || c.deployments() != 1 {
				t.Fatalf("%s: %d started while %d run; %d deployments", name, len(c.started), n, c.deployments())
			}
			c.move(c.started[n], TaskRunning)
			c.settle()
		}
		if between(c); len(c.started) != 3 || c.deployments() != 0 {
			t.Errorf("%s: %d started in the end, %d deployments", name, len(c.started), c.deployments())
		}
	}
}

// The order in which a new app, and one that depends on it, are told of (Marathon reference 10.5).
func TestOrderOfDeploymentEvents(t *testing.T) {
	c := newCluster(t, 6, 1)
	c.settle()
	c.notices = nil
	d := c.must(put(app("/g/db", 1), app("/g/web", 1, func(a *App) { a.Dependencies = []PathID{"/g/db", "/not/there"} }))).(*Deployed)
	c.settle()
	var got []string
	for _, n := range c.notices {
		switch body := n.Body.(type) {
		case GroupChange:
			got = append(got, n.Type+" "+string(body.GroupID))
		case DeploymentProgress:
			got = append(got, fmt.Sprint(n.Type, " ", body.CurrentStep.Actions))
		case DeploymentEnd:
			if body.ID != d.Deployment {
				t.Errorf("%s is of %s", n.Type, body.ID)
			}
			got = append(got, n.Type)
		case InstanceChanged:
			if body.Condition == Running {
				got = append(got, "running "+string(body.RunSpecID))
			}
		}
	}
	want := []string{
		"group_change_success /g",
		"deployment_info [{StartApplication /g/db} {StartApplication /g/web}]",
		"deployment_step_success [{StartApplication /g/db} {StartApplication /g/web}]",
		"deployment_info [{ScaleApplication /g/db}]",
		"running /g/db",
		"deployment_step_success [{ScaleApplication /g/db}]",
		"deployment_info [{ScaleApplication /g/web}]",
		"running /g/web",
		"deployment_step_success [{ScaleApplication /g/web}]",
		"deployment_success",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}

// An app that depends on the group that it is in depends on the others there.
func TestDependencyOnOwnGroup(t *testing.T) {
	c := newCluster(t, 10, 1)
	c.stall = true
	c.must(put(app("/g/a", 1, func(a *App) { a.Dependencies = []PathID{"/g"} }), app("/g/b", 1), app("/g/h/c", 1)))
	c.settle()
	if len(c.started) != 2 || strings.HasPrefix(string(c.started[0]), "g_a.") || strings.HasPrefix(string(c.started[1]), "g_a.") {
		t.Errorf("started first: %v", c.started)
	}
}

// Apps wait for those of the groups that they, or a group around them, depend on, and cycles over groups are refused.
func TestDependenciesOfGroups(t *testing.T) {
	needs := []PathID{"/p/db", "/not/there"}
	for name, of := range map[string]func(*Draft){
		"the group's":         func(d *Draft) { d.PutGroup(&Group{ID: "/p/web", Dependencies: needs}) },
		"the app's":           func(d *Draft) { d.PutApp(app("/p/web/front/two", 1, func(a *App) { a.Dependencies = needs })) },
		"the nearest group's": func(d *Draft) { d.PutGroup(&Group{ID: "/p/web/front", Dependencies: needs}) },
	} {
		c := newCluster(t, 7, 1)
		c.stall = true
		both := func(dbNeeds ...PathID) Update {
			return Update{Force: true, Change: func(d *Draft) error {
				d.PutApp(app("/p/db/deep/one", 1))
				d.PutApp(app("/p/web/front/two", 1))
				of(d)
				d.PutGroup(&Group{ID: "/p/db", Dependencies: dbNeeds})
				return nil
			}}
		}
		c.must(both())
		c.settle()
		if len(c.started) != 1 || !strings.HasPrefix(string(c.started[0]), "p_db_deep_one.") {
			t.Fatalf("%s: started first: %v", name, c.started)
		}
		c.stall = false
		c.move(c.started[0], TaskRunning)
		c.settle()
		if len(c.running("/p/web/front/two")) != 1 || c.deployments() != 0 {
			t.Errorf("%s: %d run, %d deployments", name, len(c.running("/p/web/front/two")), c.deployments())
		}
		var invalid *InvalidError
		if r := c.request(both("/p/web")); !errors.As(r.Err, &invalid) {
			t.Errorf("%s: a cycle is accepted: %+v", name, r)
		}
	}
}
