package mesos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/scheduler"
)

const (
	schedulerPath = "/api/v1/scheduler"
	streamHeader  = "Mesos-Stream-Id"
)

// session is one subscription: from a SUBSCRIBE to the loss of its stream.
type session struct {
	*Engine
	asked  Masters
	master string // of asked: who was subscribed at first
	events chan<- scheduler.Event

	id     string // of the framework; "" before the first registration ever
	anew   bool   // the master gave the id
	began  bool   // the master has registered us
	open   bool   // the master may still register us, although nobody waits for it any more
	at     string // the master that the stream comes from, "host:port"
	stream string // Mesos-Stream-Id
	region string // the master's

	offers     offerPool
	unanswered unanswered
	quiet      *silence
	calls      *queue[v1Call] // in their order: a launch must not be overtaken by the question for its task
	acks       []*queue[v1Call]
	backlog    *backlog // of acks
	seed       maphash.Seed
	own        *queue[scheduler.Event] // what the engine itself has to say

	unsentMu sync.Mutex
	unsent   []v1Call // that nobody will send any more
}

// acknowledgers is how many acknowledgements are under way at once. One takes a master some milliseconds, and each task
// has two of them before it runs.
const acknowledgers = 32

// run subscribes and passes on what comes until the session is lost. The error says why.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.quiet = newSilence(missedHeartbeats*defaultHeartbeat, func() { cancel(errSilent) })
	defer s.quiet.stop()
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(ctx, s.asked, s.master, cancel) })
	err := s.subscribe(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	watch.Wait()
	return fmt.Errorf("master %s: %w", s.master, err)
}

// subscribe is run but for the reasons for which ctx may end.
func (s *session) subscribe(ctx context.Context) error {
	body, err := json.Marshal(subscribeCall(s.frameworkInfo(s.id)))
	if err != nil {
		return err
	}
	response, err := s.send(ctx, s.asked, s.master, body, nil)
	if err != nil {
		dial := new(net.OpError)
		s.open = !errors.Is(err, errMayNotAct) && !(errors.As(err, &dial) && dial.Op == "dial")
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return statusError(response)
	}
	s.quiet.Reader = response.Body
	records := NewRecordReader(s.quiet, longestSchedulerEvent)
	first, err := nextSchedulerEvent(records)
	switch {
	case err != nil:
		s.open = true
		return err
	case first.Type == schedulerError:
		return s.refused(first.Error.Message)
	case first.Type != schedulerSubscribed || first.Subscribed == nil:
		return fmt.Errorf("the first event is %q, not %s", first.Type, schedulerSubscribed)
	}
	id := first.Subscribed.FrameworkID.Value
	if id == "" || s.id != "" && s.id != id {
		return fmt.Errorf("the master registered framework %q as %q", s.id, id)
	}
	s.quiet.allow(missedHeartbeats * heartbeatInterval(first.Subscribed.HeartbeatInterval))
	s.anew = s.id == ""
	s.id, s.began = id, true
	s.at, s.stream = hostPort(response.Request.URL), response.Header.Get(streamHeader)
	s.region = first.Subscribed.Master.Domain.region()
	s.calls, s.own, s.seed = newQueue[v1Call](), newQueue[scheduler.Event](), maphash.MakeSeed()
	s.backlog = newBacklog()
	for range acknowledgers {
		s.acks = append(s.acks, newQueue[v1Call]())
	}
	return s.serve(ctx, records, response)
}

// serve passes events and calls on until one of the two fails.
func (s *session) serve(ctx context.Context, records *RecordReader, response *http.Response) error {
	s.setSession(s)
	defer s.setSession(nil)
	s.options.Logger.Info("registered with the Mesos master", "master", s.at, "framework", s.id)
	s.options.Registered(s.id)
	if !s.tell(ctx, scheduler.Registered{FrameworkID: s.id, Master: s.at, Anew: s.anew}) {
		return ctx.Err()
	}
	group, inner := errgroup.WithContext(ctx)
	// The reader waits for octets, and knows of no context.
	stop := context.AfterFunc(inner, func() { response.Body.Close() })
	defer stop()
	group.Go(func() error { return s.read(inner, records) })
	group.Go(func() error { return s.makeCalls(inner, s.calls) })
	for _, queue := range s.acks {
		group.Go(func() error { return s.makeCalls(inner, queue) })
	}
	group.Go(func() error { return s.tellOwn(inner) })
	group.Go(func() error { return s.askAgain(inner) })
	return group.Wait()
}

