// Package store keeps the scheduler's records: Bolt in one file on this machine, Memory for tests.
//
// A store would rather refuse to open than hand out less than was committed: what is missing from the records looks
// to the scheduler like tasks that nobody wants, and it kills those.
package store
