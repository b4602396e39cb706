package main

import (
	"log/slog"

	"rollcall/scheduler"
)

// journal writes what becomes of apps and tasks to the log: what an operator has to know as information or warning, the
// rest for debugging.
type journal struct{ log *slog.Logger }

var _ scheduler.Observer = journal{}

// Withdraw is of no interest: what follows from it is told by Publish.
func (j journal) Withdraw(*scheduler.State, []scheduler.InstanceID) {}

// Publish writes the notices down.
func (j journal) Publish(_ *scheduler.State, _ []scheduler.InstanceID, notices []scheduler.Notice) {
	for _, n := range notices {
		switch b := n.Body.(type) {
		case scheduler.StatusUpdate:
			j.status(b)
		case scheduler.UnhealthyKill:
			j.log.Warn("task is killed for its health", "app", b.AppID, "task", b.TaskID, "host", b.Host, "reason", b.Reason)
		case scheduler.DeploymentEnd:
			if n.Type == scheduler.NoticeDeploymentFailed {
				j.log.Warn("deployment was ended before it was done", "deployment", b.ID, "reason", b.Reason)
			} else {
				j.log.Info("deployment is done", append([]any{"deployment", b.ID}, someApps(b.Plan)...)...)
			}
		case scheduler.DeploymentProgress:
			j.log.Debug("deployment goes on", "deployment", b.Plan.ID, "event", n.Type, "actions", b.CurrentStep.Actions)
		case scheduler.MassLoss:
			j.massLoss(b)
		case scheduler.FailedHealthCheck:
			j.log.Debug("health check failed", "app", b.AppID, "instance", b.InstanceID)
		default:
			j.log.Debug("event", "type", n.Type, "body", b)
		}
	}
}

func (j journal) massLoss(b scheduler.MassLoss) {
	if b.Held {
		j.log.Error("many agents are lost at once: their tasks are not replaced until the agents are back, or until POST "+
			"/rollcall/losses/confirm says that they are gone", "agents", b.Agents, "of", b.Of)
		return
	}
	j.log.Warn("the tasks of lost agents are replaced again", "agents", b.Agents, "of", b.Of)
}

// status tells of a task's new status; ends that nobody asked for are warned of.
func (j journal) status(s scheduler.StatusUpdate) {
	attrs := []any{"app", s.AppID, "task", s.TaskID, "host", s.Host, "state", s.TaskStatus, "message", s.Message}
	switch s.TaskStatus {
	case scheduler.TaskFailed, scheduler.TaskError, scheduler.TaskLost, scheduler.TaskDropped, scheduler.TaskGone,
		scheduler.TaskUnreachable:
		j.log.Warn("task failed", attrs...)
	default:
		j.log.Debug("task status", attrs...)
	}
}

// appsNamed is how many apps of a deployment the log names: one that changes thousands would fill it.
const appsNamed = 20

// someApps are attributes for the apps of a plan, each once, as far as the log names them, and for how many more there are.
func someApps(p scheduler.PlanSummary) []any {
	var named []scheduler.PathID
	seen := map[scheduler.PathID]bool{}
	for _, step := range p.Steps {
		for _, a := range step.Actions {
			if !seen[a.App] && len(named) < appsNamed {
				named = append(named, a.App)
			}
			seen[a.App] = true
		}
	}
	attrs := []any{"apps", named}
	if more := len(seen) - len(named); more > 0 {
		attrs = append(attrs, "more", more)
	}
	return attrs
}
