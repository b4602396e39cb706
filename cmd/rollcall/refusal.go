package main

import (
	"errors"
	"log/slog"
	"sync"

	"rollcall/scheduler"
)

// refusal is why a rollcall would not lead: the state that it read cannot be used. Its methods may be called from any
// goroutine.
type refusal struct {
	mu    sync.Mutex
	cause error // nil: it did not refuse, or has led since
}

// set takes note of what was wrong with the state, nil for nothing, and says so once for each cause.
func (r *refusal) set(cause error, log *slog.Logger) {
	r.mu.Lock()
	before := r.cause
	r.cause = cause
	r.mu.Unlock()
	switch {
	case cause == nil:
	case before != nil && before.Error() == cause.Error():
		log.Debug("the state still cannot be used", "error", cause)
	default:
		log.Error("this rollcall does not lead: the state cannot be used; tasks run on, names stay what they were, others may "+
			"be able to lead, and it tries again; what to do is in docs/operations.md", "error", cause)
	}
}

// reason says what is wrong for those who may not know what is in the state, "" for nothing.
func (r *refusal) reason() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cause == nil:
		return ""
	case errors.Is(r.cause, scheduler.ErrNewer):
		return scheduler.ErrNewer.Error() + ", which its log tells more of"
	}
	return scheduler.ErrDamaged.Error() + ", which its log tells more of"
}
