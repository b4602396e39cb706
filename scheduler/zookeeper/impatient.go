package zookeeper

import (
	"net"
	"time"
)

// firstAnswer is how long a server may take for its first answer, which gives or continues a session of that time-out: so
// long that a leader can ask the next server before its lease has run out, and longer where all servers took too long.
func firstAnswer(timeout time.Duration, rounds int) time.Duration {
	return timeout / 3 * time.Duration(min(1+rounds, 10))
}

// impatient is a connection to a server that has to answer within a time at first. A server that has stopped, or is just
// being started, takes connections and says nothing; the client would wait for ten times as long as for anything else,
// and for the second half of the answer for ever, while the other servers are there.
type impatient struct {
	net.Conn
	within time.Duration
	set    int // how often a deadline was, by the client from one goroutine after the other
}

// SetReadDeadline implements net.Conn. The client sets one for its first answer, takes it back when it has four octets of
// it, and sets one for each that follows.
func (c *impatient) SetReadDeadline(t time.Time) error {
	c.set++
	switch c.set {
	case 1:
		t = time.Now().Add(c.within)
	case 2:
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}
