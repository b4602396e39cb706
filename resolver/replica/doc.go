// Package replica copies the names of the rollcall that leads to those that follow, so that all of them answer with the
// same ones, under the same serials: it serves a Feed, they run a Follower.
//
// A feed is an HTTP answer without end, of lines of JSON (RFC 8259). Each line is a part of a records.Version: what a source
// said in the words of records.Update, and whether more parts belong to it; the last has the serials. The first version is
// a whole one; each later one is what came next. Lines with neither are heartbeats. A reader skips members that it does not
// know, so that rollcalls of different versions understand each other.
package replica
