package scheduler

// Group is a group of apps and groups, without them: those are found by their ids. Its JSON is how it is stored.
// Groups are immutable once they are part of a State.
type Group struct {
	ID           PathID    `json:"id"`
	Dependencies []PathID  `json:"dependencies,omitempty"`
	EnforceRole  *bool     `json:"enforceRole,omitempty"`
	Version      Timestamp `json:"version"`
}
