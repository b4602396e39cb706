package resolver

import (
	"context"
	"sync"
)

// flights are the questions that are with upstream servers now: one flight for each question, however many ask it. The
// zero value is ready.
type flights struct {
	mu sync.Mutex
	on map[string]*flight
}

// flight is one question on its way. Its result may be read once done is closed.
type flight struct {
	done   chan struct{}
	result landing
}

// landing is the result of a flight. Its answer is nil when there is none because the server ends.
type landing struct {
	answer *kept
	cached bool // it has been kept for a while
	poor   bool // a stale answer is better
}

// board returns the flight of a question, and whether it is new: the caller then has to see to it that it lands.
func (f *flights) board(key string) (_ *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on := f.on[key]; on != nil {
		return on, false
	}
	if f.on == nil {
		f.on = make(map[string]*flight)
	}
	on := &flight{done: make(chan struct{})}
	f.on[key] = on
	return on, true
}

// land ends a flight with its result.
func (f *flights) land(key string, on *flight, result landing) {
	f.mu.Lock()
	delete(f.on, key)
	f.mu.Unlock()
	on.result = result
	close(on.done)
}

// wait returns the result of a flight, and false when ctx ends before it lands.
func (on *flight) wait(ctx context.Context) (landing, bool) {
	select {
	case <-on.done:
		return on.result, true
	case <-ctx.Done():
		return landing{}, false
	}
}
