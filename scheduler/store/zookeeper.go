package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"rollcall/scheduler"
	"rollcall/scheduler/zookeeper"
)

// What lies under the path of the URL. Nothing else may: it would be a sign that the path is somebody else's.
const (
	nodeLayout     = "layout"     // which of rollcall's layouts this is
	nodeCandidates = "candidates" // a node for each rollcall, the oldest leads
	nodeSerials    = "serials"    // how far the serials of the zone are reserved
	nodeTerm       = "term"       // its version goes up with each term and each commit; it says what the records add up to
	nodeJournal    = "journal"    // a commit that is too large for one transaction
	nodeState      = "state"      // the records, by kind and bucket

	layoutVersion = "rollcall 1"

	// candidatePrefix begins the names of candidates; ZooKeeper adds a number, by which they are ordered.
	candidatePrefix = "candidate-"
)

const (
	// sessionRetry is how long a rollcall waits before it asks ZooKeeper again after a failure.
	sessionRetry = time.Second

	// refusalRest is how long a rollcall that could not read the state leaves the leading to others.
	refusalRest = 10 * time.Second
)

// Member is one of the rollcalls that share a state, as it tells the others of itself.
type Member struct {
	ID    string `json:"id"`              // tells processes apart, also those of one machine
	URL   string `json:"url"`             // of its Marathon API, without a path
	Token string `json:"token,omitempty"` // what it takes to be told what is meant for the other members only
}

// ZooKeeperOptions say where several rollcalls share their state.
type ZooKeeperOptions struct {
	// URL's path is theirs alone. With credentials nobody else may read or write below it.
	URL zookeeper.URL
	// SessionTimeout is how long a leader may be silent until another takes over; ZooKeeper holds it within 2 and 20
	// of its ticks. A leader that cannot reach ZooKeeper stops acting after two thirds of it.
	SessionTimeout time.Duration
	Self           Member
	Logger         *slog.Logger
}

// ZooKeeper is one rollcall's part in an election and, while it leads, its way to the shared state.
type ZooKeeper struct {
	o       ZooKeeperOptions
	acl     []zk.ACL
	relist  time.Duration
	rest    time.Duration // after a state that could not be read
	reread  time.Duration // between reading what does not add up and reading it again, each time more
	problem string        // what was logged last; "" when all is well
}

// NewZooKeeper prepares a part in the election; Run takes it.
func NewZooKeeper(o ZooKeeperOptions) *ZooKeeper {
	z := &ZooKeeper{o: o, acl: zk.WorldACL(zk.PermAll), relist: zookeeper.RelistEvery, rest: refusalRest,
		reread: sessionRetry / 4}
	z.o.Logger = o.Logger.With("zookeeper", strings.Join(o.URL.Servers, ","), "path", o.URL.Path)
	if o.URL.Credentials != "" {
		z.acl = zk.AuthACL(zk.PermAll)
	}
	return z
}

// Election is told how it goes. Its methods are called one at a time, from Run's goroutine.
type Election interface {
	// Follow says who leads now; ok is false while nobody does. It must not block.
	Follow(leader Member, ok bool)
	// Lead is called when this rollcall has been elected. It may use term until ctx ends, which it does when the term
	// is lost, and has to return soon then. When it returns this rollcall goes to the end of the queue, unless ctx
	// has ended, and Lead is to have said why. After an error that says that the state cannot be read
	// (scheduler.ErrDamaged, scheduler.ErrNewer) it stands for election again only after a while, for others may be able to
	// read it; any other error ends Run.
	Lead(ctx context.Context, term *Term) error
}

// Run takes part in the election until ctx ends, then returns nil. ZooKeeper may be away for as long as it likes: what
// was known of the leader stays, and nobody is elected. It returns an error for what an operator has to put right,
// such as a path that holds something else (ErrForeign), a newer layout (scheduler.ErrNewer), or wrong credentials.
func (z *ZooKeeper) Run(ctx context.Context, election Election) error {
	conn, events, err := zookeeper.Connect(ctx, z.o.URL, z.o.SessionTimeout, z.o.Logger)
	if err != nil {
		return fmt.Errorf("connecting to ZooKeeper: %w", err)
	}
	defer conn.Close()
	c := &candidacy{ZooKeeper: z, conn: conn, election: election}
	// Requests know of no context: closing the connection ends them. A leader closes it when it has stopped acting.
	defer context.AfterFunc(ctx, func() {
		if c.term.Load() == nil {
			conn.Close()
		}
	})()
	go c.hear(events)
	for {
		err := c.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case lasting(err):
			return err
		case err != nil:
			z.trouble(err)
			if sleep(ctx, sessionRetry) != nil {
				return nil
			}
		}
	}
}

