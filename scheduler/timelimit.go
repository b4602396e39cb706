package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// timeLimit is how long a plan may take: the shortest limit of the apps that it brings up, 0 for none.
func (p *Plan) timeLimit() time.Duration {
	limit := 0
	for _, a := range p.After {
		if a.DeploymentTimeout > 0 && (limit == 0 || a.DeploymentTimeout < limit) {
			limit = a.DeploymentTimeout
		}
	}
	return seconds(float64(limit))
}

// limitTime sets when a deployment is to be done, not before earliest.
func (w *work) limitTime(d *Deployment, earliest time.Time) {
	limit := d.Plan.timeLimit()
	if limit == 0 || d.Rollback {
		return
	}
	at := d.Started.Time().Add(limit)
	if at.Before(earliest) {
		at = earliest
	}
	w.setTimer(timerDeployment, string(d.Plan.ID), 0, at)
}

// timeOut undoes a deployment that is not done in time. A rollback is not undone again: it goes on until it is done or
// somebody ends it.
func (w *work) timeOut(id DeploymentID) {
	d := w.deployments.get(string(id))
	if d == nil {
		return
	}
	var waits []string
	for _, p := range w.commit().Progress(d, w.now) {
		if !p.Done {
			waits = append(waits, fmt.Sprintf("%s: %s", p.App, p.Reason))
		}
	}
	w.abandon(d, fmt.Sprintf("not done within %s, rolled back; %s", d.Plan.timeLimit(), strings.Join(waits, "; ")))
	// It cannot be refused: it holds no app that another deployment holds, and one deployment less is running.
	w.update(Update{Force: true, rollback: true, Change: func(draft *Draft) error {
		undo(draft, d.Plan)
		return nil
	}})
}
