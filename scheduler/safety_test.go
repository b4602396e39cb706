package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
)

// The safety sentences: what holds whatever happens. A violation names its sentence.
const (
	neverTooMany     = "never more than instances + overcapacity"
	neverTooFew      = "never below minimumHealthCapacity through our own action"
	uniqueHolds      = "UNIQUE never broken"
	constraintsHold  = "a launch fulfils the constraints"
	nothingTwice     = "no port or resource given twice"
	persistedFirst   = "persisted before launched"
	unpublishedFirst = "unpublished before killed"
	publishedIsTrue  = "what is published is what serves"
	tasksEnd         = "every launched task ends in a terminal state or runs"
	deploymentsEnd   = "a deployment ends or says why not"
	nothingLost      = "nothing acknowledged is lost"
	killsAreFew      = "never more kills in flight than there may be"
	storeIsTrue      = "the state after a restart from the store equals the state before"
)

func (c *cluster) violated(sentence, format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s: %s", sentence, fmt.Sprintf(format, args...))
}

// checkStep checks what a step did against the state before it. Batch is what the core was given.
func (c *cluster) checkStep(before *State, e Effects, batch []Event) {
	for a := range e.State.Apps() {
		c.checkCapacity(before, e.State, a)
		c.checkUnique(e.State, a)
		c.checkConstraints(before, e.State, a)
		c.checkHealthy(before, e, a, batch)
	}
	for d := range e.State.Deployments() {
		for _, id := range d.Plan.AffectedApps() {
			if e.State.DeploymentOf(id) != d.Plan.ID {
				c.violated(deploymentsEnd, "deployment %s does not hold %s", d.Plan.ID, id)
			}
		}
	}
	c.checkKills(e, batch)
	serving := 0
	for i := range e.State.AllInstances() {
		if i.App == nil {
			c.t.Fatalf("%s has no definition", i.ID)
		}
		if i.Serving() {
			serving++
			if !c.discovery[i.TaskID()] {
				c.violated(publishedIsTrue, "%s serves, and nobody can find it", i.TaskID())
			}
		}
	}
	if serving != len(c.discovery) {
		c.violated(publishedIsTrue, "%d serve, %d are published", serving, len(c.discovery))
	}
}

// checkKills: of tasks that may still run, so many at most were told to end. One that was not
// reachable in between has given its place up, and is told again when it is its turn.
func (c *cluster) checkKills(e Effects, batch []Event) {
	for _, call := range e.Calls {
		if kill, ok := call.(killCall); ok {
			c.killing[kill.task.TaskID] = true
		}
	}
	for _, event := range batch {
		if s, ok := event.(StatusReceived); ok && mapLost(s.Status) == TaskUnreachable {
			delete(c.killing, s.Status.TaskID)
		}
	}
	maps.DeleteFunc(c.killing, func(id TaskID, _ bool) bool {
		i := e.State.Instance(InstanceIDOf(id))
		return i == nil || i.TaskID() != id || !i.Condition.Active() || i.Condition == Unreachable || i.Condition == UnreachableInactive ||
			e.State.killWaits(id)
	})
	if len(c.killing) > c.core.limits.KillsInFlight {
		c.violated(killsAreFew, "%d of %d: %v", len(c.killing), c.core.limits.KillsInFlight, slices.Sorted(maps.Keys(c.killing)))
	}
}

// checkCapacity: a launch never brings an app above its bound. Instances on lost agents count until they are given up.
func (c *cluster) checkCapacity(before, after *State, a *App) {
	launched, active, old := 0, 0, false
	for i := range after.Instances(a.ID) {
		if !i.Condition.Active() || i.Condition == UnreachableInactive {
			continue
		}
		active++
		old = old || outdated(i, a)
		if was := before.Instance(i.ID); was == nil || was.TaskID() != i.TaskID() {
			launched++
		}
	}
	n, u := float64(after.Size(a)), a.UpgradeStrategy
	most := int(math.Floor(n * (1 + u.MaximumOverCapacity)))
	if old && most == int(math.Ceil(n*u.MinimumHealthCapacity)) {
		most++ // else a restart could not begin
	}
	if launched > 0 && active > most {
		c.violated(neverTooMany, "%d of %s exist after %d were launched; at most %d may", active, a.ID, launched, most)
	}
}

// checkUnique: no two instances of one config are where UNIQUE allows one.
func (c *cluster) checkUnique(s *State, a *App) {
	for _, k := range a.Constraints {
		if k.Operator != Unique {
			continue
		}
		at := map[string]InstanceID{}
		for i := range s.Instances(a.ID) {
			if !i.Condition.Active() || i.Condition == UnreachableInactive || outdated(i, a) {
				continue
			}
			where, _ := i.place().field(k.Field)
			if other := at[where]; other != "" {
				c.violated(uniqueHolds, "%s and %s are both on %s", other, i.ID, where)
			}
			at[where] = i.ID
		}
	}
}

// checkConstraints: where an instance is launched, all of its config are as the constraints want them.
func (c *cluster) checkConstraints(before, after *State, a *App) {
	launched := false
	for i := range after.Instances(a.ID) {
		was := before.Instance(i.ID)
		launched = launched || i.Condition.Active() && i.Incarnation > 0 && (was == nil || was.TaskID() != i.TaskID())
	}
	if !launched {
		return
	}
	for _, k := range a.Constraints {
		at := map[string]int{}
		for i := range after.Instances(a.ID) {
			if !i.Condition.Active() || i.Condition == UnreachableInactive || outdated(i, a) {
				continue
			}
			where, _ := i.place().field(k.Field)
			at[where]++
			matches, err := regexp.MatchString("^(?:"+k.Value+")$", where)
			if err != nil {
				c.t.Fatal(err)
			}
			wants := k.Operator == Like || k.Operator == Is || k.Operator == Cluster && k.Value != ""
			if wants && !matches || k.Operator == Unlike && matches {
				c.violated(constraintsHold, "%s is on %s, against %v", i.ID, where, k)
			}
		}
		number, _ := strconv.Atoi(k.Value)
		for where, count := range at {
			switch {
			case k.Operator == MaxPer && count > number, k.Operator == Cluster && len(at) > 1,
				k.Operator == GroupBy && number > 0 && len(at) > number:
				c.violated(constraintsHold, "%d of %s are on %s, and on %d others, against %v", count, a.ID, where, len(at)-1, k)
			}
		}
	}
}

