// Package clients drives a running rollcall with clients that were written for Marathon. It is a module of its own, so
// that their dependencies are not rollcall's; the tests in integration run it.
package clients
