package api

import (
	"maps"
	"slices"

	"rollcall/scheduler"
)

// wholePlan is a plan as Marathon's events carried it up to 1.9 (plan-format=full), with the groups that it changes as
// they were and as they will be. Here those hold what the plan changes, not everything there is.
type wholePlan struct {
	ID       scheduler.DeploymentID `json:"id"`
	Original *groupView             `json:"original"`
	Target   *groupView             `json:"target"`
	Steps    []scheduler.Step       `json:"steps"`
	Version  scheduler.Timestamp    `json:"version"`
}

// withWholePlan is the body of a notice with its plan whole; bodies without a plan stay as they are.
func withWholePlan(body any) any {
	switch b := body.(type) {
	case scheduler.DeploymentProgress:
		return struct {
			Plan        wholePlan      `json:"plan"`
			CurrentStep scheduler.Step `json:"currentStep"`
		}{viewPlan(b.Plan), b.CurrentStep}
	case scheduler.DeploymentEnd:
		return struct {
			ID     scheduler.DeploymentID `json:"id"`
			Plan   wholePlan              `json:"plan"`
			Reason string                 `json:"reason,omitempty"`
		}{b.ID, viewPlan(b.Plan), b.Reason}
	}
	return body
}

func viewPlan(p scheduler.PlanSummary) wholePlan {
	return wholePlan{ID: p.ID, Original: viewPlanned(p.Plan.Before, p.Plan.GroupsBefore, 0),
		Target: viewPlanned(p.Plan.After, p.Plan.GroupsAfter, p.Version), Steps: p.Steps, Version: p.Version}
}

// viewPlanned draws the root group with nothing but the given apps and groups in it.
func viewPlanned(apps map[scheduler.PathID]*scheduler.App, groups map[scheduler.PathID]*scheduler.Group,
	v scheduler.Timestamp) *groupView {
	views := map[scheduler.PathID]*groupView{}
	var need func(scheduler.PathID) *groupView
	need = func(id scheduler.PathID) *groupView {
		if view := views[id]; view != nil {
			return view
		}
		view := &groupView{ID: id, Apps: []appView{}, Pods: []struct{}{}, Groups: []*groupView{},
			Dependencies: []scheduler.PathID{}, Version: v}
		views[id] = view
		if g := groups[id]; g != nil {
			view.Dependencies = append(view.Dependencies, g.Dependencies...)
			view.Version, view.EnforceRole = g.Version, g.EnforceRole
		}
		if id != scheduler.Root {
			in := need(id.Parent())
			in.Groups = append(in.Groups, view)
		}
		return view
	}
	top := need(scheduler.Root)
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		need(id)
	}
	for _, id := range slices.Sorted(maps.Keys(apps)) {
		in := need(id.Parent())
		in.Apps = append(in.Apps, appView{App: apps[id]})
	}
	return top
}
