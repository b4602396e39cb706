// Package records knows which names exist: it turns tasks, agents, frameworks and masters into RRsets.
//
// Sources (the scheduler, a Mesos cluster) say what changed; a Zone keeps what each of them said, rebuilds only
// the names that a change touches and publishes an immutable Snapshot that any number of readers load without a
// lock. The names are Mesos-DNS's. The package does no I/O, knows no DNS library and imports nothing of ours.
//
// # From an update to an answer
//
// Update finds the tasks, agents, frameworks and masters that differ from what the source said before. The namer
// turns each of them, as it was and as it is, into records; the difference of the two is a set of deltas by name.
// Each name touched merges its deltas into the records it holds, counted by how many contributors each has, and
// publishes those that are not known to be unhealthy. The nodes live in a persistent hash trie, so that the new
// snapshot shares everything that did not change with the old one.
//
// # Names
//
// Names are kept in lower case and in wire format. Wherever a name is text it is in the presentation format of RFC
// 1035, section 5.1, absolute, with a dot at the end.
//
// Some names are only listed: no question finds them, but Mesos-DNS's HTTP API does, or shows them. They are those that
// no DNS message can carry (an empty label, a label of more than 63 octets, more than 255 octets in all), those with
// capitals or octets that need escapes, which come from a DiscoveryInfo's name taken verbatim, and the name server's
// when it lies outside the zone. Each of the former stands beside one that is made of clean labels and can be asked for.
package records
