package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/scheduler"
)

// run is one Run of an engine. Its fields belong to the goroutine of loop; keepers and calls reach it through inbox.
type run struct {
	*Engine
	framework string
	inbox     *inbox
	keepers   sync.WaitGroup
	launches  chan struct{} // one token for each supervisor that is being started

	ledgers        []*ledger
	tasks          map[scheduler.TaskID]*task
	byName         map[string]*task // by directory
	adopting       int              // tasks of which nothing is known yet; no offers are made before all have spoken
	outbox         []scheduler.Event
	unsent         map[scheduler.TaskID]*task                // those whose newest status is not acknowledged
	unstarted      []*keeper                                 // launched during this round of the loop
	ended          map[scheduler.TaskID]scheduler.TaskStatus // acknowledged, by what is left of them on disk
	unreadable     map[string]bool                           // directories whose tasks may well run, but are not known
	rubbish        *rubbish
	dockerDown     string // why no containers can be run; "" when they can
	dnsWarned      bool   // of containers that do not use our DNS
	loopbackWarned bool   // of containers that do not reach all agents
}

// task is what the engine knows of one task.
type task struct {
	keeper *keeper
	spoken bool                 // its keeper has told a status
	status scheduler.TaskStatus // the newest
	retry  time.Time            // when to repeat it, while it is not acknowledged
}

// launchesAtOnce bounds how many tasks are written to disk and started at the same time.
const launchesAtOnce = 8

// Run implements scheduler.Engine. It adopts the tasks that the directory holds, and fails when another Run uses it.
func (e *Engine) Run(ctx context.Context, frameworkID string, events chan<- scheduler.Event) error {
	held, err := lock(filepath.Join(e.options.Dir, lockFile))
	if errors.Is(err, errLocked) {
		return fmt.Errorf("local engine: another rollcall runs tasks in %s; stop it, or choose another dataDir", e.options.Dir)
	}
	if err != nil {
		return fmt.Errorf("local engine: %w", err)
	}
	defer held.Close()
	bell, err := newDoorbell(filepath.Join(e.options.Dir, "bell"))
	if err != nil {
		return fmt.Errorf("local engine: %w", err)
	}
	if frameworkID == "" {
		frameworkID = uuid.NewString()
	}
	r := &run{
		Engine: e, framework: frameworkID, inbox: newInbox(), launches: make(chan struct{}, launchesAtOnce),
		tasks: map[scheduler.TaskID]*task{}, byName: map[string]*task{},
		unsent:     map[scheduler.TaskID]*task{},
		ended:      map[scheduler.TaskID]scheduler.TaskStatus{},
		unreadable: map[string]bool{},
		rubbish:    newRubbish(e.options),
	}
	for _, a := range e.options.Agents {
		r.ledgers = append(r.ledgers, newLedger(a, e.machine))
	}
	ctx, cancel := context.WithCancel(ctx)
	r.keepers.Go(func() {
		bell.listen(func(name string) { r.inbox.put(func(r *run) { r.rang(name) }) },
			func() { r.inbox.put((*run).rangAll) })
	})
	defer r.keepers.Wait()
	defer bell.close()
	defer cancel()

	r.send(scheduler.Registered{FrameworkID: frameworkID})
	if err := r.adoptAll(ctx); err != nil {
		return fmt.Errorf("local engine: %w", err)
	}
	r.keepers.Go(func() { r.rubbish.collect(ctx, e.gcInterval, r.forgotten) })
	r.watchDocker(ctx)

	e.setInbox(r.inbox)
	defer e.setInbox(nil)
	r.loop(ctx, events)
	return nil
}

func (e *Engine) setInbox(i *inbox) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inbox = i
}

func (r *run) loop(ctx context.Context, events chan<- scheduler.Event) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		r.repeat(now)
		r.makeOffers(now)
		timer.Stop()
		if at := r.deadline(); !at.IsZero() {
			timer.Reset(at.Sub(now))
		}
		var out chan<- scheduler.Event
		var next scheduler.Event
		if len(r.outbox) > 0 {
			out, next = events, r.outbox[0]
		}
		select {
		case <-ctx.Done():
			return
		case out <- next:
			r.outbox = r.outbox[1:]
		case <-r.inbox.ready:
			for _, work := range r.inbox.take() {
				work(r)
			}
			r.startKeepers(ctx)
		case <-timer.C:
		}
	}
}

func (r *run) send(e scheduler.Event) { r.outbox = append(r.outbox, e) }

// deadline is when the loop has to do something by time alone; zero for never.
func (r *run) deadline() time.Time {
	var first time.Time
	sooner := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, l := range r.ledgers {
		sooner(l.deadline())
	}
	for _, t := range r.unsent {
		sooner(t.retry)
	}
	return first
}

