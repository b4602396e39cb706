// Package api is Marathon's REST API (/v2), its event stream and /ping, over a scheduler.
//
// A request becomes one scheduler event, an answer is drawn from one scheduler.State; the package keeps no state but
// the newest events for the event stream. It is strict in what it writes, which is what the newest Marathon writes,
// and lenient in what it reads: every form of an app definition since Marathon 0.6 is brought into today's.
package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"rollcall/scheduler"
	"rollcall/scheduler/api/ui"
)

// Scheduler is what the API drives; scheduler.Loop is one.
type Scheduler interface {
	// State returns the newest state. It never blocks.
	State() *scheduler.State
	// Do has a request handled and returns its reply once it is durable.
	Do(ctx context.Context, request scheduler.Event) (any, error)
}

const (
	// DefaultMaxBody is how large a body may be when Options say nothing.
	DefaultMaxBody = 8 << 20
	// DefaultMaxInstances bounds the instances of one app when Options say nothing: a typing error should not fill
	// the memory.
	DefaultMaxInstances = 100_000
	// DefaultRealm is Marathon's.
	DefaultRealm = "Mesosphere"
)

// Options are an API's parts. Scheduler and Events are needed; the zero value of the others is usable.
type Options struct {
	Scheduler Scheduler
	Events    *Events          // also among the loop's observers
	Monitor   http.Handler     // answers /healthz, /readyz and /metrics; nil: there is no such thing
	Logger    *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now

	Leader        string         // "host:port" under which the API is told to others; "" when there is no leader
	Version       string         // of rollcall, for /v2/info
	BuildRef      string         // commit it was built from, for /v2/info
	FrameworkName string         // "" means marathon
	Role          string         // Mesos role of apps that name none; "" means *
	Config        map[string]any // marathon_config of /v2/info; it must hold no secrets
	ZooKeeper     map[string]any // zookeeper_config of /v2/info, likewise

	DefaultNetworkName string // of container networks without a name; "" refuses those
	MaxInstances       int    // of one app; 0 means DefaultMaxInstances
	MaxBody            int64  // bytes of a request's body; 0 means DefaultMaxBody
	RequestsPerSecond  int    // of one client on another machine; 0 means DefaultRequestsPerSecond, below 0 any number

	// Authenticator finds out who sends a request; nil means that everybody may do everything.
	Authenticator Authenticator
	Realm         string // that browsers show; "" means DefaultRealm
	TLS           bool   // the API is served over TLS: what it tells of itself begins with https
	Policy        Policy // what apps may ask of the machines they run on
	Secrets       bool   // tasks are given the secrets that their apps name; false refuses apps with secrets

	Domain string // of the names of tasks

	Sandboxes  Sandboxes  // nil: the files of tasks cannot be read
	Resolver   Resolver   // nil: DNS cannot be asked
	Executor   Executor   // nil: no commands can be run inside tasks
	Capacities Capacities // nil: it is not known how much agents have

	// Abdicate has this rollcall give up leading, soon after it returns; nil: there is nobody else who could lead.
	Abdicate func()

	// AllowOrigin are the sites, such as https://dash.example, whose pages may read answers; "*" is all of them.
	AllowOrigin []string

	// Hosts are the names by which the API may be addressed, besides localhost and any IP address; nil means any
	// name. A listener on loopback needs it: otherwise a web page whose name its owner points at 127.0.0.1 could
	// use the API through the browser of whoever looks at the page.
	Hosts []string
}

// appSettings are those that the options say.
func (o *Options) appSettings() appSettings {
	return appSettings{defaultNetwork: o.DefaultNetworkName, maxInstances: cmp.Or(o.MaxInstances, DefaultMaxInstances),
		role: cmp.Or(o.Role, "*"), policy: o.Policy, secrets: o.Secrets}
}

// API answers Marathon's requests. It is an http.Handler.
type API struct {
	o     Options
	app   appSettings
	cross *http.CrossOriginProtection
	began time.Time
	ui    http.Handler

	endpoints []endpoint
	routes    []*route
	limits    *limits
	large     turns
	queried   func(r *http.Request, parameter string) // for tests; nil: nobody wants to know
}

var _ http.Handler = (*API)(nil)

// New returns an API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FrameworkName == "" {
		o.FrameworkName = "marathon"
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Realm == "" {
		o.Realm = DefaultRealm
	}
	if o.RequestsPerSecond == 0 {
		o.RequestsPerSecond = DefaultRequestsPerSecond
	}
	a := &API{
		o:         o,
		app:       o.appSettings(),
		cross:     http.NewCrossOriginProtection(),
		began:     o.Now(),
		ui:        ui.Handler(),
		endpoints: endpoints(),
		limits:    newLimits(),
		large:     newTurns(),
	}
	a.routes = routes(a.endpoints)
	return a
}

func (a *API) state() *scheduler.State { return a.o.Scheduler.State() }

// update has the root group changed, if the request's precondition on the subject holds. It is one deployment, whose
// id goes into the answer's header.
func (a *API) update(w http.ResponseWriter, r *http.Request, of subject, u scheduler.Update) (*scheduler.Deployed, error) {
	holds, err := precondition(r, of)
	if err != nil {
		return nil, err
	}
	if change := u.Change; holds != nil {
		u.Change = func(d *scheduler.Draft) error {
			if err := holds(d); err != nil {
				return err
			}
			return change(d)
		}
	}
	reply, err := a.o.Scheduler.Do(r.Context(), u)
	if err != nil {
		return nil, err
	}
	deployed := reply.(*scheduler.Deployed)
	if !u.DryRun {
		w.Header().Set(deploymentHeader, string(deployed.Deployment))
		a.advise(w, r, deployed.Plan)
	}
	return deployed, nil
}

// deploymentHeader names the deployment that a request started.
const deploymentHeader = "Marathon-Deployment-Id"

// deploymentResult is the body of most answers to changes.
type deploymentResult struct {
	Version      scheduler.Timestamp    `json:"version"`
	DeploymentID scheduler.DeploymentID `json:"deploymentId"`
}

func deploymentOf(d *scheduler.Deployed) deploymentResult {
	return deploymentResult{d.Version, d.Deployment}
}