// checkHealthy: what the core ends by its own decision leaves enough that serve, unless there are more than wanted.
func (c *cluster) checkHealthy(before *State, e Effects, a *App, batch []Event) {
	excused := map[InstanceID]bool{} // ended at somebody's word, or not healthy any more
	for _, event := range batch {
		switch event := event.(type) {
		case StatusReceived:
			excused[InstanceIDOf(event.Status.TaskID)] = true
		case Probed:
			if event.Outcome == ProbeFailed {
				excused[event.Probe.Instance] = true
			}
		case KillTasks:
			for _, id := range event.Tasks {
				excused[InstanceIDOf(id)] = true
			}
		}
	}
	for _, n := range e.Notices {
		if kill, ok := n.Body.(UnhealthyKill); ok {
			excused[kill.InstanceID] = true
		}
	}
	ended := 0
	for _, call := range e.Calls {
		kill, ok := call.(killCall)
		if !ok {
			continue
		}
		i := before.Instance(InstanceIDOf(kill.task.TaskID))
		if i != nil && i.AppID == a.ID && i.Condition.Active() && i.Goal == GoalRunning && i.done() && !excused[i.ID] {
			ended++
		}
	}
	if ended == 0 {
		return
	}
	healthy := 0
	for i := range e.State.Instances(a.ID) {
		if i.Goal == GoalRunning && i.done() {
			healthy++
		}
	}
	present := len(wanted(slices.Collect(before.Instances(a.ID))))
	enough := int(math.Ceil(float64(e.State.Size(a)) * a.UpgradeStrategy.MinimumHealthCapacity))
	if healthy < enough && ended > present-e.State.Size(a) {
		c.violated(neverTooFew, "%d healthy ones of %s were ended; %d are left of at least %d", ended, a.ID, healthy, enough)
	}
}

// checkLaunch: what is launched is in the store, and was never launched before.
func (c *cluster) checkLaunch(offer Offer, task TaskInfo) {
	var stored Instance
	if err := json.Unmarshal(c.records[recordID{KindInstance, string(InstanceIDOf(task.ID))}], &stored); err != nil {
		c.violated(persistedFirst, "%s is not stored: %v", task.ID, err)
	}
	if stored.TaskID() != task.ID || stored.AgentID != task.AgentID || !stored.Condition.Active() {
		c.violated(persistedFirst, "%s is launched on %s; stored is %+v", task.ID, task.AgentID, stored)
	}
	if slices.Contains(c.started, task.ID) {
		c.violated(nothingTwice, "%s is launched a second time", task.ID)
	}
	if offer.AgentID != "" && offer.AgentID != task.AgentID {
		c.violated(nothingTwice, "%s for %s is launched on an offer of %s", task.ID, task.AgentID, offer.AgentID)
	}
}

// checkRoom: an agent's ports and resources are given out once.
func (c *cluster) checkRoom(a *modelAgent) {
	r := a.offer.Resources
	taken := map[int]TaskID{}
	for _, id := range c.tasksOn(a) {
		used := c.tasks[id].info.Resources
		r.CPUs -= used.CPUs
		r.Mem -= used.Mem
		r.Disk -= used.Disk
		for _, p := range used.Ports {
			for port := p.Begin; port <= p.End; port++ {
				if taken[port] != "" || !r.Ports.Contains(port) {
					c.violated(nothingTwice, "port %d of %s is given to %s (and to %q)", port, a.offer.AgentID, id, taken[port])
				}
				taken[port] = id
			}
		}
	}
	if r.CPUs < -slack || r.Mem < -slack || r.Disk < -slack {
		c.violated(nothingTwice, "%s is overbooked: %v left", a.offer.AgentID, r)
	}
}

// checkAcknowledged: an end that is acknowledged will not be told again, so it has to be in the store.
func (c *cluster) checkAcknowledged(s TaskStatus) {
	var stored Instance
	data := c.records[recordID{KindInstance, string(InstanceIDOf(s.TaskID))}]
	if data != nil && json.Unmarshal(data, &stored) == nil && stored.TaskID() == s.TaskID && stored.Condition.Active() {
		c.violated(nothingLost, "the end of %s is acknowledged; stored is %s", s.TaskID, stored.Condition)
	}
}

// checkStore: what the store holds is the state, but for what is not persisted.
func (c *cluster) checkStore() {
	after, err := LoadState(context.Background(), c)
	if err != nil {
		c.violated(storeIsTrue, "%v", err)
	}
	if a, b := persistent(c.t, c.core.State()), persistent(c.t, after); a != b {
		c.violated(storeIsTrue, "before %s\nafter  %s", a, b)
	}
}

func persistent(t failer, s *State) string {
	data, err := json.Marshal([]any{s.FrameworkID, s.Version, slices.Collect(s.Apps()), slices.Collect(s.GroupsWithin(Root)),
		slices.Collect(s.AllInstances()), slices.Collect(s.Deployments()), slices.Collect(values(s.versions.under(""))),
		slices.Collect(values(s.failures.under("")))})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
