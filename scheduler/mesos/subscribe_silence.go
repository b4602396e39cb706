package mesos

import (
	"io"
	"time"
)

// silence watches a connection on which nothing comes.
type silence struct {
	io.Reader
	allowed time.Duration
	timer   *time.Timer
}

// newSilence calls tell when nothing has come for as long as is allowed, counted from now.
func newSilence(allowed time.Duration, tell func()) *silence {
	return &silence{allowed: allowed, timer: time.AfterFunc(allowed, tell)}
}

// allow changes how long a silence may last.
func (s *silence) allow(d time.Duration) {
	s.allowed = d
	s.timer.Reset(d)
}

// stop ends the watch; resume begins it again.
func (s *silence) stop() { s.timer.Stop() }

func (s *silence) resume() { s.timer.Reset(s.allowed) }

// Read implements io.Reader. It is to be called by one goroutine, and not while allow is.
func (s *silence) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		s.timer.Reset(s.allowed)
	}
	return n, err
}

// heartbeatInterval is the time between the heartbeats of a master that says it is so many seconds, or 0 if it does not
// tell.
func heartbeatInterval(seconds float64) time.Duration {
	switch {
	case seconds <= 0:
		return defaultHeartbeat
	case seconds >= longestHeartbeat.Seconds():
		return longestHeartbeat
	}
	return max(time.Duration(seconds*float64(time.Second)), time.Second)
}