// ErrForeign is wrapped when the path in ZooKeeper holds what is not rollcall's.
var ErrForeign = errors.New("the path in ZooKeeper holds something else")

// lasting says whether an error stays until somebody does something about it.
func lasting(err error) bool {
	for _, lasts := range []error{ErrForeign, scheduler.ErrNewer, zk.ErrNoAuth, zk.ErrAuthFailed,
		zk.ErrInvalidACL, errTermFailed} {
		if errors.Is(err, lasts) {
			return true
		}
	}
	return false
}

// trouble logs what is wrong, once until all is well again or something else is wrong.
func (z *ZooKeeper) trouble(err error) {
	if z.problem != err.Error() {
		z.problem = err.Error()
		z.o.Logger.Warn("no election: ZooKeeper does not answer; trying on", "error", err)
	}
}

func (z *ZooKeeper) well() {
	if z.problem != "" {
		z.problem = ""
		z.o.Logger.Info("ZooKeeper answers again")
	}
}

func (z *ZooKeeper) path(names ...string) string {
	return path.Join(append([]string{z.o.URL.Path}, names...)...)
}

// candidacy is a rollcall's part in the election over one connection, whose sessions may be several.
type candidacy struct {
	*ZooKeeper
	conn     *zookeeper.Session
	election Election
	loggedIn bool
	prepared bool                 // the layout was seen to be right
	node     string               // name of this rollcall's own candidate; "" for none
	rested   time.Time            // when it may stand for election again
	term     atomic.Pointer[Term] // while this rollcall leads
}

// hear takes the connection's events, so that a term ends as soon as it is known that its session has.
func (c *candidacy) hear(events <-chan zk.Event) {
	for e := range events {
		if term := c.term.Load(); term != nil && e.State == zk.StateExpired {
			term.lose(zk.ErrSessionExpired)
		}
	}
}

// round looks who leads, leads if that is this rollcall, and else waits until it has to be looked again.
func (c *candidacy) round(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	names, _, watch, err := c.conn.ChildrenW(c.path(nodeCandidates))
	if err != nil {
		return fmt.Errorf("listing the candidates: %w", err)
	}
	if !slices.Contains(names, c.node) {
		if !time.Now().Before(c.rested) {
			return c.stand()
		}
		rests, cancel := context.WithDeadline(ctx, c.rested)
		defer cancel()
		ctx = rests
	}
	c.well()
	if len(names) == 0 {
		c.election.Follow(Member{}, false)
		return c.wait(ctx, watch, names)
	}
	oldest := slices.MinFunc(names, func(a, b string) int { return cmp.Compare(sequence(a), sequence(b)) })
	if oldest == c.node {
		return c.lead(ctx)
	}
	data, _, err := c.conn.Get(c.path(nodeCandidates, oldest))
	if errors.Is(err, zk.ErrNoNode) {
		return nil // it is gone already
	}
	if err != nil {
		return fmt.Errorf("reading who leads: %w", err)
	}
	var leader Member
	if err := json.Unmarshal(data, &leader); err != nil {
		return fmt.Errorf("%w: reading %s: %w", ErrForeign, c.path(nodeCandidates, oldest), err)
	}
	c.election.Follow(leader, true)
	return c.wait(ctx, watch, names)
}

// wait returns when the candidates may be others than those named.
func (c *candidacy) wait(ctx context.Context, watch <-chan zk.Event, names []string) error {
	again := time.NewTicker(c.relist)
	defer again.Stop()
	for {
		select {
		case <-watch:
			return nil
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
		now, _, err := c.conn.Children(c.path(nodeCandidates))
		if err != nil {
			err = fmt.Errorf("listing the candidates: %w", err)
		}
		switch {
		case err == nil && zookeeper.Same(now, names):
			c.well()
		case err == nil:
			return nil
		case ambiguous(err):
			// The watch outlives the connection, and a second one would be kept beside it.
			c.trouble(err)
		default:
			return err
		}
	}
}

// stand makes this rollcall a candidate, last in the queue.
func (c *candidacy) stand() error {
	data, err := json.Marshal(c.o.Self)
	if err != nil {
		return fmt.Errorf("standing for election: %w", err)
	}
	node, err := c.conn.CreateProtectedEphemeralSequential(c.path(nodeCandidates, candidatePrefix), data, c.acl)
	if err != nil {
		return fmt.Errorf("standing for election: %w", err)
	}
	c.node = path.Base(node)
	return nil
}

// sequence is the number that ZooKeeper gave a candidate. What is not a candidate sorts last.
func sequence(name string) string {
	if at := strings.LastIndex(name, candidatePrefix); at >= 0 {
		return name[at+len(candidatePrefix):]
	}
	return "~"
}

// sleep waits, and returns the error of a context that ends meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
