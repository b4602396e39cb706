package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/scheduler"
)

// launcher notes what it is told to launch.
type launcher struct {
	scheduler.Engine
	launched []scheduler.TaskInfo
	declined int
}

func (l *launcher) Run(ctx context.Context, _ string, _ chan<- scheduler.Event) error { return nil }
func (l *launcher) Accept(_ scheduler.OfferID, tasks []scheduler.TaskInfo) {
	l.launched = append(l.launched, tasks...)
}
func (l *launcher) Decline(scheduler.OfferID, time.Duration) { l.declined++ }

// TestSecrets fills in what files hold, and fails tasks whose secrets are not there or lie elsewhere.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"plain": "hunter2", "shop/line": "hunter2\n", "zero": "a\x00b", "large": strings.Repeat("x", maxSecretBytes+1)} {
		path := filepath.Join(dir, "secrets", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "outside"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside", filepath.Join(dir, "secrets", "link")); err != nil {
		t.Fatal(err)
	}
	for source, fails := range map[string]string{"plain": "", "shop/line": "", "none": "no such file", "zero": "zero byte",
		"large": "larger", "../outside": "escapes", "link": "escapes", "shop": "directory"} {
		l := &launcher{}
		var log strings.Builder
		s := &secretive{Engine: l, dir: filepath.Join(dir, "secrets"), now: time.Now, log: slog.New(slog.NewTextHandler(&log, nil))}
		events := make(chan scheduler.Event, 1)
		if err := s.Run(t.Context(), "", events); err != nil {
			t.Fatal(err)
		}
		s.Accept("offer", []scheduler.TaskInfo{{ID: "task", Env: map[string]string{"A": "b"}, Secrets: map[string]string{"S": source}}})
		if fails == "" {
			if len(l.launched) != 1 || l.launched[0].Env["S"] != "hunter2" || l.launched[0].Env["A"] != "b" || l.launched[0].Secrets != nil {
				t.Errorf("%s: launched %+v", source, l.launched)
			}
			continue
		}
		status := (<-events).(scheduler.StatusReceived).Status
		if status.State != scheduler.TaskFailed || !strings.Contains(status.Message, fails) || len(l.launched) != 0 || l.declined != 1 {
			t.Errorf("%s: %+v, launched %+v, declined %d", source, status, l.launched, l.declined)
		}
		if strings.Contains(log.String(), "hunter2") {
			t.Errorf("%s: the log shows it: %s", source, &log)
		}
	}
	l := &launcher{}
	s := &secretive{Engine: l, dir: filepath.Join(dir, "nowhere"), now: time.Now, log: slog.New(slog.DiscardHandler)}
	s.Accept("offer", []scheduler.TaskInfo{{ID: "task"}})
	if len(l.launched) != 1 {
		t.Error("a task without secrets needs some")
	}
}
