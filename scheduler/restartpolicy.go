package scheduler

// RestartPolicy says what follows when a task of an app ends by itself. It is rollcall's own; Marathon always starts
// tasks again.
type RestartPolicy string

const (
	RestartAlways    RestartPolicy = "always"     // another task; also the meaning of ""
	RestartOnFailure RestartPolicy = "on-failure" // another task, unless this one ended with exit status 0
	RestartNever     RestartPolicy = "never"      // nothing: the instance ran
)

// OneShot says whether the app's tasks are meant to end: a deployment waits until they have.
func (a *App) OneShot() bool {
	return a.RestartPolicy == RestartOnFailure || a.RestartPolicy == RestartNever
}

// rests is the condition in which an instance stays whose task ended, "" when it gets another task. A task that was
// dropped never ran, and does not count as one.
func (a *App) rests(end TaskState) Condition {
	switch {
	case !a.OneShot(), end == TaskDropped:
		return ""
	case end == TaskFinished:
		return Finished
	case a.RestartPolicy == RestartNever:
		return Failed
	}
	return ""
}

// rest keeps an instance that ran, so that it is not started again.
func (w *work) rest(i *Instance, as Condition) {
	n := *i
	n.Condition, n.Since = as, w.ts
	w.putInstance(&n)
	w.makesRoom(n.AppID)
}
