package store

import (
	"errors"
	"testing"

	"rollcall/scheduler"
)

func TestMemoryFailNext(t *testing.T) {
	m, broken := NewMemory(), errors.New("broken")
	m.FailNext(broken)
	if err := m.Commit(t.Context(), []scheduler.Record{put(scheduler.KindApp, "/a", "1")}); !errors.Is(err, broken) {
		t.Errorf("Commit: %v, want %v", err, broken)
	}
	if got := load(t, m); len(got) != 0 {
		t.Errorf("a failed commit left %v", got)
	}
	commit(t, m, put(scheduler.KindApp, "/a", "1"))
}
