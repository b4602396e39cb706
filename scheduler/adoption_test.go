package scheduler

import (
	"context"
	"strings"
	"testing"
	"time"
)

// recordStore is a store that holds records to load.
type recordStore []Record

func (s recordStore) Load(_ context.Context, yield func(Record) error) error {
	for _, r := range s {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (s recordStore) Commit(context.Context, []Record) error { return nil }

// Tasks that are adopted are asked about, not launched again; what is missing is launched once they are heard of, and a
// framework of another id is refused.
func TestAdopt(t *testing.T) {
	now := time.UnixMilli(1_600_000_000_000)
	a := Adoption{FrameworkID: "f-0001",
		Change: func(d *Draft) error {
			d.PutApp(&App{ID: "/g/a", Cmd: "x", CPUs: 0.1, Mem: 16, Instances: 2, BackoffFactor: 1})
			return nil
		},
		Instances: func(app func(PathID) *App) ([]*Instance, error) {
			if app("/g/a") == nil {
				t.Error("the app is not there yet")
			}
			return []*Instance{{ID: "g_a.instance-x", AppID: "/g/a", Condition: Running, Incarnation: 4, AgentID: "S0", Ready: true}}, nil
		},
	}
	records, err := Adopt(DefaultLimits(), a, now, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := LoadState(t.Context(), recordStore(records))
	if err != nil {
		t.Fatal(err)
	}
	if state.FrameworkID != "f-0001" || state.Group("/g") == nil || state.DeploymentOf("/g/a") != "" {
		t.Errorf("framework %q, group %v, deployment %q", state.FrameworkID, state.Group("/g"), state.DeploymentOf("/g/a"))
	}
	core := NewCore(DefaultLimits(), state, [32]byte{1})
	refused := core.Step(now, Registered{FrameworkID: "f-0002"})
	if refused.State.Refused == "" {
		t.Error("another framework's id is taken")
	}
	core.Restore(state)
	e := core.Step(now, Registered{FrameworkID: "f-0001"})
	asked := false
	for _, c := range e.Calls {
		switch c := c.(type) {
		case reconcileCall:
			asked = len(c.tasks) == 1 && c.tasks[0] == TaskRef{"g_a.instance-x._app.4", "S0"}
		case killCall:
			t.Errorf("a task is killed: %v", c)
		}
	}
	if !asked {
		t.Errorf("the task is not asked about: %v", e.Calls)
	}
	e = core.Step(now, StatusReceived{Status: TaskStatus{TaskID: "g_a.instance-x._app.4", AgentID: "S0", State: TaskRunning, Timestamp: now}})
	if i := e.State.Instance("g_a.instance-x"); i == nil || i.Condition != Running || outdated(i, e.State.App("/g/a")) {
		t.Errorf("the instance is %+v", i)
	}
	waiting := 0
	for i := range e.State.Instances("/g/a") {
		if i.Condition == Scheduled {
			waiting++
		}
	}
	if waiting != 1 {
		t.Errorf("%d instances wait, although one is missing", waiting)
	}
}

func TestInstanceIDOf(t *testing.T) {
	const uuid = "3e6fb1a0-0000-11ea-8d77-0242ac110002"
	for task, want := range map[TaskID]InstanceID{
		"a_b.instance-x._app.1":                    "a_b.instance-x",
		"a_b." + uuid:                              "a_b.instance-" + uuid,
		"a_b.c." + uuid:                            "a_b.c.instance-" + uuid,
		"a_b.instance-" + uuid:                     "a_b.instance-" + uuid,
		"a_b.instance-" + uuid + ".12":             "a_b.instance-" + uuid,
		"a_b.instance-" + uuid + ".012":            "",
		"a_b." + uuid + ".12":                      "",
		"a_b.instance-" + uuid + ".main":           "",
		"a_b.marathon-" + uuid:                     "",
		"a_b.3e6fb1a0-0000-11ea-8d77-0242x":        "",
		"a_b.3e6fb1a0-0000-11ea-8d77-0242ac11000g": "",
		TaskID(uuid):                               "",
		TaskID("." + uuid):                         "",
		"instance-" + uuid:                         "",
		"":                                         "",
		"12":                                       "",
	} {
		if got := InstanceIDOf(task); got != want {
			t.Errorf("InstanceIDOf(%s) = %q, want %q", task, got, want)
		}
	}
}

// A task whose id an older Marathon gave keeps it for as long as it runs; the one that follows it has one of ours.
func TestAdoptOlderTask(t *testing.T) {
	const old, uuid = TaskID("a.3e6fb1a0-0000-11ea-8d77-0242ac110002"), "3e6fb1a0-0000-11ea-8d77-0242ac110002"
	now := time.UnixMilli(1_600_000_000_000)
	records, err := Adopt(DefaultLimits(), Adoption{FrameworkID: "f-0001",
		Change: func(d *Draft) error {
			d.PutApp(&App{ID: "/a", Cmd: "x", CPUs: 0.1, Mem: 16, Instances: 1, BackoffFactor: 1})
			return nil
		},
		Instances: func(func(PathID) *App) ([]*Instance, error) {
			return []*Instance{{ID: "a.instance-" + uuid, AppID: "/a", Condition: Running, Incarnation: 1, Adopted: old, AgentID: "S0", Ready: true}}, nil
		}}, now, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := LoadState(t.Context(), recordStore(records))
	if err != nil {
		t.Fatal(err)
	}
	core := NewCore(DefaultLimits(), state, [32]byte{1})
	e := core.Step(now, Registered{FrameworkID: "f-0001"},
		StatusReceived{Status: TaskStatus{TaskID: old, AgentID: "S0", State: TaskRunning, Timestamp: now}})
	for _, c := range e.Calls {
		if k, ok := c.(killCall); ok {
			t.Errorf("killed: %v", k)
		}
	}
	e = core.Step(now, StatusReceived{Status: TaskStatus{TaskID: old, AgentID: "S0", State: TaskKilled, Timestamp: now}})
	if i := e.State.Instance("a.instance-" + uuid); i == nil || i.Condition != Scheduled || i.Adopted != "" {
		t.Fatalf("after its end the instance is %+v", i)
	}
	e = core.Step(now, OffersReceived{Offers: []Offer{{ID: "o", AgentID: "S0", Hostname: "h",
		Resources: Resources{CPUs: 4, Mem: 1024}}}})
	if i := e.State.Instance("a.instance-" + uuid); i.TaskID() != "a.instance-"+uuid+"._app.2" {
		t.Errorf("the next task is %s (%s)", i.TaskID(), i.Condition)
	}
}

func TestAdoptRefuses(t *testing.T) {
	for _, c := range []struct {
		instance Instance
		twice    bool
		want     string
	}{
		{Instance{ID: "b.instance-x", AppID: "/b", Incarnation: 1}, false, "does not exist"},
		{Instance{ID: "b.instance-x", AppID: "/a", Incarnation: 1}, false, "could not be found"},
		{Instance{ID: "a.instance-x", AppID: "/a"}, false, "could not be found"},
		{Instance{ID: "a.instance-x", AppID: "/a", Incarnation: 1}, true, "twice"},
	} {
		a := Adoption{FrameworkID: "f-0001", Change: func(d *Draft) error { d.PutApp(&App{ID: "/a"}); return nil },
			Instances: func(func(PathID) *App) ([]*Instance, error) {
				if c.twice {
					return []*Instance{&c.instance, &c.instance}, nil
				}
				return []*Instance{&c.instance}, nil
			}}
		if _, err := Adopt(DefaultLimits(), a, time.UnixMilli(1), [32]byte{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.instance, err, c.want)
		}
	}
}
