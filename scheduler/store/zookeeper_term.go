package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"rollcall/scheduler"
)

// ErrDeposed is wrapped when another rollcall leads, or may lead by now. Nothing was stored then.
var ErrDeposed = errors.New("this rollcall leads no longer")

// errTermFailed marks what Election.Lead returned.
var errTermFailed = errors.New("leading")

// Term is the time for which this rollcall leads. It is a scheduler.Store that stores nothing once another leads: each
// transaction names the version of the term's node that the one before left behind.
//
// Commit and Load are called from one goroutine, the other methods from any.
type Term struct {
	c     *candidacy
	multi func(ops ...any) ([]zk.MultiResponse, error)
	move  func() // to another server
	lost  context.CancelCauseFunc

	// The store's goroutine has these.
	version int32             // of the term's node
	nodes   map[string]uint64 // that are there, below the state's: checksums of records, 0 for directories; nil: not known yet
	note    termNote          // of the last transaction that was made
	tried   int               // transactions, made or not
	journal [][]change        // a commit that is made and may not be carried out

	mu    sync.Mutex
	lease time.Time // until when nobody else can have been elected, by the monotonic clock
	over  bool
}

// termNote is what the term's node holds: who wrote it, and which commit that was. When the answer to a commit is lost
// the note tells whether it was made. It is written along with the records, and so tells of ones that are missing, too.
type termNote struct {
	Leader string    `json:"leader"` // Member.ID
	Since  time.Time `json:"since"`  // with Leader, tells terms apart
	Commit int       `json:"commit"`
	// Tallies are what the records of each kind add up to; nil: nobody knows. Rollcalls of before did not write them.
	Tallies map[scheduler.Kind]tally `json:"tallies"`
}

// MarshalText implements encoding.TextMarshaler, for the note.
func (t tally) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d %016x", t.count, t.sum), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *tally) UnmarshalText(text []byte) error {
	if _, err := fmt.Sscanf(string(text), "%d %x", &t.count, &t.sum); err != nil {
		return fmt.Errorf("a tally: %w", err)
	}
	return nil
}

// lead begins a term, has it used, and ends it.
func (c *candidacy) lead(ctx context.Context) error {
	asked := time.Now()
	data, stat, err := c.conn.Get(c.path(nodeTerm))
	if err != nil {
		return fmt.Errorf("beginning a term: %w", err)
	}
	var before termNote
	if json.Unmarshal(data, &before) != nil {
		before = termNote{} // the first term, or an operator says that the records are right as they are
	}
	inTerm, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	t := &Term{c: c, multi: c.conn.Multi, move: c.conn.Move, lost: lost, version: stat.Version,
		note: termNote{Leader: c.o.Self.ID, Since: asked.UTC(), Tallies: before.Tallies}}
	t.extend(asked)
	// It is begun by a transaction that fails if this candidate is gone or if another leads since.
	own := &zk.CheckVersionRequest{Path: c.path(nodeCandidates, c.node), Version: -1}
	if err := t.transact(ctx, before.Tallies, own); err != nil {
		if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) {
			// The others have it otherwise than this server, which may be for long.
			c.conn.Move()
		}
		return fmt.Errorf("beginning a term: %w", err)
	}
	c.term.Store(t)
	defer c.term.Store(nil)
	c.o.Logger.Info("this rollcall leads")
	c.election.Follow(c.o.Self, true)

	var keeping sync.WaitGroup
	keeping.Go(func() { t.keep(inTerm) })
	err = c.election.Lead(inTerm, t)
	cause := context.Cause(inTerm)
	lost(nil)
	keeping.Wait()
	unreadable := errors.Is(err, scheduler.ErrDamaged) || errors.Is(err, scheduler.ErrNewer)
	switch {
	case err != nil && !unreadable:
		return fmt.Errorf("%w: %w", errTermFailed, err)
	case ctx.Err() != nil:
		return nil
	case cause != nil:
		c.election.Follow(Member{}, false)
		c.o.Logger.Info("this rollcall has stepped down", "cause", cause)
		return nil
	}
	if unreadable {
		c.rested = time.Now().Add(c.rest)
	}
	c.o.Logger.Debug("this rollcall gives up leading") // it has said why
	c.election.Follow(Member{}, false)
	if err := c.conn.Delete(c.path(nodeCandidates, c.node), -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("giving up leading: %w", err)
	}
	return nil
}

// Valid says whether this rollcall may act as the leader at this moment. It turns false by itself when ZooKeeper was
// not heard of for two thirds of the session's time-out, also when the process was stopped meanwhile.
func (t *Term) Valid() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.over && time.Now().Before(t.lease)
}

