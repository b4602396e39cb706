package api

import (
	"context"
	"errors"
	"net/http"

	"rollcall/scheduler"
)

// Error is an answer that says what is wrong, in Marathon's form. Handlers return it, and so do changes of drafts.
type Error struct {
	Status      int                 `json:"-"`
	Message     string              `json:"message"`
	Details     any                 `json:"details,omitempty"` // a text, or a []scheduler.Problem
	Deployments []deploymentSummary `json:"deployments,omitempty"`
	allow       string              // of a 405
	retryAfter  int                 // seconds; of a 429
}

// deploymentSummary names a deployment where Marathon puts objects.
type deploymentSummary struct {
	ID scheduler.DeploymentID `json:"id"`
}

func (e *Error) Error() string { return e.Message }

func notFound(message string) *Error { return &Error{Status: http.StatusNotFound, Message: message} }

func badRequest(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Message: message}
}

func conflict(message string) *Error { return &Error{Status: http.StatusConflict, Message: message} }

func unprocessable(message string) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: message}
}

func noApp(id scheduler.PathID) *Error { return notFound("App '" + string(id) + "' does not exist") }

func noGroup(id scheduler.PathID) *Error {
	return notFound("Group '" + string(id) + "' does not exist")
}

// mistyped answers JSON of the wrong shape.
func mistyped(problems []scheduler.Problem) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: "Invalid JSON", Details: problems}
}

// invalid answers JSON of the right shape whose values break rules.
func invalid(problems []scheduler.Problem) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: "Object is not valid", Details: problems}
}

// asError turns what went wrong into an answer. What a client can put right is a 4xx: clients take a server that
// answers 5xx for broken and turn to the next one.
func asError(err error) *Error {
	var own *Error
	var locked *scheduler.LockedError
	var broken *scheduler.InvalidError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &locked):
		e := conflict(locked.Error())
		for _, id := range locked.Deployments {
			e.Deployments = append(e.Deployments, deploymentSummary{id})
		}
		return e
	case errors.As(err, &broken):
		return invalid(broken.Problems)
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Message: "The body is larger than this server accepts"}
	case errors.Is(err, scheduler.ErrTooManyDeployments):
		return &Error{Status: http.StatusForbidden, Message: "Max number of running deployments reached. " +
			"Wait for one to end, or cancel one at '/v2/deployments'."}
	case errors.Is(err, scheduler.ErrUnknownDeployment), errors.Is(err, scheduler.ErrNotQueued):
		return notFound(err.Error())
	case errors.Is(err, scheduler.ErrNotDurable), errors.Is(err, scheduler.ErrStopped),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Status: http.StatusServiceUnavailable, Message: err.Error()}
	}
	return &Error{Status: http.StatusInternalServerError, Message: err.Error()}
}
