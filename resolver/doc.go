// Package resolver answers DNS questions: those for names in the zone from its snapshot, all others by asking upstream
// servers. It also serves Mesos-DNS's HTTP API over the same snapshot.
//
// # From a packet to a reply
//
//	packet ─▶ fast path ─ plain question in the zone ─▶ reply, copied together from renderings kept with the records
//	              │ anything else
//	              ▼
//	          slow path ─▶ Decide ─ Success, NoData, NameError, ... ─▶ rendered by the DNS library
//	                          │ Forward
//	                          ▼
//	                       cache ─▶ upstream servers, in a goroutine of its own
//
// The fast path (fastpath.go) never allocates or locks. The slow path is the reference for it: both give the same
// answers. Questions that are forwarded never keep those for the zone waiting.
//
// # Which rules
//
// docs/dns.md lists the RFCs. Where Mesos-DNS did something else on the wire, the RFCs win.
package resolver