// tell hands an event of the stream to the core. It reports false when ctx ended first. While the core takes its time,
// nothing is read; that is no silence of the master.
func (s *session) tell(ctx context.Context, e scheduler.Event) bool {
	select {
	case s.events <- e:
		return true
	default:
	}
	s.quiet.stop()
	defer s.quiet.resume()
	select {
	case s.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// tellOwn hands what the engine itself has to say to the core.
func (s *session) tellOwn(ctx context.Context) error {
	for {
		events, err := s.own.take(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			select {
			case s.events <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// nextSchedulerEvent reads an event. A stream never ends by itself: io.EOF is an error like the others.
func nextSchedulerEvent(records *RecordReader) (v1Event, error) {
	record, err := records.Next()
	if err != nil {
		return v1Event{}, fmt.Errorf("the stream of events has ended: %w", err)
	}
	return decodeSchedulerEvent(record)
}

// read passes the stream's events on. One that cannot be read is left out.
func (s *session) read(ctx context.Context, records *RecordReader) error {
	for {
		e, err := nextSchedulerEvent(records)
		if errors.As(err, new(*json.SyntaxError)) || errors.As(err, new(*json.UnmarshalTypeError)) {
			s.options.Logger.Warn("an event of the Mesos master cannot be read", "type", e.Type, "error", err)
			if !e.saysEnough() {
				continue
			}
			err = nil
		}
		if err != nil {
			return err
		}
		if err := s.handle(ctx, e); err != nil {
			return err
		}
	}
}

// handle acts upon an event.
func (s *session) handle(ctx context.Context, e v1Event) error {
	var told scheduler.Event
	switch e.Type {
	case schedulerOffers:
		told = scheduler.OffersReceived{Offers: s.offers.add(s.readable(e.Offers.Offers), s.region)}
	case schedulerRescind:
		offer, rest := s.offers.rescind(e.Rescind.OfferID.Value)
		if offer == "" {
			return nil
		}
		if len(rest) > 0 {
			s.calls.put(declineCall(rest, 0))
		}
		told = scheduler.OfferRescinded{Offer: offer}
	case schedulerInverseOffers:
		s.answerInverse(e.InverseOffers.InverseOffers)
		return nil
	case schedulerUpdate:
		status := e.Update.Status.status()
		s.unanswered.heard(status.TaskID)
		told = scheduler.StatusReceived{Status: status}
	case schedulerFailure:
		if e.Failure.ExecutorID != nil || e.Failure.AgentID == nil {
			return nil // of an executor: its tasks' updates say the rest
		}
		told = scheduler.AgentLost{Agent: scheduler.AgentID(e.Failure.AgentID.Value)}
	case schedulerError:
		return s.refused(e.Error.Message)
	default:
		return nil
	}
	if !s.tell(ctx, told) {
		return ctx.Err()
	}
	return nil
}

// brokenRefusal is for how long offers are declined that cannot be read: they will not look otherwise at once.
const brokenRefusal = 10 * time.Minute

// readable gives back the offers that cannot be read. A master waits for an answer to each.
func (s *session) readable(offers []v1Offer) []v1Offer {
	var broken []string
	for _, o := range offers {
		if o.broken != nil && o.ID.Value != "" {
			broken = append(broken, o.ID.Value)
			s.options.Logger.Warn("an offer of the Mesos master cannot be read, and is declined", "offer", o.ID.Value, "error", o.broken)
		}
	}
	if broken != nil {
		s.calls.put(declineCall(broken, brokenRefusal))
	}
	return slices.DeleteFunc(offers, func(o v1Offer) bool { return o.broken != nil })
}

// answerInverse agrees to give resources back when an agent's maintenance begins: nothing is placed there then, and
// what runs there is replaced once the agent is gone.
func (s *session) answerInverse(offers []v1InverseOffer) {
	ids := make([]string, len(offers))
	for n, o := range offers {
		ids[n] = o.ID.Value
		s.options.Logger.Info("maintenance is planned", "agent", o.AgentID.text())
	}
	if len(ids) > 0 {
		s.calls.put(acceptInverseCall(ids))
	}
}

// refused is what an ERROR event means. The texts are those of Mesos's master.cpp.
func (s *session) refused(message string) error {
	switch lower := strings.ToLower(message); {
	case strings.Contains(lower, "failed over"):
		return ErrFailedOver
	case strings.Contains(lower, "framework has been removed"), strings.Contains(lower, "completed framework"):
		return fmt.Errorf("%w (%q)", scheduler.ErrFrameworkRemoved, message)
	}
	return fmt.Errorf("the master refuses the framework: %q", message)
}

// accept launches tasks on an offer. Those that cannot be launched are answered for.
func (s *session) accept(id scheduler.OfferID, tasks []scheduler.TaskInfo) {
	held := s.offers.remove(id)
	if held == nil {
		s.say(tasks, scheduler.TaskDropped, "REASON_INVALID_OFFERS", "the offer is no longer valid")
		return
	}
	infos := make([]v1TaskInfo, 0, len(tasks))
	for n := range tasks {
		resources, err := held.take(&tasks[n])
		if err != nil {
			s.say(tasks[n:n+1], scheduler.TaskError, "REASON_TASK_INVALID", err.Error())
			continue
		}
		infos = append(infos, taskInfo(&tasks[n], resources))
	}
	s.calls.put(acceptCall(held.ids, infos))
}

// notLaunched are the statuses of tasks whose launch was decided and never sent: the core need not wait for a master to
// say that it does not know them.
func (s *session) notLaunched() []scheduler.TaskStatus {
	if s.calls != nil {
		s.notMade(s.calls.rest()...)
	}
	s.unsentMu.Lock()
	defer s.unsentMu.Unlock()
	var out []scheduler.TaskStatus
	for _, c := range s.unsent {
		if c.Type != callAccept {
			continue
		}
		for _, operation := range c.Accept.Operations {
			for _, t := range operation.Launch.TaskInfos {
				out = append(out, scheduler.TaskStatus{TaskID: scheduler.TaskID(t.TaskID.Value), AgentID: scheduler.AgentID(t.AgentID.Value),
					State: scheduler.TaskDropped, Timestamp: time.Now(), Reason: scheduler.ReasonMasterDisconnected,
					Message: "the connection to the Mesos master was lost before the task was launched"})
			}
		}
	}
	return out
}

// say tells statuses that no master tells. Callers may be the one who receives them, so it does not wait.
func (s *session) say(tasks []scheduler.TaskInfo, state scheduler.TaskState, reason, message string) {
	for _, t := range tasks {
		s.own.put(scheduler.StatusReceived{Status: scheduler.TaskStatus{TaskID: t.ID, AgentID: t.AgentID, State: state,
			Timestamp: time.Now(), Reason: reason, Message: message}})
	}
}

// acknowledgements is the queue for the acknowledgements of a task, in their order.
func (s *session) acknowledgements(task scheduler.TaskID) *queue[v1Call] {
	return s.acks[maphash.String(s.seed, string(task))%acknowledgers]
}
