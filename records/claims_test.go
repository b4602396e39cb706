package records

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which names collide, and between whom.
func TestCollisions(t *testing.T) {
	task := func(id, framework, name, discovery string) Task {
		t := Task{ID: framework + id, Name: name, Framework: framework, AgentID: agent0.ID, State: taskRunning}
		if discovery != "" {
			t.Discovery = &Discovery{Name: discovery}
		}
		return t
	}
	at := func(key, name string) Framework { return Framework{Key: key, Name: name, Addrs: addrs("10.0.0.7")} }
	for _, tt := range []struct {
		name string
		said Update
		want []string
	}{
		{"instances of an app", Update{Tasks: []Task{task("1", "f", "web", ""), task("2", "f", "web", "")}}, nil},
		{"an app before and after it got its DiscoveryInfo",
			Update{Tasks: []Task{task("1", "f", "web", ""), task("2", "f", "web.1", "web")}}, nil},
		{"another framework", Update{Tasks: []Task{task("1", "f", "web", ""), task("1", "g", "web", "")}}, nil},
		{"tasks that are called the same but for what a label does not hold",
			Update{Tasks: []Task{task("1", "f", "web.db", ""), task("2", "f", "Web_db", "")}},
			[]string{`web-db.f.mesos.: task "Web_db" of framework "f" (f) | task "web.db" of framework "f" (f)`}},
		{"DiscoveryInfo",
			Update{Tasks: []Task{task("1", "f", "x", "web.db"), task("2", "f", "y", "web-db")}},
			[]string{`web-db.f.mesos.: task "web-db" of framework "f" (f) | task "web.db" of framework "f" (f)`}},
		{"frameworks that come to the same name",
			Update{Frameworks: []Framework{at("1", "F"), at("2", "f")}, Tasks: []Task{task("1", "f", "a", ""), task("1", "F", "a", "")}},
			[]string{`a.f.mesos.: task "a" of framework "F" (F) | task "a" of framework "f" (f)`,
				`f.mesos.: framework "F" (1) | framework "f" (2)`}},
		{"a name across the dot", Update{Tasks: []Task{task("1", "c", "x", "a.b"), task("1", "b.c", "a", "")}},
			[]string{`a.b.c.mesos.: task "a" of framework "b.c" (b.c) | task "a.b" of framework "c" (c)`}},
		{"a framework that is called as a name that is always there",
			Update{Frameworks: []Framework{at("1", "leader"), at("2", "slave")}},
			[]string{`leader.mesos.: a name that is always there | framework "leader" (1)`,
				`slave.mesos.: a name that is always there | framework "slave" (2)`}},
		{"tasks that do not run", Update{Tasks: []Task{task("1", "f", "a.b", ""),
			{ID: "2", Name: "a_b", Framework: "f", AgentID: agent0.ID, State: "TASK_STAGING"}}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []string
			z := newTestZone(t, func(o *Options) {
				o.Collided = func(collisions []Collision) {
					for _, c := range collisions {
						told = append(told, fmt.Sprintf("%s: %s", c.Name, strings.Join(c.Between, " | ")))
					}
				}
			})
			tt.said.Reset, tt.said.Agents = true, []Agent{agent0}
			tt.said.Masters = &Masters{Leader: netip.MustParseAddrPort("10.0.0.1:5050")}
			for range 2 { // a refresh that says the same tells of nothing
				z.Update("s", tt.said)
			}
			if diff := cmp.Diff(tt.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if got := z.Snapshot().Stats().Collisions; got != len(tt.want) {
				t.Errorf("%d are counted", got)
			}
			z.Update("s", Update{Reset: true})
			if got := z.Snapshot().Stats().Collisions; got != 0 {
				t.Errorf("%d are counted when nothing is left", got)
			}
			if len(z.claims.sole) > 0 {
				t.Errorf("claims are left: %v", z.claims.sole)
			}
		})
	}
}

// Both are answered for; and a task that changes is no new collision.
func TestCollidingTasksAreBothThere(t *testing.T) {
	told := 0
	z := newTestZone(t, func(o *Options) { o.Collided = func([]Collision) { told++ } })
	one := Task{ID: "1", Name: "web.db", Framework: "f", AgentID: agent0.ID, State: taskRunning}
	two := Task{ID: "2", Name: "web-db", Framework: "f", AgentID: agent1.ID, State: taskRunning}
	z.Update("s", Update{Agents: []Agent{agent0, agent1}, Tasks: []Task{one}})
	z.Update("t", Update{Agents: []Agent{agent0, agent1}, Tasks: []Task{two}})
	wantLines(t, at(z.Snapshot(), "web-db.f.mesos."), []string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"})
	two.Ports = []int{31000}
	z.Update("t", Update{Tasks: []Task{two}})
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := z.Reconfigure(func() Options { o := DefaultOptions("mesos"); o.TTL = 5; return o }()); err != nil {
		t.Fatal(err)
	}
	if got := z.Snapshot().Stats().Collisions; got != 1 {
		t.Errorf("%d are counted after the names were made anew", got)
	}
}
