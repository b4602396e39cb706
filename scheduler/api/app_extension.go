package api

import "rollcall/scheduler"

// decodeExtensions reads the members of an app that Marathon does not have.
func (in *appInput) decodeExtensions(o *object) {
	a := in.app
	var policy string
	if o.word("restartPolicy", &policy, string(scheduler.RestartAlways), string(scheduler.RestartOnFailure),
		string(scheduler.RestartNever)) && policy != string(scheduler.RestartAlways) {
		a.RestartPolicy = scheduler.RestartPolicy(policy)
	}
	if o.boolean("onePerAgent", &a.OnePerAgent) && a.OnePerAgent {
		a.Instances = min(a.Instances, 1) // the agents say how many; 0 stops them
	}
	o.integer("deploymentTimeoutSeconds", &a.DeploymentTimeout, 0, maxInteger)
	o.boolean("expandEnv", &a.ExpandEnv)
	o.integer("drainSeconds", &a.DrainSeconds, 0, maxInteger)
}

func (in *appInput) validateExtensions() {
	a := in.app
	if a.OnePerAgent && in.singleInstance() {
		in.r.refuse(in.at("onePerAgent"), "cannot be combined with the label %s", singleInstanceLabel)
	}
	if a.OneShot() && len(a.ReadinessChecks) > 0 {
		in.r.refuse(in.at("readinessChecks"), "a task that is meant to end never gets ready: restartPolicy is %s", a.RestartPolicy)
	}
}

// sized is an app as it is shown: with onePerAgent its instances are as many as it is to have now. Never 0 unless it is
// stopped: a client that sends back what it read must not stop it.
func sized(s *scheduler.State, app *scheduler.App) *scheduler.App {
	if !app.OnePerAgent || app.Instances == 0 {
		return app
	}
	n := *app
	n.Instances = max(1, s.Size(app))
	return &n
}