// adoptAll takes over the tasks of the directory, each of which a keeper looks after from now on.
func (r *run) adoptAll(ctx context.Context) error {
	tasks := filepath.Join(r.options.Dir, "tasks")
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return fmt.Errorf("looking for tasks: %w", err)
	}
	foreign := 0
	for _, entry := range entries {
		dir := taskDir(filepath.Join(tasks, entry.Name()))
		var s spec
		found, err := dir.read(specFile, &s)
		switch {
		case err != nil:
			r.log.Error("task's file cannot be read; its task, if it runs, is left alone and nothing is said of it until "+
				"the file is put right and rollcall restarted, or the directory removed", "file", dir.path(specFile), "err", err)
			r.unreadable[dir.name()] = true
		case !found:
			// Its launch was cut short before anything was started.
			r.rubbish.discard(dir)
		case s.Task.FrameworkID != r.framework:
			foreign++
		case dir.has(reportedFile):
			r.adoptEnded(dir, s)
		default:
			r.adopting++
			t := &task{keeper: newKeeper(r, dir, s)}
			r.enter(t)
			t.keeper.start(ctx, (*keeper).adopt)
		}
	}
	if foreign > 0 {
		r.log.Warn("tasks of another framework are left alone", "tasks", foreign, "dir", tasks, "framework", r.framework)
	}
	return nil
}

// adoptEnded remembers how a task ended of which the scheduler knows already.
func (r *run) adoptEnded(dir taskDir, s spec) {
	var st status
	if found, err := dir.read(statusFile, &st); err != nil || !found || !st.State.Terminal() {
		st = status{State: scheduler.TaskFailed, Since: time.Now()}
	}
	r.ended[s.Task.ID] = st.update(s.Task)
	r.rubbish.add(dir, s.Task.ID, st.Since)
}

// enter puts a task, which is not known yet, into the books.
func (r *run) enter(t *task) {
	info := t.keeper.spec.Task
	r.tasks[info.ID], r.byName[t.keeper.dir.name()] = t, t
	if l := r.ledger(info.AgentID); l != nil {
		l.hold(info.ID, info.Resources)
	}
}

func (r *run) ledger(agent scheduler.AgentID) *ledger {
	for _, l := range r.ledgers {
		if l.ID == agent {
			return l
		}
	}
	return nil
}

// spoke takes in what a keeper says of its task.
func (r *run) spoke(k *keeper, st status) {
	t := r.tasks[k.spec.Task.ID]
	if t == nil || t.keeper != k {
		return
	}
	if !t.spoken {
		t.spoken = true
		r.adopting--
	}
	if st.State.Terminal() {
		if l := r.ledger(k.spec.Task.AgentID); l != nil {
			l.release(k.spec.Task.ID)
		}
	}
	r.report(t, st.update(k.spec.Task))
}

// report sends a status, and repeats it until it is acknowledged or there is a newer one.
func (r *run) report(t *task, st scheduler.TaskStatus) {
	st.Ack = uuid.NewString()
	t.status, t.retry = st, time.Now().Add(r.statusRetry)
	r.unsent[st.TaskID] = t
	r.send(scheduler.StatusReceived{Status: st})
}

// repeat sends again what was not acknowledged in time.
func (r *run) repeat(now time.Time) {
	for _, t := range r.unsent {
		if now.Before(t.retry) {
			continue
		}
		t.retry = now.Add(r.statusRetry)
		if len(r.outbox) == 0 { // else nobody takes them, and repeating only makes the queue longer
			r.send(scheduler.StatusReceived{Status: t.status})
		}
	}
}

func (r *run) acknowledge(st scheduler.TaskStatus) {
	t := r.tasks[st.TaskID]
	if t == nil || st.Ack == "" || t.status.Ack != st.Ack {
		return
	}
	delete(r.unsent, st.TaskID)
	if !t.status.State.Terminal() {
		return
	}
	delete(r.tasks, st.TaskID)
	delete(r.byName, t.keeper.dir.name())
	t.status.Ack = ""
	r.ended[st.TaskID] = t.status
	notify(t.keeper.acknowledged)
}

// forgotten is called when nothing is left of an ended task.
func (r *run) forgotten(id scheduler.TaskID) {
	r.inbox.put(func(r *run) { delete(r.ended, id) })
}

func (r *run) rang(name string) {
	if t := r.byName[name]; t != nil {
		notify(t.keeper.bell)
	}
}

func (r *run) rangAll() {
	for _, t := range r.tasks {
		notify(t.keeper.bell)
	}
}

func (r *run) taskLog(id scheduler.TaskID) *slog.Logger { return r.log.With("task", id) }
