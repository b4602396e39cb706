// Package scheduler is Marathon's core: which instances of which apps should run where.
//
// Core is a pure state machine. Step takes events (requests, offers, task statuses, probe results, time) and returns
// Effects: what to persist, then what to tell the engine, then what changed. It knows no goroutine, socket, disk or
// clock. Loop is the thin shell around it: one goroutine that owns the Core, commits to a Store, calls an Engine and
// publishes immutable States for readers.
//
// The words are Marathon's and Mesos's: an app has instances, an instance has one task at a time, an engine makes
// offers of agents' resources and reports task statuses.
package scheduler
