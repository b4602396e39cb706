// Package zookeeper has what every user of Apache ZooKeeper needs: the zk:// URL that names an ensemble, and sessions
// that go on looking for it, whatever becomes of its servers and their names.
package zookeeper
