// Package resolver answers DNS questions: those for names in the zone from its snapshot, all others by asking upstream
// servers. It also serves Mesos-DNS's HTTP API over the same snapshot.
//
// # From a packet to a reply
//
//	packet ─▶ fast path ─ plain question in the zone ─▶ reply, copied together from records that are kept in wire format
//	              │     └─ in the cache ─▶ reply, a copy of what is kept, with TTLs counted down
//	              │ anything else
//	              ▼
//	          slow path ─▶ Decide ─ Success, NoData, NameError, ... ─▶ rendered by the DNS library
//	                          │ Forward
//	                          ▼
//	                       cache ─▶ flight, one for each question ─▶ group of upstream servers, in goroutines of its own
//
// The fast path (fastpath.go, cachepath.go) never allocates. The slow path is the reference for it: both give the same
// answers. Questions that are forwarded never keep those for the zone waiting.
//
// # From a question to an upstream server's answer
//
// A group (group.go) says in which order its servers are asked, an upstream (upstream.go) how it does. forward.go asks
// one after the other, exchange.go and secure.go speak with one; what comes back is reduced to what belongs to the
// question (bailiwick.go) and kept in wire format (kept.go, cache.go).
//
// # Which rules
//
// docs/dns.md lists the RFCs. Where Mesos-DNS did something else on the wire, the RFCs win.
package resolver
