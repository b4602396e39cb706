package scheduler

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrUnknownDeployment answers CancelDeployment for a deployment that is not under way.
	ErrUnknownDeployment = errors.New("no such deployment")
	// ErrNotQueued answers ResetDelay for an app that has nothing to launch.
	ErrNotQueued = errors.New("app not found in the launch queue")
	// ErrTooManyDeployments refuses an Update while as many deployments run as are allowed.
	ErrTooManyDeployments = errors.New("too many deployments are running")
	// ErrNotDurable is wrapped by the answer to a request whose outcome could not be stored; it had no effect.
	ErrNotDurable = errors.New("the change could not be stored and was not made")
	// ErrFrameworkRemoved ends an Engine's Run when its cluster has removed the framework, with all of its tasks.
	ErrFrameworkRemoved = errors.New("the framework has been removed")
	// ErrStopped answers requests when the loop has ended.
	ErrStopped = errors.New("the scheduler has stopped")
)

// LockedError refuses an Update because running deployments hold apps that it changes.
type LockedError struct{ Deployments []DeploymentID }

// Error is Marathon's text; <DEPLOYMENT_ID> in it is meant literally.
func (e *LockedError) Error() string {
	return "App is locked by one or more deployments. Override with the option '?force=true'. " +
		"View details at '/v2/deployments/<DEPLOYMENT_ID>'."
}

// InvalidError refuses an Update that breaks rules; the API answers it with 422.
type InvalidError struct{ Problems []Problem }

// Problem is what is wrong with one member of a document; Path is like "/apps(1)/id", "/" for the whole.
type Problem struct {
	Path   string   `json:"path"`
	Errors []string `json:"errors"`
}

func (e *InvalidError) Error() string {
	var parts []string
	for _, p := range e.Problems {
		parts = append(parts, fmt.Sprintf("%s: %s", p.Path, strings.Join(p.Errors, ", ")))
	}
	return "Object is not valid: " + strings.Join(parts, "; ")
}
