package scheduler

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// State is everything the core knows, at one moment. It is immutable and may be read from any goroutine; so is all
// that its methods return.
type State struct {
	FrameworkID string    // "" before the engine first registered
	Master      string    // of the engine, "" when it has none
	Connected   bool      // the engine may be used
	Refused     string    // why the engine's registration was not accepted, and what to do; "" when it was
	Version     Timestamp // of the root group

	apps        tree[*App]
	groups      tree[*Group]
	versions    tree[*App]        // by versionKey
	changes     tree[*RootChange] // by the version they made
	instances   tree[*Instance]   // by id; those of an app share a prefix
	deployments tree[*Deployment] // by id
	failures    tree[*TaskFailure]
	queue       tree[*launchQueue] // by app
	delays      tree[*delay]       // by app
	locks       tree[DeploymentID] // by app
	followers   tree[PathID]       // apps with OnePerAgent
	agents      tree[*Agent]
	offers      tree[*heldOffer]
	breakers    tree[*Breaker] // by app, Root for all of them
	tally       tally          // of all instances
	totals      Totals         // of what was done
	kills       tree[kill]     // by task
	turns       tree[TaskID]   // of kills that wait, in their order
	lastTurn    uint64
	timers      tree[timer]     // by deadline and subject
	deadlines   tree[timer]     // by subject
	underway    tree[TaskID]    // by instance: launches that nothing was heard of yet
	losses      tree[time.Time] // by agent: since when it is not heard of
	back        tree[returning] // by agent, of those that are lost
	confirmed   tree[time.Time] // by agent: losses that were confirmed
	doubted     tree[time.Time] // by task: since when the cluster says that it does not know it
	braked      bool            // replacement waits
	round       round           // in which offers are used
	undriven    []PathID        // apps that were touched and are to be driven in the next steps, in this order
}

// Agent is a machine that has made an offer.
type Agent struct {
	ID         AgentID
	Hostname   string
	Address    netip.Addr
	Attributes map[string]string
	Region     string
	Zone       string
	Remote     bool // in another region than the master: see Offer
}

func (a *Agent) equal(b *Agent) bool {
	return a.ID == b.ID && a.Hostname == b.Hostname && a.Address == b.Address && a.Region == b.Region &&
		a.Zone == b.Zone && a.Remote == b.Remote && maps.Equal(a.Attributes, b.Attributes)
}

// App returns the present definition of an app, nil when there is none.
func (s *State) App(id PathID) *App { return s.apps.get(string(id)) }

// Apps yields all apps, by id.
func (s *State) Apps() iter.Seq[*App] { return values(s.apps.under("")) }

// AppsWithin yields the apps in a group and in the groups below it, by id.
func (s *State) AppsWithin(group PathID) iter.Seq[*App] { return values(s.apps.under(below(group))) }

// Group returns a group, nil when there is none. The root group always exists.
func (s *State) Group(id PathID) *Group { return s.groups.get(string(id)) }

// GroupsWithin yields the groups below a group, at any depth, by id.
func (s *State) GroupsWithin(group PathID) iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		for _, g := range s.groups.under(below(group)) {
			if g.ID != group && !yield(g) { // the root's id is the prefix of all
				return
			}
		}
	}
}

// AppVersions lists the versions of an app that are kept, newest first.
func (s *State) AppVersions(id PathID) []Timestamp {
	var out []Timestamp
	for _, a := range s.versions.under(versionPrefix(id)) {
		out = append(out, a.Version)
	}
	slices.Reverse(out)
	return out
}

// AppVersion returns the definition that an app had in a version, nil when it is not kept.
func (s *State) AppVersion(id PathID, v Timestamp) *App { return s.versions.get(versionKey(id, v)) }

// Instance returns an instance, nil when there is none.
func (s *State) Instance(id InstanceID) *Instance { return s.instances.get(string(id)) }

// Instances yields an app's instances, by id.
func (s *State) Instances(app PathID) iter.Seq[*Instance] {
	return func(yield func(*Instance) bool) {
		for _, i := range s.instances.under(instancePrefix(app)) {
			if i.AppID == app && !yield(i) {
				return
			}
		}
	}
}

// AllInstances yields every instance, those of an app together.
func (s *State) AllInstances() iter.Seq[*Instance] { return values(s.instances.under("")) }

// hasTasks says whether any instance has a task, or may.
func (s *State) hasTasks() bool {
	for i := range s.AllInstances() {
		if i.Condition.Active() {
			return true
		}
	}
	return false
}

// Deployments yields the deployments that are under way, oldest first.
func (s *State) Deployments() iter.Seq[*Deployment] {
	return slices.Values(slices.SortedFunc(values(s.deployments.under("")), func(a, b *Deployment) int {
		return cmp.Or(cmp.Compare(a.Started, b.Started), cmp.Compare(a.Plan.ID, b.Plan.ID))
	}))
}

// Deployment returns a deployment that is under way, nil when there is none of that id.
func (s *State) Deployment(id DeploymentID) *Deployment { return s.deployments.get(string(id)) }

// DeploymentOf returns the id of the deployment that holds an app, "" when none does.
func (s *State) DeploymentOf(app PathID) DeploymentID { return s.locks.get(string(app)) }

// Failure returns the last failure of an app's tasks, nil when there was none.
func (s *State) Failure(app PathID) *TaskFailure { return s.failures.get(string(app)) }

// Agents yields the agents that have made offers, by id.
func (s *State) Agents() iter.Seq[*Agent] { return values(s.agents.under("")) }

// Agent returns an agent that has made an offer, nil when it has not.
func (s *State) Agent(id AgentID) *Agent { return s.agents.get(string(id)) }

// SameAgents says whether the agents are those of an older state, without looking at each: false may be wrong, true
// never is.
func (s *State) SameAgents(older *State) bool { return s.agents.same(older.agents) }

// Counts are an app's tasks by what is known of them, as Marathon counts them.
type Counts struct {
	Staged, Running, Healthy, Unhealthy int
}

// Counts counts an app's tasks.
func (s *State) Counts(app PathID) Counts {
	var c Counts
	for i := range s.Instances(app) {
		c.add(i)
	}
	return c
}

func (c *Counts) add(i *Instance) {
	switch i.Condition {
	case Scheduled, Provisioned, Staging, Starting:
		c.Staged++
	case Running:
		c.Running++
	}
	if i.Condition == Running {
		if h := i.Healthy(); h != nil && *h {
			c.Healthy++
		} else if h != nil {
			c.Unhealthy++
		}
	}
}

func values[V any](seq iter.Seq2[string, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range seq {
			if !yield(v) {
				return
			}
		}
	}
}

// below is the prefix of the ids in a group.
func below(group PathID) string {
	if group == Root {
		return "/"
	}
	return string(group) + "/"
}

func versionPrefix(id PathID) string { return string(id) + "@" }

// versionKey sorts an app's versions by time: timestamps have a fixed width.
func versionKey(id PathID, v Timestamp) string { return versionPrefix(id) + v.String() }

func instancePrefix(app PathID) string { return app.Safe() + ".instance-" }
