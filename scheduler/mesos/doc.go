// Package mesos reads a Mesos cluster: it finds the leading master, and follows which tasks run where.
//
// A Detector says which masters there are and which of them leads: a fixed list, or what the masters write into
// ZooKeeper. A source of state then tells a Sink of the cluster: a Poller, which fetches the master's state document
// every so often, or the event stream of the master's v1 operator API. Between the two stands a Retainer, which keeps
// what a newly elected master does not know yet.
//
// The words are Mesos's. Nothing here knows of DNS.
package mesos
