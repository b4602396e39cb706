package records

import "testing"

func TestHealth(t *testing.T) {
	tests := []struct {
		name          string
		health        [3]Health // of a task on agent0, another on agent0, one on agent1
		all, none     []string  // what the name answers by AllUnhealthy
		canonicalNone []string  // what the canonical name of the first task answers with AnswerNone
	}{
		{"all healthy", [3]Health{Healthy, Healthy, Healthy},
			[]string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"}, nil, []string{"A 10.0.0.1"}},
		{"unknown counts as healthy", [3]Health{HealthUnknown, Healthy, HealthUnknown},
			[]string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"}, nil, []string{"A 10.0.0.1"}},
		{"one of two on the agent unhealthy", [3]Health{Unhealthy, Healthy, Healthy},
			[]string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"}, nil, []string{}},
		{"both on the agent unhealthy", [3]Health{Unhealthy, Unhealthy, HealthUnknown},
			[]string{"A 10.0.0.2", "AAAA fd00::2"}, nil, []string{}},
		// By type: the only AAAA is that of an unhealthy task.
		{"the only AAAA unhealthy", [3]Health{Healthy, Unhealthy, Unhealthy},
			[]string{"A 10.0.0.1", "AAAA fd00::2"}, []string{"A 10.0.0.1"}, []string{"A 10.0.0.1"}},
		{"all unhealthy", [3]Health{Unhealthy, Unhealthy, Unhealthy},
			[]string{"A 10.0.0.1", "A 10.0.0.2", "AAAA fd00::2"}, []string{}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tasks := []Task{running("test", "web", agent0), running("b", "web", agent0), running("c", "web", agent1)}
			for i := range tasks {
				tasks[i].Health = tt.health[i]
			}
			if tt.none == nil {
				tt.none = tt.all
			}
			for mode, want := range map[AllUnhealthy][]string{AnswerAll: tt.all, AnswerNone: tt.none} {
				z := newTestZone(t, func(o *Options) { o.AllUnhealthy = mode })
				z.Update("s", Update{Agents: []Agent{agent0, agent1}, Tasks: tasks})
				wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), want)
				if mode == AnswerNone {
					wantLines(t, at(z.Snapshot(), "web-iffe9-s0.marathon.mesos."), tt.canonicalNone)
				}
			}
		})
	}
}

func TestHealthFollowsUpdates(t *testing.T) {
	z := newTestZone(t, func(o *Options) { o.AllUnhealthy = AnswerNone })
	a, b := running("a", "web", agent0, 31000), running("b", "web", agent1, 31000)
	z.Update("s", Update{Agents: []Agent{agent0, agent1}, Tasks: []Task{a, b}})
	full := lines(z.Snapshot())
	for _, health := range []Health{Unhealthy, Healthy, Unhealthy, HealthUnknown} {
		b.Health = health
		before := z.Snapshot().Serial()
		z.Update("s", Update{Tasks: []Task{b}})
		if z.Snapshot().Serial() == before {
			t.Errorf("health became %d: the serial did not move", health)
		}
		if health != Unhealthy {
			wantLines(t, lines(z.Snapshot()), full)
			continue
		}
		wantLines(t, at(z.Snapshot(), "web.marathon.mesos."), []string{"A 10.0.0.1"})
		if srv := at(z.Snapshot(), "_web._tcp.marathon.mesos."); len(srv) != 1 {
			t.Errorf("SRV with one of two unhealthy: %v", srv)
		}
	}
}
