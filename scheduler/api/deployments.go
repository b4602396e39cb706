package api

import (
	"errors"
	"net/http"
	"slices"

	"rollcall/scheduler"
)

// deploymentView is a deployment as GET writes it.
type deploymentView struct {
	ID             scheduler.DeploymentID `json:"id"`
	Version        scheduler.Timestamp    `json:"version"`
	AffectedApps   []scheduler.PathID     `json:"affectedApps"`
	AffectedPods   []scheduler.PathID     `json:"affectedPods"`
	Steps          []scheduler.Step       `json:"steps"`
	CurrentActions []actionView           `json:"currentActions"`
	CurrentStep    int                    `json:"currentStep"` // from 1
	TotalSteps     int                    `json:"totalSteps"`
}

type actionView struct {
	scheduler.Action
	ReadinessCheckResults []readinessView `json:"readinessCheckResults"`
	*progressView
}

// listDeployments answers GET /v2/deployments.
func (a *API) listDeployments(w http.ResponseWriter, r *http.Request) error {
	s, out := a.state(), []deploymentView{}
	for d := range s.Deployments() {
		if require(r, roleRead, d.Plan.AffectedApps()...) != nil {
			continue
		}
		v := viewDeployment(s, d)
		if slices.Contains(a.query(r, "embed"), "progress") {
			v.addProgress(s.Progress(d, a.o.Now()))
		}
		out = append(out, v)
	}
	return respond(w, r, http.StatusOK, out)
}

func viewDeployment(s *scheduler.State, d *scheduler.Deployment) deploymentView {
	v := deploymentView{ID: d.Plan.ID, Version: d.Plan.Version, AffectedApps: d.Plan.AffectedApps(),
		AffectedPods: []scheduler.PathID{}, Steps: d.Plan.Steps, CurrentActions: []actionView{},
		CurrentStep: min(d.Step+1, len(d.Plan.Steps)), TotalSteps: len(d.Plan.Steps)}
	if d.Step < len(d.Plan.Steps) {
		for _, action := range d.Plan.Steps[d.Step].Actions {
			v.CurrentActions = append(v.CurrentActions, actionView{Action: action, ReadinessCheckResults: viewReadiness(s, action.App)})
		}
	}
	return v
}

// cancelDeployment answers DELETE /v2/deployments/{id}.
func (a *API) cancelDeployment(id scheduler.DeploymentID) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if d := a.state().Deployment(id); d != nil {
			if err := require(r, roleDeploy, d.Plan.AffectedApps()...); err != nil {
				return err
			}
		}
		reply, err := a.o.Scheduler.Do(r.Context(), scheduler.CancelDeployment{ID: id, Force: a.flag(r, "force", false)})
		if errors.Is(err, scheduler.ErrUnknownDeployment) {
			return notFound("DeploymentPlan " + string(id) + " does not exist")
		}
		if err != nil {
			return err
		}
		deployed, _ := reply.(*scheduler.Deployed)
		if deployed == nil {
			w.WriteHeader(http.StatusAccepted)
			return nil
		}
		w.Header().Set(deploymentHeader, string(deployed.Deployment))
		return respond(w, r, http.StatusOK, deploymentOf(deployed))
	}
}
