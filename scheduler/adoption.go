package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// Adoption is what another scheduler leaves to this one: its framework, its apps and the tasks that run.
type Adoption struct {
	FrameworkID string             // under which the tasks were launched
	Change      func(*Draft) error // puts the groups and apps; the draft begins with none
	// Instances makes the instances that have tasks, of apps as Change put them. App, AppVersion, Goal and Since are
	// filled in afterwards.
	Instances func(app func(PathID) *App) ([]*Instance, error)
}

// Adopt returns the records of a state in which the tasks are instances like any others, under the apps' present
// definitions, and nothing is being deployed. They are for a store that holds none. When an engine registers with the
// framework's id the tasks are reconciled, and what an app has too few of is started.
func Adopt(limits Limits, a Adoption, now time.Time, seed [32]byte) ([]Record, error) {
	w := NewCore(limits, NewState(), seed).begin(now)
	d := w.newDraft()
	if err := a.Change(d); err != nil {
		return nil, err
	}
	plan, err := w.plan(d)
	if err != nil {
		return nil, err
	}
	w.adopt(d, plan)
	w.frameworkID = a.FrameworkID
	w.save(KindMeta, metaFramework)
	instances, err := a.Instances(w.commit().App)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		if err := w.adoptInstance(*i); err != nil {
			return nil, err
		}
	}
	return w.records(), nil
}

func (w *work) adoptInstance(i Instance) error {
	app := w.apps.get(string(i.AppID))
	switch {
	case app == nil:
		return fmt.Errorf("task %s is of app %s, which does not exist", i.TaskID(), i.AppID)
	case !strings.HasPrefix(string(i.ID), instancePrefix(app.ID)) || InstanceIDOf(i.TaskID()) != i.ID:
		return fmt.Errorf("the instance of app %s has the id %s, by which its tasks could not be found", i.AppID, i.ID)
	case w.instances.get(string(i.ID)) != nil:
		return fmt.Errorf("instance %s is there twice", i.ID)
	}
	i.App, i.AppVersion, i.Goal, i.Since = app, app.Version, GoalRunning, w.ts
	w.putInstance(&i)
	return nil
}
