package main

import (
	"log/slog"
	"strings"
	"sync"

	"rollcall/records"
)

const (
	collisionsShown = 5      // of those that an update brings
	collisionsKept  = 10_000 // that are not told of again; beyond that all of them are forgotten
)

// collisions writes names that collide to the log: each once, however often its tasks come and go, and those that an
// update brings on one line.
type collisions struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[string]bool
}

func newCollisions(log *slog.Logger) *collisions {
	return &collisions{log: log, told: map[string]bool{}}
}

// tell may be called from any goroutine.
func (c *collisions) tell(found []records.Collision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var fresh []string
	for _, f := range found {
		text := f.Name + " is " + strings.Join(f.Between, " and ")
		if c.told[text] {
			continue
		}
		if len(c.told) == collisionsKept {
			clear(c.told)
		}
		c.told[text] = true
		fresh = append(fresh, text)
	}
	if len(fresh) > 0 {
		c.log.Warn("names collide; all that they stand for is answered with", "count", len(fresh),
			"first", strings.Join(fresh[:min(len(fresh), collisionsShown)], "; "))
	}
}
