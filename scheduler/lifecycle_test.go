package scheduler

import (
	"slices"
	"strings"
	"testing"
)

// Which instances go when an app is scaled down (Marathon reference 15.2 and 7), by the letters of their ids.
func TestWhichInstancesGo(t *testing.T) {
	const config = 100
	// Conditions are told by words: "r3" runs since 3, "o3" does so with an older definition, "u3" is unhealthy.
	conditions := map[byte]Condition{'r': Running, 'o': Running, 'u': Running, 's': Staging, 't': Starting, 'p': Provisioned,
		'w': Scheduled, 'l': Unreachable, 'i': UnreachableInactive}
	groupBy := []Constraint{{"@zone", GroupBy, ""}}
	for _, test := range []struct {
		instances   string // "a:r3", with a zone "a:r3@z1"
		selection   KillSelection
		constraints []Constraint
		order       string
	}{
		{"a:r1 b:r3 c:r2", YoungestFirst, nil, "bca"},
		{"a:r1 b:r3 c:r2", OldestFirst, nil, "acb"},
		{"b:r1 a:r1", YoungestFirst, nil, "ab"},
		{"a:r1 b:t0 c:s0 d:l2 e:r2", YoungestFirst, nil, "dcbea"},
		{"a:r1 b:t0 c:s0 d:l2 e:r2", OldestFirst, nil, "dcbae"},
		{"a:r1 b:w0 c:p0 d:l2", YoungestFirst, nil, "dbca"},
		{"a:r1 b:r9 c:o2 d:u3", YoungestFirst, nil, "dcba"},
		{"a:r9@z1 b:r1@z2 c:r2@z2 d:r3@z2", YoungestFirst, groupBy, "dcab"}, // the fullest zone first
		{"a:r9@z1 b:r1@z2 c:r2@z2 d:r3@z2", OldestFirst, groupBy, "bcda"},
		{"a:r4@z1 b:r3@z1 c:r2@z2 d:r1@z2", YoungestFirst, groupBy, "abcd"}, // even: as without
		{"a:r4@z1 b:r3@z1 c:r2@z2 d:r1@z2", YoungestFirst, []Constraint{{"@zone", Unique, ""}}, "abcd"},
	} {
		a := app("/a", 0, func(a *App) {
			a.KillSelection, a.Constraints = test.selection, test.constraints
			a.VersionInfo.LastConfigChangeAt = config
			a.HealthChecks = []HealthCheck{{MaxConsecutiveFailures: 3}}
		})
		var pool []*Instance
		for word := range strings.FieldsSeq(test.instances) {
			word, zone, _ := strings.Cut(word, "@")
			i := &Instance{ID: InstanceID(word[:1]), App: a, AppVersion: config, Goal: GoalRunning, Ready: true, Zone: zone,
				Condition: conditions[word[2]], StartedAt: Timestamp(word[3] - '0'), Health: []HealthResult{{Alive: true, LastSuccess: 1, FirstSuccess: 1}}}
			switch word[2] {
			case 'o':
				i.AppVersion = config - 1
			case 'u':
				i.Health = []HealthResult{{FirstSuccess: 1, LastSuccess: 1, LastFailure: 2}}
			}
			pool = append(pool, i)
		}
		slices.Reverse(pool) // the order in which they are found is of no matter
		for count := range len(pool) + 1 {
			got := ""
			for _, i := range surplus(a, pool, count) {
				got += string(i.ID)
			}
			if got != test.order[:count] {
				t.Errorf("%s %s %v: of %d went %q, want %q", test.instances, test.selection, test.constraints, count, got, test.order[:count])
			}
		}
	}
}

// What somebody chose goes, whatever the order says; what is left is what was wanted.
func TestChosenInstancesGoFirst(t *testing.T) {
	c := newCluster(t, 1, 3)
	c.must(put(app("/a", 3)))
	c.settle()
	all := c.running("/a")
	oldest := slices.MinFunc(all, func(a, b *Instance) int { return int(a.StartedAt - b.StartedAt) })
	c.must(KillTasks{Tasks: []TaskID{oldest.TaskID()}, Scale: true})
	c.settle()
	now := c.running("/a")
	if len(now) != 2 || slices.ContainsFunc(now, func(i *Instance) bool { return i.ID == oldest.ID }) || c.core.State().App("/a").Instances != 2 {
		t.Errorf("%d run, %d are wanted", len(now), c.core.State().App("/a").Instances)
	}
}
