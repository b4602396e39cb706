package mesos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExcept(t *testing.T) {
	sink := make(told, 1)
	e := &Except{Next: sink}
	ours, theirs := Task{FrameworkID: "f1", ID: "t"}, Task{FrameworkID: "f2", ID: "t"}
	whole := func() State {
		return State{Agents: []Agent{{ID: "a1"}}, Frameworks: []Framework{{ID: "f1"}, {ID: "f2"}}, Tasks: []Task{ours, theirs}}
	}
	e.Reset(whole())
	if diff := cmp.Diff(whole(), sink.reset(t)); diff != "" {
		t.Errorf("nothing is left out (-want +got):\n%s", diff)
	}

	e.Leave("f1")
	if got := sink.change(t); len(got.FrameworksGone) != 1 || got.FrameworksGone[0] != "f1" {
		t.Errorf("told %+v", got)
	}
	e.Leave("f1")
	given := whole()
	e.Reset(given)
	want := whole()
	want.Frameworks, want.Tasks = want.Frameworks[1:], want.Tasks[1:]
	if diff := cmp.Diff(want, sink.reset(t)); diff != "" {
		t.Errorf("f1 is left out (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(whole(), given); diff != "" {
		t.Errorf("what was given has changed:\n%s", diff)
	}

	e.Apply(Change{Tasks: []Task{ours}, Frameworks: []Framework{{ID: "f1"}}}) // says nothing
	e.Apply(Change{Tasks: []Task{ours, theirs}, TasksGone: []TaskKey{ours.Key()}, Agents: []Agent{{ID: "a2"}}})
	if diff := cmp.Diff(Change{Tasks: []Task{theirs}, TasksGone: []TaskKey{ours.Key()}, Agents: []Agent{{ID: "a2"}}},
		sink.change(t)); diff != "" {
		t.Errorf("f1 is left out (-want +got):\n%s", diff)
	}

	e.Leave("")
	e.Apply(Change{Tasks: []Task{ours}})
	if got := sink.change(t); len(got.Tasks) != 1 {
		t.Errorf("told %+v", got)
	}
}

// Who does not know the framework's id leaves it out by its name.
func TestExceptByName(t *testing.T) {
	sink := make(told, 1)
	e := &Except{Next: sink, Named: "marathon"}
	e.Reset(State{Frameworks: []Framework{{ID: "f1", Name: "marathon"}, {ID: "f2", Name: "chronos"}},
		Tasks: []Task{{FrameworkID: "f1", ID: "t"}, {FrameworkID: "f2", ID: "t"}}})
	if got := sink.reset(t); len(got.Tasks) != 1 || got.Tasks[0].FrameworkID != "f2" || len(got.Frameworks) != 1 {
		t.Errorf("told %+v", got)
	}
	e.Apply(Change{Tasks: []Task{{FrameworkID: "f1", ID: "u"}}}) // says nothing
	e.Apply(Change{Tasks: []Task{{FrameworkID: "f2", ID: "u"}}})
	if got := sink.change(t); len(got.Tasks) != 1 || got.Tasks[0].FrameworkID != "f2" {
		t.Errorf("told %+v", got)
	}
}
