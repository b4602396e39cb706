package mesos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/scheduler"
)

// makeCalls makes the calls of a queue, in an order that their effect does not tell from that of the queue, until ctx
// ends or one of them is lost: then nobody knows what the master knows, and only a new session, with its reconciliation,
// puts that right.
func (s *session) makeCalls(ctx context.Context, queue *queue[v1Call]) error {
	for {
		calls, err := queue.take(ctx)
		if err != nil {
			return err
		}
		rest := waves(condense(calls))
		for n, wave := range rest {
			if err := s.makeWave(ctx, wave); err != nil {
				for _, later := range rest[n+1:] {
					s.notMade(later...)
				}
				return err
			}
		}
	}
}

// notMade notes calls that were certainly not sent.
func (s *session) notMade(calls ...v1Call) {
	s.unsentMu.Lock()
	defer s.unsentMu.Unlock()
	s.unsent = append(s.unsent, calls...)
}

// callsAtOnce is how many calls of a wave are under way at once. A large deployment has one for each agent, and a master
// takes some milliseconds for each.
const callsAtOnce = 16

// makeWave makes calls of which none has to wait for another.
func (s *session) makeWave(ctx context.Context, wave []v1Call) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for _, c := range wave {
		group.Go(func() error {
			if ctx.Err() != nil {
				s.notMade(c)
				return ctx.Err()
			}
			if err := s.makeCall(ctx, c); err != nil {
				return fmt.Errorf("making the call %s: %w", c.Type, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// waves divides calls, in their order, into those that may be made side by side: launches and kills on different agents,
// and offers that are given back. Whatever is about all tasks or offers is by itself.
func waves(calls []v1Call) [][]v1Call {
	var out [][]v1Call
	begin, agents := 0, map[string]bool{}
	end := func(n int) {
		if begin < n {
			out = append(out, calls[begin:n])
		}
		begin = n
		clear(agents)
	}
	for n := range calls {
		agent, alone := calls[n].agent()
		if alone || agents[agent] {
			end(n)
		}
		if alone {
			end(n + 1)
		} else if agent != "" {
			agents[agent] = true
		}
	}
	end(len(calls))
	return out
}

// agent is the agent that a call is about, "" for none; alone, that its order matters to all others.
func (c *v1Call) agent() (agent string, alone bool) {
	switch c.Type {
	case callAccept:
		for _, operation := range c.Accept.Operations {
			for _, t := range operation.Launch.TaskInfos {
				return t.AgentID.Value, false
			}
		}
		return "", false // it only gives offers back
	case callDecline:
		return "", false
	case callKill:
		agent = c.Kill.AgentID.text()
		return agent, agent == ""
	}
	return "", true
}

// condense makes one call of several that follow each other and say the same: masters take some milliseconds for each.
func condense(calls []v1Call) []v1Call {
	out := calls[:0:0]
	for _, c := range calls {
		if len(out) == 0 || out[len(out)-1].Type != c.Type {
			out = append(out, c)
			continue
		}
		last := &out[len(out)-1]
		switch {
		case c.Type == callRevive, c.Type == callSuppress:
		case c.Type == callDecline && last.Decline.Filters == c.Decline.Filters:
			ids := append(last.Decline.OfferIDs[:len(last.Decline.OfferIDs):len(last.Decline.OfferIDs)], c.Decline.OfferIDs...)
			last.Decline = &v1Decline{ids, c.Decline.Filters}
		default:
			out = append(out, c)
		}
	}
	return out
}

// slowCall is for how long a call of a session may go unanswered. A master that makes a snapshot of a large cluster
// answers nobody for many seconds; to give up on it, and to reconcile everything, would be one more thing for it to do. One
// that is dead is found out by its stream.
const slowCall = 2 * time.Minute

// errRefused is what a master says of a call that is wrong in itself.
var errRefused = errors.New("the master refuses the call")

// makeCall makes one call. An error is one of the session's.
func (s *session) makeCall(ctx context.Context, c v1Call) error {
	c.FrameworkID = valueOf(s.id)
	if len(c.launches()) > 0 {
		if err := s.backlog.wait(ctx); err != nil {
			s.notMade(c)
			return err
		}
	}
	err := s.post(ctx, c)
	if c.Type == callAcknowledge {
		s.backlog.end(c.Acknowledge.UUID)
	}
	if !errors.Is(err, errRefused) {
		if tasks := c.launches(); err == nil && len(tasks) > 0 {
			s.own.put(scheduler.LaunchesSent{Tasks: tasks})
		}
		return err
	}
	s.options.Logger.Error("the Mesos master refuses a call", "call", c.Type, "error", err)
	if c.Type == callAccept {
		s.refuseLaunch(c.Accept, err)
	}
	return nil
}

// launches are the tasks that a call launches.
func (c *v1Call) launches() []scheduler.TaskID {
	if c.Type != callAccept {
		return nil
	}
	var out []scheduler.TaskID
	for _, operation := range c.Accept.Operations {
		for _, t := range operation.Launch.TaskInfos {
			out = append(out, scheduler.TaskID(t.TaskID.Value))
		}
	}
	return out
}

// refuseLaunch answers for tasks that the master did not even look at.
func (s *session) refuseLaunch(a *v1Accept, err error) {
	for _, operation := range a.Operations {
		for _, t := range operation.Launch.TaskInfos {
			s.say([]scheduler.TaskInfo{{ID: scheduler.TaskID(t.TaskID.Value), AgentID: scheduler.AgentID(t.AgentID.Value)}},
				scheduler.TaskError, "REASON_TASK_INVALID", err.Error())
		}
	}
}

// post sends a call to the master that the stream comes from. That one is asked itself, whoever leads by now: another
// does not know the stream.
func (s *session) post(ctx context.Context, c v1Call) error {
	ctx, cancel := context.WithTimeout(ctx, slowCall)
	defer cancel()
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	masters := s.asked
	masters.Leader = s.at
	response, err := s.send(ctx, masters, s.at, body, http.Header{streamHeader: {s.stream}})
	if err != nil {
		return err
	}
	defer drain(response)
	switch response.StatusCode {
	case http.StatusAccepted, http.StatusOK:
		return nil
	case http.StatusBadRequest:
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorText))
		if isOfSession(string(text)) {
			return fmt.Errorf("status %s: %q", response.Status, text)
		}
		return fmt.Errorf("%w: %q", errRefused, text)
	}
	return statusError(response)
}

// isOfSession reports whether a refusal means the session rather than the call; the texts are those of Mesos's
// master/http.cpp.
func isOfSession(text string) bool {
	for _, of := range []string{"stream ID", "Stream-Id", "Framework cannot be found", "does not match principal"} {
		if strings.Contains(text, of) {
			return true
		}
	}
	return false
}
