package scheduler

import (
	"context"
	"errors"
)

// Store keeps records durably. One Loop uses it, from one goroutine.
type Store interface {
	// Load calls yield with each record, in any order, and stops at its first error.
	Load(ctx context.Context, yield func(Record) error) error
	// Commit makes all of the records durable, or none of them. When it returns nil they survive a power cut.
	// An error that wraps ErrFull means that there is no room; the store is as it was and may be tried again.
	Commit(ctx context.Context, records []Record) error
}

// Record is one thing to keep. A nil Value removes it.
type Record struct {
	Kind  Kind
	Key   string
	Value []byte
}

// Kind sorts records; each kind has its own keys.
type Kind string

const (
	KindMeta       Kind = "meta"       // framework id
	KindGroup      Kind = "group"      // by path
	KindApp        Kind = "app"        // by path: the present definition
	KindVersion    Kind = "version"    // by path@timestamp: definitions of the past and present
	KindChange     Kind = "change"     // by timestamp: what a version of the root group changed, as it had been
	KindInstance   Kind = "instance"   // by instance id
	KindDeployment Kind = "deployment" // by id
	KindFailure    Kind = "failure"    // by path: the last task failure
)

// Kinds lists every kind there is.
func Kinds() []Kind {
	return []Kind{KindMeta, KindGroup, KindApp, KindVersion, KindChange, KindInstance, KindDeployment, KindFailure}
}

var (
	// ErrFull is wrapped by Commit's errors when the disk (or quota) is full.
	ErrFull = errors.New("no space left for the state")
	// ErrLocked is wrapped when another rollcall uses the store.
	ErrLocked = errors.New("the state is in use by another rollcall")
	// ErrDamaged is wrapped when what is stored cannot be read; nothing may be killed on its account.
	ErrDamaged = errors.New("the state is damaged")
	// ErrNewer is wrapped when the store was written by a newer rollcall.
	ErrNewer = errors.New("the state was written by a newer rollcall")
)
