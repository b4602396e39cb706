package scheduler

// DeploymentID is a UUID.
type DeploymentID string

// ActionKind is Marathon's word for what a deployment does to an app.
type ActionKind string

const (
	StartApplication   ActionKind = "StartApplication"
	StopApplication    ActionKind = "StopApplication"
	ScaleApplication   ActionKind = "ScaleApplication"
	RestartApplication ActionKind = "RestartApplication"
)

// Action is one thing a deployment does to one app. Its JSON is Marathon's.
type Action struct {
	Kind ActionKind `json:"action"`
	App  PathID     `json:"app"`
}

// Step is a set of actions that are done in parallel; the next step begins when all of them are done.
type Step struct {
	Actions []Action `json:"actions"`
}

// Plan is how to get from one root group to another (Marathon reference 10.1). It is immutable.
type Plan struct {
	ID      DeploymentID `json:"id"`
	Version Timestamp    `json:"version"`
	Steps   []Step       `json:"steps"`
	// Before and After hold the affected apps as they were and as they shall be; nil where there was or will be none.
	Before map[PathID]*App `json:"before"`
	After  map[PathID]*App `json:"after"`
	// GroupsBefore and GroupsAfter do the same for groups made, removed or changed.
	GroupsBefore map[PathID]*Group `json:"groupsBefore,omitempty"`
	GroupsAfter  map[PathID]*Group `json:"groupsAfter,omitempty"`

	affected []PathID // what AffectedApps returns, where that is known
}

// AffectedApps lists the apps the plan touches, sorted. The list is not to be changed.
func (p *Plan) AffectedApps() []PathID {
	if p.affected != nil {
		return p.affected
	}
	seen := make(map[PathID]bool, len(p.Before)+len(p.After))
	for id := range p.Before {
		seen[id] = true
	}
	for id := range p.After {
		seen[id] = true
	}
	return sortedKeys(seen)
}

// Deployment is a plan being carried out. Deployments are immutable once they are part of a State.
type Deployment struct {
	Plan    *Plan     `json:"plan"`
	Started Timestamp `json:"started"`
	// Rollback says that it undoes one that did not end in time. It has no time limit itself.
	Rollback bool `json:"rollback,omitempty"`

	// Not persisted: a restarted deployment begins at its first step, and what is done already is done at once.

	Step int `json:"-"` // index of the current step

	pending tree[Action] // of the current step, those not done yet, by app
}
