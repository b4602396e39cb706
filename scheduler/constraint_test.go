package scheduler

import (
	"testing"
	"time"
)

// Fault domains are fields like any other; a place that lacks the field fails every operator but UNLIKE. What Marathon's
// own tests say of the operators is in the vectors (TestConstraintVectors).
func TestFaultDomains(t *testing.T) {
	here := place{agent: "S1", hostname: "h1", region: "eu", zone: "eu-a", attributes: map[string]string{"gpu": "2"}}
	there := place{agent: "S2", hostname: "h2", region: "us", zone: "us-a"}
	nowhere := place{agent: "S3", hostname: "h3"}
	for _, test := range []struct {
		c                    Constraint
		placed               []place
		here, there, nowhere bool
	}{
		{Constraint{"@region", Is, "eu"}, nil, true, false, false},
		{Constraint{"@region", Like, "eu|us"}, nil, true, true, false},
		{Constraint{"@region", Unlike, "e.*"}, nil, false, true, true},
		{Constraint{"@region", Cluster, ""}, nil, true, true, false},
		{Constraint{"@region", Cluster, ""}, []place{here}, true, false, false},
		{Constraint{"@region", Cluster, "us"}, []place{here}, false, true, false},
		{Constraint{"@zone", Unique, ""}, []place{here}, false, true, false},
		{Constraint{"@zone", MaxPer, "2"}, []place{here, here, there}, false, true, false},
		{Constraint{"@zone", MaxPer, "0"}, nil, false, false, false},
		{Constraint{"@zone", GroupBy, "2"}, []place{here, here}, false, true, false}, // 4 instances: two in each
		{Constraint{"@zone", GroupBy, "1"}, []place{here}, true, false, false},
		{Constraint{"@zone", GroupBy, ""}, []place{here, there, there}, true, false, false},
		{Constraint{"@hostname", Unique, ""}, []place{here}, false, true, true},
		{Constraint{"@hostname", Like, "h[12]"}, nil, true, true, false},
		{Constraint{"gpu", Is, "2.0"}, nil, true, false, false},
		{Constraint{"gpu", Unlike, "2"}, nil, false, true, true},
		{Constraint{"@zone", Like, "eu"}, nil, false, false, false}, // the whole value is to match
	} {
		m := newMatcher(test.c, 4)
		for _, p := range test.placed {
			m.add(p)
		}
		if a, b, c := m.accepts(here), m.accepts(there), m.accepts(nowhere); a != test.here || b != test.there || c != test.nowhere {
			t.Errorf("%v with %d placed accepts %v %v %v, want %v %v %v", test.c, len(test.placed), a, b, c, test.here, test.there, test.nowhere)
		}
	}
}

// Instances of a config are spread over zones as GROUP_BY says, also while they come and go.
func TestGroupByStaysEven(t *testing.T) {
	c := newCluster(t, 71, 6) // zones z0 and z1
	spread := func() map[string]int {
		zones := map[string]int{}
		for _, i := range c.running("/a") {
			zones[i.Zone]++
		}
		return zones
	}
	even := func(when string, total int) {
		t.Helper()
		zones := spread()
		if difference := zones["z0"] - zones["z1"]; zones["z0"]+zones["z1"] != total || difference < -1 || difference > 1 {
			t.Errorf("%s: %v", when, zones)
		}
	}
	byZone := func(a *App) { a.Constraints = []Constraint{{"@zone", GroupBy, "2"}} }
	for _, n := range []int{5, 8, 3, 1, 6} {
		c.must(put(app("/a", n, byZone)))
		c.settle()
		even("scaled", n)
	}
	c.must(put(app("/a", 6, byZone, func(a *App) { a.Cmd = "v2" })))
	c.settle()
	even("upgraded", 6)
}

// An instance that was given up for lost takes no place in its zone: the one that is started for it may go there. UNIQUE
// keeps its place for it, should it come back.
func TestLostInstancesAndConstraints(t *testing.T) {
	for _, test := range []struct {
		constraint Constraint
		instances  int
		replaced   bool
	}{
		{Constraint{"@zone", GroupBy, "2"}, 4, true},
		{Constraint{"@zone", MaxPer, "2"}, 4, true},
		{Constraint{"@zone", Unique, ""}, 2, false},
	} {
		c := newCluster(t, 40, 5) // in two zones
		c.must(put(app("/a", test.instances, func(a *App) {
			a.Constraints = []Constraint{test.constraint}
			a.UnreachableStrategy = UnreachableStrategy{InactiveAfterSeconds: 60, ExpungeAfterSeconds: 36000}
		})))
		c.settle()
		if n := len(c.running("/a")); n != test.instances {
			t.Fatalf("%v: %d run", test.constraint, n)
		}
		i := c.running("/a")[0]
		c.leave(c.agents[i.AgentID])
		c.settle()
		lost := test.instances - len(c.running("/a"))
		c.advance(59 * time.Second)
		if n := len(c.running("/a")); n != test.instances-lost {
			t.Errorf("%v: %d run before it is given up", test.constraint, n)
		}
		c.advance(5 * time.Minute)
		if n := len(c.running("/a")); n == test.instances != test.replaced {
			t.Errorf("%v: %d run when it is", test.constraint, n)
		}
	}
}

// Scaling makes another version of an app, and UNIQUE is of all of its instances; another config's do not count.
func TestUniqueAcrossVersions(t *testing.T) {
	c := newCluster(t, 41, 3)
	for instances, want := range []int{0, 1, 2, 3, 3} {
		c.must(Update{Force: true, Change: func(d *Draft) error { d.PutApp(app("/a", instances, unique)); return nil }})
		c.settle()
		hosts := map[string]bool{}
		for _, i := range c.running("/a") {
			hosts[i.Hostname] = true
		}
		if len(c.running("/a")) != want || len(hosts) != want {
			t.Errorf("%d of %d run on %d hosts", len(c.running("/a")), instances, len(hosts))
		}
	}
	c.must(Update{Force: true, Change: func(d *Draft) error {
		d.PutApp(app("/a", 3, unique, func(a *App) { a.Cmd = "other" }))
		return nil
	}})
	c.settle()
	if len(c.running("/a")) != 3 || c.deployments() != 0 {
		t.Errorf("%d run of the other config, %d deployments", len(c.running("/a")), c.deployments())
	}
}
