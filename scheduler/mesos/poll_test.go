package mesos

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// heard is a Sink that keeps what it is told.
type heard struct {
	mu      sync.Mutex
	states  []State
	changes []Change
}

func (h *heard) Reset(s State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, s)
}

func (h *heard) Apply(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, c)
}

func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.states)
}

func TestPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu    sync.Mutex
			state = State{Leader: "10.0.0.1:5050"}
			fail  error
			log   bytes.Buffer
			sink  heard
		)
		set := func(s State, err error) {
			mu.Lock()
			defer mu.Unlock()
			state, fail = s, err
		}
		p := NewPoller(PollerOptions{
			Fetch: func(context.Context, Masters) (State, error) {
				mu.Lock()
				defer mu.Unlock()
				return state, fail
			},
			Sink: &sink, Refresh: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		if sink.count() != 0 || p.Status().Err == nil {
			t.Error("something is known before there are masters")
		}
		p.SetMasters(Masters{All: []string{"10.0.0.1:5050"}})
		synctest.Wait()
		if sink.count() != 1 {
			t.Error("the state is not fetched at once")
		}
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		if sink.count() != 4 {
			t.Errorf("%d states in three minutes, want 4", sink.count())
		}

		set(State{}, errors.New("away"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s := p.Status()
		if sink.count() != 4 || s.Err == nil || time.Since(s.Read) < 10*time.Minute {
			t.Errorf("%d states, %v", sink.count(), s)
		}
		set(State{Leader: "10.0.0.2:5050", Broken: Broken{2, []string{"slaves[0]: no pid"}}}, nil)
		p.SetMasters(Masters{Leader: "10.0.0.2:5050"})
		synctest.Wait()
		if s := p.Status(); sink.count() != 5 || s.Err != nil || s.Broken.Count != 2 {
			t.Errorf("%d states, %v", sink.count(), s)
		}
		time.Sleep(10 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for text, want := range map[string]int{"has been read": 1, "cannot be read; the names": 1, "is read again": 1, "has items that": 1} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q is logged %d times, want %d:\n%s", text, got, want, log.String())
			}
		}
	})
}
