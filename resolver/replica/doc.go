// Package replica copies what one source of a zone says from one rollcall to others: the one that leads serves a Feed,
// those that follow run a Follower, and all of them answer with the same names.
//
// A feed is an HTTP answer without end, of lines of JSON (RFC 8259). Each line is a part: an update in the words of
// records.Update, and whether more parts belong to it. The first update is a reset with all that the source has said;
// each later one is what the source said next. Lines with neither are heartbeats. A reader skips members that it does
// not know, so that rollcalls of different versions understand each other.
package replica