// Lease is how long this rollcall may still act as the leader if ZooKeeper is not heard of again; negative: it may not.
func (t *Term) Lease() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return -1
	}
	return time.Until(t.lease)
}

// extend moves the end of the lease: at the time asked the session was alive for ZooKeeper.
func (t *Term) extend(asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end := asked.Add(t.c.o.SessionTimeout * 2 / 3); end.After(t.lease) {
		t.lease = end
	}
}

// lose ends the term.
func (t *Term) lose(cause error) {
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	t.lost(cause)
}

// keep extends the lease for as long as ZooKeeper answers, and ends the term when it has run out.
func (t *Term) keep(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		for sleep(ctx, t.c.o.SessionTimeout/6) == nil {
			asked := time.Now()
			// Sync goes through ZooKeeper's own leader: a server that is cut off from it cannot answer.
			if _, err := t.c.conn.Sync(t.c.path(nodeTerm)); err == nil {
				t.extend(asked)
			}
		}
	})
	for t.Valid() {
		if sleep(ctx, t.left()) != nil {
			return
		}
	}
	t.lose(fmt.Errorf("ZooKeeper was not heard of for %s", t.c.o.SessionTimeout*2/3))
}

func (t *Term) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.lease)
}

// transact makes changes in one transaction, after which the records add up to tallies, if no other term has begun. The
// connection may be lost before the answer comes; whether the changes were made is found out then. An error that does not
// wrap ErrDeposed means that they were not made and may be tried again.
func (t *Term) transact(ctx context.Context, tallies map[scheduler.Kind]tally, ops ...any) error {
	t.tried++
	next, never := t.note, t.note
	next.Commit, never.Commit = t.tried, t.tried
	next.Tallies = tallies
	note, err := json.Marshal(next)
	if err != nil {
		return err
	}
	for {
		if !t.Valid() {
			return ErrDeposed
		}
		asked := time.Now()
		_, err = t.multi(append([]any{
			&zk.SetDataRequest{Path: t.c.path(nodeTerm), Data: note, Version: t.version}}, ops...)...)
		switch {
		case err == nil:
			t.version++
			t.note = next
			t.extend(asked)
			return nil
		case errors.Is(err, zk.ErrBadVersion):
			return t.deposed(err)
		case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrNodeExists):
			// It would be so with all that comes. Whoever leads next reads them anew.
			return t.deposed(fmt.Errorf("ZooKeeper has other nodes than those that were read: %w", err))
		case !ambiguous(err):
			return err
		}
		made, err := t.made(ctx, note, never)
		if made {
			t.note = next
		}
		if made || err != nil {
			return err
		}
	}
}

// ambiguous says whether an error leaves open if a transaction was made. The client says of a request that could not be
// written what the network said, and of others that the connection is gone.
func ambiguous(err error) bool {
	if network := net.Error(nil); errors.As(err, &network) {
		return true
	}
	for _, open := range []error{zk.ErrConnectionClosed, zk.ErrSessionMoved, zk.ErrNoServer, zk.ErrClosing} {
		if errors.Is(err, open) {
			return true
		}
	}
	return false
}

// made finds out whether the transaction with a note was made whose answer was lost. If not, it sees to it that it
// will not be made any more, either: it takes the version of the term's node which that one needs, for a note that says what
// there is without it.
func (t *Term) made(ctx context.Context, note []byte, without termNote) (bool, error) {
	node := t.c.path(nodeTerm)
	never, err := json.Marshal(without)
	if err != nil {
		return false, err
	}
	never = append(never, ' ')           // which tells it from one that changes nothing
	for ; ; sleep(ctx, sessionRetry/4) { //nolint:errcheck // Valid tells
		if !t.Valid() || ctx.Err() != nil {
			return false, t.deposed(errors.New("it is not known whether the state was stored"))
		}
		data, stat, err := t.c.conn.Get(node)
		switch {
		case ambiguous(err):
		case err != nil:
			return false, fmt.Errorf("reading the term: %w", err)
		case stat.Version == t.version:
			if _, err := t.c.conn.Set(node, never, t.version); err != nil && !ambiguous(err) && !errors.Is(err, zk.ErrBadVersion) {
				return false, fmt.Errorf("taking up the term again: %w", err)
			}
		case bytes.Equal(data, note):
			t.version = stat.Version
			return true, nil
		case bytes.Equal(data, never):
			t.version = stat.Version
			return false, nil
		default:
			return false, t.deposed(fmt.Errorf("another term has begun: %s", data))
		}
	}
}

func (t *Term) deposed(cause error) error {
	err := fmt.Errorf("%w: %w", ErrDeposed, cause)
	t.lose(err)
	return err
}
