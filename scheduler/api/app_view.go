package api

import (
	"slices"
	"time"

	"rollcall/scheduler"
)

// appView is an app as GET writes it: its definition, and what the request asked for of its tasks.
type appView struct {
	*scheduler.App
	*countsView
	Deployments     []deploymentSummary    `json:"deployments,omitzero"`
	Tasks           []taskView             `json:"tasks,omitzero"`
	Readiness       []readinessView        `json:"readinessCheckResults,omitzero"`
	LastTaskFailure *scheduler.TaskFailure `json:"lastTaskFailure,omitempty"`
	TaskStats       *statsView             `json:"taskStats,omitempty"`
}

type countsView struct {
	Staged    int `json:"tasksStaged"`
	Running   int `json:"tasksRunning"`
	Healthy   int `json:"tasksHealthy"`
	Unhealthy int `json:"tasksUnhealthy"`
}

// readinessView is what a readiness check said of a task.
type readinessView struct {
	Name         string                 `json:"name"`
	TaskID       scheduler.TaskID       `json:"taskId"`
	Ready        bool                   `json:"ready"`
	LastResponse *scheduler.ProbedReply `json:"lastResponse,omitempty"`
}

func viewApp(s *scheduler.State, app *scheduler.App, e embeds, now time.Time) appView {
	v := appView{App: sized(s, app)}
	if e.counts {
		c := s.Counts(app.ID)
		v.countsView = &countsView{c.Staged, c.Running, c.Healthy, c.Unhealthy}
	}
	if e.deployments {
		v.Deployments = []deploymentSummary{}
		if id := s.DeploymentOf(app.ID); id != "" {
			v.Deployments = append(v.Deployments, deploymentSummary{id})
		}
	}
	if e.tasks {
		v.Tasks = viewTasks(s.Instances(app.ID), false)
	}
	if e.readiness {
		v.Readiness = viewReadiness(s, app.ID)
	}
	if e.failure {
		v.LastTaskFailure = s.Failure(app.ID)
	}
	if e.stats {
		v.TaskStats = viewStats(s, app, now)
	}
	return v
}

// viewReadiness tells how the readiness checks of an app's tasks stand, while a deployment asks for them.
func viewReadiness(s *scheduler.State, app scheduler.PathID) []readinessView {
	out := []readinessView{}
	for i := range s.Instances(app) {
		if i.App == nil || len(i.App.ReadinessChecks) == 0 || i.Condition != scheduler.Running ||
			s.DeploymentOf(app) == "" {
			continue
		}
		out = append(out, readinessView{i.App.ReadinessChecks[0].Name, i.TaskID(), i.Ready, i.ReadyReply})
	}
	return out
}

// statsView is taskStats: an app's tasks, in all and by how new they are. A part without tasks is left out.
type statsView struct {
	StartedAfterLastScaling *bucketView `json:"startedAfterLastScaling,omitempty"`
	WithLatestConfig        *bucketView `json:"withLatestConfig,omitempty"`
	WithOutdatedConfig      *bucketView `json:"withOutdatedConfig,omitempty"`
	TotalSummary            *bucketView `json:"totalSummary,omitempty"`
}

type bucketView struct {
	Stats struct {
		Counts   bucketCounts  `json:"counts"`
		LifeTime *lifeTimeView `json:"lifeTime,omitempty"`
	} `json:"stats"`
	lives []float64
}

type bucketCounts struct {
	Staged    int `json:"staged"`
	Running   int `json:"running"`
	Healthy   int `json:"healthy"`
	Unhealthy int `json:"unhealthy"`
}

type lifeTimeView struct {
	Average float64 `json:"averageSeconds"`
	Median  float64 `json:"medianSeconds"`
}

func viewStats(s *scheduler.State, app *scheduler.App, now time.Time) *statsView {
	v := &statsView{}
	for i := range s.Instances(app.ID) {
		v.TotalSummary = v.TotalSummary.with(i, now)
		if i.AppVersion >= app.VersionInfo.LastScalingAt {
			v.StartedAfterLastScaling = v.StartedAfterLastScaling.with(i, now)
		}
		if i.AppVersion >= app.VersionInfo.LastConfigChangeAt {
			v.WithLatestConfig = v.WithLatestConfig.with(i, now)
		} else {
			v.WithOutdatedConfig = v.WithOutdatedConfig.with(i, now)
		}
	}
	for _, b := range []*bucketView{v.StartedAfterLastScaling, v.WithLatestConfig, v.WithOutdatedConfig, v.TotalSummary} {
		b.sum()
	}
	return v
}

// with counts an instance, in a new bucket when there is none yet.
func (b *bucketView) with(i *scheduler.Instance, now time.Time) *bucketView {
	if b == nil {
		b = &bucketView{}
	}
	counts := &b.Stats.Counts
	switch i.Condition {
	case scheduler.Running:
		counts.Running++
		if h := i.Healthy(); h != nil && *h {
			counts.Healthy++
		} else if h != nil {
			counts.Unhealthy++
		}
	case scheduler.Scheduled, scheduler.Provisioned, scheduler.Staging, scheduler.Starting:
		counts.Staged++
	}
	if i.StartedAt != 0 && i.Condition.Active() {
		b.lives = append(b.lives, now.Sub(i.StartedAt.Time()).Seconds())
	}
	return b
}

func (b *bucketView) sum() {
	if b == nil || len(b.lives) == 0 {
		return
	}
	slices.Sort(b.lives)
	total := 0.0
	for _, l := range b.lives {
		total += l
	}
	n := len(b.lives)
	b.Stats.LifeTime = &lifeTimeView{Average: total / float64(n), Median: (b.lives[(n-1)/2] + b.lives[n/2]) / 2}
}
