package scheduler

import (
	"context"
	"time"
)

// Engine runs tasks: it makes offers, takes tasks on them and reports statuses. The local engine does so on this
// machine, the Mesos engine on a cluster. Loop is its only user.
type Engine interface {
	// Run connects and sends events (Registered first, then OffersReceived, OfferRescinded, StatusReceived,
	// AgentLost, Disconnected) until ctx ends; it reconnects by itself and returns an error only for what an
	// operator has to put right. frameworkID is the one Registered gave at first, "" when there was none yet; an
	// engine registers with it and no other. Where the cluster refuses it for good, the error is
	// ErrFrameworkRemoved. Run must not close events. Ending it leaves tasks alone.
	Run(ctx context.Context, frameworkID string, events chan<- Event) error

	// The calls below never block for long and may be made from one goroutine at any time; a call that cannot be
	// delivered is dropped, and its outcome shows in later statuses or in none (the core then repeats it).

	// Accept launches tasks on an offer and gives the rest of it back.
	Accept(offer OfferID, tasks []TaskInfo)
	// Decline gives an offer back; the engine offers those resources again after refuse, after Revive, or when
	// the agent's resources changed.
	Decline(offer OfferID, refuse time.Duration)
	// Revive asks for offers of everything that was declined.
	Revive()
	// Suppress says that nothing waits for an offer: there need be none until Revive.
	Suppress()
	// Kill ends a task: SIGTERM, its grace, SIGKILL. A task that the engine does not know is answered with a
	// terminal status.
	Kill(task TaskRef)
	// Reconcile asks for the present status of each task: StatusReceived follows for each, TASK_UNKNOWN for
	// tasks that the engine does not know. It follows also for tasks of this framework that are not listed: the
	// core has forgotten those, and kills them.
	Reconcile(tasks []TaskRef)
	// Acknowledge says that a status is durable here (TaskStatus.Ack).
	Acknowledge(status TaskStatus)
}

// TaskRef names a task for an engine.
type TaskRef struct {
	TaskID  TaskID
	AgentID AgentID // "" when not known
}
