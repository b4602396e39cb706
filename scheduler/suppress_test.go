package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// Suppress is part of the model's engine: it offers all the same, as engines may.
func (c *cluster) Suppress() {}

// Offers are asked for while something waits, and only then.
func TestOffersAreSuppressedWhileNothingWaits(t *testing.T) {
	c := newCluster(t, 1, 2)
	suppressed := false
	settle := func() {
		for len(c.pending) > 0 {
			for _, call := range c.step().Calls {
				switch call.(type) {
				case suppressCall:
					suppressed = true
				case reviveCall:
					suppressed = false
				}
			}
		}
	}
	settle()
	if !suppressed {
		t.Error("offers come although nothing waits")
	}
	for _, step := range []struct {
		app        *App
		suppressed bool
	}{
		{app("/a", 3), true},
		{app("/big", 1, func(a *App) { a.CPUs = 100 }), false},
	} {
		c.send(put(step.app))
		settle()
		if suppressed != step.suppressed {
			t.Errorf("after %s: suppressed %v", step.app.ID, suppressed)
		}
	}
}

// removedEngine is an engine whose cluster has removed the framework with the id it is given first.
type removedEngine struct {
	diary
	ids chan string
}

func (e *removedEngine) Run(ctx context.Context, id string, events chan<- Event) error {
	e.ids <- id
	if id != "" {
		return ErrFrameworkRemoved
	}
	events <- Registered{FrameworkID: "new"}
	<-ctx.Done()
	return nil
}

// A framework that was removed is registered anew only where no task can be left of the old one.
func TestRemovedFramework(t *testing.T) {
	for _, withTask := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 1, 1)
			if withTask {
				c.must(put(app("/a", 1)))
			}
			c.settle()
			e := &removedEngine{ids: make(chan string, 2)}
			l := NewLoop(LoopOptions{Core: c.core, Store: c, Engine: e, Now: time.Now,
				Logger: slog.New(slog.DiscardHandler)})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- l.Run(ctx) }()
			synctest.Wait()
			if id := <-e.ids; id != "framework-1" {
				t.Errorf("registered as %q", id)
			}
			if !withTask {
				if id := <-e.ids; id != "" || l.State().FrameworkID != "new" {
					t.Errorf("registered as %q, then as %q", id, l.State().FrameworkID)
				}
			}
			cancel()
			if err := <-done; errors.Is(err, ErrFrameworkRemoved) != withTask {
				t.Errorf("with a task: %v; ended with %v", withTask, err)
			}
		})
	}
}
