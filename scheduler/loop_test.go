package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary is an engine, a store, a prober and an observer that write down what is asked of them, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
	full    bool // commits fail
	events  chan<- Event
	offers  int
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

// read returns the entries so far and forgets them.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.entries = nil }()
	return d.entries
}

func (d *diary) setFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func (d *diary) Load(context.Context, func(Record) error) error { return nil }

func (d *diary) Commit(_ context.Context, records []Record) error {
	d.mu.Lock()
	full := d.full
	d.mu.Unlock()
	if full {
		d.write("refuse")
		return ErrFull
	}
	kinds := map[Kind]bool{}
	for _, r := range records {
		kinds[r.Kind] = true
	}
	d.write("commit %v", sortedKeys(kinds))
	return nil
}

func (d *diary) Run(ctx context.Context, framework string, events chan<- Event) error {
	d.mu.Lock()
	d.events = events
	d.mu.Unlock()
	events <- Registered{FrameworkID: "f"}
	<-ctx.Done()
	return nil
}

func (d *diary) offer() {
	d.offers++
	d.events <- OffersReceived{[]Offer{{ID: OfferID(fmt.Sprint(d.offers)), AgentID: "S0", Hostname: "h",
		Resources: Resources{CPUs: 4, Mem: 4096, Ports: PortRange{{1000, 2000}}}}}}
}

func (d *diary) Accept(o OfferID, tasks []TaskInfo)  { d.write("accept %d", len(tasks)) }
func (d *diary) Decline(OfferID, time.Duration)      { d.write("decline") }
func (d *diary) Revive()                             { d.write("revive") }
func (d *diary) Suppress()                           { d.write("suppress") }
func (d *diary) Kill(ref TaskRef)                    { d.write("kill") }
func (d *diary) Reconcile(tasks []TaskRef)           {}
func (d *diary) Acknowledge(s TaskStatus)            { d.write("acknowledge %s", s.State) }
func (d *diary) Withdraw(_ *State, ids []InstanceID) { d.write("withdraw %d", len(ids)) }
func (d *diary) Probe(_ context.Context, p Probe) Probed {
	return Probed{Probe: p, Outcome: ProbeSucceeded}
}
func (d *diary) Publish(_ *State, ids []InstanceID, _ []Notice) {
	if len(ids) > 0 {
		d.write("publish %d", len(ids))
	}
}

// inLoop runs f beside a loop whose parts are a diary, in a bubble of virtual time.
func inLoop(t *testing.T, f func(*testing.T, *Loop, *diary)) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		l := NewLoop(LoopOptions{Core: NewCore(DefaultLimits(), NewState(), [32]byte{}), Store: d, Engine: d, Prober: d,
			Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		l.Observe(d)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		synctest.Wait()
		d.read()
		f(t, l, d)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := l.Do(t.Context(), ResetDelay{}); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func running(d *diary, l *Loop) TaskStatus {
	for i := range l.State().AllInstances() {
		return TaskStatus{TaskID: i.TaskID(), AgentID: "S0", State: TaskRunning, Ack: "1"}
	}
	return TaskStatus{}
}

func expect(t *testing.T, d *diary, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := d.read(); !slices.Equal(got, want) {
		t.Errorf("happened: %s\nwant:     %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func TestEffectsHappenInOrder(t *testing.T) {
	inLoop(t, func(t *testing.T, l *Loop, d *diary) {
		if _, err := l.Do(t.Context(), put(app("/a", 1))); err != nil {
			t.Fatal(err)
		}
		expect(t, d, "commit [app change deployment instance meta version]", "revive", "publish 1")
		d.offer()
		expect(t, d, "commit [instance]", "accept 1", "suppress", "publish 1")
		d.events <- StatusReceived{running(d, l)}
		expect(t, d, "commit [deployment instance]", "acknowledge TASK_RUNNING", "publish 1")
		if _, err := l.Do(t.Context(), remove("/a")); err != nil {
			t.Fatal(err)
		}
		expect(t, d, "commit [app change deployment instance meta]", "withdraw 1", "kill", "publish 1")
	})
}

func TestRefusedCommitChangesNothing(t *testing.T) {
	inLoop(t, func(t *testing.T, l *Loop, d *diary) {
		if _, err := l.Do(t.Context(), put(app("/a", 1))); err != nil {
			t.Fatal(err)
		}
		d.offer()
		synctest.Wait()
		d.read()

		d.setFull(true)
		_, err := l.Do(t.Context(), put(app("/b", 1)))
		if !errors.Is(err, ErrNotDurable) || !errors.Is(err, ErrFull) {
			t.Fatalf("reply: %v", err)
		}
		if l.State().App("/b") != nil {
			t.Error("the refused change shows")
		}
		d.events <- StatusReceived{running(d, l)}
		synctest.Wait()
		if got := d.read(); slices.ContainsFunc(got, func(s string) bool { return s != "refuse" }) {
			t.Errorf("happened without a commit: %v", got)
		}

		d.setFull(false)
		<-time.After(2 * commitRetry) // of virtual time
		expect(t, d, "commit [deployment instance]", "acknowledge TASK_RUNNING", "publish 1")
		if _, err := l.Do(t.Context(), put(app("/b", 1))); err != nil {
			t.Errorf("after recovery: %v", err)
		}
	})
}

func TestStateAtStartIsPublished(t *testing.T) {
	c := newCluster(t, 1, 1)
	c.must(put(app("/a", 1)))
	c.settle()
	state, err := LoadState(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	d := &diary{}
	NewLoop(LoopOptions{Core: NewCore(DefaultLimits(), state, [32]byte{})}).Observe(d)
	if got := d.read(); !slices.Equal(got, []string{"publish 1"}) {
		t.Errorf("happened: %v", got)
	}
}
