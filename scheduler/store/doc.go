// Package store keeps the scheduler's records: Bolt in one file on this machine, ZooKeeper where several rollcalls share
// a state and one of them at a time may write it, Memory for tests.
//
// A store would rather refuse to open than hand out less than was committed: what is missing from the records looks
// to the scheduler like tasks that nobody wants, and it kills those.
package store
