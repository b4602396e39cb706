package scheduler

import "time"

// delay holds an app back after its tasks failed (Marathon reference, section 13).
type delay struct {
	config   Timestamp // the app's last config change: another one starts afresh
	current  time.Duration
	deadline time.Time // nothing is launched before
}

// next is the delay after one more failure.
func (d *delay) next(a *App) time.Duration {
	most := seconds(a.MaxLaunchDelaySeconds)
	if d == nil || d.current == 0 {
		return min(seconds(a.BackoffSeconds), most)
	}
	return time.Duration(min(float64(d.current)*a.BackoffFactor, float64(most)))
}

// addDelay holds an app back because a task of it failed.
func (w *work) addDelay(a *App) {
	d := w.delays.get(string(a.ID))
	if d != nil && d.config != a.VersionInfo.LastConfigChangeAt {
		d = nil
	}
	current := d.next(a)
	deadline := w.now.Add(current)
	w.delays.put(string(a.ID), &delay{config: a.VersionInfo.LastConfigChangeAt, current: current, deadline: deadline})
	w.setTimer(timerDelay, string(a.ID), 0, deadline)
	w.clearTimer(timerStable, string(a.ID), 0)
}

// rebaseDelay lets an app launch again because a task of it came up; the delay is remembered for the next failure
// until the app has run without one for as long as its longest delay.
func (w *work) rebaseDelay(a *App) {
	d := w.delays.get(string(a.ID))
	if d == nil || d.config != a.VersionInfo.LastConfigChangeAt {
		return
	}
	w.delays.put(string(a.ID), &delay{config: d.config, current: d.current, deadline: w.now})
	w.setTimer(timerDelay, string(a.ID), 0, w.now)
	w.setTimer(timerStable, string(a.ID), 0, w.now.Add(seconds(a.MaxLaunchDelaySeconds)))
}

// forgetDelay lets an app launch as if none of its tasks had ever failed.
func (w *work) forgetDelay(app PathID) {
	if w.delays.get(string(app)) == nil {
		return
	}
	w.delays.remove(string(app))
	w.clearTimer(timerDelay, string(app), 0)
	w.clearTimer(timerStable, string(app), 0)
	w.revive = true
}

func (w *work) delayed(app PathID) bool {
	d := w.delays.get(string(app))
	return d != nil && d.deadline.After(w.now)
}

func (w *work) resetDelay(app PathID) error {
	if w.queue.get(string(app)) == nil {
		return ErrNotQueued
	}
	w.forgetDelay(app)
	return nil
}

// forEver stands for durations of app definitions that are longer; now plus it is still a time.
const forEver = 100 * 365 * 24 * time.Hour

// seconds turns a number of seconds of an app definition into a duration of at most forEver.
func seconds(s float64) time.Duration {
	return time.Duration(min(s*float64(time.Second), float64(forEver)))
}
