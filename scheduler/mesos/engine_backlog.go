package mesos

import (
	"context"
	"sync"
)

// acksAhead is how many acknowledgements may wait while tasks are launched. Each task that is launched has two of them
// before it runs; while they wait a master tells the same updates again, and has to be acknowledged all the more.
const acksAhead = 512

// backlog are the updates whose acknowledgement is not made yet.
type backlog struct {
	mu       sync.Mutex
	waiting  map[string]bool // by uuid
	relieved chan struct{}   // has an element when few wait, after many did
}

func newBacklog() *backlog {
	return &backlog{waiting: map[string]bool{}, relieved: make(chan struct{}, 1)}
}

// begin notes that an update is to be acknowledged. It reports false for one that waits for that already.
func (b *backlog) begin(uuid string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[uuid] {
		return false
	}
	b.waiting[uuid] = true
	return true
}

// end notes that an update has been acknowledged.
func (b *backlog) end(uuid string) {
	b.mu.Lock()
	delete(b.waiting, uuid)
	few := len(b.waiting) <= acksAhead
	b.mu.Unlock()
	if few {
		select {
		case b.relieved <- struct{}{}:
		default:
		}
	}
}

func (b *backlog) few() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) <= acksAhead
}

// wait returns when few acknowledgements wait, or ctx ends. One goroutine may call it.
func (b *backlog) wait(ctx context.Context) error {
	for !b.few() {
		select {
		case <-b.relieved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
