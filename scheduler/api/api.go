// Package api is Marathon's REST API (/v2), its event stream and /ping, over a scheduler.
//
// A request becomes one scheduler event, an answer is drawn from one scheduler.State; the package keeps no state but
// the newest events for the event stream. It is strict in what it writes, which is what the newest Marathon writes,
// and lenient in what it reads: every form of an app definition since Marathon 0.6 is brought into today's.
package api

import (
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
)

// Options are an API's parts. Scheduler and Events are needed; the zero value of the others is usable.
type Options struct {
	Scheduler Scheduler
	Events    *Events          // also among the loop's observers
	Logger    *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now

	Leader        string         // "host:port" under which the API is told to others; "" when there is no leader
	Version       string         // of rollcall, for /v2/info
	BuildRef      string         // commit it was built from, for /v2/info
	FrameworkName string         // "" means marathon
	Role          string         // Mesos role of apps that name none; "" means *
	Config        map[string]any // marathon_config of /v2/info; it must hold no secrets

	DefaultNetworkName string // of container networks without a name; "" refuses those
	MaxInstances       int    // of one app; 0 means DefaultMaxInstances
	MaxBody            int64  // bytes of a request's body; 0 means DefaultMaxBody

	Domain string // of the names of tasks

	Sandboxes Sandboxes // nil: the files of tasks cannot be read
	Resolver  Resolver  // nil: DNS cannot be asked

	// Abdicate has this rollcall give up leading, soon after it returns; nil: there is nobody else who could lead.
	Abdicate func()

	// Hosts are the names by which the API may be addressed, besides localhost and any IP address; nil means any
	// name. A listener on loopback needs it: otherwise a web page whose name its owner points at 127.0.0.1 could
	// use the API through the browser of whoever looks at the page.
	Hosts []string
}

// API answers Marathon's requests. It is an http.Handler.
type API struct {
	o     Options
	app   appSettings
	cross *http.CrossOriginProtection
	ui    http.Handler
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
	if o.Role == "" {
		o.Role = "*"
	}
	if o.MaxInstances == 0 {
		o.MaxInstances = DefaultMaxInstances
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	return &API{
		o:     o,
		app:   appSettings{defaultNetwork: o.DefaultNetworkName, maxInstances: o.MaxInstances, role: o.Role},
		cross: http.NewCrossOriginProtection(),
		ui:    ui.Handler(),
	}
}

func (a *API) state() *scheduler.State { return a.o.Scheduler.State() }

// update has the root group changed. It is one deployment, whose id goes into the answer's header.
func (a *API) update(w http.ResponseWriter, r *http.Request, u scheduler.Update) (*scheduler.Deployed, error) {
	reply, err := a.o.Scheduler.Do(r.Context(), u)
	if err != nil {
		return nil, err
	}
	deployed := reply.(*scheduler.Deployed)
	if !u.DryRun {
		w.Header().Set("Marathon-Deployment-Id", string(deployed.Deployment))
	}
	return deployed, nil
}

// deployment is the body of most answers to changes.
type deployment struct {
	Version      scheduler.Timestamp    `json:"version"`
	DeploymentID scheduler.DeploymentID `json:"deploymentId"`
}

func deploymentOf(d *scheduler.Deployed) deployment { return deployment{d.Version, d.Deployment} }
