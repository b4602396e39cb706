package scheduler

import "time"

// Event is anything the core reacts to besides time: something from the engine, a result of a probe, a request.
type Event interface{ event() }

// Registered is the engine's word that it may be used; FrameworkID is kept and given to the engine at the next start.
type Registered struct {
	FrameworkID string
	Master      string // "host:port" of the Mesos master, "" for the local engine
	// Anew says that the cluster gave this id just now: whatever tasks there were belonged to a framework that is gone.
	Anew bool
}

// Disconnected says that the engine lost its cluster. Offers made so far are void.
type Disconnected struct{}

// OffersReceived brings offers.
type OffersReceived struct{ Offers []Offer }

// OfferRescinded takes an offer back that was not used yet.
type OfferRescinded struct{ Offer OfferID }

// StatusReceived brings a task's status.
type StatusReceived struct{ Status TaskStatus }

// LaunchesSent says that tasks are the cluster's business from now on: their time to start begins. An engine says it of
// every task it was given by Accept, unless it tells a status of the task, or that it was disconnected.
type LaunchesSent struct{ Tasks []TaskID }

// AgentLost says that an agent is gone for good; its tasks' statuses come separately.
type AgentLost struct{ Agent AgentID }

// Probed is the result of a Probe.
type Probed struct {
	Probe   Probe
	Outcome ProbeOutcome
	Cause   string       // why it failed, for people
	Reply   *ProbedReply // of a readiness check that got an answer
}

// ProbeOutcome is how a probe ended.
type ProbeOutcome uint8

const (
	ProbeFailed ProbeOutcome = iota
	ProbeSucceeded
	ProbeIgnored // counts as no probe at all (HTTP 1xx with ignoreHttp1xx)
)

// ProbedReply is the HTTP answer a readiness check got.
type ProbedReply struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
}

// Update changes the root group: apps, groups, or both. Reply: *Deployed.
type Update struct {
	// Change makes the change on a draft of the newest root group. It runs on the core's goroutine, so that two
	// updates never miss each other, and must be a pure function. An error from it refuses the update; nothing
	// is changed then.
	Change func(*Draft) error
	Force  bool // cancel deployments that hold an app which this update changes
	DryRun bool // answer the plan and change nothing
	Post   Post // what the event stream is told of who asked; the zero Post: nothing

	rollback bool // undoes a deployment that did not end in time
}

// Post is where apps came from that were given over the API.
type Post struct {
	ClientIP string
	URI      string
	Apps     []PathID
}

// Deployed is what an accepted Update started.
type Deployed struct {
	Version    Timestamp
	Deployment DeploymentID
	Plan       *Plan
}

// KillTasks ends tasks. Reply: *Killed.
type KillTasks struct {
	Tasks []TaskID
	Wipe  bool // forget the instances instead of starting them again under their ids
	Scale bool // lower the apps' instances by the number of tasks killed, in one deployment
	Force bool // with Scale: cancel deployments that hold the apps
}

// Killed is what KillTasks did; Deployed is set for Scale.
type Killed struct {
	Instances []*Instance
	Deployed  *Deployed
}

// CancelDeployment ends a deployment. With Force it is only abandoned (reply nil); otherwise a new deployment undoes
// it (reply *Deployed).
type CancelDeployment struct {
	ID    DeploymentID
	Force bool
}

// ResetDelay forgets an app's backoff. Reply: nil.
type ResetDelay struct{ App PathID }

func (Registered) event()       {}
func (Disconnected) event()     {}
func (OffersReceived) event()   {}
func (OfferRescinded) event()   {}
func (StatusReceived) event()   {}
func (LaunchesSent) event()     {}
func (AgentLost) event()        {}
func (Probed) event()           {}
func (Update) event()           {}
func (KillTasks) event()        {}
func (CancelDeployment) event() {}
func (ResetDelay) event()       {}

// Probe is a health or readiness check to be made once, now.
type Probe struct {
	Instance  InstanceID
	Task      TaskID
	Check     int  // index into the app's health or readiness checks
	Readiness bool // which of the two
	Protocol  Protocol
	Address   string // host:port
	Path      string // HTTP kinds, starts with "/"
	Timeout   time.Duration
	Ignore1xx bool
	ReadyOn   []int     // readiness: the status codes that mean ready
	Asked     time.Time // when the core asked for it
}
