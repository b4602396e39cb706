package store

import (
	"bytes"
	"context"
	"maps"
	"sync"

	"rollcall/scheduler"
)

// Memory keeps records in memory, for tests. It may be used from any goroutine.
type Memory struct {
	mu      sync.Mutex
	records map[recordID][]byte
	fail    error
}

var _ scheduler.Store = (*Memory)(nil)

type recordID struct {
	kind scheduler.Kind
	key  string
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{records: map[recordID][]byte{}} }

// FailNext has the next Commit change nothing and return err.
func (m *Memory) FailNext(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Load is scheduler.Store's Load. It yields the records as they were when it was called.
func (m *Memory) Load(ctx context.Context, yield func(scheduler.Record) error) error {
	m.mu.Lock()
	records := maps.Clone(m.records)
	m.mu.Unlock()
	for id, value := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(scheduler.Record{Kind: id.kind, Key: id.key, Value: bytes.Clone(value)}); err != nil {
			return err
		}
	}
	return nil
}

// Commit is scheduler.Store's Commit.
func (m *Memory) Commit(ctx context.Context, records []scheduler.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkRecords(records); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail; err != nil {
		m.fail = nil
		return err
	}
	for _, r := range records {
		if r.Value == nil {
			delete(m.records, recordID{r.Kind, r.Key})
			continue
		}
		m.records[recordID{r.Kind, r.Key}] = bytes.Clone(r.Value)
	}
	return nil
}
