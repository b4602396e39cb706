package mesos

import (
	"context"
	"sync"
	"time"
)

// leadership is what is known of who leads, for whoever follows the leading master by a stream.
type leadership struct {
	kick chan struct{} // one element: the masters have changed

	mu      sync.Mutex
	masters Masters
}

func newLeadership() *leadership { return &leadership{kick: make(chan struct{}, 1)} }

// SetMasters says whom to ask. A stream from a master that does not lead any more is left. It does not wait.
func (l *leadership) SetMasters(m Masters) {
	l.mu.Lock()
	l.masters = m
	l.mu.Unlock()
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (l *leadership) getMasters() Masters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.masters
}

// watch cancels what is done with a master when another one leads, until ctx ends. That nobody is known to lead is no
// reason to.
func (l *leadership) watch(ctx context.Context, asked Masters, master string, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
			if leader := l.getMasters().Leader; leader != "" && leader != asked.Leader && leader != master {
				cancel(errOtherLeader)
				return
			}
		}
	}
}

// sleep reports whether the masters have changed meanwhile.
func (l *leadership) sleep(ctx context.Context, d time.Duration) (kicked bool, _ error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-l.kick:
		return true, nil
	case <-timer.C:
		return false, nil
	}
}
