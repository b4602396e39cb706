package mesos

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func clusterOf(leader string, recovered []string, agents []string, tasks ...Task) State {
	s := State{Leader: leader, MasterID: leader, Recovered: recovered, Tasks: tasks}
	for _, id := range agents {
		s.Agents = append(s.Agents, Agent{ID: id, Endpoint: Endpoint{Host: "10.0.0.1", Port: 5051}})
	}
	for _, t := range tasks {
		if !slices.ContainsFunc(s.Frameworks, func(f Framework) bool { return f.ID == t.FrameworkID }) {
			s.Frameworks = append(s.Frameworks, Framework{ID: t.FrameworkID, Name: t.FrameworkID})
		}
	}
	return s
}

func taskIDs(s State) []string {
	out := []string{}
	for _, t := range s.Tasks {
		out = append(out, t.ID)
	}
	slices.Sort(out)
	return out
}

func TestRetainer(t *testing.T) {
	a := Task{FrameworkID: "f", ID: "a", AgentID: "S0", State: TaskRunning}
	b := Task{FrameworkID: "f", ID: "b", AgentID: "S1", State: TaskRunning}
	c := Task{FrameworkID: "g", ID: "c", AgentID: "S1", State: TaskRunning}
	none := []string{}
	ended := clusterOf("m2", []string{"S0", "S1"}, nil)
	ended.Ended = []TaskKey{b.Key()}
	completed := clusterOf("m2", []string{"S0", "S1"}, nil)
	completed.Completed = []string{"g"}
	for _, tt := range []struct {
		name  string
		next  State
		after time.Duration
		want  []string
	}{
		{"empty, as nothing is recovered yet", clusterOf("m2", none, nil), 0, []string{"a", "b", "c"}},
		{"empty for too long", clusterOf("m2", none, nil), ReregisterTimeout + time.Second, []string{}},
		{"agents to come", clusterOf("m2", []string{"S0", "S1"}, nil), 0, []string{"a", "b", "c"}},
		{"agents to come, for longer than the default", clusterOf("m2", []string{"S0", "S1"}, nil), time.Hour, []string{"a", "b", "c"}},
		{"one agent is back", clusterOf("m2", []string{"S1"}, []string{"S0"}, a), 0, []string{"a", "b", "c"}},
		{"one agent is back without its task", clusterOf("m2", []string{"S1"}, []string{"S0"}), 0, []string{"b", "c"}},
		{"one agent is gone for good", clusterOf("m2", []string{"S0"}, nil), 0, []string{"a"}},
		{"a task has ended", ended, 0, []string{"a", "c"}},
		{"a framework has ended", completed, 0, []string{"a", "b"}},
		{"a master that does not tell", clusterOf("m2", nil, []string{"S0"}, a), 0, []string{"a", "b", "c"}},
		{"a master that does not tell, for too long", clusterOf("m2", nil, []string{"S0"}, a), ReregisterTimeout + time.Second, []string{"a"}},
		{"the same master", clusterOf("m1", []string{"S1"}, []string{"S0"}, a), 0, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sink heard
				r := NewRetainer(&sink, slog.New(slog.DiscardHandler))
				r.Reset(clusterOf("m1", none, []string{"S0", "S1"}, a, b))
				r.Apply(Change{Frameworks: []Framework{{ID: "g", Name: "g"}}, Tasks: []Task{c}})
				r.Reset(tt.next)
				time.Sleep(tt.after)
				r.Reset(tt.next)
				got := sink.states[len(sink.states)-1]
				if ids := taskIDs(got); !slices.Equal(ids, tt.want) {
					t.Errorf("tasks %v, want %v", ids, tt.want)
				}
				for _, task := range got.Tasks {
					if !slices.ContainsFunc(got.Agents, func(a Agent) bool { return a.ID == task.AgentID }) ||
						!slices.ContainsFunc(got.Frameworks, func(f Framework) bool { return f.ID == task.FrameworkID }) {
						t.Errorf("task %s lacks its agent or framework", task.ID)
					}
				}
			})
		})
	}
}

// The recorded failover: one task runs all the time, and no state of the new leader makes it go.
func TestRetainerRecordedFailover(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sharedStates, "zk", "new-leader-state-*.json"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no recorded failover in ", sharedStates)
		}
		t.Skip("THE RECORDED FAILOVER IS NOT REPLAYED: it is not in ", sharedStates)
	}
	read := func(file string) State {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s, err := DecodeState(f)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := read(files[len(files)-1]) // what the old leader knew is what the new one knows in the end
	before.Leader, before.MasterID = "127.0.0.11:5050", "the old one"
	var sink heard
	r := NewRetainer(&sink, slog.New(slog.DiscardHandler))
	r.Reset(before)
	for _, file := range files {
		r.Reset(read(file))
	}
	for i, s := range sink.states {
		if !slices.Equal(taskIDs(s), taskIDs(before)) || len(s.Agents) != len(before.Agents) || len(s.Frameworks) != len(before.Frameworks) {
			t.Errorf("state %d: tasks %v, %d agents, %d frameworks", i, taskIDs(s), len(s.Agents), len(s.Frameworks))
		}
	}
}

// A framework that is renamed brings its tasks, which have its name.
func TestRetainerRenamedFramework(t *testing.T) {
	var sink heard
	r := NewRetainer(&sink, slog.New(slog.DiscardHandler))
	r.Reset(clusterOf("m1", nil, []string{"S0"}, Task{FrameworkID: "f", ID: "a", AgentID: "S0"}, Task{FrameworkID: "g", ID: "b", AgentID: "S0"}))
	r.Apply(Change{Frameworks: []Framework{{ID: "f", Name: "new"}}})
	r.Apply(Change{Frameworks: []Framework{{ID: "f", Name: "new", Endpoint: Endpoint{Host: "h"}}}})
	if first, second := sink.changes[0].Tasks, sink.changes[1].Tasks; len(first) != 1 || first[0].ID != "a" || len(second) != 0 {
		t.Errorf("tasks %v, then %v", first, second)
	}
}
