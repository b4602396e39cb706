package mesos

import (
	"context"
	"sync"
)

// queue is a queue without a bound, so that whoever puts something in never waits.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready chan struct{} // one element while there are items
}

func newQueue[T any]() *queue[T] { return &queue[T]{ready: make(chan struct{}, 1)} }

func (q *queue[T]) put(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for items and returns all that there are, in their order; one goroutine may call it.
func (q *queue[T]) take(ctx context.Context) ([]T, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.ready:
		}
		q.mu.Lock()
		items := q.items
		q.items = nil
		q.mu.Unlock()
		if len(items) > 0 {
			return items, nil
		}
	}
}

// rest is what nobody took. It does not wait.
func (q *queue[T]) rest() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}
