package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"rollcall/scheduler"
)

// maxSecretBytes bounds the value of a secret: it has to fit into an environment.
const maxSecretBytes = 64 << 10

// secretive is an engine that gives tasks their secrets: it reads them at the last moment, so that what is stored, shown
// and logged are their names.
type secretive struct {
	scheduler.Engine
	dir string
	now func() time.Time
	log *slog.Logger

	mu     sync.Mutex
	events chan<- scheduler.Event
	ctx    context.Context
}

// Run implements scheduler.Engine.
func (s *secretive) Run(ctx context.Context, frameworkID string, events chan<- scheduler.Event) error {
	s.mu.Lock()
	s.ctx, s.events = ctx, events
	s.mu.Unlock()
	return s.Engine.Run(ctx, frameworkID, events)
}

// Accept implements scheduler.Engine. A task whose secrets cannot be read fails before it is launched.
func (s *secretive) Accept(offer scheduler.OfferID, tasks []scheduler.TaskInfo) {
	var ready []scheduler.TaskInfo
	for _, task := range tasks {
		filled, err := s.fill(task)
		if err != nil {
			s.log.Error("a task lacks a secret", "task", task.ID, "error", err)
			s.fail(task, err)
			continue
		}
		ready = append(ready, filled)
	}
	if len(ready) == 0 {
		s.Engine.Decline(offer, 0)
		return
	}
	s.Engine.Accept(offer, ready)
}

// fill puts a task's secrets into its environment.
func (s *secretive) fill(task scheduler.TaskInfo) (scheduler.TaskInfo, error) {
	if len(task.Secrets) == 0 {
		return task, nil
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return task, fmt.Errorf("opening scheduler.secretsDir: %w", err)
	}
	defer root.Close()
	env := maps.Clone(task.Env)
	if env == nil {
		env = map[string]string{}
	}
	for name, source := range task.Secrets {
		value, err := readSecret(root, source)
		if err != nil {
			return task, fmt.Errorf("reading the secret %s of the variable %s: %w", source, name, err)
		}
		env[name] = value
	}
	task.Env, task.Secrets = env, nil
	return task, nil
}

// readSecret returns what is in a file, without the end of its last line.
func readSecret(root *os.Root, path string) (string, error) {
	file, err := root.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSecretBytes:
		return "", fmt.Errorf("it is larger than %d bytes", maxSecretBytes)
	case bytes.IndexByte(data, 0) >= 0:
		return "", fmt.Errorf("it has a zero byte in it, which no environment can carry")
	}
	return string(bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))), nil
}

// fail says that a task has failed; the app backs off then. The loop that called may not be waited for.
func (s *secretive) fail(task scheduler.TaskInfo, err error) {
	s.mu.Lock()
	ctx, events := s.ctx, s.events
	s.mu.Unlock()
	status := scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: task.ID, AgentID: task.AgentID,
		State: scheduler.TaskFailed, Timestamp: s.now(), Reason: "REASON_TASK_INVALID", Message: err.Error()}}
	go func() {
		select {
		case events <- status:
		case <-ctx.Done():
		}
	}()
}
