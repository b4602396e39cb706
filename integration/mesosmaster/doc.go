// Package mesosmaster stands in for a Mesos cluster where there is none: masters that speak the v1 scheduler API and
// the v1 operator API over HTTP as the recordings of real ones show it, and agents whose tasks are processes of this
// machine, or only say so.
//
// A Cluster is what there is: agents and their tasks. Masters know of it what real ones know: one that was just elected
// knows nothing, until agents and frameworks have come back to it. Faults are asked for: a master that dies, an agent
// that is cut off, a stream whose octets come in pieces.
package mesosmaster
